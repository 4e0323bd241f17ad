"""Daily caps of single templates: places used or held, per user and template, beside the user's daily quota.

Touched only for templates that have a cap. The same shape as `recipients`, without the call in flight: that is the
user's, not the template's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from pushjobs.store.database import as_json, statement

__all__ = ["Place", "charge", "give_back"]


@dataclass(frozen=True, slots=True)
class Place:
    """A user's place of one template's day."""

    recipient: bytes
    template_no: int


_CHARGE = statement("""
INSERT INTO pushjobs.template_days AS d (app_no, recipient, template_no, quota_day, used)
SELECT :app_no, decode(c.recipient, 'hex'), c.template_no, c.day, 1
  FROM json_to_recordset(:charges) AS c(recipient text, template_no int, day date)
 ORDER BY c.recipient, c.template_no
    ON CONFLICT (app_no, recipient, template_no) DO UPDATE
   SET used = CASE WHEN d.quota_day = excluded.quota_day THEN d.used ELSE 0 END + 1,
       quota_day = excluded.quota_day
 WHERE d.quota_day <> excluded.quota_day
    OR d.used < (SELECT t.daily_cap FROM pushjobs.templates t WHERE t.template_no = d.template_no)
RETURNING recipient, template_no""")

_GIVE_BACK = statement("""
WITH back AS (
    SELECT decode(b.recipient, 'hex') AS recipient, b.template_no, b.day
      FROM json_to_recordset(:back) AS b(recipient text, template_no int, day date)
), locked AS MATERIALIZED (
    SELECT d.recipient, d.template_no FROM pushjobs.template_days d JOIN back USING (recipient, template_no)
     WHERE d.app_no = :app_no ORDER BY d.recipient, d.template_no FOR UPDATE OF d
)
UPDATE pushjobs.template_days d SET used = d.used - 1
  FROM back b
 WHERE d.app_no = :app_no AND d.recipient = b.recipient AND d.template_no = b.template_no AND d.quota_day = b.day
   AND (d.recipient, d.template_no) IN (SELECT recipient, template_no FROM locked)""")


def charge(connection: Connection, app_no: int, places: Sequence[tuple[Place, date]]) -> set[Place]:
    """Take a place of its day for each pair (all different) that has one left; return those that got one."""
    if not places:
        return set()
    rows = connection.execute(_CHARGE, {"app_no": app_no, "charges": _rows(places)})
    return {Place(bytes(row.recipient), row.template_no) for row in rows}


def give_back(connection: Connection, app_no: int, places: Sequence[tuple[Place, date]]) -> None:
    """Give back places that were not used, to the day they were taken from; the pairs must differ."""
    if places:
        connection.execute(_GIVE_BACK, {"app_no": app_no, "back": _rows(places)})


def _rows(places: Sequence[tuple[Place, date]]) -> str:
    return as_json(
        [{"recipient": one.recipient.hex(), "template_no": one.template_no, "day": day} for one, day in places]
    )
