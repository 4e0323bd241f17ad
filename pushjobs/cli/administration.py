"""`pushjobs db …`: our tables in PostgreSQL."""

from typing import Annotated

import typer

from pushjobs import settings
from pushjobs.cli.options import AsJson, Directory, opened
from pushjobs.cli.shown import show_json, show_pairs
from pushjobs.store import migrate

__all__ = ["database"]

database = typer.Typer(name="db", help="Our tables in PostgreSQL.", no_args_is_help=True)


@database.command()
def upgrade(directory: Directory = None) -> None:
    """Create our tables, or bring them to this release; changes nothing where they are."""
    migrate.upgrade(settings.load(directory).require_database_url)
    typer.echo(f"the tables are at {migrate.head()}")


@database.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="An earlier revision; base removes every table of ours.")],
    directory: Directory = None,
) -> None:
    """Take our tables back to an earlier revision, and what only later ones can hold with them."""
    migrate.downgrade(settings.load(directory).require_database_url, revision)
    typer.echo(f"the tables are at {revision}")


@database.command()
def status(directory: Directory = None, as_json: AsJson = False) -> None:
    """Show which revision the tables are at, and which one this release needs."""
    with opened(directory) as runtime, runtime.database.transaction() as connection:
        found, needed = migrate.revision(connection), migrate.head()
    if as_json:
        show_json({"revision": found, "needed": needed, "is_current": found == needed})
        return
    advice = "up to date" if found == needed else "run `pushjobs db upgrade`"
    show_pairs([("tables at", found or "none"), ("needed", needed or "none"), ("", advice)])
