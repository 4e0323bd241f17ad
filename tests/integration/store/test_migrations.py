"""The migrations: they equal the tables, and they can be taken back."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pushjobs.runtime import Runtime
from pushjobs.settings import Settings
from pushjobs.store import migrate
from pushjobs.store.tables import SCHEMA, metadata


def test_migrations_equal_the_tables(runtime: Runtime) -> None:
    """A database brought up by migrations has exactly the tables the code speaks of."""
    with runtime.database.transaction() as connection:
        options = {
            "version_table_schema": SCHEMA,
            "include_schemas": True,
            "compare_server_default": True,
            "include_name": lambda name, kind, _: name == SCHEMA if kind == "schema" else True,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        assert migrate.revision(connection) == migrate.head()


def test_migrations_set_what_the_tables_say_of_storage(runtime: Runtime) -> None:
    """Fill factors and thresholds of vacuum, which Alembic does not compare, are those of the tables too."""
    with runtime.database.transaction() as connection:
        asked = "SELECT relname, reloptions FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'"
        found = {row[0]: set(row[1] or ()) for row in connection.exec_driver_sql(asked, (SCHEMA,))}
    for table in metadata.tables.values():
        wanted = {f"{name}={value}" for name, value in (table.dialect_options["postgresql"]["with"] or {}).items()}
        assert found[table.name] == wanted, table.name


def test_migrations_can_be_taken_back_and_repeated(settings: Settings) -> None:
    """Down to nothing and up again works, and up twice changes nothing."""
    migrate.downgrade(settings.require_database_url, "base")
    migrate.upgrade(settings.require_database_url)
    migrate.upgrade(settings.require_database_url)
