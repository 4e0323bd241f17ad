"""The terminal against a running installation: one `pushjobs up --sandbox`, and commands as people type them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pushjobs import clock
from pushjobs.cli import main
from pushjobs.cli.options import opened
from pushjobs.producer import Producer
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS, LEGACY_REFUND, ORDER_SHIPPED
from tests.acceptance.installation import command_of, wait_for
from tests.terminals import Terminal as Typed

PROGRAM = str(Path(sys.executable).with_name("pushjobs"))
EXAMPLES = Path(__file__).parents[2] / "examples"
FAR_OFF = "2040-12-01 08:00:00"
NEWS = ["--template-id", DAILY_NEWS, "--data", "thing1=今日要闻", "--data", "thing2=三分钟读完", "--data"]
NEWS += ["date3=2026年11月23日"]


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Terminal:
    """A terminal to speak to one installation from."""

    directory: Path
    sandbox: SandboxClient
    push: Producer

    def run(self, *arguments: str) -> Done:
        """Run the program in this process: it is what it says that is tested here, and a process takes a second."""
        out, err = StringIO(), StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr("sys.argv", ["pushjobs", *arguments, "--directory", str(self.directory)])
            with pytest.raises(SystemExit) as ended:
                main()
        return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    def read(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON
        """Run a command that must succeed, with --json, and return what it shows."""
        done = self.run(*arguments, "--json")
        assert done.status == 0, done.err
        return json.loads(done.out)

    def refused(self, *arguments: str) -> str:
        """Run a command that must be refused, and return its one line; nothing may have been stored."""
        before = sum(self.push.counts().values())
        done = self.run(*arguments)
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
        assert sum(self.push.counts().values()) == before
        return done.err

    def wait_for_arrival(self, touser: str) -> dict[str, Any]:
        """Return what the sandbox took down for a user, once it has."""

        def arrived() -> list[Any]:
            return [send for send in self.sandbox.all_received() if send.touser == touser]

        wait_for("the push arrives at the sandbox", lambda: bool(arrived()))
        [send] = arrived()
        assert send.errcode == 0
        return dict(send.body)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """`pushjobs up --sandbox` runs; at the end Ctrl-C stops it with status 0."""
    directory = tmp_path_factory.mktemp("up") / "pushjobs"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PUSHJOBS_")]:
            patch.delenv(name)
        command = [PROGRAM, "up", "--sandbox", "--http", "0", "--flower", "0", "--directory", str(directory)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as up:
            try:
                sandbox = _sandbox_of(up)
                with opened(directory) as runtime:
                    yield Terminal(directory, sandbox, runtime.producer)
            finally:
                up.send_signal(signal.SIGTERM)
                rest, _ = up.communicate(timeout=60)
    assert up.returncode == 0
    assert rest == "stopping\nstopped\n"


def _sandbox_of(up: subprocess.Popen[str]) -> SandboxClient:
    """Read what `up` says until it is ready; return the sandbox it names."""
    said = []
    assert up.stdout is not None
    for line in up.stdout:
        said.append(line)
        if line.startswith("ready"):
            break
    words = dict(line.split(maxsplit=1) for line in said)
    assert {"http", "console", "database_url", "redis_url", "broker_url", "sandbox", "flower", "logs"} <= words.keys()
    assert "flower.json" in "".join(said)
    return SandboxClient(words["sandbox"].strip())


def test_the_doctor_finds_all_well(terminal: Terminal) -> None:
    """Of an installation that runs, `doctor` has nothing to complain of."""
    wait_for("beat, which tells nobody that it is ready, has ticked", lambda: terminal.run("doctor").status == 0)
    assert [each for each in terminal.read("doctor") if each["verdict"] != "ok"] == []


def user() -> str:
    """Make up an open id."""
    return f"oTest{uuid4().hex[:23]}"


def test_a_push_goes_out_and_its_job_says_so(terminal: Terminal) -> None:
    """`send` without a time goes out at once, as WeChat's own body; `show` tells how it ended."""
    touser = user()
    job = terminal.read("send", "--touser", touser, *NEWS, "--page", "pages/news", "--reference", "NEWS-1")
    assert terminal.wait_for_arrival(touser) == {
        "touser": touser,
        "template_id": DAILY_NEWS,
        "page": "pages/news",
        "data": {
            "thing1": {"value": "今日要闻"},
            "thing2": {"value": "三分钟读完"},
            "date3": {"value": "2026年11月23日"},
        },
        "miniprogram_state": "formal",
        "lang": "zh_CN",
    }
    wait_for("the job is settled", lambda: terminal.push.get(job["id"]).state.is_final)
    shown = terminal.run("show", str(job["id"])).out
    assert "sent" in shown
    assert "NEWS-1" in shown
    assert touser not in shown


def test_wechat_s_receipt_comes_back(terminal: Terminal) -> None:
    """The sandbox tells the HTTP door what became of a message, and its job shows it; no process shows the secrets."""
    job = terminal.read("send", "--touser", user(), *NEWS)
    wait_for("the receipt is there", lambda: "delivered" in terminal.run("show", str(job["id"])).out)
    secrets = [value.encode() for value in json.loads((terminal.directory / "callbacks.json").read_bytes()).values()]
    commands = [command_of(int(path.name)) for path in Path("/proc").glob("[0-9]*")]
    assert not [command for command in commands if any(secret in command for secret in secrets)]


def test_a_job_is_found_moved_and_cancelled(terminal: Terminal) -> None:
    """A far-off job is found by its reference and its user, moved with a history, and cancelled once."""
    touser, reference = user(), uuid4().hex
    sent = terminal.read("send", "--touser", touser, *NEWS, "--time", FAR_OFF, "--reference", reference)
    assert sent["time"] == "2040-12-01T00:00:00+00:00"
    for found in (terminal.read("jobs", "--reference", reference), terminal.read("jobs", "--touser", touser)):
        assert [job["id"] for job in found] == [sent["id"]]
    number = str(sent["id"])

    moved = terminal.run("reschedule", number, "--time", "2040-12-02 09:30:00")
    assert moved.out == f"job {number} is scheduled for 2040-12-02 09:30:00 (Asia/Shanghai)\n"
    assert terminal.run("cancel", number).out == "cancelled 1 job\n"
    assert "cannot be cancelled" in terminal.refused("cancel", number)
    assert "cannot be rescheduled" in terminal.refused("reschedule", number, "--time", FAR_OFF)

    shown = terminal.read("show", number)
    assert [each["transition"] for each in shown["history"]] == ["reschedule", "cancel"]
    assert (shown["state"], shown["reason"]) == ("cancelled", "requested")
    listed = terminal.run("jobs", "--state", "cancelled").out
    assert number in listed
    assert DAILY_NEWS in listed


def test_everything_of_a_user_is_cancelled(terminal: Terminal) -> None:
    """`cancel --touser` takes back all that is not begun, and says how many."""
    touser = user()
    for _ in range(2):
        terminal.read("send", "--touser", touser, *NEWS, "--time", FAR_OFF)
    assert terminal.read("cancel", "--touser", touser) == {"cancelled": 2}
    assert terminal.run("cancel", "--touser", touser).out == "cancelled 0 jobs\n"


def test_a_csv_is_accepted_but_for_its_bad_rows(terminal: Terminal, tmp_path: Path) -> None:
    """Good rows are scheduled, bad ones listed by number, field and reason, status 1; a second time all are known."""
    data = json.dumps({"thing1": "订单", "thing2": "已发货", "date3": "2026-11-23"}).replace('"', '""')
    path, user_a, user_b = tmp_path / "jobs.csv", user(), user()
    path.write_text(
        "touser,template_id,data,time,page,idempotency_key\n"
        f'{user_a},{DAILY_NEWS},"{data}",,,{uuid4().hex}\n'
        f'{user_b},{DAILY_NEWS},"{data}",,/pages/news,\n'
        f'{user_b},{DAILY_NEWS},"{data}",{FAR_OFF},,{uuid4().hex}\n'
        f"{user_b},{DAILY_NEWS},keyword,,,\n",
        encoding="utf-8-sig",
    )
    done = terminal.run("send", "--file", str(path))
    assert done.status == 1
    lines = [line.split(maxsplit=2) for line in done.out.splitlines() if line.strip()]
    assert lines[0] == ["accepted", "2,", "refused 2"]
    assert [line[:2] for line in lines[-2:]] == [["2", "page"], ["4", "data"]]
    terminal.wait_for_arrival(user_a)

    again = terminal.run("send", "--file", str(path), "--json")
    report = json.loads(again.out)
    assert (report["accepted"], report["known"], len(report["rejected"])) == (0, 2, 2)
    assert report["rejected"][0].keys() == {"row", "field", "reason"}


def test_the_article_s_request_goes_out(terminal: Terminal) -> None:
    """A file with WeChat's own legacy body is sent as it is, less `time`; options go over its fields."""
    touser = user()
    request = ["--from", str(EXAMPLES / "article-request.json"), "--template-id", LEGACY_REFUND]
    terminal.read("send", *request, "--touser", touser)
    body = terminal.wait_for_arrival(touser)
    assert body.keys() == {"touser", "template_id", "page", "form_id", "data"}
    assert body["data"]["keyword1"] == {"value": "訂單編號"}


def test_a_form_id_serves_once_and_a_payment_s_three_times(terminal: Terminal) -> None:
    """One message more than the id of a form or a payment serves is refused in one line, naming the jobs before it."""
    tomorrow = (clock.now() + timedelta(days=1)).isoformat()
    request = ["send", "--from", str(EXAMPLES / "article-request.json"), "--time", tomorrow, "--touser", user()]
    for kind, messages in (("form", 1), ("prepay", 3)):
        legacy = [*request, "--template-id", LEGACY_REFUND, "--form-id", f"wx{uuid4().hex}", "--form-id-kind", kind]
        jobs = [str(terminal.read(*legacy)["id"]) for _ in range(messages)]
        error = terminal.refused(*legacy)
        assert f"form_id has no message left for another job (job {', '.join(jobs)}): the id of a form serves" in error


def test_the_python_example_runs(terminal: Terminal) -> None:
    """`examples/send_one.py` schedules and moves a push at whatever runs in PUSHJOBS_DIRECTORY."""
    example = [sys.executable, str(EXAMPLES / "send_one.py")]
    environment = {**os.environ, "PUSHJOBS_DIRECTORY": str(terminal.directory)}
    done = subprocess.run(example, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "moved to" in done.stdout


def test_bad_input_is_refused_in_one_line(terminal: Terminal, tmp_path: Path) -> None:
    """With the catalogue read, what cannot succeed is refused with field, fault and rule; nothing is stored."""
    assert terminal.read("template", "sync") == {"templates": 6}
    listed = {each["template_id"]: each["keywords"] for each in terminal.read("template", "list")}
    assert listed[ORDER_SHIPPED] == ["thing1", "character_string2", "thing3", "time5"]

    to = ["send", "--touser", user()]
    assert "time cannot be read" in terminal.refused(*to, *NEWS, "--time", "tomorrow")
    assert "template_id is not in" in terminal.refused(*to, "--template-id", "T" * 43, "--data", "thing1=a")
    assert "data.thing2 is missing" in terminal.refused(*to, "--template-id", DAILY_NEWS, "--data", "thing1=a")
    assert "page begins with a slash" in terminal.refused(*to, *NEWS, "--page", "/pages/news")
    assert "touser is missing" in terminal.refused("send", *NEWS)
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("user,template,data\na,b,c\n")
    assert "wrong.csv has a column 'user'" in terminal.refused("send", "--file", str(wrong))
    assert "there is no job 4096" in terminal.refused("show", "4096")


def test_one_up_a_directory(terminal: Terminal) -> None:
    """A second `up` in the same directory is refused with the first one's process id."""
    done = terminal.run("up", "--sandbox", "--no-flower")
    assert done.status == 2
    assert "already runs" in done.err


def test_the_tables_are_up_to_date(terminal: Terminal) -> None:
    """`up` has brought the tables to this release; an upgrade changes nothing, a revision of nobody's is refused."""
    status = terminal.read("db", "status")
    assert status["is_current"]
    assert status["revision"] == status["needed"]
    assert terminal.run("db", "upgrade").status == 0
    assert "nonsense" in terminal.refused("db", "downgrade", "nonsense", "--yes")


def at(terminal: Terminal, *arguments: str) -> Typed:
    """Run the program in a terminal of 80 by 24, at the installation."""
    environment = {**os.environ, "PUSHJOBS_DIRECTORY": str(terminal.directory)}
    return Typed([PROGRAM, *arguments], environment=environment)


def test_top_is_a_screen_that_one_leaves(terminal: Terminal) -> None:
    """`top` shows lanes, queues and what is due, on one screen, again and again; q leaves, and so does Ctrl-C."""
    terminal.read("send", "--touser", user(), *NEWS)
    with at(terminal, "top", "--interval", "0.2") as top:
        top.see(r"(?s)queues.*due")
        assert "\x1b[?1049h" in top.raw
        top.type("x")
        seen = top.see(r"(?s)queues.*queues")
        assert "urgent" in seen
        top.type("q")
        assert top.end() == 0
        assert "\x1b[?1049l" in top.raw
    with at(terminal, "top") as top:
        top.see("queues")
        top.type("\x03")
        assert top.end() == 0
        assert "Traceback" not in top.text


def test_top_writes_a_line_of_json_a_reading(terminal: Terminal) -> None:
    """Out of a terminal it is one frame, and with --json a document a line until whoever reads it goes."""
    assert "queues" in terminal.run("top").out
    command = [PROGRAM, "top", "--json", "--interval", "0.2", "--directory", str(terminal.directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as top:
        assert top.stdout is not None
        assert top.stderr is not None
        first, second = (json.loads(top.stdout.readline()) for _ in range(2))
        assert first["now"]["at"] < second["now"]["at"]
        top.stdout.close()
        assert top.stderr.read() == ""
        assert top.wait(60) == 1


SHELLS = {
    "bash": ("--norc", "-i"),
    "zsh": ("-f", "-i"),
    "fish": ("--no-config", "-i"),
}
READY = {"zsh": "autoload -U compinit; compinit -u -D; "}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes(terminal: Terminal, tmp_path: Path, shell: str) -> None:
    """TAB completes commands, options, states, and the installation's own templates; of open ids nothing is offered."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    terminal.read("template", "sync")
    script = tmp_path / "script"
    script.write_text(terminal.run("completion", shell).out)
    environment = {
        **os.environ,
        "PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}",
        "PUSHJOBS_DIRECTORY": str(terminal.directory),
        "HOME": str(tmp_path),
    }
    with Typed([shell, *SHELLS[shell]], environment=environment, columns=200) as typed:
        typed.type(f"{READY.get(shell, '')}source {script}; printf 'sou%s\\n' rced\r")
        typed.see("sourced")
        for written, completed in (
            ("pushjobs resch", "reschedule"),
            ("pushjobs jobs --du", "--due-"),
            ("pushjobs jobs --state in", "in_doubt"),
            ("pushjobs campaign reh", "rehearse"),
            ("pushjobs pause --template-id dai", DAILY_NEWS),
        ):
            typed.type(f"{written}\t")
            typed.see(completed)
            typed.type("\x15")
