"""How things look in a terminal: tables for people, JSON for programs, both of the same values.

Nothing is cut or wrapped when the output goes to a file or a pipe, colours and progress stay away from there, and no
text is taken for markup.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

import orjson
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pushjobs.domain.job import Job, JobState
from pushjobs.store.jobs import Happening

__all__ = [
    "local",
    "outcome",
    "progress",
    "show_history",
    "show_jobs",
    "show_json",
    "show_json_line",
    "show_pairs",
    "show_table",
    "stderr",
    "stdout",
]

_PIPED_WIDTH = 240
_NARROWEST = 16
"""Columns of words are not made narrower than this."""

_BESIDE_A_CELL = 3
_STYLES: Mapping[str, str] = {
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
    JobState.SENT: "green",
    JobState.DEAD: "red",
    JobState.IN_DOUBT: "yellow",
}
"""Words that are told from the others at a glance."""


def stdout(*, at_least: int = 0) -> Console:
    """Return standard output, as it is now, and so many columns wide at least."""
    console = _console(is_error=False)
    console.width = max(console.width, at_least)
    return console


def stderr() -> Console:
    """Return standard error, as it is now."""
    return _console(is_error=True)


def show_json(value: object) -> None:
    """Write a value as JSON: moments as ISO 8601 in UTC, spans in seconds, our records as objects."""
    text = orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    sys.stdout.write(text + "\n")


def show_json_line(value: object, stream: TextIO | None = None) -> None:
    """Write a value as one line of JSON, and let go of it: somebody may be waiting for the line."""
    stream = stream or sys.stdout
    stream.write(orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode() + "\n")
    stream.flush()


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None) -> None:
    """Write a table; a column whose name begins with # holds numbers, one with @ names that people copy.

    Both stay in one piece: where a terminal is too narrow for them, the table is wider than it. Out of a terminal a row
    is a line.
    """
    cells = [tuple(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    width = 0
    for place, name in enumerate(columns):
        kind, shown = name[:1], name.lstrip("#@")
        widest = max(map(cell_len, (shown, *(row[place] for row in cells))))
        is_whole = kind in {"#", "@"} or not sys.stdout.isatty()
        table.add_column(shown, justify="right" if kind == "#" else "left", overflow="fold", no_wrap=is_whole)
        width += _BESIDE_A_CELL + (widest if is_whole else min(widest, _NARROWEST))
    for row in cells:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    stdout(at_least=width + 1).print(table)


def show_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Write names and values side by side; a value without a space stays in one piece."""
    listed = list(pairs)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for pair in listed:
        table.add_row(*pair)
    named = max((cell_len(name) for name, _ in listed), default=0)
    is_whole = not sys.stdout.isatty()
    longest = max((cell_len(value) for _, value in listed if is_whole or " " not in value), default=0)
    stdout(at_least=named + _BESIDE_A_CELL + longest).print(table)


def show_jobs(jobs: Sequence[Job], zone: ZoneInfo) -> None:
    """Write jobs as a table, times in the app's zone."""
    columns = ("#job", "state", "why", "lane", f"@time ({zone.key})", "@reference", "@template")
    rows = [
        (str(job.id), job.state, outcome(job), job.lane, local(job.time, zone), job.reference or "", job.template_id)
        for job in jobs
    ]
    show_table(columns, rows)


def show_history(history: Sequence[Happening], zone: ZoneInfo) -> None:
    """Write what happened to a job as a table, if anything did."""
    if not history:
        return
    rows = [
        (local(each.at, zone), each.transition, each.state, each.reason or "", str(each.errcode or ""))
        for each in history
    ]
    show_table((f"at ({zone.key})", "what", "state", "why", "#code"), rows)


def outcome(job: Job) -> str:
    """Say in few words why a job is where it is."""
    words = [job.reason or "", str(job.errcode) if job.errcode else ""]
    return " ".join(filter(None, words))


def local(moment: datetime | None, zone: ZoneInfo) -> str:
    """Write a moment as people in the zone read it, to the second."""
    return "" if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def progress() -> Progress:
    """Return a progress bar on standard error; there is none in a pipe or a file."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=stderr(), disable=not sys.stderr.isatty())


def _plain(value: object) -> float | str:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(type(value).__name__)


def _console(*, is_error: bool) -> Console:
    stream = sys.stderr if is_error else sys.stdout
    return Console(
        stderr=is_error, width=None if stream.isatty() else _PIPED_WIDTH, markup=False, highlight=False, emoji=False
    )
