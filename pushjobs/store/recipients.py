"""One row per recipient: the quota day, what was sent and is held on it, and until when somebody is calling.

One statement charges a whole slice: it takes a place of the day for each recipient that has one left and that nobody
is calling, and says for the others what is in their way. It runs in the admitting transaction, its counterpart in the
settling one, so a crash can neither leak a place nor spend it twice. Rows are locked in the order of their recipients
(design 12.9). A caller that died frees its recipient when its lease ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto

from sqlalchemy import Connection

from pushjobs.store.database import as_json, statement

__all__ = ["InTheWay", "Settled", "charge", "settle"]


class InTheWay(Enum):
    """Why a recipient was not charged."""

    IN_FLIGHT = auto()
    """Somebody is calling just now."""
    HELD = auto()
    """The day's places are taken, some only held by calls whose answer is not in yet."""
    SPENT = auto()
    """The day's places are used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a charge: its place was `used` (sent, or perhaps sent), or is given back."""

    recipient: bytes
    day: date
    used: bool


_CHARGE = statement("""
INSERT INTO pushjobs.recipients AS r (app_no, recipient, quota_day, sent, held, in_flight_until)
SELECT :app_no, decode(c.recipient, 'hex'), :day, 0, 1, now() + make_interval(secs => :lease)
  FROM json_to_recordset(:charges) AS c(recipient text)
 ORDER BY c.recipient
    ON CONFLICT (app_no, recipient) DO UPDATE
   SET sent = CASE WHEN r.quota_day = excluded.quota_day THEN r.sent ELSE 0 END,
       held = CASE WHEN r.quota_day = excluded.quota_day THEN r.held ELSE 0 END + 1,
       quota_day = excluded.quota_day,
       in_flight_until = excluded.in_flight_until
 WHERE (r.in_flight_until IS NULL OR r.in_flight_until < now())
   AND (r.quota_day <> excluded.quota_day OR r.sent + r.held < :cap)
RETURNING recipient""")

_LOOK = statement("""
SELECT recipient, coalesce(in_flight_until >= now(), false) AS is_in_flight,
       CASE WHEN quota_day = :day THEN sent ELSE 0 END AS sent
  FROM pushjobs.recipients
 WHERE app_no = :app_no
   AND recipient IN (SELECT decode(c.recipient, 'hex') FROM json_to_recordset(:charges) AS c(recipient text))""")

# A place of another day than the row's is gone with its day; the call is over whatever the day.
_SETTLE = statement("""
WITH settled AS (
    SELECT decode(s.recipient, 'hex') AS recipient, s.day, s.used
      FROM json_to_recordset(:settled) AS s(recipient text, day date, used int)
), locked AS MATERIALIZED (
    SELECT r.recipient FROM pushjobs.recipients r JOIN settled s USING (recipient)
     WHERE r.app_no = :app_no ORDER BY r.recipient FOR UPDATE OF r
)
UPDATE pushjobs.recipients r
   SET held = r.held - (r.quota_day = s.day)::int,
       sent = r.sent + CASE WHEN r.quota_day = s.day THEN s.used ELSE 0 END,
       in_flight_until = NULL
  FROM settled s
 WHERE r.app_no = :app_no AND r.recipient = s.recipient AND r.recipient IN (SELECT recipient FROM locked)""")

_NO_CAP = 2**31 - 1


def charge(
    connection: Connection, app_no: int, recipients: Sequence[bytes], *, day: date, cap: int | None, lease: float
) -> Mapping[bytes, InTheWay]:
    """Take a place of the day for each recipient (all different); return those that got none, and why.

    `cap`: places a day; None: no limit. `lease`: seconds after which a caller that died no longer counts as calling.
    """
    if not recipients:
        return {}
    charges = as_json([{"recipient": recipient.hex()} for recipient in recipients])
    values = {"app_no": app_no, "day": day, "charges": charges}
    charged = connection.execute(_CHARGE, {**values, "lease": lease, "cap": _NO_CAP if cap is None else cap})
    left = set(recipients).difference(bytes(row) for row in charged.scalars())
    if not left:
        return {}
    charges = as_json([{"recipient": recipient.hex()} for recipient in sorted(left)])
    rows = connection.execute(_LOOK, {**values, "charges": charges})
    return {bytes(row.recipient): _in_the_way(is_in_flight=row.is_in_flight, sent=row.sent, cap=cap) for row in rows}


def settle(connection: Connection, app_no: int, settled: Sequence[Settled]) -> None:
    """Use or give back the places of calls that are over; the recipients must differ."""
    if settled:
        rows = [{"recipient": one.recipient.hex(), "day": one.day, "used": int(one.used)} for one in settled]
        connection.execute(_SETTLE, {"app_no": app_no, "settled": as_json(rows)})


def _in_the_way(*, is_in_flight: bool, sent: int, cap: int | None) -> InTheWay:
    if cap is not None and sent >= cap:
        return InTheWay.SPENT
    return InTheWay.IN_FLIGHT if is_in_flight else InTheWay.HELD
