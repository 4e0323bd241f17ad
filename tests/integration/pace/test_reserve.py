"""The reservation itself, on a real Valkey: what is given, to whom, and when."""

import re

import pytest
from redis import Redis

from pushjobs import clock
from pushjobs.domain.job import Lane
from pushjobs.pace import Grant, Limit, Pace, Wait, reserve

LIMIT = Limit(per_second=200, urgent_share=0.2)
NEAR, FAR = 0.250, 0.750


def pace_of(redis: Redis, appid: str, limit: Limit = LIMIT) -> Pace:
    """Return a pace that no process has used for a while, but some have before: the server knows the script."""
    redis.script_load(reserve._SCRIPT)
    seconds, _ = redis.time()
    redis.set(f"pushjobs:pace:{appid}", f"{(seconds - 3600) * 1_000_000} 0", ex=60)
    return Pace(redis, appid, lambda: limit)


def take(pace: Pace, lane: Lane, count: int = 100) -> list[Grant]:
    """Reserve until there is nothing more to have."""
    grants = []
    while isinstance(grant := pace.reserve(count, lane), Grant):
        grants.append(grant)
    return grants


def test_first_slot_is_now(redis: Redis, appid: str) -> None:
    """On a pace that nobody uses, the first slot opens at once."""
    began = clock.monotonic()
    grant = pace_of(redis, appid).reserve(1, Lane.BULK)
    assert isinstance(grant, Grant)
    assert began <= grant.first <= clock.monotonic() + 0.010


def test_slots_are_a_spacing_apart(redis: Redis, appid: str) -> None:
    """Slots of neighbouring reservations are as far apart as those of one, at 0.97 of the limit."""
    first, second, *_ = take(pace_of(redis, appid), Lane.BULK)
    assert first.spacing == second.spacing == 1 / (0.97 * 200)
    distance = second.first - first.slot(first.count - 1).opens
    assert distance == pytest.approx(first.spacing, abs=0.010)


def test_small_chunks(redis: Redis, appid: str) -> None:
    """12.2 A reservation gives at most 50 ms' worth, however many are asked for; at slow limits one slot."""
    for per_second, expected in ((200, 9), (1000, 48), (10, 1), (0.5, 1)):
        limit = Limit(per_second=per_second, urgent_share=0)
        grant = pace_of(redis, f"{appid}{per_second}", limit).reserve(500, Lane.BULK)
        assert isinstance(grant, Grant)
        assert grant.count == expected


@pytest.mark.parametrize(("lane", "horizon"), [(Lane.BULK, NEAR), (Lane.URGENT, FAR)])
def test_horizon(redis: Redis, appid: str, lane: Lane, horizon: float) -> None:
    """12.2 No slot lies beyond the lane's horizon, and all before it are given."""
    began = clock.monotonic()
    last = take(pace_of(redis, appid), lane)[-1]
    ended = clock.monotonic()
    opens = last.slot(last.count - 1).opens
    assert began + horizon - 0.050 - last.spacing <= opens <= ended + horizon


def test_wait_is_until_a_chunk_fits(redis: Redis, appid: str) -> None:
    """Whoever is told to wait is told how long: until a whole chunk lies within the horizon."""
    pace = pace_of(redis, appid)
    last = take(pace, Lane.BULK)[-1]
    wait = pace.reserve(100, Lane.BULK)
    assert isinstance(wait, Wait)
    needed = last.slot(last.count - 1).opens + last.count * last.spacing - NEAR - clock.monotonic()
    assert wait.seconds == pytest.approx(needed, abs=0.010)


def test_after(redis: Redis, appid: str) -> None:
    """No slot opens while its jobs are still being admitted."""
    began = clock.monotonic()
    grant = pace_of(redis, appid).reserve(100, Lane.BULK, after=0.2)
    assert isinstance(grant, Grant)
    assert grant.first >= began + 0.2


@pytest.mark.parametrize(("count", "after"), [(0, 0.0), (-1, 0.0), (1, -0.1), (1, 0.21), (1, float("nan"))])
def test_senseless_requests(redis: Redis, appid: str, count: int, after: float) -> None:
    """No slots, or slots that would lie beyond the horizon, are a mistake of the caller's."""
    with pytest.raises(ValueError, match="at least 1"):
        pace_of(redis, appid).reserve(count, Lane.BULK, after=after)


def test_urgent_passes_bulk(redis: Redis, appid: str) -> None:
    """When bulk has taken all it can, urgent still has the next slot."""
    pace = pace_of(redis, appid)
    last = take(pace, Lane.BULK, 1)[-1]
    grant = pace.reserve(100, Lane.URGENT)
    assert isinstance(grant, Grant)
    assert grant.first - last.first == pytest.approx(grant.spacing, abs=0.010)


def test_without_a_share_urgent_waits_as_bulk_does(redis: Redis, appid: str) -> None:
    """With a share of 0 urgent reaches no further than bulk."""
    pace = pace_of(redis, appid, Limit(per_second=200, urgent_share=0))
    take(pace, Lane.BULK)
    assert isinstance(pace.reserve(100, Lane.URGENT), Wait)


def test_credit_is_paid_back(redis: Redis, appid: str) -> None:
    """Who has had a second's worth ahead of bulk is given more at its share of the rate, and told when."""
    pace = pace_of(redis, appid)
    seconds, microseconds = redis.time()
    now = seconds * 1_000_000 + microseconds
    # All of the credit is used: to pay a second back at a share of 0.2 takes five.
    redis.set(f"pushjobs:pace:{appid}", f"{now + 600_000} {now + 5_000_000}", ex=60)
    wait = pace.reserve(9, Lane.URGENT)
    assert isinstance(wait, Wait)
    assert wait.seconds == pytest.approx(9 * LIMIT.spacing / 0.2, abs=0.010)


def test_change_takes_hold_at_once(redis: Redis, appid: str) -> None:
    """The next reservation after a change keeps the new spacing, from the last slot given on."""
    limits = [Limit(per_second=rate, urgent_share=0.2) for rate in (200, 5, 1000)]
    pace_of(redis, appid)
    pace = Pace(redis, appid, lambda: limits[0])
    first = pace.reserve(1, Lane.BULK)
    limits.pop(0)
    slower = pace.reserve(1, Lane.BULK)
    limits.pop(0)
    faster = pace.reserve(1, Lane.BULK)
    assert isinstance(first, Grant)
    assert isinstance(slower, Grant)
    assert isinstance(faster, Grant)
    assert slower.first - first.first == pytest.approx(1 / (0.97 * 5), abs=0.010)
    assert faster.first - slower.first == pytest.approx(1 / (0.97 * 1000), abs=0.010)


def test_a_slow_limit_is_no_trap(redis: Redis, appid: str) -> None:
    """A change is noticed within a second, also by those who wait a hundred seconds for a slot."""
    limits = [Limit(per_second=0.01, urgent_share=0.2), Limit(per_second=1000, urgent_share=0.2)]
    pace_of(redis, appid)
    pace = Pace(redis, appid, lambda: limits[0])
    assert isinstance(pace.reserve(1, Lane.BULK), Grant)
    assert pace.reserve(1, Lane.BULK) == Wait(seconds=1.0)
    limits.pop(0)
    assert isinstance(pace.reserve(1, Lane.BULK), Grant)


def test_apps_do_not_share(redis: Redis, appid: str) -> None:
    """One app's slots cost another nothing."""
    take(pace_of(redis, appid), Lane.BULK)
    assert isinstance(pace_of(redis, f"{appid}2").reserve(100, Lane.BULK), Grant)


def test_three_numbers_are_all_there_is(redis: Redis, appid: str) -> None:
    """Redis holds one key an app, three numbers in it, and not for ever."""
    Pace(redis, appid, lambda: LIMIT).reserve(100, Lane.BULK)
    assert redis.keys(f"*{appid}*") == [f"pushjobs:pace:{appid}".encode()]
    state = redis.get(f"pushjobs:pace:{appid}")
    assert isinstance(state, bytes)
    assert re.fullmatch(rb"\d{16} \d{16} [01]", state)
    assert redis.ttl(f"pushjobs:pace:{appid}") == pytest.approx(7 * 86_400, abs=5)
