"""Databases to test on: copies of one with our tables, made once by each test process.

A copy is six hundred files. So when a test is done with a database it is put back to its start, in a fifth of the time,
and serves the next; unless the tables themselves were changed, or analysed.
"""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from pushjobs import clock
from pushjobs.local.servers import EmbeddedServers
from pushjobs.store import migrate

__all__ = ["Databases"]

TEMPLATE = "template_pushjobs"
_FEW_BYTES = 256 * 1024
"""What has grown beyond it is truncated; below, rows are deleted: truncating makes a file anew for each index too."""
_PATIENCE_SECONDS = 2.0

# Changed by every statement that makes, changes or drops a table, an index, a constraint, a function or a schema, and
# by ANALYZE. Temporary tables come and go.
_SHAPE: LiteralString = """
SELECT (SELECT (count(*), max(xmin::text::bigint)) FROM pg_class WHERE oid >= 16384 AND relpersistence <> 't'),
       (SELECT (count(*), max(a.xmin::text::bigint)) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
         WHERE c.oid >= 16384 AND c.relpersistence <> 't'),
       (SELECT (count(*), max(xmin::text::bigint)) FROM pg_constraint),
       (SELECT (count(*), max(xmin::text::bigint)) FROM pg_proc WHERE oid >= 16384),
       (SELECT (count(*), max(xmin::text::bigint)) FROM pg_namespace WHERE nspname !~ '^pg_'),
       (SELECT (count(*), max(xmin::text::bigint)) FROM pg_trigger),
       (SELECT count(*) FROM pg_statistic WHERE starelid >= 16384)"""
_FILLED: LiteralString = """
SELECT relname, pg_relation_size(oid) FROM pg_class
 WHERE relkind = 'r' AND relnamespace = 'pushjobs'::regnamespace AND pg_relation_size(oid) > 0"""

Shape = tuple[Any, ...] | None


class Databases:
    """Empty databases with our tables on one server, for one test after the other."""

    def __init__(self, servers: EmbeddedServers) -> None:
        self._servers = servers
        self._spare: tuple[str, Shape] | None = None
        self._administration = self._connect("pushjobs")
        self._administer(f"CREATE DATABASE {TEMPLATE}")
        migrate.upgrade(self._url(TEMPLATE))
        with closing(self._connect(TEMPLATE)) as connection:
            self._rows = {name: _rows_of(connection, name) for name, _ in connection.execute(_FILLED).fetchall()}
            self._shape: Shape = connection.execute(_SHAPE).fetchone()

    def close(self) -> None:
        """Leave the server."""
        self._administration.close()

    @contextmanager
    def new(self) -> Iterator[str]:
        """Make a database; the context is given its address, and drops it at the end."""
        name = self._make()
        yield self._url(name)
        self._drop(name)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """Give the address of one that was never used or cannot be told from such a one, and take it back."""
        name, shape = self._spare or (self._make(), self._shape)
        self._spare = None
        yield self._url(name)
        self._spare = self._put_back(name, shape)

    def _put_back(self, name: str, shape: Shape) -> tuple[str, Shape] | None:
        """Empty it, under another name: who is still at work for the old one must not find it; None: it is dropped."""
        if not self._is_left(name):
            self._drop(name)
            return None
        again = f"test_{uuid4().hex}"
        self._administer(f"ALTER DATABASE {name} RENAME TO {again}")
        with closing(self._connect(again)) as connection:
            if connection.execute(_SHAPE).fetchone() == shape:
                self._empty(connection)
                return again, connection.execute(_SHAPE).fetchone()
        self._drop(again)
        return None

    def _is_left(self, name: str) -> bool:
        """Have everybody leave it; False where somebody comes again and again."""
        leave = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        deadline = clock.monotonic() + _PATIENCE_SECONDS
        pause = threading.Event()
        while self._administration.execute(leave, [name]).fetchall():
            if clock.monotonic() > deadline:
                return False
            pause.wait(0.002)
        return True

    def _empty(self, connection: psycopg.Connection) -> None:
        """Put back rows and sequences."""
        filled = connection.execute(_FILLED).fetchall()
        large = [_table(name) for name, size in filled if size > _FEW_BYTES]
        with connection.transaction():
            # Rows that refer to each other go in any order.
            connection.execute("SET LOCAL session_replication_role = replica")
            if large:
                connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(large)))
            for name, _ in filled:
                connection.execute(sql.SQL("DELETE FROM {}").format(_table(name)))
            for name, rows in self._rows.items():
                put = sql.SQL("INSERT INTO {0} SELECT * FROM jsonb_populate_recordset(NULL::{0}, %s)")
                connection.execute(put.format(_table(name)), [Jsonb(rows)])
            connection.execute("SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence")

    def _make(self) -> str:
        name = f"test_{uuid4().hex}"
        # Without durability a file copy's checkpoints are free, and it is three times as fast as the default.
        self._administer(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
        return name

    def _drop(self, name: str) -> None:
        self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def _url(self, database: str) -> str:
        return self._servers.database_url.replace("@/pushjobs?", f"@/{database}?")

    def _connect(self, database: str) -> psycopg.Connection:
        address = self._url(database).replace("postgresql+psycopg://", "postgresql://")
        return psycopg.connect(address, autocommit=True)

    def _administer(self, statement: str) -> None:
        self._administration.execute(sql.SQL(statement))


def _table(name: str) -> sql.Identifier:
    return sql.Identifier("pushjobs", name)


def _rows_of(connection: psycopg.Connection, name: str) -> list[Any]:
    """Return a table's rows as JSON has them."""
    query = sql.SQL("SELECT to_jsonb(t) FROM {} AS t").format(_table(name))
    return [row for (row,) in connection.execute(query)]
