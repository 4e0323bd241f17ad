"""One token for many processes: a real Valkey, and a real server that counts how often it was asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from pushjobs import errors
from pushjobs.domain.events import TokenFetched, TokenNeed
from pushjobs.wechat.client import Client
from pushjobs.wechat.tokens import TokenSource
from tests.integration.wechat.misbehaving import Wire, calling, serving
from tests.integration.wechat.misbehaving import answer as reply

Answer = Callable[[int], Awaitable[object]]
SECRET = "the-secret"


class Asked:
    """What the server of stable tokens was asked: the bodies, in order."""

    def __init__(self) -> None:
        self.bodies: list[object] = []

    @property
    def times(self) -> int:
        """How often it was asked."""
        return len(self.bodies)


async def another_each_time(asked: int) -> object:
    """Give token-1, token-2 and so on."""
    return {"access_token": f"token-{asked}", "expires_in": 7200}


@asynccontextmanager
async def wechat(answer: Answer = another_each_time) -> AsyncIterator[tuple[Client, Asked]]:
    """Run a server of stable tokens; `answer` is given how often it has been asked."""
    asked = Asked()

    async def stable_token(wire: Wire) -> None:
        while True:
            asked.bodies.append(orjson.loads(await wire.read()))
            await wire.write(reply(orjson.dumps(await answer(asked.times))))

    async with serving(stable_token) as server, calling(server.url) as client:
        yield client, asked


def source(client: Client, redis: Redis) -> TokenSource:
    """Make a token source, as every process has one."""
    return TokenSource(client, redis, appid="wx1", secret=SECRET)


async def test_processes_share_one_call(redis: Redis) -> None:
    """Twenty processes that need a token at once make one call, in normal mode, and get the same token."""
    async with wechat() as (client, asked):
        tokens = await asyncio.gather(*(source(client, redis).current() for _ in range(20)))
    assert set(tokens) == {"token-1"}
    assert asked.bodies == [{"grant_type": "client_credential", "appid": "wx1", "secret": SECRET}]


async def test_each_token_that_was_fetched_is_told_of(redis: Redis) -> None:
    """Why WeChat was asked, and whether it gave another token; what came from Redis or memory is no news."""
    told: list[TokenFetched] = []
    answers = ["token-1", "token-2", "token-2"]

    async def next_one(asked: int) -> object:
        return {"access_token": answers[asked - 1], "expires_in": 7200}

    async with wechat(next_one) as (client, _):
        ours = TokenSource(client, redis, appid="wx1", secret=SECRET, tell=told.append)
        await ours.current()
        await ours.current()
        await source(client, redis).current()
        await ours.renew("token-1")
        await ours.renew("token-2")
    assert [(each.appid, each.need, each.is_new) for each in told] == [
        ("wx1", TokenNeed.NONE_KEPT, True),
        ("wx1", TokenNeed.NOT_ACCEPTED, True),
        ("wx1", TokenNeed.NOT_ACCEPTED, False),
    ]


async def test_memory_serves_for_a_while(redis: Redis) -> None:
    """A process keeps the token in memory, and asks neither Redis nor WeChat for each message."""
    async with wechat() as (client, asked):
        ours = source(client, redis)
        await ours.current()
        await redis.flushall()
        assert await ours.current() == "token-1"
    assert asked.times == 1


async def test_compare_before_renewing(redis: Redis) -> None:
    """A process whose token failed takes the one that another has stored meanwhile, and asks nobody."""
    async with wechat() as (client, asked):
        ours, other = source(client, redis), source(client, redis)
        failed = await ours.current()
        assert await other.renew(failed) == "token-2"
        assert await ours.renew(failed) == "token-2"
        assert await ours.current() == "token-2"
    assert asked.times == 2


async def test_late_report_of_an_old_token(redis: Redis) -> None:
    """A message that failed with a token before the present one does not have the present one renewed."""
    async with wechat() as (client, asked):
        ours = source(client, redis)
        failed = await ours.current()
        await ours.renew(failed)
        assert await ours.renew(failed) == "token-2"
    assert asked.times == 2


async def test_one_process_renews_once(redis: Redis) -> None:
    """Within a process all who saw the same token fail share one renewal, and one who gives up does not end it."""
    may_answer = asyncio.Event()

    async def hesitate(asked: int) -> object:
        await may_answer.wait()
        return await another_each_time(asked)

    async with wechat(hesitate) as (client, asked):
        ours = source(client, redis)
        await redis.set("pushjobs:token:wx1", "failed", ex=60)
        renewals = [asyncio.create_task(ours.renew("failed")) for _ in range(20)]
        await asyncio.sleep(0)
        renewals[0].cancel()
        may_answer.set()
        assert set(await asyncio.gather(*renewals[1:])) == {"token-1"}
    assert asked.times == 1


async def test_wechat_stands_by_its_token(redis: Redis) -> None:
    """When WeChat repeats the token that failed, everybody gets it back, after one call between them."""

    async def repeat(_: int) -> object:
        return {"access_token": "failed", "expires_in": 7200}

    async with wechat(repeat) as (client, asked):
        await redis.set("pushjobs:token:wx1", "failed", ex=60)
        tokens = await asyncio.gather(*(source(client, redis).renew("failed") for _ in range(20)))
    assert set(tokens) == {"failed"}
    assert asked.times == 1


async def test_dead_lock_holder(redis: Redis) -> None:
    """A process that died while it asked holds the others up only until its lock runs out."""
    async with wechat() as (client, asked):
        await redis.set("pushjobs:token:wx1:lock", "the-dead", px=200)
        assert await source(client, redis).current() == "token-1"
    assert asked.times == 1


async def test_late_holder_does_not_overwrite(redis: Redis) -> None:
    """A process that was stopped beyond its lock's life does not store its token over a newer one, and drops it."""
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def first_is_late(asked: int) -> object:
        if asked == 1:
            is_asked.set()
            await may_answer.wait()
        return await another_each_time(asked)

    async with wechat(first_is_late) as (client, asked):
        late = asyncio.create_task(source(client, redis).current())
        await is_asked.wait()
        await redis.delete("pushjobs:token:wx1:lock")  # it ran out
        assert await source(client, redis).current() == "token-2"
        may_answer.set()
        assert await late == "token-2"
        assert await redis.get("pushjobs:token:wx1") == b"token-2"
    assert asked.times == 2


@pytest.mark.parametrize(("expires_in", "kept"), [(7200, 6900), (345, 45), (310, 30), (300, 30), (0, 30)])
async def test_time_to_live(redis: Redis, expires_in: int, kept: int) -> None:
    """The token is kept for five minutes less than it lives, never without a bound; no other key stays either."""

    async def expiring(_: int) -> object:
        return {"access_token": "token", "expires_in": expires_in}

    async with wechat(expiring) as (client, _):
        await source(client, redis).current()
    assert kept - 1 <= await redis.ttl("pushjobs:token:wx1") <= kept
    assert all([await redis.ttl(key) > 0 for key in await redis.keys()])


async def test_redis_lost(valkey_socket: Path) -> None:
    """Without Redis there is no token and no call: a thousand processes would make a thousand."""
    nowhere = Redis(unix_socket_path=f"{valkey_socket}-absent", retry=Retry(NoBackoff(), 0))
    async with wechat() as (client, asked), nowhere:
        with pytest.raises(errors.Unreachable, match="Redis"):
            await source(client, nowhere).current()
        with pytest.raises(errors.Unreachable, match="Redis"):
            await source(client, nowhere).renew("failed")
    assert asked.times == 0


async def test_wechat_lost(redis: Redis) -> None:
    """Without WeChat there is no token; the lock is let go, so that the next one may try."""
    async with wechat() as (client, _):
        pass
    with pytest.raises(errors.Unreachable, match=client.base_url):
        await source(client, redis).current()
    assert await redis.keys() == []


@pytest.mark.parametrize("errcode", [40001, 40125, 40013, 40164, 89503])
async def test_credentials_refused(redis: Redis, errcode: int) -> None:
    """Refused credentials are named as such, without the secret, and the lock is let go."""

    async def refuse(_: int) -> object:
        return {"errcode": errcode, "errmsg": "no"}

    async with wechat(refuse) as (client, _):
        ours = source(client, redis)
        with pytest.raises(errors.CredentialsRefused, match="check appid and secret") as caught:
            await ours.current()
    assert caught.value.errcode == errcode
    assert SECRET not in f"{caught.value!r} {ours!r}"
    assert await redis.keys() == []


@pytest.mark.parametrize("errcode", [-1, 45009, 45011])
async def test_not_now(redis: Redis, errcode: int) -> None:
    """A WeChat that is busy or has had enough calls has said nothing about the credentials."""

    async def refuse(_: int) -> object:
        return {"errcode": errcode, "errmsg": "later"}

    async with wechat(refuse) as (client, _):
        with pytest.raises(errors.CallRefused) as caught:
            await source(client, redis).current()
    assert not isinstance(caught.value, errors.CredentialsRefused)


@pytest.mark.parametrize("answer", [{}, {"access_token": "", "expires_in": 7200}, {"access_token": "token"}, []])
async def test_answer_without_token(redis: Redis, answer: object) -> None:
    """An answer without a token is no answer."""

    async def answer_so(_: int) -> object:
        return answer

    async with wechat(answer_so) as (client, _):
        with pytest.raises(errors.Unreachable):
            await source(client, redis).current()
