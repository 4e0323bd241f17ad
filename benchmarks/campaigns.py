"""What a campaign to a million costs before its instant: an audience read and made jobs, and a run swept."""

import csv
import os
import re
import threading
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path

from benchmarks.figure import Figure, Line, Values
from benchmarks.installation import installation
from pushjobs import clock
from pushjobs.domain.campaign import RunState
from pushjobs.local.family import descendants
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.store.runs import Run

__all__ = ["CAMPAIGNS"]

_MANY = 1_000_000
_SECONDS, _MEBIBYTES = 40.0, 200.0
_LONGEST = 600.0
_PEAK = re.compile(rb"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_pause = threading.Event().wait


def _measure(directory: Path) -> Values:
    directory.mkdir(exist_ok=True)
    people = directory / "people.csv"
    with people.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("touser", "name"))
        writer.writerows((f"oReader{number:021d}", f"读者{number}") for number in range(_MANY))
    with installation(directory / "up", workers=2) as running:
        return {
            **_expand(running.made, people, "alike", "今日要闻"),
            **_sweep(running.made, "alike"),
            **_expand(running.made, people, "own", "{name}，早上好"),
        }


def _expand(runtime: Runtime, people: Path, key: str, text: str) -> Values:
    # Near enough to be planned at once, and far enough that nothing leaves meanwhile.
    soon = (clock.now() + timedelta(minutes=9)).astimezone(UTC)
    began = clock.monotonic()
    runtime.campaigns.add(
        key,
        cron=f"{soon.minute} {soon.hour} {soon.day} {soon.month} *",
        zone="UTC",
        template_id=DAILY_NEWS,
        audience={"file": str(people)},
        content={"data": {"thing1": text, "thing2": "今日要闻", "date3": "2026年12月1日"}},
    )
    _wait(runtime, key, lambda run: run.recipients is not None)
    read = clock.monotonic()
    _wait(runtime, key, lambda run: run.expanded == run.recipients)
    made = clock.monotonic()
    return {f"{key} read": read - began, f"{key} made": made - read, key: made - began, f"{key} peak": _peak_of_bulk()}


def _sweep(runtime: Runtime, key: str) -> Values:
    run = _wait(runtime, key, lambda _: True)
    begun = clock.monotonic()
    runtime.campaigns.cancel(run.run_no)
    _wait(runtime, key, lambda run: run.finished_at is not None and run.state is RunState.CANCELLED)
    return {"swept": clock.monotonic() - begun}


def _wait(runtime: Runtime, key: str, condition: Callable[[Run], bool]) -> Run:
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


CAMPAIGNS = Figure(
    name="campaigns",
    about=f"""An audience of {_MANY:,} is read from a CSV file and made jobs, once where all are told the same and once
where each is told something of its own; the first run is then cancelled. A process of its own does it, beside the idle
others.""",
    measure=_measure,
    runs=2,
    lines=(
        Line(key="alike", words="a campaign to a million, all told the same", unit="{:.1f} s", at_most=_SECONDS),
        Line(key="alike peak", words="peak memory of the worker", unit="{:.0f} MiB", at_most=_MEBIBYTES),
        Line(key="own", words="a campaign to a million, each told its own", unit="{:.1f} s"),
        Line(key="own peak", words="peak memory of the worker", unit="{:.0f} MiB"),
        Line(key="swept", words="a million jobs of a cancelled run swept", unit="{:.1f} s"),
    ),
)
