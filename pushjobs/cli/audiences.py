"""`pushjobs campaign audience`: audiences kept by the installation, for campaigns of whoever names them."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from pushjobs.campaigns.audience_files import open_file
from pushjobs.campaigns.audiences import read_name
from pushjobs.campaigns.recipients import Reading, Row
from pushjobs.cli.options import FAILED, AsJson, Directory, Yes, confirm, opened
from pushjobs.cli.shown import local, progress, show_json, show_table
from pushjobs.store.audiences import StoredAudience

__all__ = ["audience"]

audience = typer.Typer(name="audience", help="Keep audiences under names.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(metavar="AUDIENCE", help="The audience's name.", show_default=False)]
_SHOWN_EVERY = 1000


@audience.command()
def put(
    name: _Name,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CSV or JSON-lines file, .gz too.", show_default=False)
    ],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Store an audience, in the place of what has its name.

    Bad rows are listed, and the others kept; the exit status is 1 if there were any. It takes effect at its end:
    until then, and if it cannot be read to its end, the old one is in force.
    """
    with opened(directory) as runtime, open_file(file) as reading, progress() as bar:
        counted = Reading(reading.columns, _counted(reading.rows, bar, bar.add_task("storing", total=None)))
        made = runtime.app().audiences.put(read_name(name), counted)
    faults = [
        {"number": each.number, "field": each.refusal.field, "fault": each.refusal.fault, "rule": each.refusal.rule}
        for each in made.faults
    ]
    if as_json:
        show_json({**_plain(made.audience), "faults": faults})
    else:
        typer.echo(f"stored {made.audience.recipients:,} as {name}, refused {made.audience.rejected:,}")
        if faults:
            show_table(("#row", "field", "fault", "rule"), [tuple(map(str, each.values())) for each in faults])
    if made.audience.rejected:
        raise typer.Exit(FAILED)


@audience.command("list")
def list_(directory: Directory = None, as_json: AsJson = False) -> None:
    """List the app's audiences."""
    with opened(directory) as runtime:
        zone, found = runtime.zone, runtime.app().audiences.list()
    if as_json:
        show_json([_plain(each) for each in found])
        return
    rows = [(each.name, f"{each.recipients:,}", f"{each.rejected:,}", local(each.uploaded_at, zone)) for each in found]
    show_table(("@name", "#rows", "#refused", f"@stored ({zone.key})"), rows)


@audience.command()
def delete(name: _Name, *, yes: Yes = False, directory: Directory = None, as_json: AsJson = False) -> None:
    """Delete an audience that no campaign goes to."""
    confirm(f"Delete the audience {name}?", yes=yes)
    with opened(directory) as runtime:
        runtime.app().audiences.delete(read_name(name))
    show_json({"deleted": name}) if as_json else typer.echo(f"deleted {name}")


def _plain(found: StoredAudience) -> dict[str, object]:
    shown = ("name", "recipients", "rejected", "uploaded_at")
    return {key: value for key, value in asdict(found).items() if key in shown}


def _counted(rows: Iterator[Row], bar: Progress, task: TaskID) -> Iterator[Row]:
    """Hand rows on, and show how many they were."""
    count = 0
    for row in rows:
        count += 1
        if count % _SHOWN_EVERY == 0:
            bar.update(task, completed=count)
        yield row
    bar.update(task, completed=count, total=count)
