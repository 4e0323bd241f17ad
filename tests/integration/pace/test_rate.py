"""Eight processes on one pace, blocked and stopped at random: never above the limit, and hardly below it."""

import itertools
import os
from collections.abc import Sequence

import pytest
from redis import Redis

from pushjobs import clock
from pushjobs.domain.job import Lane
from pushjobs.local.servers import EmbeddedServers
from pushjobs.local.valkey import ValkeyServer
from tests.integration.pace.traffic import Call, fullest_second, per_second, traffic, within

pytestmark = pytest.mark.timing

FULL = os.environ.get("PUSHJOBS_TEST_FULL") == "1"
SECONDS = 60.0 if FULL else 2.0
USED = 0.93 if FULL else 0.85  # in two seconds a single process that was stopped weighs more
EIGHT = {Lane.BULK: 8}
COLD = 1.0


def longest_gap(calls: Sequence[Call]) -> tuple[float, float]:
    """Return the two moments between which nothing left for longest."""
    return max(
        ((before.left, after.left) for before, after in itertools.pairwise(calls)), key=lambda gap: gap[1] - gap[0]
    )


@pytest.mark.parametrize("limit", [200, 1000])
def test_limit_holds_and_is_used(servers: EmbeddedServers, redis: Redis, limit: int) -> None:
    """No sliding second is above the limit and 93 % are used; losing everything in Redis costs less than a second."""
    half = SECONDS / 2
    with traffic(servers.redis_url, limits=[(0, limit)], lanes=EIGHT) as running:
        running.for_seconds(COLD + half)
        redis.flushall()
        flushed_at = clock.monotonic()
        calls = running.until(lambda call: call.left > flushed_at + COLD + half)
        begin = running.began + COLD
    assert fullest_second(calls) <= limit
    before, after = longest_gap(within(calls, begin, calls[-1].left))
    assert before < flushed_at + 0.3
    assert after - before < COLD
    used = len(within(calls, begin, before)) + len(within(calls, after, calls[-1].left))
    assert used >= USED * limit * (before - begin + calls[-1].left - after)


def test_limit_holds_across_a_restart(own_valkey: ValkeyServer) -> None:
    """Without Redis nobody calls once the slots at hand are used; when it is back all go on, none too early."""
    half = SECONDS / 2
    with traffic(own_valkey.url, limits=[(0, 200)], lanes=EIGHT) as running:
        running.for_seconds(COLD + half)
        stopping_at = clock.monotonic()
        own_valkey.stop()
        down_at = clock.monotonic()
        own_valkey.start()
        up_at = clock.monotonic()
        calls = running.until(lambda call: call.left > up_at + COLD + half)
        begin = running.began + COLD
    assert fullest_second(calls) <= 200
    assert within(calls, down_at + 0.270, down_at + 0.750) == []
    assert per_second(calls, begin, stopping_at) >= USED * 200
    assert per_second(calls, up_at + COLD, calls[-1].left) >= USED * 200


def test_change_of_the_limit(servers: EmbeddedServers) -> None:
    """A change takes hold within a second, in both directions; a lowered limit is exceeded by slots at hand alone."""
    down, up = COLD + SECONDS / 2, COLD + SECONDS / 2 + SECONDS
    with traffic(servers.redis_url, limits=[(0, 400), (down, 100), (up, 300)], lanes=EIGHT) as running:
        calls = running.for_seconds(up + SECONDS)
        began = running.began
    slots_at_hand = 0.250 * 400
    assert fullest_second(within(calls, began, began + down + 0.3)) <= 400
    assert fullest_second(within(calls, began + down, began + up)) <= 100 + slots_at_hand
    assert fullest_second(within(calls, began + down + 0.3, began + up)) <= 100
    assert fullest_second(within(calls, began + up, began + up + SECONDS)) <= 300
    assert per_second(calls, began + down + 0.3, began + up) >= USED * 100
    assert per_second(calls, began + up + 0.5, began + up + SECONDS) >= USED * 300
