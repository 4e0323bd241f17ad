"""Each script of examples/ runs as it stands against one installation, and what it asked for arrives.

What is scheduled for later is moved to now when the script has ended: what counts is that it arrives, once.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pushjobs.testing import Installation
from tests.acceptance.installation import wait_for

EXAMPLES = Path(__file__).parents[2] / "examples"
ELSEWHERE = {"daily_news"}
"""Tested in test_campaigns.py, for it starts an installation of its own."""


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """What `pushjobs up --sandbox` runs, which the environment leads to; no setting of anybody's does."""
    with Installation({}, {}) as made, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PUSHJOBS_")]:
            patch.delenv(name)
        for name, value in made.variables.items():
            patch.setenv(name, value)
        made.start_workers()
        for name, value in made.variables.items():
            patch.setenv(name, value)
        patch.setenv("NO_PROXY", "*")
        yield made


@pytest.fixture
def running(installation: Installation) -> Installation:
    """The same without a job."""
    installation.empty()
    return installation


def run(example: str) -> list[str]:
    """Run a script to its end; return the lines that it prints."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def arrivals(running: Installation, touser: str) -> list[str]:
    """Have everything that waits sent now; return what a user then has, by its first keyword."""
    for job in running.push.find(state="scheduled"):
        running.push.reschedule(job.id, time=datetime.now(UTC))
    return [message.body["data"]["thing1"]["value"] for message in running.sandbox.settled(touser=touser)]


def test_every_example_is_run_here_or_there() -> None:
    """No script is left out, and each is in the list of the README."""
    named = Path(__file__).read_text(encoding="utf-8")
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for script in sorted(EXAMPLES.glob("*.py")):
        assert f'run("{script.name}"' in named, script.name
    for name in (*(script.name for script in EXAMPLES.glob("*.py")), *ELSEWHERE):
        assert f"| `{name}`" in listed, name


def test_send_one(running: Installation) -> None:
    """One push, moved once, arrives."""
    made, moved = run("send_one.py")
    assert "is scheduled for" in made
    assert moved.startswith("moved to")
    assert arrivals(running, "oDemoReaderOfThisExample0001") == ["高山乌龙茶 250 克"]


def test_send_from_another_service(running: Installation) -> None:
    """The same over HTTP, by a client of the door."""
    assert len(run("send_from_another_service.py")) == 3
    assert arrivals(running, "oDemoReaderOfThisExample0002") == ["高山乌龙茶 250 克"]


def test_schedule_and_cancel(running: Installation) -> None:
    """Of three reminders one is moved and arrives; the two that were taken back do not."""
    said = run("schedule_and_cancel.py")
    assert [line.split(" ")[0] for line in said] == ["True:", "2:00:00", "1", "1", "not", "the"]
    assert arrivals(running, "oPatientOfThisExample000001") == ["洗牙"]
    assert running.sandbox.received(touser="oPatientOfThisExample000002") == []


def test_flask_shop(running: Installation) -> None:
    """The order that is committed is told of; the one that is rolled back leaves no notice, and no order."""
    said = run("flask_shop.py")
    assert [line.partition(": ")[2] for line in said] == ["201 ordered, 1 notices", "409 out of stock, 0 notices"]
    with running.runtime.database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT what FROM public.shop_orders").scalars().all() == ["雨前龙井"]
    assert arrivals(running, "oBuyerOfThisExample00000001") == ["雨前龙井"]


def test_django_clinic(running: Installation) -> None:
    """A view schedules over HTTP, the same request twice once; a message that cannot be sent is told with its field."""
    first, again, refused = run("django_clinic.py")
    assert first.startswith("YY0201: 201 {'job': ")
    assert again == first
    assert refused.startswith("YY0202: 400 {'field': 'data.thing1', 'fault': 'is 24 characters long'")
    assert arrivals(running, "oPatientOfThisExample000003") == ["洗牙"]


def test_own_celery(running: Installation) -> None:
    """What another Celery hands over becomes a job, and arrives."""
    [said] = run("own_celery.py")
    assert "is handed over" in said
    wait_for("the intake has taken it", lambda: bool(running.push.find(reference="OD20261123000130")))
    assert arrivals(running, "oBuyerOfThisExample00000002") == ["高山乌龙茶 250 克"]


def test_gateway(running: Installation) -> None:
    """A program that speaks WeChat's API schedules, and hears WeChat's own code for what is wrong."""
    accepted, refused = run("gateway.py")
    assert accepted.startswith("0 ")
    assert refused.startswith("41030 ")
    assert arrivals(running, "oBuyerOfThisExample00000003") == ["高山乌龙茶 250 克"]


@pytest.mark.parametrize("example", ["schedule_and_cancel.py", "django_clinic.py", "gateway.py"])
def test_what_is_missing_is_said(example: str, tmp_path: Path) -> None:
    """Where nothing runs, a script ends with what it needs instead of a traceback."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PUSHJOBS_")}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example)], cwd=tmp_path, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "pushjobs up" in done.stderr or "PUSHJOBS_URL" in done.stderr
