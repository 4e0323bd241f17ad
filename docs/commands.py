"""What docs/reference/cli.md says of the command line, read off the program's own commands, options and examples."""  # noqa: INP001 - a script's part, as docs/generate.py

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import typer

from pushjobs.cli.help import walked
from pushjobs.cli.options import FAILED, INTERRUPTED, MISUSED
from pushjobs.cli.program import FAILURES, app

__all__ = ["lines"]

_Table = Callable[[Sequence[str], Iterable[Sequence[str]]], list[str]]

_FAILED = f"""
something did not work out, here or at a server ({", ".join(f"`{each.__name__}`" for each in FAILURES)}, a file, a
port, whoever read the output is gone); or a command that looks for faults found some: `doctor`, `template check`,
`send --file`, `consent import`, `campaign audience put`, `demo`, `chaos`"""

_MISUSED = """
what was asked cannot be done as it was asked: an option that does not exist, a value that breaks its rule, a job that
is not there, a state that does not allow it, a setting that is missing, a directory in which nothing runs"""

_STATUSES = {
    0: "done",
    FAILED: _FAILED,
    MISUSED: _MISUSED,
    INTERRUPTED: "stopped with Ctrl-C; `up` and `sandbox`, which are meant to be stopped so, end with 0",
}

_INTRODUCTION = """\
`pushjobs COMMAND --help` says the same. Results go to standard output; progress, notes and faults to standard error, a
fault in one line. Every command takes `--directory` (or `PUSHJOBS_DIRECTORY`), the installation to speak to; those that
concern one app take `--appid`, which may stand before the command too. Those that destroy ask first, and take `--yes`
for scripts.

`--json` writes one JSON document, indented, moments in UTC and spans in seconds; where a command writes JSON lines
instead, its help says so. In a pipe or a file a row of a table is one line, uncut; colours and progress are for
terminals only, and `NO_COLOR` does without colours there too.

There is no `pushjobs bench`: what is measured needs the checkout, and is run with `make bench`."""


def lines(table: _Table) -> Iterator[str]:
    """Yield the page below its title; `table` writes a table of columns and rows."""
    statuses = [(str(status), " ".join(words.split())) for status, words in _STATUSES.items()]
    yield from (_INTRODUCTION, "", "## Exit statuses", "", *table(("status", "means"), statuses))
    for path, command, context in _commands():
        if path and hasattr(command, "commands"):
            yield from ("", f"## pushjobs {path}", "", str(command.help))
        elif path:
            yield from _section(path, command, context, table)


def _section(path: str, command: Any, context: typer.Context, table: _Table) -> Iterator[str]:  # noqa: ANN401 - typer does not show its class
    usage = " ".join(("pushjobs", path, *command.collect_usage_pieces(context)))
    yield from ("", f"{'###' if ' ' in path else '##'} pushjobs {path}", "")
    yield from (" ".join(paragraph.split()) + "\n" for paragraph in str(command.help).split("\n\n"))
    yield from ("```", *command.epilog.splitlines(), "```", "", f"Usage: `{usage}`", "")
    rows = [(f"`{name}`", words) for name, words in _records(command, context)]
    yield from table(("parameter", "says"), rows)


def _records(command: Any, context: typer.Context) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - as above
    """Return what the help says of each parameter; that of `--help` would be the same everywhere."""
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            yield record[0], record[1].replace("{", "&#123;")


def _commands() -> Iterator[tuple[str, Any, typer.Context]]:
    root = typer.main.get_command(app)
    for path, command in walked(root):
        yield path, command, typer.Context(command, info_name=path)
