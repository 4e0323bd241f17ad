"""`python -m benchmarks.campaigns`: what a campaign to a million costs before its instant.

Real processes, real servers with fsync. An audience of a million is read and made jobs, once where all are told the
same and once where each is told something of its own; then the first run is cancelled. Prints a table in which a target
that is not met says so; nothing is adjusted afterwards.
"""

import csv
import os
import re
import tempfile
import threading
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from pushjobs import clock, settings
from pushjobs.domain.campaign import RunState
from pushjobs.local.family import descendants
from pushjobs.local.processes import Ended
from pushjobs.local.up import Up, UpOptions
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.store.runs import Run

_MANY = 1_000_000
_SECONDS, _MEBIBYTES = 40.0, 200.0
_LONGEST = 600.0
_PEAK = re.compile(rb"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_pause = threading.Event().wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table: what was measured, its target (None: none), and whether it was met."""

    what: str
    figure: str
    target: str | None
    is_met: bool


def _main() -> None:
    settings.forget_environment()
    with tempfile.TemporaryDirectory(prefix="pushjobs-campaigns-") as directory:
        rows = _measure(Path(directory))
    print("\n| | measured | target | |\n|---|---|---|---|")
    for row in rows:
        met = "" if row.target is None else "met" if row.is_met else "**not met**"
        print(f"| {row.what} | {row.figure} | {row.target or ''} | {met} |")


def _measure(directory: Path) -> list[Row]:
    people = directory / "people.csv"
    with people.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("touser", "name"))
        writer.writerows((f"oReader{number:021d}", f"读者{number}") for number in range(_MANY))
    options = UpOptions(
        directory=directory / "up", environment=settings.environment(), http=None, flower=None, sandbox=True
    )
    with Up(options, _tell) as running:
        running.ready()
        runtime = Runtime(settings.load(options.directory))
        try:
            runtime.catalogue.sync()
            return [
                *_expand(runtime, people, "thing1", "今日要闻"),
                *_expand(runtime, people, "thing1", "{name}，早上好"),
            ]
        finally:
            runtime.close()


def _expand(runtime: Runtime, people: Path, keyword: str, text: str) -> list[Row]:
    is_own = "{" in text
    key, whose = ("own", "each its own content") if is_own else ("alike", "one content")
    data = {"thing1": "要闻", "thing2": "今日要闻", "date3": "2026年12月1日", keyword: text}
    # Near enough to be planned at once, and far enough that nothing leaves meanwhile.
    soon = (clock.now() + timedelta(minutes=9)).astimezone(UTC)
    began = clock.monotonic()
    runtime.campaigns.add(
        key,
        cron=f"{soon.minute} {soon.hour} {soon.day} {soon.month} *",
        zone="UTC",
        template_id=DAILY_NEWS,
        audience={"file": str(people)},
        content={"data": data},
    )
    run = _wait(runtime, key, lambda run: run.recipients is not None)
    read = clock.monotonic()
    run = _wait(runtime, key, lambda run: run.expanded == run.recipients)
    made = clock.monotonic()
    peak = _peak_of_bulk()
    told = f"{read - began:.1f} s to read, {made - read:.1f} s to make jobs"
    print(f"{whose}: {run.expanded:,} users, {told}, peak {peak:.0f} MiB")
    seconds, most = (None, None) if is_own else (f"≤ {_SECONDS:.0f} s", f"≤ {_MEBIBYTES:.0f} MiB")
    rows = [
        Row(
            what=f"a million users, {whose}: audience read and jobs made",
            figure=f"{made - began:.1f} s ({read - began:.1f} + {made - read:.1f})",
            target=seconds,
            is_met=made - began <= _SECONDS,
        ),
        Row(
            what="peak memory of the worker that did it",
            figure=f"{peak:.0f} MiB",
            target=most,
            is_met=peak <= _MEBIBYTES,
        ),
    ]
    if not is_own:
        runtime.campaigns.cancel(run.run_no)
        cancelled = clock.monotonic()
        _wait(runtime, key, lambda run: run.finished_at is not None and run.state is RunState.CANCELLED)
        took = clock.monotonic() - cancelled
        rows.append(
            Row(what="a million jobs of a cancelled run swept", figure=f"{took:.1f} s", target=None, is_met=True)
        )
    return rows


def _wait(runtime: Runtime, key: str, condition: Any) -> Run:  # noqa: ANN401 - asked of a run
    until = clock.monotonic() + _LONGEST
    while clock.monotonic() < until:
        for run in runtime.campaigns.runs(key, limit=1):
            if condition(run):
                return run
        _pause(0.1)
    raise TimeoutError(f"the run of {key} is not there after {_LONGEST:.0f} s")


def _peak_of_bulk() -> float:
    """Return the most memory that any bulk process of ours ever had, in MiB."""
    peaks = [0.0]
    for process in (Path("/proc") / str(pid) for pid in descendants(os.getpid())):
        try:
            if b"bulk@" in (process / "cmdline").read_bytes() and (
                found := _PEAK.search((process / "status").read_bytes())
            ):
                peaks.append(int(found[1]) / 1024)
        except OSError:  # gone meanwhile
            continue
    return max(peaks)


def _tell(ended: Ended) -> None:
    print(f"a process ended and was started again: {ended}")


if __name__ == "__main__":
    _main()
