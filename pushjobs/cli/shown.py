"""How things look in a terminal: tables for people, JSON for programs, both of the same values.

Nothing is cut when the output goes to a file or a pipe, and no text is taken for markup.
"""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import orjson
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pushjobs.domain.job import Job
from pushjobs.store.jobs import Happening

__all__ = [
    "local",
    "outcome",
    "progress",
    "show_history",
    "show_jobs",
    "show_json",
    "show_pairs",
    "show_table",
    "stderr",
    "stdout",
]

_PIPED_WIDTH = 240


def stdout() -> Console:
    """Return standard output, as it is now."""
    return _console(is_error=False)


def stderr() -> Console:
    """Return standard error, as it is now."""
    return _console(is_error=True)


def show_json(value: object) -> None:
    """Write a value as JSON: moments as ISO 8601 in UTC, spans in seconds, our records as objects."""
    text = orjson.dumps(value, default=_seconds, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    sys.stdout.write(text + "\n")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None) -> None:
    """Write a table; a column whose name begins with # holds numbers."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for name in columns:
        is_number = name.startswith("#")
        table.add_column(name.removeprefix("#"), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    stdout().print(table)


def show_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Write names and values side by side."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for pair in pairs:
        table.add_row(*pair)
    stdout().print(table)


def show_jobs(jobs: Sequence[Job], zone: ZoneInfo) -> None:
    """Write jobs as a table, times in the app's zone."""
    columns = ("#job", "state", "why", "lane", f"time ({zone.key})", "reference", "template")
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
    """Return a progress bar on standard error; in a pipe it shows its end only."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=stderr()
    )


def _seconds(value: object) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(type(value).__name__)


def _console(*, is_error: bool) -> Console:
    stream = sys.stderr if is_error else sys.stdout
    return Console(
        stderr=is_error, width=None if stream.isatty() else _PIPED_WIDTH, markup=False, highlight=False, emoji=False
    )
