"""What a worker's process does without being asked."""

import subprocess
import sys

from pushjobs.domain.job import JobState
from pushjobs.runtime import Runtime
from tests.integration.hands import admit, claim, end_leases, schedule

LIVE = """
from pushjobs.clock import pause
from pushjobs.domain.job import JobState
from workers import process
process._enter()
while not process.runtime().producer.counts()[JobState.IN_DOUBT]:
    pause(0.05)
process._leave()
"""

MISCOUNTED = """
from types import SimpleNamespace
from multiprocessing import Value
from billiard.pool import Worker
from workers import process
assert not Worker._ensure_messages_consumed(SimpleNamespace(on_ready_counter=Value("i")), completed=1)
"""


def test_a_worker_decides_what_the_dead_held_with_redis_and_beat_gone(
    environment: dict[str, str], runtime: Runtime
) -> None:
    """A process that delivers needs nobody's tick for it: with PostgreSQL alone, jobs in mid-call end in doubt."""
    schedule(runtime, 3)
    admit(runtime, claim(runtime))
    end_leases(runtime)
    gone = {**environment, "PUSHJOBS_REDIS_URL": "redis://127.0.0.1:9"}
    subprocess.run([sys.executable, "-c", LIVE], env=gone, check=True, timeout=60)
    assert runtime.producer.counts()[JobState.IN_DOUBT] == 3


def test_a_child_that_leaves_waits_a_moment_for_a_parent_that_miscounted(environment: dict[str, str]) -> None:
    """Its results are read by nobody: it does not wait for them as long as billiard would have it."""
    subprocess.run([sys.executable, "-c", MISCOUNTED], env=environment, check=True, timeout=20)
