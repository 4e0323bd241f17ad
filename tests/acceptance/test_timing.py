"""When calls arrive at the sandbox over real processes: never too many, never early, hardly late.

Measured alone on the machine, and in one file so that the eight processes start once.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from redis import Redis

from pushjobs import clock
from pushjobs.domain.job import JobState, Lane
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.store import paces
from tests.acceptance.installation import Up, news, wait_for

pytestmark = pytest.mark.timing

FULL = os.environ.get("PUSHJOBS_TEST_FULL") == "1"
RATE = 200
SECONDS = 60 if FULL else 10
BACKLOG, URGENT = (100_000, 30) if FULL else (4_000, 20)
APART = timedelta(milliseconds=25 if FULL else 10)


@pytest.fixture(scope="module")
def rate() -> int:
    """A rate that the processes could easily exceed."""
    return RATE


@pytest.fixture(scope="module")
def workers() -> int:
    """Eight bulk processes."""
    return 8


def arrivals(sandbox: SandboxClient) -> list[float]:
    """Return when each send arrived, in order."""
    return sorted(entry.arrived_at for entry in sandbox.all_received())


def most_in_a_second(moments: Sequence[float]) -> int:
    """Return the most arrivals in any sliding second."""
    most = begin = 0
    for end, moment in enumerate(moments):
        while moments[begin] <= moment - 1.0:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def used(moments: Sequence[float], begin: float, end: float) -> float:
    """Return the share of the rate that was used between two moments."""
    return sum(begin <= moment < end for moment in moments) / (end - begin) / RATE


def test_eight_processes_keep_one_pace_and_use_it(push: Runtime, sandbox: SandboxClient) -> None:
    """Promise 5: no sliding second above the limit, and at least 93 % of it used while there is work."""
    push.producer.send_many([news(number) for number in range(RATE * (SECONDS + 2))])
    wait_for("it has run long enough", lambda: sandbox.summary().received >= RATE * SECONDS * 0.97, SECONDS + 30)

    moments = arrivals(sandbox)
    assert most_in_a_second(moments) <= RATE
    begin = moments[0] + 1.0
    assert used(moments, begin, begin + SECONDS - 2) >= 0.93


def test_the_pace_survives_a_flush(push: Runtime, sandbox: SandboxClient) -> None:
    """FLUSHALL in the middle: the limit holds all the same, and sending goes on by itself."""
    push.producer.send_many([news(number) for number in range(RATE * 6)])
    wait_for("it is under way", lambda: sandbox.summary().received > RATE, 30)
    with Redis.from_url(push.settings.require_redis_url) as redis:
        redis.flushall()
    wait_for("all are sent", lambda: push.producer.counts()[JobState.SENT] == RATE * 6, 60)

    assert most_in_a_second(arrivals(sandbox)) <= RATE
    assert sandbox.summary().repeats == 0


def test_a_changed_pace_takes_hold_within_a_second(push: Runtime, sandbox: SandboxClient) -> None:
    """An operator halves the rate while a backlog drains: a second and a horizon later it is halved at the sandbox."""
    push.producer.send_many([news(number) for number in range(RATE * 6)])
    wait_for("it is under way", lambda: sandbox.summary().received > RATE, 30)
    with push.database.transaction() as connection:
        paces.set_pace(connection, 1, RATE / 2)
    changed_at = clock.now().timestamp()
    wait_for("enough came after", lambda: sandbox.log(sandbox.summary().received - 1)[0].arrived_at > changed_at + 5)

    later = [moment for moment in arrivals(sandbox) if moment > changed_at + 1.75]
    assert most_in_a_second(later) <= RATE / 2


def test_urgent_is_not_behind_bulk(push: Runtime, sandbox: SandboxClient) -> None:
    """Promise 6: while a backlog saturates the rate, an urgent job leaves with p99 ≤ 1 s, most within half of that."""
    push.producer.send_many([news(number) for number in range(BACKLOG)])
    wait_for("the rate is saturated", lambda: sandbox.summary().received > RATE, 30)
    asked: dict[str, float] = {}
    for number in range(URGENT):
        reader = BACKLOG + number
        asked[f"oReader{reader:06d}"] = clock.now().timestamp()
        push.producer.send(**news(reader))  # type: ignore[arg-type]  # the keys are send's own
        sent = number + 1
        wait_for("it is sent", lambda sent=sent: urgent_sent(push) == sent)  # type: ignore[misc]

    late = sorted(entry.arrived_at - asked[entry.touser] for entry in sandbox.all_received() if entry.touser in asked)
    assert late[-1] <= 1.0
    assert late[len(late) // 2] <= 0.5
    assert most_in_a_second(arrivals(sandbox)) <= RATE


def urgent_sent(push: Runtime) -> int:
    """Return how many urgent jobs are sent."""
    return sum(job.lane is Lane.URGENT for job in push.producer.find(state=JobState.SENT, limit=1000))


def test_without_redis_nothing_leaves_and_then_it_goes_on(push: Runtime, sandbox: SandboxClient) -> None:
    """Fail closed: while Redis answers nobody nothing is sent, and once it is back everything is, by itself."""
    push.producer.send_many([news(number) for number in range(RATE * 4)])
    wait_for("it is under way", lambda: sandbox.summary().received > RATE / 2, 30)
    with Redis.from_url(push.settings.require_redis_url) as redis:
        redis.client_pause(4000, all=True)
    wait_for("all are sent", lambda: push.producer.counts()[JobState.SENT] == RATE * 4, 90)

    moments = arrivals(sandbox)
    assert max(later - earlier for earlier, later in pairwise(moments)) > 2.0
    assert most_in_a_second(moments) <= RATE
    assert sandbox.summary().repeats == 0


def lateness(push: Runtime, sandbox: SandboxClient) -> list[float]:
    """Return seconds from each job's `time` to its arrival, sorted."""
    times = {job.msgid: job.time for job in push.producer.find(limit=1000)}
    return sorted((_arrival(entry.arrived_at) - times[entry.msgid]).total_seconds() for entry in sandbox.all_received())


def test_scheduled_jobs_are_never_early_and_hardly_late(push: Runtime, sandbox: SandboxClient) -> None:
    """Promise 1: with spare capacity p50 ≤ 50 ms and p99 ≤ 500 ms from `time` to WeChat, and none before its time."""
    begin = clock.now() + timedelta(seconds=7)
    push.producer.send_many([news(number, time=begin + APART * number) for number in range(400)])
    wait_for("all are sent", lambda: push.producer.counts()[JobState.SENT] == 400, 40)

    late = lateness(push, sandbox)
    assert late[0] >= 0
    assert late[len(late) // 2] <= 0.05
    assert late[int(len(late) * 0.99)] <= 0.5


def test_a_send_for_now_leaves_at_once(push: Runtime, sandbox: SandboxClient) -> None:
    """A `send` without a time does not wait for a tick: p50 ≤ 50 ms from the call to WeChat."""
    for number in range(40):
        push.producer.send(**news(number))  # type: ignore[arg-type]  # the keys are send's own
        wait_for("it is sent", lambda sent=number + 1: push.producer.counts()[JobState.SENT] == sent)  # type: ignore[misc]

    late = lateness(push, sandbox)
    assert late[0] >= 0
    assert late[len(late) // 2] <= 0.05


def test_two_beats_send_nothing_twice(up: Up, push: Runtime, sandbox: SandboxClient) -> None:
    """Every tick is idempotent: a second beat changes nothing but the number of ticks."""
    command = [sys.executable, "-m", "celery", "-A", "workers.app", "beat", "--loglevel=WARNING"]
    environment = up.environment | {"PUSHJOBS_DIRECTORY": str(up.directory)}
    with subprocess.Popen(command, env=environment) as second:
        push.producer.send_many([news(number) for number in range(800)])
        wait_for("all are sent", lambda: push.producer.counts()[JobState.SENT] == 800, 40)
        second.terminate()
    assert sandbox.summary().repeats == 0
    assert sandbox.summary().accepted == 800


def _arrival(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)
