"""Whatever dies, and whenever: each instant is run once, and each user of an audience has one job."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from pushjobs import clock
from pushjobs.domain.campaign import RunState
from pushjobs.runtime import Runtime
from tests.integration.campaigns.hands import NEWS, audience, begin, only_run, plan_at, readers
from tests.integration.hands import ask

FULL = os.environ.get("PUSHJOBS_TEST_FULL") == "1"
KILLS = 300 if FULL else 30
USERS = 5_000 if FULL else 1_000
CHUNK = 20


def kill_at_random(environment: dict[str, str], kills: int = KILLS) -> None:
    """Let two processes at a time work and be killed, so often."""
    script = Path(__file__).with_name("killed.py")
    subprocess.run([sys.executable, str(script), str(kills), str(CHUNK)], env=environment, check=True, timeout=110)


def go_on(runtime: Runtime) -> None:
    """Tick on until nothing changes."""
    before = None
    while (now := ask(runtime, "SELECT expanded, state FROM pushjobs.runs ORDER BY run_no")) != before:
        before = now
        runtime.ticking.tick()
        runtime.ticking.expand()


def test_a_fan_out_that_is_killed_goes_on(environment: dict[str, str], runtime: Runtime, tmp_path: Path) -> None:
    """12.18 Killed in any chunk, two processes make an audience jobs without a gap and without a repeat."""
    begin(runtime, tmp_path, readers(USERS))
    kill_at_random(environment)
    made_meanwhile = only_run(runtime).expanded
    go_on(runtime)
    run = only_run(runtime)
    assert made_meanwhile > 0
    assert (run.state, run.recipients, run.expanded) == (RunState.OPEN, USERS, USERS)
    assert ask(runtime, "SELECT count(*), count(DISTINCT recipient) FROM pushjobs.jobs") == [(USERS, USERS)]
    assert ask(runtime, "SELECT count(*) FROM pushjobs.jobs WHERE run_no = 0") == [(0,)]


def test_each_instant_becomes_one_run(environment: dict[str, str], runtime: Runtime, tmp_path: Path) -> None:
    """12.18 Two processes plan, and die around the tick: no instant is missed, and none is planned twice."""
    names, minutes = [f"every-minute-{number}" for number in range(20)], 60
    to = audience(tmp_path, readers(1))
    for name in names:
        runtime.campaigns.add(name, **{**NEWS, "cron": "* * * * *", "audience": to, "missed": "all"})
    since = clock.now().replace(second=0, microsecond=0) - timedelta(minutes=minutes)
    ask(runtime, "UPDATE pushjobs.campaigns SET next_at = :since, planned_through = :since", since=since)
    kill_at_random(environment)
    runtime.ticking.tick()
    for name in names:
        instants = sorted(run.instant for run in runtime.campaigns.runs(name, limit=200))
        assert instants == [since + timedelta(minutes=number) for number in range(1, len(instants) + 1)]
        assert len(instants) >= minutes


def test_two_at_one_run_make_its_jobs_once(runtime: Runtime, tmp_path: Path) -> None:
    """12.18 A second process finds the cursor where the first has put it."""
    begin(runtime, tmp_path, readers(10))
    plan_at(runtime, clock.now() + timedelta(seconds=40))
    for _ in range(3):
        runtime.ticking.expand()
    assert ask(runtime, "SELECT count(*), count(DISTINCT (run_no, recipient)) FROM pushjobs.jobs") == [(20, 20)]
