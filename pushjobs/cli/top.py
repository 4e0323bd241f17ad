"""`pushjobs top`: how things are, on one screen, read anew every second.

It reads summaries and indexes, and so costs the database next to nothing; the jobs of a run are counted no more often
than takes a tenth of the time.
"""

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from threading import Event
from typing import Annotated

import typer
from rich.live import Live

from pushjobs.campaigns.campaigns import Progress
from pushjobs.cli.options import Directory, meant_appid, opened
from pushjobs.cli.shown import show_json_line, stdout
from pushjobs.cli.top_frame import AHEAD, Frame, drawn
from pushjobs.errors import Unreachable
from pushjobs.overview import Overview, Seen
from pushjobs.runtime import Runtime

__all__ = ["top"]


_LEAVES = ("q", "Q", "\x1b")
_MOST_RUNS = 5


def top(
    *,
    interval: Annotated[float, typer.Option(help="Seconds from one reading to the next.", min=0.2, max=60)] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Show one frame and end; so it is out of a terminal.")] = False,
    directory: Directory = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write JSON lines instead, one a reading, until Ctrl-C.")
    ] = False,
) -> None:
    """Watch how things are, on one screen; q leaves.

    Throughput and lateness, what is out and overdue, pace and quota of each app, queues, trouble, pauses and breakers,
    campaigns under way, and what is due in the next minutes. With --appid only that app's, but for queues and trouble.
    """
    with opened(directory) as runtime:
        reader = _Reader(runtime)
        if as_json:
            _write(reader, interval, once=once)
        elif once or not sys.stdout.isatty():
            console = stdout()
            console.print(drawn(reader.read(), runtime.settings.zone, columns=console.width, lines=console.height))
        else:
            _show(reader, runtime, interval)


class _Reader:
    """Reads frames one after the other."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._overview = Overview(runtime)
        self._seen = Seen(apps=None if (appid := meant_appid.get()) is None else (appid,))
        self._last: Frame | None = None

    def read(self) -> Frame:
        """Read everything; where the database does not answer, what was read last, and why. At first that raises."""
        try:
            now = self._overview.now(self._seen)
            coming = self._overview.coming(self._seen, until=now.at + AHEAD)
            self._last = Frame(now=now, coming=coming, runs=self._progress(now.at))
        except Unreachable as trouble:
            if self._last is None:
                raise
            self._last = replace(self._last, trouble=str(trouble))
        return self._last

    def _progress(self, at: datetime) -> Sequence[Progress]:
        """Return how far the runs that have begun are, as they were counted last."""
        campaigns, appid = self._runtime.campaigns, meant_appid.get()
        begun = [run for run in campaigns.going_on() if run.begins_at <= at and appid in (None, run.appid)]
        return [campaigns.counted(run) for run in begun[:_MOST_RUNS]]


def _write(reader: _Reader, interval: float, *, once: bool) -> None:
    pause = Event()
    while True:
        show_json_line(reader.read())
        if once:
            return
        pause.wait(interval)


def _show(reader: _Reader, runtime: Runtime, interval: float) -> None:
    """Show frames until somebody leaves. Ctrl-C is how one leaves, and no failure."""
    zone, console = runtime.settings.zone, stdout()

    def draw() -> None:
        live.update(drawn(reader.read(), zone, columns=console.width, lines=console.height), refresh=True)

    first = drawn(reader.read(), zone, columns=console.width, lines=console.height)
    try:
        with _keys() as pressed, Live(first, console=console, screen=True, auto_refresh=False) as live:
            live.refresh()
            while pressed(interval) not in _LEAVES:
                draw()
    except KeyboardInterrupt:
        pass


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Return what waits so many seconds for a key, and says which; the terminal is as it was at the end."""
    if not sys.stdin.isatty():
        pause = Event()
        yield lambda seconds: "q" if pause.wait(seconds) else ""
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    tty.setcbreak(number)
    try:
        yield lambda seconds: os.read(number, 32).decode() if select.select([number], [], [], seconds)[0] else ""
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)
