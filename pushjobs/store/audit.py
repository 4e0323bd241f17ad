"""The lines of the audit log: begun before what they tell of, ended after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pushjobs.store.database import as_json, statement

__all__ = ["Line", "begin", "end", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was done. `ended_at` None: whoever did it died, and it may have been done."""

    entry_no: int
    at: datetime
    client: str
    door: str
    action: str
    what: Mapping[str, Any]
    ended_at: datetime | None
    outcome: Mapping[str, Any] | None


_BEGIN = statement("""
INSERT INTO pushjobs.audit (client_no, client, door, action, what)
VALUES (:client_no, :client, :door, :action, CAST(:what AS jsonb)) RETURNING entry_no""")
_END = statement("""
UPDATE pushjobs.audit SET ended_at = clock_timestamp(), outcome = CAST(:outcome AS jsonb)
 WHERE entry_no = :entry_no""")
# Two statements, each with an index whose order it reads in: a parameter that may be null would have neither.
_COLUMNS = "entry_no, at, client, door, action, what, ended_at, outcome"
_READ = statement(f"""
SELECT {_COLUMNS} FROM pushjobs.audit WHERE entry_no < :before
 ORDER BY entry_no DESC LIMIT :limit""")  # noqa: S608 - a constant of ours
_READ_OF = statement(f"""
SELECT {_COLUMNS} FROM pushjobs.audit WHERE client_no = :client_no AND entry_no < :before
 ORDER BY entry_no DESC LIMIT :limit""")  # noqa: S608 - a constant of ours

_BEYOND_ENTRIES = 2**62


def begin(
    connection: Connection, *, client_no: int, client: str, door: str, action: str, what: Mapping[str, Any]
) -> int:
    """Write a line; return its number."""
    values = {"client_no": client_no, "client": client, "door": door, "action": action, "what": as_json(what)}
    return int(connection.execute(_BEGIN, values).scalar_one())


def end(connection: Connection, entry_no: int, outcome: Mapping[str, Any]) -> None:
    """Write down what came of it."""
    connection.execute(_END, {"entry_no": entry_no, "outcome": as_json(outcome)})


def read(connection: Connection, *, client_no: int | None, before: int | None, limit: int) -> list[Line]:
    """Return a page of lines, the latest first: everybody's, or one client's; `before`: those with a lower number."""
    values = {"before": before or _BEYOND_ENTRIES, "limit": limit}
    if client_no is None:
        rows = connection.execute(_READ, values)
    else:
        rows = connection.execute(_READ_OF, values | {"client_no": client_no})
    return [Line(**row._asdict()) for row in rows]
