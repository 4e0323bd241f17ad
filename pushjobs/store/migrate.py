"""Bringing a database to this release's tables, by Alembic, from within the installed package."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from pushjobs.errors import NotPossible
from pushjobs.store.database import Database
from pushjobs.store.tables import SCHEMA

__all__ = ["downgrade", "head", "revision", "upgrade"]


def upgrade(database_url: str, to: str = "head") -> None:
    """Create or upgrade our tables; safe to run by several processes at once (the second waits)."""
    _run(database_url, lambda config: command.upgrade(config, to))


def downgrade(database_url: str, to: str) -> None:
    """Take our tables back to an earlier revision (`base`: none); raises NotPossible if it is not one."""
    _run(database_url, lambda config: command.downgrade(config, to))


def revision(connection: Connection) -> str | None:
    """Return the revision a database is at; None without our tables."""
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    return context.get_current_revision()


def head() -> str | None:
    """Return the revision this release needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _run(database_url: str, act: Callable[[Config], None]) -> None:
    database = Database(database_url, pool_size=1, statement_timeout_seconds=0)
    try:
        with database.transaction() as connection:
            config = _config()
            config.attributes["connection"] = connection
            act(config)
    except CommandError as error:
        raise NotPossible(f"the tables of {database.address} stay as they are: {error}") from None
    finally:
        database.close()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config
