"""`pushjobs db …`: our tables in PostgreSQL."""

from typing import Annotated

import typer

from pushjobs import settings
from pushjobs.cli.options import AsJson, Directory, Yes, confirm, opened
from pushjobs.cli.shown import show_json, show_pairs
from pushjobs.store import migrate

__all__ = ["database"]

database = typer.Typer(name="db", help="Our tables in PostgreSQL.", no_args_is_help=True)


@database.command()
def upgrade(directory: Directory = None, as_json: AsJson = False) -> None:
    """Create our tables, or bring them to this release.

    Changes nothing where they are.
    """
    migrate.upgrade(settings.load(directory).require_database_url)
    _tell(migrate.head(), as_json=as_json)


@database.command()
def downgrade(
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help="An earlier revision; base removes every table of ours.")
    ],
    *,
    yes: Yes = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Take our tables back to an earlier revision.

    What only later ones can hold goes with them.
    """
    database_url = settings.load(directory).require_database_url
    confirm(f"Take the tables back to {revision}? What only later ones hold is lost.", yes=yes)
    migrate.downgrade(database_url, revision)
    _tell(None if revision == "base" else revision, as_json=as_json)


@database.command()
def status(directory: Directory = None, as_json: AsJson = False) -> None:
    """Show which revision the tables are at, and which is needed."""
    with opened(directory) as runtime, runtime.database.transaction() as connection:
        found, needed = migrate.revision(connection), migrate.head()
    if as_json:
        show_json({"revision": found, "needed": needed, "is_current": found == needed})
        return
    advice = "up to date" if found == needed else "run `pushjobs db upgrade`"
    show_pairs([("tables at", found or "none"), ("needed", needed or "none"), ("", advice)])


def _tell(revision: str | None, *, as_json: bool) -> None:
    if as_json:
        show_json({"revision": revision})
    else:
        typer.echo(f"the tables are at {revision or 'base'}")
