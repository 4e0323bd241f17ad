"""Two lanes on one pace: urgent is not behind bulk, bulk borrows what urgent leaves, and neither starves."""

import os
from collections.abc import Iterator
from threading import Event

import pytest
from redis import Redis

from pushjobs import clock
from pushjobs.domain.job import Lane
from pushjobs.local.servers import EmbeddedServers
from pushjobs.pace import Grant, Limit, Pace, Wait
from tests.integration.pace.traffic import fullest_second, per_second, traffic, within

pytestmark = pytest.mark.timing

FULL = os.environ.get("PUSHJOBS_TEST_FULL") == "1"
SECONDS = 60.0 if FULL else 2.0
USED = 0.93 if FULL else 0.85  # in two seconds a single process that was stopped weighs more
COLD = 1.0


def slots(pace: Pace, count: int) -> Iterator[float]:
    """Take so many urgent slots one after the other, each as soon as it is to be had."""
    pause = Event()
    while count:
        match pace.reserve(count, Lane.URGENT):
            case Wait(seconds=seconds):
                pause.wait(seconds)
            case Grant() as grant:
                yield from (grant.slot(index).opens for index in range(grant.count))
                count -= grant.count


def test_urgent_behind_a_campaign(servers: EmbeddedServers) -> None:
    """While bulk takes every slot it can, an urgent call leaves within half a second, and nothing is wasted for it."""
    lanes = {Lane.BULK: 7, Lane.URGENT: 1}
    with traffic(servers.redis_url, limits=[(0, 200)], lanes=lanes, urgent_pause=0.02) as running:
        calls = running.for_seconds(COLD + SECONDS)
        begin = running.began + COLD
    waits = sorted(call.left - call.wanted for call in calls if call.lane is Lane.URGENT and call.wanted > begin)
    assert waits[int(len(waits) * 0.99)] <= 0.5
    assert fullest_second(calls) <= 200
    assert per_second(calls, begin, begin + SECONDS) >= USED * 200


def test_borrowed_share_is_returned(servers: EmbeddedServers, redis: Redis) -> None:
    """Bulk uses all of the rate while it is alone; a second after urgent is back, urgent has had its whole share."""
    with traffic(servers.redis_url, limits=[(0, 200)], lanes={Lane.BULK: 4}) as running:
        running.for_seconds(COLD + 0.5)
        asked_at = clock.monotonic()
        pace = Pace(redis, running.appid, lambda: Limit(per_second=200, urgent_share=0.2))
        taken = list(slots(pace, 40))
    assert taken[-1] <= asked_at + 1.0


def test_neither_lane_starves(servers: EmbeddedServers) -> None:
    """When both lanes want everything for long, urgent has its share at least, and bulk its turns at the rest."""
    lanes = {Lane.BULK: 4, Lane.URGENT: 4}
    share, used_up = 0.4, 1.0
    with traffic(servers.redis_url, limits=[(0, 200)], lanes=lanes, share=share) as running:
        calls = running.for_seconds(COLD + used_up + SECONDS)
        begin = running.began + COLD + used_up
    late = within(calls, begin, begin + SECONDS)
    urgent = sum(call.lane is Lane.URGENT for call in late) / len(late)
    assert fullest_second(calls) <= 200
    assert urgent >= share
    assert 1 - urgent >= (1 - share) / 4  # in turn it would be half; bulk's processes are stopped now and then
