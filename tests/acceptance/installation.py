"""`pushjobs up` as a process that tests start, look into, stop and kill."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pushjobs.local.family import descendants
from pushjobs.sandbox.catalogue import DAILY_NEWS

__all__ = ["Up", "command_of", "is_running", "news", "wait_for"]

NODES = ("ticks", "urgent", "bulk")
_OURS = re.compile(rb"celery|pushjobs\.http\0")


def wait_for(description: str, condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return when the condition holds; fail with its description when it does not in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {description}")
        pause.wait(0.05)


class Up:
    """`pushjobs up` in a process of its own."""

    def __init__(
        self, directory: Path, environment: dict[str, str], workers: int, more: Sequence[str] = ("--no-http",)
    ) -> None:
        self.directory = directory
        self.environment = environment
        self._workers = workers
        self._more = more
        self._said = directory.with_suffix(".said")
        self._process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start it, and return when its workers consume."""
        command = [
            str(Path(sys.executable).with_name("pushjobs")),
            "up",
            *(() if "--flower" in self._more else ("--no-flower",)),
            "--workers",
            str(self._workers),
            *self._more,
        ]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [*command, "--directory", str(self.directory)],
                env=self.environment,
                stdout=said,
                start_new_session=True,
            )
        started = time.time()

        def is_ready() -> bool:
            assert self._process.poll() is None, "`pushjobs up` ended"
            try:
                files = [(self.directory / "run" / f"{node}.ready").stat() for node in NODES]
            except FileNotFoundError:  # not there yet, or just being cleared away by the new start
                return False
            return all(file.st_mtime >= started - 1 for file in files)

        wait_for("the workers consume", is_ready, 60)

    def address(self, name: str) -> str:
        """Return the address that it prints for one of its pages and servers."""

        def said() -> dict[str, str]:
            return dict(line.split(maxsplit=1) for line in self._said.read_text().splitlines() if " " in line)

        wait_for("it prints its addresses", lambda: "ready:" in said())
        return said()[name].strip()

    def stop(self) -> int:
        """Ask it to stop, as a service manager does, and return its exit status (a test run may ignore SIGINT)."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def kill(self) -> list[int]:
        """Kill it with SIGKILL; return the processes of the application it leaves behind."""
        left = self.applications()
        self._process.kill()
        self._process.wait()
        return left

    def applications(self) -> list[int]:
        """Return the Celery processes, parents and children, and the HTTP doors."""
        return [pid for pid in sorted(descendants(self._process.pid)) if _OURS.search(command_of(pid))]

    def door(self) -> int | None:
        """Return the process of the HTTP doors; None between two."""
        found = [pid for pid in self.applications() if b"pushjobs.http\0" in command_of(pid)]
        return found[0] if found else None

    def children_of(self, node: str) -> list[int]:
        """Return the processes that deliver for a node."""
        return sorted(descendants(self.worker(node)))

    def worker(self, node: str) -> int:
        """Return the process that takes messages for a node, the parent of those that deliver."""
        [parent] = [pid for pid in self.applications() if f"{node}@".encode() in command_of(pid) and _is_parent(pid)]
        return parent

    def restart(self, node: str) -> None:
        """Have a node's worker end as a service manager does, and return when its successor consumes."""
        ready = self.directory / "run" / f"{node}.ready"
        before, old = ready.stat().st_mtime_ns, self.worker(node)
        os.kill(old, signal.SIGTERM)
        wait_for(f"{node} has drained", lambda: not is_running(old))
        wait_for(f"{node} consumes again", lambda: ready.stat().st_mtime_ns > before)


def command_of(pid: int) -> bytes:
    """Return the command line of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def is_running(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    return command_of(pid) != b""


def _is_parent(pid: int) -> bool:
    return bool(descendants(pid))


def news(number: int, **more: object) -> dict[str, object]:
    """Return the arguments of one piece of news for one reader, different from every other number's."""
    return {
        "touser": f"oReader{number:06d}",
        "template_id": DAILY_NEWS,
        "data": {"thing1": f"第{number}条", "thing2": "今日要闻", "date3": "2026年12月1日"},
        **more,
    }
