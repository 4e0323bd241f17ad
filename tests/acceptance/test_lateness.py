"""When jobs arrive at the sandbox, against when they were asked for; measured alone on the machine."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from tests.acceptance.installation import Up, news, wait_for

pytestmark = pytest.mark.timing


def lateness(push: Runtime, sandbox: SandboxClient) -> list[float]:
    """Return seconds from each job's `time` to its arrival, sorted."""
    times = {job.msgid: job.time for job in push.producer.find(limit=1000)}
    return sorted((_arrival(entry.arrived_at) - times[entry.msgid]).total_seconds() for entry in sandbox.all_received())


def test_scheduled_jobs_are_never_early_and_hardly_late(push: Runtime, sandbox: SandboxClient) -> None:
    """Promise 1: with spare capacity p50 ≤ 50 ms and p99 ≤ 500 ms from `time` to WeChat, and none before its time."""
    begin = clock.now() + timedelta(seconds=7)
    push.producer.send_many([news(number, time=begin + timedelta(milliseconds=25 * number)) for number in range(400)])
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
