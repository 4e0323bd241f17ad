"""The supervisor: what it keeps running, in which order it stops, and what its own death leaves."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pushjobs.local.processes import Application, Ended, Supervisor

Eventually = Callable[[Callable[[], bool], str], None]

WAIT = "import signal; signal.pause()"

STUBBORN = textwrap.dedent("""
    import os, signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(os.fork(), flush=True)
    signal.pause()
""")

LAST_WORDS = textwrap.dedent("""
    import os, signal
    def say(*_):
        with open(os.environ["WORDS"], "a") as words:
            words.write(os.environ["NAME"] + "\\n")
        os._exit(0)
    signal.signal(signal.SIGTERM, say)
    print("up", flush=True)
    signal.pause()
""")

ANSWER_ONCE = textwrap.dedent("""
    import os, socket
    caller, _ = socket.socket(fileno={listening}).accept()
    caller.sendall(str(os.getpid()).encode())
""")

SUPERVISE = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from pushjobs.local.processes import Application, Supervisor
    sleep = "import signal; print('up', flush=True); signal.pause()"
    applications = [
        Application(name=name, command=(sys.executable, "-c", sleep), environment={}, rank=0, patience=5,
                    log=Path(sys.argv[1]) / name)
        for name in ("first", "second")
    ]
    supervisor = Supervisor(applications, print)
    supervisor.start()
    print(*supervisor.pids.values(), flush=True)
    signal.pause()
""")


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Application]:
    """Make an application that runs a Python text."""

    def application(name: str, text: str = WAIT, *, rank: int = 0, patience: float = 5.0) -> Application:
        return Application(
            name=name,
            command=(sys.executable, "-c", text),
            environment={"NAME": name, "WORDS": str(tmp_path / "words")},
            log=tmp_path / f"{name}.log",
            rank=rank,
            patience=patience,
        )

    return application


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def has_spoken(log: Path) -> bool:
    return log.read_text() != ""


def test_what_dies_is_started_again(
    make: Callable[..., Application], eventually: Eventually, cleanup: ExitStack
) -> None:
    """A killed process is back, and its end is reported with the signal."""
    ended: list[Ended] = []
    supervisor = Supervisor([make("worker")], ended.append)
    cleanup.callback(supervisor.stop)
    supervisor.start()
    before = supervisor.pids["worker"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: supervisor.pids.get("worker", before) != before, "another process runs")
    assert ended == [Ended(name="worker", status=-signal.SIGKILL, delay=0.0)]


def test_what_keeps_dying_is_started_with_growing_delay(
    make: Callable[..., Application], eventually: Eventually, cleanup: ExitStack
) -> None:
    """At once the first time, then after half a second, then after twice as long, which a stop does not wait for."""
    ended: list[Ended] = []
    supervisor = Supervisor([make("faulty", "raise SystemExit(3)")], ended.append)
    cleanup.callback(supervisor.stop)
    supervisor.start()
    eventually(lambda: len(ended) >= 3, "it has died three times")
    assert [(end.status, end.delay) for end in ended[:3]] == [(3, 0.0), (3, 0.5), (3, 1.0)]


def test_calls_wait_at_an_inherited_socket(make: Callable[..., Application], cleanup: ExitStack) -> None:
    """Whoever calls while a process is started again is answered by the next one."""
    listening = cleanup.enter_context(socket.create_server(("127.0.0.1", 0)))
    text = ANSWER_ONCE.format(listening=listening.fileno())
    supervisor = Supervisor([replace(make("door", text), sockets=(listening.fileno(),))], lambda _: None)
    cleanup.callback(supervisor.stop)
    supervisor.start()
    answers = set()
    for _ in range(2):
        with socket.create_connection(listening.getsockname(), timeout=5) as caller:
            answers.add(caller.recv(64))
    assert len(answers) == 2
    assert b"" not in answers


def test_ranks_stop_one_after_the_other(
    make: Callable[..., Application], eventually: Eventually, tmp_path: Path, cleanup: ExitStack
) -> None:
    """The lowest rank is gone before the next is asked, whatever the order they were given in."""
    names = {"worker": 2, "beat": 0, "sandbox": 3, "door": 1}
    ended: list[Ended] = []
    supervisor = Supervisor([make(name, LAST_WORDS, rank=rank) for name, rank in names.items()], ended.append)
    cleanup.callback(supervisor.stop)
    supervisor.start()
    for name in names:
        eventually(partial(has_spoken, tmp_path / f"{name}.log"), f"{name} waits for its signal")
    supervisor.stop()
    supervisor.stop()
    assert (tmp_path / "words").read_text().split() == ["beat", "door", "worker", "sandbox"]
    assert supervisor.pids == {}
    assert ended == []


def test_who_does_not_stop_is_killed_with_its_children(
    make: Callable[..., Application], eventually: Eventually, tmp_path: Path, cleanup: ExitStack
) -> None:
    """After its patience a process that ignores SIGTERM is killed, and so is what it forked."""
    supervisor = Supervisor([make("stubborn", STUBBORN, patience=0.1)], print)
    cleanup.callback(supervisor.stop)
    supervisor.start()
    log = tmp_path / "stubborn.log"
    eventually(lambda: len(log.read_text().split()) == 2, "both have spoken")
    child = max(int(word) for word in log.read_text().split())
    supervisor.stop()
    eventually(lambda: not lives(child), "the forked process is gone")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot bind a process to its parent")
def test_a_killed_supervisor_leaves_nothing(eventually: Eventually, tmp_path: Path, cleanup: ExitStack) -> None:
    """When the supervisor itself is killed, its processes end within 5 s."""
    script = [sys.executable, "-c", SUPERVISE, str(tmp_path)]
    supervisor = cleanup.enter_context(subprocess.Popen(script, stdout=subprocess.PIPE, text=True))
    cleanup.callback(supervisor.kill)
    assert supervisor.stdout is not None
    pids = [int(word) for word in supervisor.stdout.readline().split()]
    assert len(pids) == 2
    for name in ("first", "second"):
        eventually(partial(has_spoken, tmp_path / name), f"{name} runs")
    assert all(lives(pid) for pid in pids)
    supervisor.kill()
    supervisor.wait()
    eventually(lambda: not any(lives(pid) for pid in pids), "its processes are gone")


def test_kills_all_at_once(make: Callable[..., Application], cleanup: ExitStack) -> None:
    """A kill asks nobody and starts nothing again: what ignores SIGTERM is gone at once, and is not reported."""
    ended: list[Ended] = []
    supervisor = Supervisor([make("first", STUBBORN), make("second", rank=1)], ended.append)
    cleanup.callback(supervisor.stop)
    supervisor.start()

    supervisor.kill()
    supervisor.stop()

    assert (supervisor.pids, ended) == ({}, [])
