"""The connection to PostgreSQL: what is said when it is not there, not ours, or not an address at all."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from pushjobs.errors import Misconfigured, NotReady, Unreachable
from pushjobs.settings import Settings
from pushjobs.store import migrate
from pushjobs.store.database import Database
from tests.integration.store.shelf import Shelf


@pytest.mark.parametrize("url", ["somewhere", "", "mysql://host/db", "sqlite://", "postgresql://host:port/db"])
def test_what_is_no_address_is_refused(url: str) -> None:
    """An address that cannot be one of PostgreSQL is refused by the variable's name, without repeating it."""
    with pytest.raises(Misconfigured, match="PUSHJOBS_DATABASE_URL is no address") as refused:
        Database(url)
    assert not url or url not in str(refused.value)


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    """Where nobody answers, the error says which address, hides the password, and says what to try."""
    database = Database("postgresql://pushjobs:hush-hush@127.0.0.1:9/pushjobs")
    with (
        pytest.raises(Unreachable, match=r"127\.0\.0\.1:9.*PUSHJOBS_DATABASE_URL") as away,
        database.transaction(),
    ):
        pass
    assert "hush-hush" not in str(away.value)


def test_a_database_without_our_tables_says_what_to_run(settings: Settings, shelf: Shelf) -> None:
    """On a database that was never upgraded the error names the command."""
    migrate.downgrade(settings.require_database_url, "base")
    with pytest.raises(NotReady, match="pushjobs db upgrade"):
        shelf.accept([0.0])


def test_used_up_connections_are_told_as_unreachable(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every connection of the process in use, one more transaction fails as ours, not as SQLAlchemy's."""
    database = Database(settings.require_database_url, pool_size=1)
    monkeypatch.setattr(database._engine.pool, "_timeout", 0.01)
    with (
        database.transaction(),
        database.transaction(),
        pytest.raises(Unreachable, match="every connection of this process"),
        database.transaction(),
    ):
        pass
    database.close()


def test_an_error_does_not_tell_what_was_bound(shelf: Shelf) -> None:
    """A statement that fails is told without its parameters."""
    with pytest.raises(IntegrityError) as failed, shelf.database.transaction() as connection:
        connection.execute(text("INSERT INTO pushjobs.apps (app_no, appid) VALUES (NULL, :appid)"), {"appid": "oUser"})
    assert "parameters hidden" in str(failed.value)


@pytest.mark.parametrize(("server", "ours"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
def test_what_is_committed_outlives_a_crash_of_the_server(settings: Settings, server: str, ours: str) -> None:
    """12.5 A server that acknowledges before it has written is overruled; a stricter one is not."""
    database = Database(settings.require_database_url)
    with database.transaction() as connection:
        connection.execute(text(f"ALTER ROLE CURRENT_USER SET synchronous_commit = '{server}'"))
    database._engine.dispose()
    with database.transaction() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == ours
        connection.execute(text("ALTER ROLE CURRENT_USER RESET synchronous_commit"))
    database.close()
