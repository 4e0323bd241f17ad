"""Audiences that were uploaded, as rows: taken in piece by piece, in force from their end on, read page by page.

An upload has a number of its own. What it replaces stays for as long as a run may still be reading it, and is pruned
afterwards; so is what was never brought to its end. Numbers of rows are drawn in the order in which they come, so an
upload's lie between two bounds, with those of others that came at the same time between them.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection as PsycopgConnection
from sqlalchemy import Connection

from pushjobs.store.database import statement
from pushjobs.store.snapshots import Member

__all__ = ["Kept", "StoredAudience", "add", "begin", "find", "finish", "give_up", "listed", "page", "retire"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAudience:
    """An audience in force. `recipients` counts rows: one user may have several, of which a run takes the first."""

    audience_no: int
    name: str
    recipients: int
    rejected: int
    first_member: int
    last_member: int
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of one, as it is kept."""

    member_no: int
    recipient: bytes
    sealed: bytes


_BEGIN = statement("""
INSERT INTO pushjobs.audiences (app_no, name, first_member)
SELECT :app_no, :name, last_value FROM pushjobs.audience_members_member_no_seq
RETURNING audience_no""")

# The row is held for the length of a piece: whoever forgets a user waits for it, and finds what it wrote.
_TOUCH = statement("""
UPDATE pushjobs.audiences SET touched_at = now(), recipients = recipients + :recipients
 WHERE audience_no = :audience_no AND uploaded_at IS NULL AND replaced_at IS NULL
RETURNING audience_no""")
_COPY = "COPY pushjobs.audience_members (audience_no, app_no, recipient, sealed) FROM STDIN (FORMAT binary)"
_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TAIL = struct.pack(">h", -1)
_ROW = struct.Struct(">hiiihi16si")

# Uploads of an app end one after the other: of two of one name at once, the later one finds the earlier in force.
_ONE_AT_A_TIME = statement("SELECT FROM pushjobs.apps WHERE app_no = :app_no FOR NO KEY UPDATE")
_REPLACE = statement("""
UPDATE pushjobs.audiences a SET replaced_at = now()
  FROM pushjobs.audiences fresh
 WHERE fresh.audience_no = :audience_no AND a.app_no = fresh.app_no AND a.name = fresh.name
   AND a.uploaded_at IS NOT NULL AND a.replaced_at IS NULL""")
_FINISH = statement("""
UPDATE pushjobs.audiences
   SET uploaded_at = now(), rejected = :rejected,
       last_member = (SELECT last_value FROM pushjobs.audience_members_member_no_seq)
 WHERE audience_no = :audience_no AND uploaded_at IS NULL AND replaced_at IS NULL
RETURNING audience_no, name, recipients, rejected, first_member, last_member, uploaded_at""")
_GIVE_UP = statement("""
UPDATE pushjobs.audiences SET replaced_at = now() WHERE audience_no = :audience_no AND uploaded_at IS NULL""")

_IN_FORCE = """
SELECT audience_no, name, recipients, rejected, first_member, last_member, uploaded_at FROM pushjobs.audiences
 WHERE app_no = :app_no AND uploaded_at IS NOT NULL AND replaced_at IS NULL"""
_LISTED = statement(f"{_IN_FORCE} ORDER BY name")
_FIND = statement(f"{_IN_FORCE} AND name = :name")
_RETIRE = statement("""
UPDATE pushjobs.audiences SET replaced_at = now()
 WHERE app_no = :app_no AND name = :name AND uploaded_at IS NOT NULL AND replaced_at IS NULL
RETURNING audience_no""")

# A page of nothing is a row of nulls; no row at all means that it may be pruned by now. Ten minutes before that.
_PAGE = statement("""
SELECT m.member_no, m.recipient, m.sealed
  FROM pushjobs.audiences a
  LEFT JOIN LATERAL (
    SELECT member_no, recipient, sealed FROM pushjobs.audience_members
     WHERE member_no > :after AND member_no >= a.first_member AND member_no <= a.last_member
       AND audience_no = :audience_no
     ORDER BY member_no LIMIT :limit) AS m ON true
 WHERE a.audience_no = :audience_no AND (a.replaced_at IS NULL OR a.replaced_at > now() - interval '50 minutes')
 ORDER BY m.member_no""")


def begin(connection: Connection, app_no: int, name: str) -> int:
    """Begin an upload; return its number."""
    return int(connection.execute(_BEGIN, {"app_no": app_no, "name": name}).scalar_one())


def add(connection: Connection, audience_no: int, app_no: int, members: Sequence[Member]) -> bool:
    """Add rows to an upload; False where it was given up."""
    values = {"audience_no": audience_no, "recipients": len(members)}
    if connection.execute(_TOUCH, values).one_or_none() is None:
        return False
    driver = connection.connection.driver_connection
    assert isinstance(driver, PsycopgConnection)  # noqa: S101 - narrows the type; the engine has no other driver
    pack = _ROW.pack
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(_HEAD)
        copy.write(
            b"".join(
                pack(4, 4, audience_no, 2, app_no, 16, recipient, len(sealed)) + sealed for recipient, sealed in members
            )
        )
        copy.write(_TAIL)
    return True


def finish(connection: Connection, audience_no: int, app_no: int, *, rejected: int) -> StoredAudience | None:
    """Put an upload in force, in the place of what had its name; None where it was given up."""
    connection.execute(_ONE_AT_A_TIME, {"app_no": app_no})
    connection.execute(_REPLACE, {"audience_no": audience_no})
    row = connection.execute(_FINISH, {"audience_no": audience_no, "rejected": rejected}).one_or_none()
    return None if row is None else _audience(row)


def give_up(connection: Connection, audience_no: int) -> None:
    """Leave an upload that is not to be brought to its end to the next pruning."""
    connection.execute(_GIVE_UP, {"audience_no": audience_no})


def listed(connection: Connection, app_no: int) -> list[StoredAudience]:
    """Return an app's audiences, by their names."""
    return [_audience(row) for row in connection.execute(_LISTED, {"app_no": app_no})]


def find(connection: Connection, app_no: int, name: str) -> StoredAudience | None:
    """Return the audience of that name, or None."""
    row = connection.execute(_FIND, {"app_no": app_no, "name": name}).one_or_none()
    return None if row is None else _audience(row)


def retire(connection: Connection, app_no: int, name: str) -> bool:
    """Take an audience out of force; False where there is none of that name."""
    return connection.execute(_RETIRE, {"app_no": app_no, "name": name}).one_or_none() is not None


def page(connection: Connection, audience_no: int, *, after: int, limit: int) -> list[Kept] | None:
    """Return the next rows of an upload behind `after`; None where it is no longer to be read."""
    rows = connection.execute(_PAGE, {"audience_no": audience_no, "after": after, "limit": limit}).all()
    if not rows:
        return None
    return [Kept(row.member_no, bytes(row.recipient), bytes(row.sealed)) for row in rows if row.member_no is not None]


def _audience(row: Any) -> StoredAudience:  # noqa: ANN401 - a row of one of the statements
    return StoredAudience(**{name: getattr(row, name) for name in StoredAudience.__slots__})
