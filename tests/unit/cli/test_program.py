"""The program's manners: one line on standard error, a status that says whose fault it is, never a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pushjobs.cli import main
from pushjobs.cli.options import INTERRUPTED, MISUSED
from pushjobs.cli.sending import read_data
from pushjobs.errors import InvalidInput
from tests.terminals import Terminal

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the program in an empty directory, without any setting; returns status, output, errors."""
    for name in ("DIRECTORY", "DATABASE_URL", "REDIS_URL", "WECHAT_APPID", "WECHAT_SECRET", "WECHAT_BASE_URL"):
        monkeypatch.delenv(f"PUSHJOBS_{name}", raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["pushjobs", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, captured.out, captured.err

    return call


def test_version(run: Run) -> None:
    """`--version` names the program and its version."""
    status, out, _ = run("--version")
    assert (status, out) == (0, "pushjobs 0.1.0\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs"],
        ["jobs", "--summary"],
        ["show", "1"],
        ["cancel", "1"],
        ["reschedule", "1", "--time", "2026-12-01 08:00:00"],
        ["send", "--touser", "o", "--template-id", "t", "--data", "thing1=a"],
        ["why", "1"],
        ["replay", "1"],
        ["resolve", "1", "--as", "sent"],
        ["pause"],
        ["resume"],
        ["pauses"],
        ["pace"],
        ["quota", "--touser", "o"],
        ["consent", "show", "--touser", "o"],
        ["consent", "grant", "--touser", "o", "--template-id", "t"],
        ["template", "list"],
        ["template", "policy", "t", "--daily-cap", "1"],
        ["template", "library"],
        ["template", "keywords", "1856"],
        ["template", "add", "1856", "1", "2"],
        ["template", "delete", "t", "--yes"],
        ["template", "check", "no.csv"],
        ["template", "map", "old", "t", "keyword1=thing1"],
        ["template", "unmap", "old"],
        ["template", "mappings"],
        ["wechat", "quota"],
        ["wechat", "rid", "61725984-6126f6f9-040f19c4"],
        ["wechat", "clear-quota", "--yes"],
        ["db", "status"],
        ["db", "upgrade"],
    ],
    ids=" ".join,
)
def test_nothing_running_names_the_way_out(run: Run, arguments: list[str]) -> None:
    """Where nothing runs, every command says so in one line, names `pushjobs up`, and ends with 2."""
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("pushjobs: nothing runs in ")
    assert "pushjobs up" in err
    assert err.count("\n") == 1


def test_missing_credentials_are_named_before_anything_starts(run: Run, tmp_path: Path) -> None:
    """`up` without credentials names both variables, ends with 2 and leaves nothing behind."""
    status, _, err = run("up")
    assert (status, err.count("\n")) == (2, 1)
    assert "PUSHJOBS_WECHAT_APPID" in err
    assert "PUSHJOBS_WECHAT_SECRET" in err
    assert not list(tmp_path.iterdir())


def test_an_unreachable_database_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PostgreSQL that does not answer is a failure, with its address but not its password."""
    monkeypatch.setenv("PUSHJOBS_DATABASE_URL", "postgresql+psycopg://anna:secret@/pushjobs?host=/nonexistent")
    status, _, err = run("db", "upgrade")
    assert (status, err.count("\n")) == (1, 1)
    assert "/nonexistent" in err
    assert "PUSHJOBS_DATABASE_URL" in err
    assert "secret" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs", "--state", "lost"],
        ["jobs", "--limit", "0"],
        ["show", "first"],
        ["up", "--workers", "0"],
        ["up", "--flower", "70000"],
        ["up", "--http", "70000"],
        ["reschedule", "1"],
        ["resolve", "1"],
        ["resolve", "1", "--as", "lost"],
        ["pause", "--lane", "slow"],
        ["pace", "--per-second", "fast"],
        ["pace", "--per-second", "5", "--default"],
        ["quota"],
        ["template", "policy", "t"],
        ["template", "policy", "t", "--in-doubt", "drop"],
        ["template", "add", "1856"],
        ["template", "add", "1856", "first"],
        ["template", "map", "old", "t"],
        ["template", "library", "--limit", "few"],
        ["template", "check"],
        ["wechat", "rid"],
        ["unheard-of"],
    ],
    ids=" ".join,
)
def test_misuse_ends_with_2(run: Run, arguments: list[str]) -> None:
    """What the options do not allow is refused before anything is looked at."""
    status, _, err = run(*arguments)
    assert status == 2
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [["--file", "no.csv", "--lane", "bulk"], ["--data", "thing1"], ["--data", "{"]])
def test_bad_options_of_send_are_explained(run: Run, arguments: list[str]) -> None:
    """Options that do not fit together, and data that cannot be read, are named in one line."""
    status, _, err = run("send", *arguments)
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"pushjobs: {arguments[0]}")


def test_cancel_takes_a_number_or_a_filter(run: Run) -> None:
    """A number beside a filter could cancel what the filter excludes, so it is refused."""
    status, _, err = run("cancel", "1", "--reference", "OD1")
    assert status == 2
    assert "beside" in err


def test_a_disk_s_refusal_is_one_line(run: Run, tmp_path: Path) -> None:
    """Where the directory cannot be made, the system's words stand in one line, with the path."""
    (tmp_path / "taken").write_text("a file")
    status, _, err = run("up", "--sandbox", "--directory", str(tmp_path / "taken"))
    assert (status, err.count("\n")) == (1, 1)
    assert "taken" in err


def test_a_bad_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that makes no sense is named by its variable, without its value."""
    monkeypatch.setenv("PUSHJOBS_RATE_PER_SECOND", "plenty")
    status, _, err = run("jobs")
    assert status == 2
    assert "PUSHJOBS_RATE_PER_SECOND" in err
    assert "plenty" not in err


def test_data_may_be_written_in_both_ways() -> None:
    """Keywords come one by one, as JSON, or both; an equals sign in a text stays."""
    written = ["thing1=a=b", json.dumps({"thing2": {"value": "订单"}}), "number3="]
    assert read_data(written) == {"thing1": "a=b", "thing2": {"value": "订单"}, "number3": ""}


@pytest.mark.parametrize("values", [["thing1=a", "thing1=b"], ["=a"], ["thing1"], ['{"thing1": '], ["{'thing1': 1}"]])
def test_unreadable_data_is_refused(values: list[str]) -> None:
    """What is neither a keyword with its text nor JSON is refused, and so is a keyword that comes twice."""
    with pytest.raises(InvalidInput, match=r"^--data"):
        read_data(values)


PROGRAM = str(Path(sys.executable).with_name("pushjobs"))


def test_a_reader_that_goes_away_is_no_fault() -> None:
    """`pushjobs … | head`: the program ends with 1 and says nothing, however much it had to say."""
    with subprocess.Popen(
        [PROGRAM, "completion", "bash"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stdout is not None
        assert ran.stderr is not None
        ran.stdout.close()
        assert ran.stderr.read() == ""
        assert ran.wait(60) == 1


def test_ctrl_c_ends_with_130(run: Run) -> None:
    """Whoever stops a command finds 130, as with any other program, and no traceback; nothing was done."""
    assert run is not None
    with Terminal([PROGRAM, "forget", "oReader"], environment=os.environ) as terminal:
        terminal.see(r"Forget 1 user\? That cannot be undone")
        terminal.type("\x03")
        assert terminal.end() == INTERRUPTED
        assert not terminal.text.replace("^C", "").strip()


INTERRUPTED_IMPORT = """
import os, signal, sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "pushjobs.cli.jobs":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run may ignore it
sys.meta_path.insert(0, Interrupted())
from pushjobs.cli import main
main()
"""


def test_ctrl_c_while_python_imports_ends_with_130_too() -> None:
    """Whoever thinks better of it within the first second sees no traceback either."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "")


def test_a_no_is_a_no(run: Run) -> None:
    """Whoever does not confirm what destroys has changed nothing, and finds 2."""
    assert run is not None
    with Terminal([PROGRAM, "forget", "oReader"], environment=os.environ) as terminal:
        terminal.see("cannot be undone")
        terminal.type("n\r")
        terminal.see("nothing was changed")
        assert terminal.end() == MISUSED
