"""Keep the application's processes running, and stop them in order.

Each process has a session of its own: a Ctrl-C in the terminal reaches only the supervisor, which then decides who
stops when. Each is bound to the supervisor's life (`bound`). One thread a process starts it, waits for its end and
starts it again; nothing polls. Nothing here knows what the processes do.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from pushjobs.clock import monotonic
from pushjobs.local import bound

__all__ = ["Application", "Ended", "Supervisor"]

_LONGEST_DELAY = 10.0
_FIRST_DELAY = 0.5
_SETTLED_SECONDS = _LONGEST_DELAY
"""Whoever ran for so long starts again at once, as if it had never failed: whatever kills it that often, it does not
start more often than one that fails at its start.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One process to keep running. Lower ranks stop first and start last; equal ranks move together."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    rank: int
    patience: float
    """Seconds between SIGTERM and SIGKILL."""
    sockets: Sequence[int] = ()
    """Descriptors it inherits, under the numbers they have here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process ended that should not have; it starts again in `delay` seconds."""

    name: str
    status: int | None
    """The exit status, negative for the signal that killed it; None: the system could not start it, or did not say."""
    delay: float


class Supervisor:
    """Runs a set of applications until `stop`; `report` hears, from other threads, of each that ended by itself."""

    def __init__(self, applications: Sequence[Application], report: Callable[[Ended], None]) -> None:
        by_rank = groupby(sorted(applications, key=attrgetter("rank")), key=attrgetter("rank"))
        self._ranks = [[_Keeper(application, report) for application in same] for _, same in by_rank]

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of those that run at this moment, by name."""
        found = {keeper.application.name: keeper.pid for rank in self._ranks for keeper in rank}
        return {name: pid for name, pid in found.items() if pid is not None}

    def start(self) -> None:
        """Start all, the highest rank first; return when the last process exists."""
        for rank in reversed(self._ranks):
            for keeper in rank:
                keeper.start()

    def kill(self) -> None:
        """Kill all at once, in mid-call too, and start none again: for an installation that nobody will look at."""
        for rank in self._ranks:
            for keeper in rank:
                keeper.kill()

    def stop(self) -> None:
        """Stop all, the lowest rank first, each rank only when the one before it is gone. May be repeated."""
        for rank in self._ranks:
            for keeper in rank:
                keeper.end()
            for keeper in rank:
                keeper.join()


class _Keeper:
    """One application and the thread that keeps it; the thread must live as long as the process (see `bound`)."""

    def __init__(self, application: Application, report: Callable[[Ended], None]) -> None:
        self.application = application
        self._report = report
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._started = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._until = 0.0
        self._thread = threading.Thread(target=self._keep, name=f"keep-{application.name}", daemon=True)

    @property
    def pid(self) -> int | None:
        with self._lock:
            return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        self._thread.start()
        self._started.wait()

    def end(self) -> None:
        self._until = monotonic() + self.application.patience
        self._ending.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._ending.set()
        self._signal(signal.SIGKILL)

    def join(self) -> None:
        if not self._thread.is_alive():
            return
        self._thread.join(max(0.0, self._until - monotonic()))
        if self._thread.is_alive():
            self._signal(signal.SIGKILL)
            self._thread.join()

    def _keep(self) -> None:
        failures = 0
        while True:
            # Under the lock, so that an end is seen here or finds the process to signal.
            with self._lock:
                if self._ending.is_set():
                    return
                begun = monotonic()
                self._process = self._spawn()
            self._started.set()
            status = None if self._process is None else self._process.wait()
            if self._ending.is_set():
                return
            failures = 0 if monotonic() - begun > _SETTLED_SECONDS else failures
            delay = min(_FIRST_DELAY * 2 ** (failures - 1), _LONGEST_DELAY) if failures else 0.0
            failures += 1
            self._report(Ended(name=self.application.name, status=status, delay=delay))
            self._ending.wait(delay)

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        command = [sys.executable, "-I", "-S", bound.__file__, str(os.getpid()), "--", *self.application.command]
        try:
            with self.application.log.open("ab") as log:
                return subprocess.Popen(  # noqa: S603 (our own processes, no input from outside)
                    command,
                    env=dict(self.application.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=self.application.sockets,
                )
        except OSError:  # no memory, no process numbers, no disk: all of it passes
            return None

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                return
            if number is signal.SIGKILL:
                # The whole group: a worker killed alone would leave its pool behind.
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
