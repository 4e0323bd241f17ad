"""`pushjobs why` and `quota`: what holds a job, and what a user has had today."""

from typing import Annotated

import typer

from pushjobs.cli.options import AsJson, Directory, opened
from pushjobs.cli.shown import local, show_history, show_json, show_pairs

__all__ = ["quota", "why"]


def why(
    job: Annotated[int, typer.Argument(metavar="JOB", help="The job's number.", min=1, show_default=False)],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Say why a job is where it is, which rule holds it, and when it is tried next."""
    with opened(directory) as runtime:
        zone, found = runtime.settings.zone, runtime.inspection.why(job)
    if as_json:
        show_json(found)
        return
    pairs = [
        ("job", str(found.job.id)),
        ("state", found.state),
        ("rule", found.rule),
        ("why", found.words),
        ("tried next", local(found.when, zone)),
        ("before it", "" if found.place is None else f"{found.place:,}"),
    ]
    show_pairs([pair for pair in pairs if pair[1]])
    show_history(found.history, zone)


def quota(
    touser: Annotated[str, typer.Option("--touser", help="The user's open id.", show_default=False)],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show how many messages a user has had today, of how many."""
    with opened(directory) as runtime:
        zone, found = runtime.settings.zone, runtime.inspection.quota(touser)
    if as_json:
        show_json(found)
        return
    cap = "no limit" if found.cap is None else str(found.cap)
    pairs = [("day", str(found.day)), ("sent", str(found.sent)), ("under way", str(found.held)), ("cap", cap)]
    show_pairs([*pairs, ("goes on", f"{local(found.begins, zone)} ({zone.key})")])
