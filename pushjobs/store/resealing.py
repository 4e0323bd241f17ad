"""What is sealed, found by the key that it names, and sealed anew: for a rotation of keys, while everything runs.

A sealed value names its key in its second to fifth byte, so what is done needs no note of its own and a rotation that
was killed goes on by being run again. No index finds it: all tables are read once, by their primary keys, a bounded
number of rows a statement; an index would have to be written with every job.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, TextClause

from pushjobs.store import envelope
from pushjobs.store.database import as_json, statement

__all__ = ["SEALED", "Old", "SealedColumn", "Window", "counted", "old", "reseal", "window"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedColumn:
    """The column `sealed` of a table `s`, whose primary key is one number.

    `binds`: what a value is bound to beside its app, in SQL; `bound_to` puts both together, as `envelope` does.
    `app_no`: the number of its app, in SQL, NULL where it is of none.
    """

    table: str
    key: str
    binds: str
    bound_to: Callable[[str, Any], bytes]
    joined: str = ""
    app_no: str = "s.app_no"


SEALED = (
    SealedColumn(table="jobs", key="id", binds="s.recipient", bound_to=envelope.bound_job),
    SealedColumn(
        table="contents",
        key="content_no",
        binds="t.template_id",
        bound_to=envelope.bound_content,
        joined="JOIN pushjobs.templates t ON t.template_no = s.template_no",
    ),
    SealedColumn(table="pushes", key="push_no", binds="s.key", bound_to=envelope.bound_push),
    SealedColumn(table="campaigns", key="campaign_no", binds="s.key", bound_to=envelope.bound_campaign),
    SealedColumn(
        table="runs",
        key="run_no",
        binds="c.key",
        bound_to=envelope.bound_campaign,
        joined="JOIN pushjobs.campaigns c ON c.campaign_no = s.campaign_no",
    ),
    SealedColumn(table="snapshots", key="member_no", binds="s.recipient", bound_to=envelope.bound_job),
    SealedColumn(table="audience_members", key="member_no", binds="s.recipient", bound_to=envelope.bound_member),
    SealedColumn(
        table="webhooks",
        key="client_no",
        binds="c.id",
        bound_to=lambda _, client_id: envelope.bound_webhook(client_id),
        joined="JOIN pushjobs.clients c ON c.client_no = s.client_no",
        app_no="NULL",
    ),
    SealedColumn(table="apps", key="app_no", binds="s.appid", bound_to=lambda appid, _: envelope.bound_app(appid)),
)
"""Every sealed column there is: a new one stands here, or a rotation leaves it behind."""


@dataclass(frozen=True, slots=True)
class Window:
    """Rows that follow each other by their primary key: those behind `after`, up to `last`."""

    after: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """A value that names another key than the newest."""

    number: int
    sealed: bytes
    bound_to: bytes


_WINDOW = """
SELECT max(number) FROM (
    SELECT {key} AS number FROM pushjobs.{table} WHERE {key} > :after ORDER BY {key} LIMIT :limit) AS page"""
_NAMED = "substring(s.sealed FROM 2 FOR 4)"
_COUNTED = f"""
SELECT {_NAMED} AS key_id, count(*) AS found FROM pushjobs.{{table}} s
 WHERE s.{{key}} > :after AND s.{{key}} <= :last AND s.sealed IS NOT NULL
 GROUP BY 1"""  # noqa: S608 - constants of ours, no input
_OLD = f"""
SELECT s.{{key}} AS number, s.sealed, a.appid, {{binds}} AS binds
  FROM pushjobs.{{table}} s LEFT JOIN pushjobs.apps a ON a.app_no = {{app_no}} {{joined}}
 WHERE s.{{key}} > :after AND s.{{key}} <= :last AND {_NAMED} <> :newest
 ORDER BY s.{{key}}"""  # noqa: S608 - constants of ours, no input

# What was changed since it was read (forgotten, forwarded) is left as it is, and what somebody holds just now for the
# next round: delivery waits for a page at most, and we for nobody. Locked by id, like everything (fine print 12.9).
_RESEAL = """
WITH fresh AS (
    SELECT r.number, decode(r.was, 'base64') AS was, decode(r.sealed, 'base64') AS sealed
      FROM json_to_recordset(:rows) AS r(number bigint, was text, sealed text)
), locked AS MATERIALIZED (
    SELECT s.{key} AS number FROM pushjobs.{table} s JOIN fresh f ON s.{key} = f.number
     WHERE s.sealed = f.was
     ORDER BY s.{key} FOR UPDATE OF s SKIP LOCKED
)
UPDATE pushjobs.{table} s SET sealed = f.sealed
  FROM fresh f
 WHERE s.{key} = f.number AND s.{key} = ANY (ARRAY(SELECT number FROM locked))"""


def window(connection: Connection, column: SealedColumn, *, after: int, limit: int) -> Window | None:
    """Return the next `limit` rows behind `after`; None at the end."""
    last = connection.execute(_of(column, _WINDOW), {"after": after, "limit": limit}).scalar_one()
    return None if last is None else Window(after, last)


def counted(connection: Connection, column: SealedColumn, rows: Window) -> Counter[bytes]:
    """Count the values among these rows by the key that they name."""
    found = connection.execute(_of(column, _COUNTED), {"after": rows.after, "last": rows.last})
    return Counter({bytes(row.key_id): row.found for row in found})


def old(connection: Connection, column: SealedColumn, rows: Window, *, newest: bytes) -> list[Old]:
    """Return the values among these rows that name another key than the newest."""
    found = connection.execute(_of(column, _OLD), {"after": rows.after, "last": rows.last, "newest": newest})
    return [
        Old(number=row.number, sealed=bytes(row.sealed), bound_to=column.bound_to(row.appid, _plain(row.binds)))
        for row in found
    ]


def reseal(connection: Connection, column: SealedColumn, fresh: Sequence[tuple[Old, bytes]]) -> int:
    """Put the new values in place of the old ones that are still there and that nobody holds; return how many were."""
    return connection.execute(_of(column, _RESEAL), {"rows": _rows(fresh)}).rowcount


def _rows(fresh: Sequence[tuple[Old, bytes]]) -> str:
    return as_json(
        [
            {"number": was.number, "was": b64encode(was.sealed).decode(), "sealed": b64encode(sealed).decode()}
            for was, sealed in fresh
        ]
    )


def _of(column: SealedColumn, sql: str) -> TextClause:
    parts = {"table": column.table, "key": column.key, "binds": column.binds}
    return statement(sql.format(**parts, joined=column.joined, app_no=column.app_no))


def _plain(binds: Any) -> Any:  # noqa: ANN401 - bytes or a text, as the column has it
    return bytes(binds) if isinstance(binds, memoryview) else binds
