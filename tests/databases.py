"""Databases to test on: copies of one with our tables, made once by each test process."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg

from pushjobs.local.servers import EmbeddedServers
from pushjobs.store import migrate

__all__ = ["empty_database", "make_template"]

TEMPLATE = "template_pushjobs"


def make_template(servers: EmbeddedServers) -> None:
    """Make the database that the others are copies of."""
    _administer(servers, f"CREATE DATABASE {TEMPLATE}")
    migrate.upgrade(_url(servers, TEMPLATE))


@contextmanager
def empty_database(servers: EmbeddedServers) -> Iterator[str]:
    """Make a database with our tables; the context is given its address, and drops it at the end."""
    name = f"test_{uuid4().hex}"
    # On servers without durability a file copy's checkpoints are free, and it is three times as fast as the default.
    _administer(servers, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    yield _url(servers, name)
    _administer(servers, f"DROP DATABASE {name} WITH (FORCE)")


def _url(servers: EmbeddedServers, database: str) -> str:
    return servers.database_url.replace("@/pushjobs?", f"@/{database}?")


def _administer(servers: EmbeddedServers, sql: str) -> None:
    address = servers.database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql)
