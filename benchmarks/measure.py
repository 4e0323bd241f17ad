"""What both sides are measured by: arrivals at the sandbox, and the processor time of every process that took part.

The sender's own log is not asked. The sandbox writes down when the last byte of each send had been read.
"""

import os
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pushjobs import clock
from pushjobs.sandbox import SandboxClient

__all__ = [
    "Arrived",
    "Load",
    "Spent",
    "arrivals",
    "arrived_between",
    "cpu_spent",
    "lateness",
    "share",
    "wait_for_all",
    "workers_memory",
]

PROCESSES = 4
"""Processes that send, on either side."""

RATE_PER_SECOND = 8000
"""A limit both sides keep to, and neither is held back by."""

DAILY_QUOTA = 3

_LOOK_SECONDS = 0.5
_SILENCE_SECONDS = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")

_ROLES = (
    # The first word that a process's arguments hold names it.
    ("pushjobs.sandbox", "sandbox"),
    ("postgres", "postgresql"),
    ("valkey", "valkey"),
    ("ticks@", "worker ticks"),
    ("urgent@", "worker urgent"),
    ("bulk@", "workers bulk"),
    ("plain@", "workers plain"),
    (" beat", "beat"),
    ("pushjobs.http", "doors"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How many messages to send, to a sandbox that answers after so long."""

    messages: int
    latency_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """How one side sent one load, each message once.

    `steady`: sends a second between the tenth and the ninetieth percentile of arrivals; `whole`: between the first
    and the last. `cpu_us`: microseconds of processor time a send, by process. `others`: the share of the machine that
    went to processes which are no part of this; where it is not small, the rates say more about them than about us.
    """

    steady: float
    whole: float
    peak: int
    cpu_us: dict[str, float]
    others: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds of processor time by role, and the share of the machine that others took meanwhile."""

    seconds: dict[str, float]
    others: float


def share(sorted_values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of the sorted values do not exceed."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * percent / 100))]


def lateness(sandbox: SandboxClient, moments: Mapping[str, float]) -> list[float]:
    """Return the seconds from each user's moment to the arrival at the sandbox, sorted."""
    return sorted(
        entry.arrived_at - moments[entry.touser] for entry in sandbox.all_received() if entry.touser in moments
    )


def arrived_between(sandbox: SandboxClient, since: float, until: float) -> int:
    """Return how many sends arrived between two moments."""
    return sum(since <= entry.arrived_at < until for entry in sandbox.all_received())


def wait_for_all(sandbox: SandboxClient, messages: int) -> None:
    """Return when so many sends were accepted; raise when for half a minute none comes any more."""
    seen, since = -1, clock.monotonic()
    while (accepted := sandbox.summary().accepted) < messages:
        if accepted != seen:
            seen, since = accepted, clock.monotonic()
        if clock.monotonic() - since > _SILENCE_SECONDS:
            raise TimeoutError(f"{accepted} of {messages} messages arrived, and no more come")
        clock.pause(_LOOK_SECONDS)


def arrivals(sandbox: SandboxClient, messages: int, spent: Spent) -> Arrived:
    """Read what arrived.

    Raises RuntimeError where not everything arrived, or something twice: no figure makes up for that.
    """
    arrived = sorted(entry.arrived_at for entry in sandbox.all_received() if entry.errcode == 0)
    tenths = statistics.quantiles(arrived, n=10)
    summary = sandbox.summary()
    if summary.repeats or summary.accepted != messages:
        raise RuntimeError(f"{summary.accepted} of {messages} arrived, {summary.repeats} of them twice")
    return Arrived(
        steady=len(arrived) * 0.8 / (tenths[-1] - tenths[0]),
        whole=(len(arrived) - 1) / (arrived[-1] - arrived[0]),
        peak=summary.peak_per_second,
        cpu_us={name: seconds / messages * 1e6 for name, seconds in sorted(spent.seconds.items()) if seconds > 0},
        others=spent.others,
    )


@contextmanager
def cpu_spent() -> Iterator[Callable[[], Spent]]:
    """Yield what tells the processor time spent since, by this process, its descendants and everybody else."""
    before, machine_before, began = _cpu_seconds(), _machine_seconds(), clock.monotonic()

    def since() -> Spent:
        # A process that ended meanwhile counts for whoever waited for it.
        seconds = {name: total - before[name] for name, total in _cpu_seconds().items()}
        # The machine's total includes what a hypervisor gave to its other guests.
        others = _machine_seconds() - machine_before - sum(seconds.values())
        capacity = (clock.monotonic() - began) * (os.cpu_count() or 1)
        return Spent(seconds=seconds, others=max(others, 0.0) / capacity)

    yield since


def workers_memory() -> int:
    """Return what the worker processes below this one hold, in bytes: shared pages in proportion (PSS)."""
    processes = {int(path.name): path for path in Path("/proc").iterdir() if path.name.isdigit()}
    stats = {pid: stat for pid, path in processes.items() if (stat := _stat(path)) is not None}
    workers = [processes[pid] for pid in stats if _descends(pid, stats) and _role(processes[pid]).startswith("worker")]
    return sum(
        int(line.split()[1]) * 1024
        for process in workers
        for line in (process / "smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    )


def _machine_seconds() -> float:
    """Return how long all processors together were not idle."""
    user, nice, system, _idle, _waiting, *rest = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    return sum(map(int, (user, nice, system, *rest))) / _TICKS


def _cpu_seconds() -> defaultdict[str, float]:
    """Add up user and system time of this process and every one below it, those already reaped included."""
    processes = {int(path.name): path for path in Path("/proc").iterdir() if path.name.isdigit()}
    stats = {pid: stat for pid, path in processes.items() if (stat := _stat(path)) is not None}
    seconds: defaultdict[str, float] = defaultdict(float)
    for pid, stat in stats.items():
        role = "benchmark" if pid == os.getpid() else _role(processes[pid])
        if role == "benchmark" or _descends(pid, stats):
            # user, system, and the same of children that were waited for
            seconds[role] += sum(int(field) for field in stat[11:15]) / _TICKS
    return seconds


def _stat(process: Path) -> list[str] | None:
    """Return what follows the name in /proc/PID/stat; None when the process is gone."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _descends(pid: int, stats: dict[int, list[str]]) -> bool:
    while pid in stats:
        pid = int(stats[pid][1])
        if pid == os.getpid():
            return True
    return False


def _role(process: Path) -> str:
    try:
        arguments = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "other"
    return next((role for word, role in _ROLES if word in arguments), "other")
