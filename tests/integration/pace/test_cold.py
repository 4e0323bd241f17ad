"""Redis may lose everything at any time: slots given before never overlap those after, and nobody sends blindly."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from redis import Redis

from pushjobs import clock
from pushjobs.domain.job import Lane
from pushjobs.errors import Unreachable
from pushjobs.local.valkey import ValkeyServer
from pushjobs.pace import Grant, Limit, Pace, Wait

LIMIT = Limit(per_second=200, urgent_share=0.2)
FAR = 0.750
JUST_NOW = 1_000_000


def next_grant(pace: Pace, lane: Lane) -> Grant:
    """Wait as told until slots are given."""
    pause = Event()
    while isinstance(answer := pace.reserve(100, lane), Wait):
        pause.wait(answer.seconds)
    return answer


def forget_key(redis: Redis, key: str) -> None:
    redis.delete(key)


def flush(redis: Redis, _: str) -> None:
    redis.flushall()


def step_clock_back(redis: Redis, key: str) -> None:
    """An hour back, seen from the clock."""
    seconds, _ = redis.time()
    redis.set(key, f"{(seconds + 3600) * 1_000_000} {(seconds + 3600) * 1_000_000}", ex=60)


def restart_with_an_older_key(redis: Redis, key: str) -> None:
    """The script is lost, and the key is as it was a second ago."""
    state = redis.get(key)
    assert isinstance(state, bytes)
    last, paid, others_turn = map(int, state.split())
    redis.set(key, f"{last - JUST_NOW} {paid - JUST_NOW} {others_turn}", ex=60)
    redis.script_flush()


@pytest.mark.parametrize("lose", [forget_key, flush, step_clock_back, restart_with_an_older_key])
def test_start_one_horizon_later(own_redis: Redis, appid: str, lose: Callable[[Redis, str], None]) -> None:
    """12.7 After a loss the first slot lies behind every slot that can have been given before."""
    pace = Pace(own_redis, appid, lambda: LIMIT)
    last = next_grant(pace, Lane.URGENT)  # as far ahead as slots are given
    lose(own_redis, f"pushjobs:pace:{appid}")
    lost_at = clock.monotonic()
    first = next_grant(pace, Lane.BULK).first
    assert last.slot(last.count - 1).opens < first
    assert lost_at + FAR <= first <= lost_at + FAR + 0.150


def test_all_processes_notice_a_restart(own_redis: Redis, own_valkey: ValkeyServer, appid: str) -> None:
    """12.7 However many reserve at once after a restart, none is given a slot from the older key."""
    pace = Pace(own_redis, appid, lambda: LIMIT)
    next_grant(pace, Lane.BULK)
    together = Barrier(8)

    def reserve(_: int) -> Grant | Wait:
        with Redis.from_url(own_valkey.url) as redis:
            redis.ping()
            together.wait()
            return Pace(redis, appid, lambda: LIMIT).reserve(100, Lane.BULK)

    for _ in range(5):
        restart_with_an_older_key(own_redis, f"pushjobs:pace:{appid}")
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(reserve, range(8)))
        assert all(isinstance(answer, Wait) for answer in answers)


def test_no_redis_no_slots(own_redis: Redis, own_valkey: ValkeyServer, appid: str) -> None:
    """While Redis is away nothing is given; when it is back the same pace goes on, behind what was given before."""
    pace = Pace(own_redis, appid, lambda: LIMIT)
    before = next_grant(pace, Lane.BULK)
    own_valkey.stop()
    for _ in range(3):
        with pytest.raises(Unreachable, match="Redis"):
            pace.reserve(1, Lane.URGENT)
    own_valkey.start()
    back_at = clock.monotonic()
    first = next_grant(pace, Lane.BULK).first
    assert before.slot(before.count - 1).opens < first
    assert first >= back_at + FAR


def test_full_redis(own_redis: Redis, appid: str) -> None:
    """A Redis that has no room for the three numbers gives no slots either."""
    own_redis.config_set("maxmemory", 1)
    with pytest.raises(Unreachable, match="Redis"):
        Pace(own_redis, appid, lambda: LIMIT).reserve(1, Lane.URGENT)


def test_slow_reply_is_not_used(own_redis: Redis, appid: str) -> None:
    """Slots of a reply that was under way for long are let go, and others taken: nobody knows when they open."""
    pace = Pace(own_redis, appid, lambda: LIMIT)
    next_grant(pace, Lane.BULK)
    own_redis.client_pause(50)
    grant = pace.reserve(1, Lane.URGENT)
    assert isinstance(grant, Grant)
    assert 0.010 <= grant.valid_for <= 0.020


def test_redis_that_is_always_slow(own_redis: Redis, own_valkey: ValkeyServer, appid: str) -> None:
    """Over a connection that is always too slow for slots, the fault has a name."""

    class Far(Redis):
        """A Redis far away."""

        def evalsha(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as it is there
            """Answer late."""
            Event().wait(0.030)
            return super().evalsha(*args, **kwargs)

    next_grant(Pace(own_redis, appid, lambda: LIMIT), Lane.BULK)
    with (
        Far.from_url(own_valkey.url) as far,
        pytest.raises(Unreachable, match="to answer"),
    ):
        Pace(far, appid, lambda: LIMIT).reserve(1, Lane.URGENT)
