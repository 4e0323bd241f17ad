"""One access token for all processes, renewed by one of them at a time.

WeChat's stable token, in its normal mode, kept in Redis and for a minute in each process. The forced mode voids the
token of everybody else and may be used 20 times a day: it stays a person's decision.

Refuses to: work without Redis (every process would ask on its own), replace a newer token by an older one, show a token
in a log, an exception or a representation. Every key has a time to live.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence

from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from pushjobs import errors
from pushjobs.clock import monotonic
from pushjobs.domain.events import TokenFetched, TokenNeed
from pushjobs.domain.outcome import DayOver, Retry, SlowDown
from pushjobs.wechat import errcodes
from pushjobs.wechat.client import Client

__all__ = ["TokenSource", "fetched", "prove_credentials"]

_CACHED_SECONDS = 60.0
_SPARE_SECONDS = 300  # an old and a new token both work for the old one's last five minutes
_SHORTEST_LIFE_SECONDS = 30
_LOCK_SECONDS = 10
_PATIENCE_SECONDS = 20.0  # outlives a lock whose holder died, and the call of the one who takes it next
_POLL_SECONDS = 0.05
_SETTLED_SECONDS = 10
_COUNT_KEPT_SECONDS = 30 * 86_400

# Store what the lock's holder was given and let the lock go, unless the lock ran out meanwhile: another process may
# have stored a newer token since.
# KEYS lock, token, settled, fetched · ARGV holder, token, its life in seconds, seconds it is settled for (0: not),
# seconds the count is kept · returns 1 if stored
_STORE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
if ARGV[4] ~= '0' then redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[4]) end
redis.call('INCR', KEYS[4])
redis.call('EXPIRE', KEYS[4], ARGV[5])
redis.call('DEL', KEYS[1])
return 1
"""

# Let the lock go if it is still the holder's. KEYS lock · ARGV holder · returns 1 if it was
_LET_GO = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class TokenSource:
    """The access token of one app, shared through Redis; used within the event loop of its client.

    `tell` is called each time that WeChat gave one and it is stored.
    """

    def __init__(
        self,
        client: Client,
        redis: Redis,
        *,
        appid: str,
        secret: str,
        tell: Callable[[TokenFetched], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._redis = redis
        self._appid = appid
        self._secret = secret
        self._tell = tell
        self._token_key = f"pushjobs:token:{appid}"
        self._lock_key = f"pushjobs:token:{appid}:lock"
        self._settled_key = f"pushjobs:token:{appid}:settled"
        self._fetched_key = _fetched_key(appid)
        self._store = redis.register_script(_STORE)
        self._let_go = redis.register_script(_LET_GO)
        self._cached: str | None = None
        self._cached_until = 0.0
        self._under_way: dict[str | None, asyncio.Task[str]] = {}

    async def current(self) -> str:
        """Return a token that should work: from memory for a minute, else from Redis, else from WeChat.

        Raises `CredentialsRefused` when WeChat does not accept appid and secret, `CallRefused` for another error code,
        `Unreachable` when Redis or WeChat does not answer.
        """
        if self._cached is not None and monotonic() < self._cached_until:
            return self._cached
        return await self._shared(None)

    async def renew(self, failed: str) -> str:
        """Return a token in place of one that a call did not accept; ask WeChat only if nobody has done so yet.

        The answer may be the failed token itself: in normal mode WeChat repeats a token that it believes to be valid,
        and for some seconds it is not asked again. The caller calls once more, and takes a second refusal as a reason
        to come back later. Raises as `current` does.
        """
        if self._cached not in (None, failed) and monotonic() < self._cached_until:
            return self._cached
        return await self._shared(failed)

    async def _shared(self, failed: str | None) -> str:
        """Join those in this process who want the same; their task outlives a caller who gives up."""
        task = self._under_way.get(failed)
        if task is None:
            task = self._under_way[failed] = asyncio.create_task(self._obtain(failed))
            task.add_done_callback(lambda _: self._under_way.pop(failed))
        return await asyncio.shield(task)

    async def _obtain(self, failed: str | None) -> str:
        try:
            token = await self._agree(failed)
        except (RedisError, OSError) as fault:
            what = type(fault).__name__
        else:
            self._cached = token
            self._cached_until = monotonic() + _CACHED_SECONDS
            return token
        raise errors.Unreachable(f"Redis does not answer ({what}): the access token is shared through it")

    async def _agree(self, failed: str | None) -> str:
        """Take the token that is in Redis, or put one there; whoever does not hold the lock waits for the other."""
        holder = secrets.token_hex(8)
        deadline = monotonic() + _PATIENCE_SECONDS
        while monotonic() < deadline:
            if (token := await self._stored(failed)) is not None:
                return token
            if await self._redis.set(self._lock_key, holder, nx=True, ex=_LOCK_SECONDS):
                await self._refresh(failed, holder)
            else:
                await asyncio.sleep(_POLL_SECONDS)
        raise errors.Unreachable("no access token: the process that asks WeChat for one does not come to an end")

    async def _stored(self, failed: str | None) -> str | None:
        """Return the token in Redis, unless it is the failed one and WeChat has not just been asked about it."""
        token, settled = (_text(value) for value in await self._redis.mget(self._token_key, self._settled_key))
        return token if token != failed or token == settled else None

    async def _refresh(self, failed: str | None, holder: str) -> None:
        """Ask WeChat under the lock, and store what it gives unless the lock was lost meanwhile."""
        keys = [self._lock_key, self._token_key, self._settled_key, self._fetched_key]
        try:
            # Between the look before the lock and the lock itself, its last holder may have stored a token.
            if await self._stored(failed) is None:
                token, life = await _ask(self._client, self._appid, self._secret)
                # WeChat stands by the token that failed: asking again at once would bring it back again.
                settled = _SETTLED_SECONDS if token == failed else 0
                args: list[str | int] = [holder, token, life, settled, _COUNT_KEPT_SECONDS]
                if await self._store(keys=keys, args=args):
                    need = TokenNeed.NONE_KEPT if failed is None else TokenNeed.NOT_ACCEPTED
                    self._tell(TokenFetched(appid=self._appid, need=need, is_new=token != failed))
        finally:
            await self._let_go(keys=[self._lock_key], args=[holder])


def fetched(redis: SyncRedis, appids: Sequence[str]) -> dict[str, int]:
    """Return how many tokens WeChat gave for each app; it begins anew where Redis does. Raises Unreachable."""
    if not appids:
        return {}
    try:
        counts = redis.mget([_fetched_key(appid) for appid in appids])
    except (RedisError, OSError) as fault:
        raise errors.Unreachable(f"Redis does not answer ({type(fault).__name__})") from None
    return {appid: int(count or 0) for appid, count in zip(appids, counts, strict=True)}


async def prove_credentials(client: Client, *, appid: str, secret: str) -> None:
    """Return if WeChat gives a token for appid and secret; it may be the one in use, which stays good.

    Raises `CredentialsRefused`, `CallRefused` for an error code that says nothing of them, `Unreachable`.
    """
    await _ask(client, appid, secret)


async def _ask(client: Client, appid: str, secret: str) -> tuple[str, int]:
    """Ask WeChat for the stable token; return it with the seconds it may be kept in Redis."""
    body = {"grant_type": "client_credential", "appid": appid, "secret": secret}
    try:
        answer = await client.ask("POST", "/cgi-bin/stable_token", body=body)
    except errors.CallRefused as refusal:
        if isinstance(errcodes.read(refusal.errcode), Retry | SlowDown | DayOver):
            raise
        raise errors.CredentialsRefused(refusal.errcode, refusal.meaning, refusal.rid) from refusal
    match answer:
        case {"access_token": str(token), "expires_in": int(life)} if token:
            return token, max(life - _SPARE_SECONDS, _SHORTEST_LIFE_SECONDS)
    raise errors.Unreachable(f"{client.base_url} answered the token call without a token")


def _fetched_key(appid: str) -> str:
    return f"pushjobs:token:{appid}:fetched"


def _text(value: bytes | str | None) -> str | None:
    """Read what Redis holds, whichever way the connection decodes."""
    return value.decode() if isinstance(value, bytes) else value
