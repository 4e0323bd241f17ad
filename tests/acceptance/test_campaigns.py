"""Campaigns in real processes, counted at the sandbox: the example, a kill in mid-fan-out, a pause and a stop."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from pushjobs import clock
from pushjobs.domain.campaign import RunState
from pushjobs.domain.job import JobState
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.store.runs import Run
from tests.acceptance.installation import Up, wait_for
from tests.integration.campaigns.hands import begin, only_run, plan_at, readers
from tests.integration.hands import ask

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/daily_news/run.py"


@pytest.fixture(scope="module")
def rate() -> int:
    """Slow enough that a run is under way for a while."""
    return 200


def run_soon(push: Runtime, directory: Path, users: int, seconds: float = 4.0) -> None:
    """Have a run whose instant is some seconds ahead."""
    push.catalogue.sync()
    begin(push, directory, readers(users))
    ask(push, "DELETE FROM pushjobs.runs")
    plan_at(push, clock.now() + timedelta(seconds=seconds))


def ended(push: Runtime) -> Run | None:
    """Return the run once it is over."""
    run = only_run(push)
    return None if run.finished_at is None else run


def test_a_killed_fan_out_goes_on_within_seconds(push: Runtime, up: Up, sandbox: SandboxClient, tmp_path: Path) -> None:
    """Both bulk processes die while jobs are made: five seconds later more are made, and everybody gets it once."""
    users = 60_000
    run_soon(push, tmp_path, users, seconds=600)
    wait_for("the first jobs are made", lambda: only_run(push).expanded > 0)
    for pid in up.children_of("bulk"):
        os.kill(pid, signal.SIGKILL)
    made = only_run(push).expanded
    wait_for("more are made", lambda: only_run(push).expanded > made or made == users, 5)
    wait_for("all are made", lambda: only_run(push).expanded == users)
    assert ask(push, "SELECT count(*), count(DISTINCT recipient) FROM pushjobs.jobs") == [(users, users)]
    assert sandbox.summary().received == 0


def test_a_run_is_paused_resumed_and_cancelled_while_it_sends(
    push: Runtime, sandbox: SandboxClient, tmp_path: Path
) -> None:
    """Each takes hold within two seconds at the receiver; what was not sent is cancelled, and all is accounted for."""
    run_soon(push, tmp_path, 3000)
    wait_for("it sends", lambda: sandbox.summary().accepted > 100)
    push.campaigns.pause("news")
    paused_at = clock.now().timestamp()
    wait_for("nothing arrives any more", lambda: clock.now().timestamp() - (sandbox.summary().last_arrival or 0) > 2.5)
    assert (sandbox.summary().last_arrival or 0) < paused_at + 2
    arrived = sandbox.summary().accepted
    push.campaigns.resume("news")
    wait_for("it sends again", lambda: sandbox.summary().accepted > arrived + 100)
    push.campaigns.cancel(only_run(push).run_no)
    cancelled_at = clock.now().timestamp()
    wait_for("the run is over", lambda: ended(push) is not None)
    run = only_run(push)
    counted = {each.state: each.jobs for each in run.counts}
    assert run.state is RunState.CANCELLED
    assert counted[JobState.SENT] + counted[JobState.CANCELLED] == 3000
    assert (sandbox.summary().last_arrival or 0) < cancelled_at + 2
    assert sandbox.summary().accepted == counted[JobState.SENT]
    assert sandbox.summary().repeats == 0


def test_the_example_s_news_reaches_every_reader() -> None:
    """The daily news of examples/: declared in code, rehearsed, run at a full minute, each reader once, none early."""
    # Short: the sockets of its servers live below it.
    environment = {**os.environ, "TMPDIR": tempfile.mkdtemp(prefix="news-")}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--readers", "3000"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=115,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counted = done.stdout.partition("counted at the sandbox:")[2]
    assert re.search(r"readers who got one +3,000", counted)
    assert re.search(r"sent twice +0", counted)
    assert "would get it" in done.stdout
    Path(environment["TMPDIR"]).rmdir()  # fails unless it is empty
