"""What we show runs as it stands, against one installation: each script of examples/, and two how-tos.

What is scheduled for later is moved to now when the script has ended: what counts is that it arrives, once.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pushjobs.testing import Installation
from tests.acceptance.eta_shop import Shop, blocks
from tests.acceptance.installation import wait_for

FAR = datetime(2040, 12, 1, tzinfo=UTC)
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


def test_eta_tasks_move_and_none_is_lost_or_sent_twice(running: Installation, tmp_path: Path) -> None:
    """Of five tasks the old code sends one, and the new one hands over what falls due; the rest are moved at once.

    A worker that starts later and takes moved tasks in again makes no second job of them.
    """
    shop = Shop(running, tmp_path)
    push, soon = running.push, timedelta(seconds=1)
    with shop.worker("old"):
        shop.ask("oFar1", FAR)
        shop.ask("oFar2", FAR + timedelta(hours=1, microseconds=5))
        shop.ask("oOld", datetime.now(UTC) + soon)
        wait_for("the old code sends", lambda: shop.received("oOld") == 1)
        wait_for("the others are in its worker's memory", lambda: shop.held() == 2)
    assert push.find() == []

    shop.ask("oBetween", datetime.now(UTC) + soon)
    with shop.worker("new"):
        wait_for("what falls due is handed over", lambda: shop.received("oBetween") == 1)
        shop.ask("oFar3", FAR)
        wait_for("all that is far off is in memory", lambda: shop.held() == 3)
        assert (shop.move(), shop.move()) == ("3 moved; 1 workers answered", "0 moved; 1 workers answered")
    jobs = {job.id: job for job in push.find(state="scheduled")}
    assert sorted(job.time for job in jobs.values()) == [FAR, FAR, FAR + timedelta(hours=1, microseconds=5)]

    with shop.worker("new"):
        wait_for("another worker has taken them in again", lambda: shop.held() == 3)
        assert shop.move().startswith("3 moved")
    assert {job.id for job in push.find(state="scheduled")} == set(jobs)
    for job_id in jobs:
        push.reschedule(job_id, time=datetime.now(UTC))
    arrived = sorted(message.touser for message in running.sandbox.settled())
    assert arrived == ["oBetween", "oFar1", "oFar2", "oFar3", "oOld"]
    shop.app.close()


def test_how_to_schedule_and_cancel(running: Installation) -> None:
    """The page's blocks, one after the other, end well, and leave nothing that would be sent."""
    program = "\n".join(blocks("schedule-and-cancel.md"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    made, found, why, twice = done.stdout.splitlines()
    assert made.endswith("scheduled 2040-12-01 00:00:00+00:00")
    assert found == "scheduled 2040-12-01 00:00:00+00:00"
    assert why.startswith("It is not due before 2040-12-01 08:00:00")
    assert re.fullmatch(r"job \d+ is cancelled: it cannot be cancelled", twice)
    assert [job.state for job in running.push.find()] == ["cancelled"]


def test_the_terminal_says_the_same(running: Installation) -> None:
    """The page's commands schedule one and take it back."""
    [commands] = [block for block in blocks("schedule-and-cancel.md", language="") if block.startswith("pushjobs")]
    here = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["/bin/bash", "-euc", commands], env=here, capture_output=True, check=True)
    assert [job.state for job in running.push.find(reference="YY0101")] == ["cancelled"]
