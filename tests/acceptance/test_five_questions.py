"""The five questions of whoever is on duty, each answered at the console and in the terminal of a running installation.

Why did this message not go? What goes out at 08:00? Pause that template! How far is the campaign? Is everything well?
At the console each is at most three clicks from its first page, typing aside; in the terminal it is one command.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pushjobs import clock
from pushjobs.domain.job import JobState
from pushjobs.domain.moment import SHANGHAI
from pushjobs.domain.rule import Rule
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from tests.acceptance.busy import was_busy
from tests.acceptance.installation import Up, wait_for
from tests.acceptance.windows import keep
from tests.integration.hands import SEND

PROGRAM = str(Path(sys.executable).with_name("pushjobs"))
MOST_CLICKS = 3
NEWS = {"thing1": "要闻", "thing2": "今日要闻", "date3": "2026年12月1日"}


@pytest.fixture(scope="module")
def options() -> Sequence[str]:
    """With the HTTP door, at a free port."""
    return ["--http", "0"]


@pytest.fixture(scope="module")
def workers() -> int:
    """One is enough."""
    return 1


@dataclass
class Operator:
    """Somebody at the console, whose clicks are counted from its first page on."""

    page: Page
    said: list[str] = field(default_factory=list)
    clicks: int = 0

    def begin(self) -> None:
        """Open the first page."""
        self.page.goto("/console/")
        self.clicks = 0

    def click(self, role: str, name: str | re.Pattern[str]) -> None:
        """Click on what has that name."""
        self.clicks += 1
        assert self.clicks <= MOST_CLICKS
        self.page.get_by_role(role, name=name, exact=isinstance(name, str)).first.click()  # type: ignore[arg-type] # a role as a plain text

    def read(self) -> str:
        """Return what the page says."""
        return self.page.locator("main").inner_text()


@pytest.fixture(scope="module")
def signed_in(up: Up, chromium: Browser) -> Iterator[Operator]:
    """Somebody who has signed in, in a window of a browser; nothing is to be said on its console."""
    added = terminal(up, "client", "add", "duty", "--scope", "operate", "--scope", "read", "--json")
    key = json.loads(added)
    page = chromium.new_page(base_url=up.address("http"), locale="en-GB")
    page.set_default_timeout(20_000)
    made = Operator(page)
    page.on("console", lambda message: made.said.append(message.text))
    page.on("pageerror", lambda error: made.said.append(str(error)))
    made.begin()
    page.get_by_label("Client id").fill(key["id"])
    page.get_by_label("Key").fill(key["key"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
    yield made
    page.close()
    assert made.said == []


@pytest.fixture
def operator(signed_in: Operator, push: Runtime) -> Operator:
    """The same at the first page, where no job of the test before is left."""
    assert push is not None
    signed_in.begin()
    return signed_in


def terminal(up: Up, *arguments: str, status: int = 0) -> str:
    """Run a command; return what it writes."""
    done = subprocess.run(
        [PROGRAM, *arguments, "--directory", str(up.directory)],
        capture_output=True,
        check=False,
        text=True,
        env=up.environment,
    )
    assert done.returncode == status, done.stderr
    return done.stdout


def send(push: Runtime, number: int = 1, *, time: datetime | None = None) -> int:
    """Send one message; return its job."""
    return push.producer.send(touser=f"oReader{number:06d}", template_id=DAILY_NEWS, data=NEWS, time=time).id


def is_refused(push: Runtime, job_id: int) -> bool:
    """Whether a job is refused."""
    return push.producer.get(job_id).state is JobState.REFUSED


def is_counted(push: Runtime) -> bool:
    """Whether a tick has counted what is scheduled."""
    with push.database.transaction() as connection:
        return bool(connection.exec_driver_sql("SELECT count(*) FROM pushjobs.census").scalar_one())


def a_minute_to_come() -> str:
    """A time of the day, some hours ahead."""
    return f"{(clock.now() + timedelta(hours=3)).astimezone(SHANGHAI):%H:%M}"


def schedule_at(push: Runtime, written: str, count: int) -> None:
    """Schedule messages for the next time that a clock shows that; return when they are counted."""
    moment = (clock.now() + timedelta(hours=3)).astimezone(SHANGHAI).replace(second=0, microsecond=0)
    assert f"{moment:%H:%M}" == written
    for number in range(count):
        send(push, number, time=moment)
    wait_for("a tick has counted what is scheduled", lambda: is_counted(push))


def refused(push: Runtime, sandbox: SandboxClient) -> int:
    """Send a message that WeChat refuses; return its job when it has."""
    sandbox.order_fault("errcode", SEND, errcode=43101)
    job_id = send(push)
    wait_for("WeChat has refused it", lambda: is_refused(push, job_id))
    return job_id


def test_why_did_this_message_not_go(operator: Operator, push: Runtime, sandbox: SandboxClient) -> None:
    """Jobs, its number, Find: the page says that it was refused, and why."""
    job_id = refused(push, sandbox)
    operator.click("link", "Jobs")
    operator.page.get_by_label("Job number").fill(str(job_id))
    operator.click("button", "Find")
    expect(operator.page.get_by_role("heading", name=f"Job {job_id}")).to_be_visible()
    assert "the user's consent was missing" in operator.read()
    assert "43101" in operator.read()


def test_why_did_this_message_not_go_says_the_terminal(up: Up, push: Runtime, sandbox: SandboxClient) -> None:
    """`pushjobs why` says it in one command."""
    job_id = refused(push, sandbox)
    assert "43101" in terminal(up, "why", str(job_id))
    assert json.loads(terminal(up, "why", str(job_id), "--json"))["job"]["reason"] == "no_consent"


def test_what_goes_out_at_eight(operator: Operator, push: Runtime) -> None:
    """Schedule, the time, Show: template and number, and that nothing holds it."""
    written = a_minute_to_come()
    schedule_at(push, written, 3)
    operator.click("link", "Schedule")
    operator.page.get_by_label("What goes out at").fill(written)
    operator.click("button", "Show")
    expect(operator.page.get_by_text("3 jobs are scheduled.")).to_be_visible()
    assert written in operator.page.get_by_role("heading", level=1).inner_text()
    assert re.search(r"3\s+bulk|3\s+urgent", operator.read())


def test_what_goes_out_at_eight_says_the_terminal(up: Up, push: Runtime) -> None:
    """`pushjobs schedule --at` says it in one command."""
    written = a_minute_to_come()
    schedule_at(push, written, 3)
    assert DAILY_NEWS in terminal(up, "schedule", "--at", written)
    assert json.loads(terminal(up, "schedule", "--at", written, "--json"))["stretch"]["jobs"] == 3


def test_pause_that_template(operator: Operator, push: Runtime, sandbox: SandboxClient) -> None:
    """Templates, the template, Pause: nothing of it leaves from then on, and the first page says so."""
    send(push, 1)
    wait_for("it is sent", lambda: sandbox.summary().accepted == 1)
    operator.click("link", "Templates")
    operator.click("link", re.compile(r"每日资讯推送|daily-news"))
    operator.click("button", "Pause this template")
    expect(operator.page.get_by_text("It is held back, within two seconds everywhere.")).to_be_visible()
    held = send(push, 2)
    wait_for("it is due, and its ticks pass it by", lambda: push.inspection.why(held).rule is Rule.PAUSED)
    assert sandbox.summary().accepted == 1
    operator.begin()
    assert "Paused by an operator" in operator.read()
    operator.click("button", "Resume")
    wait_for("it leaves when it is let go", lambda: sandbox.summary().accepted == 2)


def test_pause_that_template_at_the_terminal(up: Up, push: Runtime, sandbox: SandboxClient) -> None:
    """`pushjobs pause` holds it, `why` says so of a job, `resume` lets it go."""
    terminal(up, "pause", "--template-id", DAILY_NEWS, "--note", "wrong price")
    held = send(push, 1)
    assert "wrong price" in terminal(up, "pauses")
    wait_for("its ticks pass it by", lambda: push.inspection.why(held).rule is Rule.PAUSED)
    assert sandbox.summary().accepted == 0
    terminal(up, "resume", "--template-id", DAILY_NEWS)
    wait_for("it leaves when it is let go", lambda: sandbox.summary().accepted == 1)


def campaign(push: Runtime, directory: Path) -> int:
    """Have a campaign run at once; return its run when it is over, counted for the last time."""
    path = directory / "audience.csv"
    path.write_text("touser\n" + "".join(f"oReader{number:06d}\n" for number in range(40)), encoding="utf-8")
    instant = clock.now() + timedelta(minutes=1)
    push.campaigns.add(
        "digest",
        name="Daily digest",
        cron=f"{instant.minute} {instant.hour} * * *",
        zone="UTC",
        template_id=DAILY_NEWS,
        audience={"file": str(path)},
        content={"data": NEWS},
    )
    wait_for("its run is over", lambda: any(run.finished_at for run in push.campaigns.runs("digest")), 120)
    [run] = push.campaigns.runs("digest")
    return run.run_no


def test_how_far_is_the_campaign(up: Up, operator: Operator, push: Runtime, tmp_path: Path) -> None:
    """Campaigns: its row says how far; its run's page has the states. `pushjobs campaign watch` says the same."""
    run_no = campaign(push, tmp_path)
    operator.click("link", "Campaigns")
    expect(operator.page.get_by_role("link", name="Daily digest")).to_be_visible()
    operator.click("link", "Daily digest")
    assert "40 of 40 (100 %)" in operator.read()
    operator.page.goto(f"/console/runs/{run_no}")
    assert "sent\t40" in operator.read()
    assert re.search(r"sent\s+40\b", terminal(up, "campaign", "watch", "digest"))


def test_is_everything_well(operator: Operator, push: Runtime) -> None:
    """The first page says so in one line, by itself a few seconds after something is not, without a click."""
    send(push, time=clock.now() + timedelta(days=1))
    was_busy(push)
    operator.begin()
    expect(operator.page.get_by_text("All is well.")).to_be_visible()
    expect(operator.page.locator(".uplot canvas").first).to_be_visible()
    keep(operator.page, "console-now")
    push.operations.pause(template_id=DAILY_NEWS, note="wrong price")
    expect(operator.page.get_by_text("wrong price")).to_be_visible()
    assert "All is well" not in operator.read()
    push.operations.resume(template_id=DAILY_NEWS)
    expect(operator.page.get_by_text("All is well.")).to_be_visible()
    assert operator.clicks == 0
    operator.page.get_by_role("button", name="中文").click()
    expect(operator.page.get_by_text("一切正常。")).to_be_visible()
    expect(operator.page.locator(".uplot canvas").first).to_be_visible()
    keep(operator.page, "console-now-zh")
    operator.page.get_by_role("button", name="English").click()


def test_is_everything_well_says_the_terminal(up: Up, push: Runtime) -> None:
    """`pushjobs doctor` ends with 0 where it is."""
    assert push is not None
    found = json.loads(terminal(up, "doctor", "--json"))
    assert not [each for each in found if each["verdict"] == "fail"]
