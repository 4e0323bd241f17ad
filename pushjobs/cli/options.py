"""What several commands share: the options that mean the same everywhere, and the runtime that they open."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated

import typer

from pushjobs import settings
from pushjobs.errors import InvalidInput
from pushjobs.runtime import Runtime

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "MISUSED",
    "AsJson",
    "Directory",
    "Reference",
    "TemplateId",
    "ToUser",
    "Yes",
    "confirm",
    "meant_appid",
    "opened",
]

meant_appid: ContextVar[str | None] = ContextVar("meant_appid", default=None)
"""The app that is meant, said before the command or behind it; None: the environment's."""

FAILED = 1
"""The exit status where something did not work out, here or at a server, or a check found faults."""

MISUSED = 2
"""The exit status where what was asked cannot be done as it was asked."""

INTERRUPTED = 130
"""The exit status of what was stopped with Ctrl-C, as shells have it: 128 and the signal's number."""

Directory = Annotated[
    Path | None,
    typer.Option(help="The installation to speak to; else PUSHJOBS_DIRECTORY, else .pushjobs.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document instead.")]
Reference = Annotated[str | None, typer.Option(help="Your own name for it, an order number say.", show_default=False)]
TemplateId = Annotated[str | None, typer.Option(help="The template's id.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: for scripts.")]
ToUser = Annotated[str | None, typer.Option("--touser", help="The user's open id.", show_default=False)]


def confirm(question: str, *, yes: bool) -> None:
    """Go on if whoever sits there says so, or said `--yes`; a script that cannot answer is told of the option."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput("--yes", "is missing, and nobody is there to be asked", "give it if you are sure")
    try:
        is_sure = typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C at the question is Ctrl-C
        raise typer.Exit(INTERRUPTED) from None
    if not is_sure:
        raise InvalidInput("--yes", "was not said", "nothing was changed")


@contextmanager
def opened(directory: Path | None) -> Iterator[Runtime]:
    """Open what the environment and the directory name; close every connection at the end."""
    found = settings.load(directory)
    # Asked first: with nothing running, that is what a newcomer should hear, and not of credentials.
    found.require_database_url  # noqa: B018 - for its complaint
    runtime = Runtime(found, appid=meant_appid.get())
    try:
        yield runtime
    finally:
        runtime.close()
