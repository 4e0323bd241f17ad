"""`pushjobs doctor`: what an installation hangs on, how each thing is, and what to do."""

import typer

from pushjobs import settings
from pushjobs.cli.options import FAILED, AsJson, Directory
from pushjobs.cli.shown import show_json, show_table
from pushjobs.doctor import Doctor, Verdict
from pushjobs.runtime import Runtime

__all__ = ["doctor"]


def doctor(directory: Directory = None, as_json: AsJson = False) -> None:
    """Look whether all is well, and say what to do.

    Looks at the database, its tables and clock, Redis, the disk, the keys, each app's credentials, beat, the workers,
    what is paused and what is in trouble. Changes nothing; the exit status is 1 if something fails.
    """
    runtime = Runtime(settings.load(directory))
    try:
        found = list(Doctor(runtime).examine())
    finally:
        runtime.close()
    if as_json:
        show_json(found)
    else:
        rows = [(each.verdict, each.subject, each.words, each.advice) for each in found]
        show_table(("", "what", "how it is", "what to do"), rows)
    if any(each.verdict is Verdict.FAIL for each in found):
        raise typer.Exit(FAILED)
