"""Alembic's entry: runs the revisions on the connection that `store.migrate` hands over."""

from alembic import context
from sqlalchemy import text

from pushjobs.store.tables import SCHEMA, metadata

connection = context.config.attributes["connection"]
# Two upgrades at once (several machines starting): the second waits here, then finds nothing left to do.
connection.execute(text("SELECT pg_advisory_xact_lock(0x70757368, -1)"))
connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    include_name=lambda name, kind, _parents: name == SCHEMA if kind == "schema" else True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
