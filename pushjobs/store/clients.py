"""The clients as they stand in SQL: hashes of their keys, never a key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from pushjobs.domain.client import Client, Right
from pushjobs.store.database import statement

__all__ = ["StoredClient", "add", "find_id", "in_force", "read", "revoke", "rotate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredClient:
    """A client in force. `key_hashes`: of its key, and of the one before while that is good."""

    client: Client
    key_hashes: tuple[bytes, ...] = field(repr=False)
    tokens_from: datetime


_CLIENT = "client_no, id, name, apps, templates, rights, per_second, created_at, rotated_at, revoked_at"

_READ = statement(f"SELECT {_CLIENT} FROM pushjobs.clients ORDER BY client_no")  # noqa: S608 - a constant of ours

# Whether the older key still is good is judged by the clock that gave it its end.
_IN_FORCE = statement(f"""
SELECT {_CLIENT}, key_hash, CASE WHEN old_key_until > now() THEN old_key_hash END AS old_key_hash, tokens_from
  FROM pushjobs.clients WHERE revoked_at IS NULL""")  # noqa: S608 - a constant of ours

# Of two who add a client of one name, the index lets one through.
_ADD = statement(f"""
INSERT INTO pushjobs.clients (id, name, apps, templates, rights, per_second, key_hash)
VALUES (:id, :name, :apps, :templates, :rights, :per_second, :key_hash)
    ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
RETURNING {_CLIENT}""")  # noqa: S608 - a constant of ours

# Of two rotations at once the second waits for the row, and what it retires is the first one's key.
_ROTATE = statement(f"""
UPDATE pushjobs.clients
   SET old_key_hash = CASE WHEN :overlap_seconds > 0 THEN key_hash END,
       old_key_until = CASE WHEN :overlap_seconds > 0 THEN now() + make_interval(secs => :overlap_seconds) END,
       tokens_from = CASE WHEN :overlap_seconds > 0 THEN tokens_from ELSE now() END,
       key_hash = :key_hash, rotated_at = now()
 WHERE (id = :named OR name = :named) AND revoked_at IS NULL
RETURNING {_CLIENT}""")  # noqa: S608 - a constant of ours

# Nobody is told anything for it any more, in the same moment.
_REVOKE = statement(f"""
WITH ended AS (
    UPDATE pushjobs.clients SET revoked_at = now() WHERE (id = :named OR name = :named) AND revoked_at IS NULL
    RETURNING {_CLIENT}
), silenced AS (
    UPDATE pushjobs.webhooks SET url = NULL, sealed = NULL, delivery = NULL, taken = '{{}}'
     WHERE client_no IN (SELECT client_no FROM ended)
)
SELECT {_CLIENT} FROM ended""")  # noqa: S608 - a constant of ours

_ID = statement("SELECT id FROM pushjobs.clients WHERE (id = :named OR name = :named) AND revoked_at IS NULL")


def read(connection: Connection) -> list[Client]:
    """Return every client there ever was, the oldest first."""
    return [_client(row) for row in connection.execute(_READ)]


def in_force(connection: Connection) -> list[StoredClient]:
    """Return the clients that are not revoked, with what proves them."""
    return [
        StoredClient(
            client=_client(row),
            key_hashes=(row.key_hash,) if row.old_key_hash is None else (row.key_hash, row.old_key_hash),
            tokens_from=row.tokens_from,
        )
        for row in connection.execute(_IN_FORCE)
    ]


def find_id(connection: Connection, named: str) -> str | None:
    """Return the id of the client of that id or name; None where none in force has it."""
    found: str | None = connection.execute(_ID, {"named": named}).scalar_one_or_none()
    return found


def add(connection: Connection, client: Mapping[str, Any], *, key_hash: bytes) -> Client | None:
    """Store a client; None where one in force has its name."""
    row = connection.execute(_ADD, {**client, "key_hash": key_hash}).one_or_none()
    return None if row is None else _client(row)


def rotate(connection: Connection, named: str, *, key_hash: bytes, overlap_seconds: float) -> Client | None:
    """Replace the key of the client of that id or name; without an overlap its access tokens are void, too.

    None where no client in force is called that.
    """
    values = {"named": named, "key_hash": key_hash, "overlap_seconds": overlap_seconds}
    row = connection.execute(_ROTATE, values).one_or_none()
    return None if row is None else _client(row)


def revoke(connection: Connection, named: str) -> Client | None:
    """End a client; None where no client in force is called that."""
    row = connection.execute(_REVOKE, {"named": named}).one_or_none()
    return None if row is None else _client(row)


def _client(row: Row[Any]) -> Client:
    return Client(
        client_no=row.client_no,
        id=row.id,
        name=row.name,
        apps=None if row.apps is None else tuple(row.apps),
        templates=None if row.templates is None else tuple(row.templates),
        rights=frozenset(map(Right, row.rights)),
        per_second=row.per_second,
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        revoked_at=row.revoked_at,
    )
