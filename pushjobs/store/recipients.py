"""One row per recipient: the quota day, what was sent and is held on it, and until when somebody is calling.

One statement charges a whole slice: it takes a place of the day for each recipient that has one left and that nobody
is calling, and says for the others what is in their way. It runs in the admitting transaction, its counterpart in the
settling one, so a crash can neither leak a place nor spend it twice. Rows are locked in the order of their recipients
(fine print 12.9). A caller that died frees its recipient when its lease ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto

from sqlalchemy import Connection

from pushjobs.domain.hot_value import hot_value
from pushjobs.store.database import as_json, hot_statement, statement

__all__ = ["Charged", "InTheWay", "Settled", "charge", "settle"]


class InTheWay(Enum):
    """Why a recipient was not charged."""

    IN_FLIGHT = auto()
    """Somebody is calling just now."""
    HELD = auto()
    """The day's places are taken, some only held by calls whose answer is not in yet."""
    SPENT = auto()
    """The day's places are used up."""


@hot_value
class Settled:
    """A charge that is over: places of `day` no longer held, and places more (or, negative, fewer) that are used.

    `frees`: whether the recipient may be called again. A call that was given up has freed it with its lease, and
    somebody else may be calling by now.
    """

    recipient: bytes
    day: date
    held: int
    sent: int
    frees: bool = True


# The day only moves on: a worker whose clock lags at midnight charges the day that has begun, or it would begin anew.
_CHARGE = hot_statement(
    """
INSERT INTO pushjobs.recipients AS r (app_no, recipient, quota_day, sent, held, in_flight_until)
SELECT :app_no, decode(c.recipient, 'hex'), :day, 0, 1, now() + make_interval(secs => :lease)
  FROM json_to_recordset(:charges) AS c(recipient text)
 ORDER BY c.recipient
    ON CONFLICT (app_no, recipient) DO UPDATE
   SET sent = CASE WHEN r.quota_day >= excluded.quota_day THEN r.sent ELSE 0 END,
       held = CASE WHEN r.quota_day >= excluded.quota_day THEN r.held ELSE 0 END + 1,
       quota_day = greatest(r.quota_day, excluded.quota_day),
       in_flight_until = excluded.in_flight_until
 WHERE (r.in_flight_until IS NULL OR r.in_flight_until < now())
   AND (r.quota_day < excluded.quota_day OR r.sent + r.held < :cap)
RETURNING recipient, quota_day""",
    columns=("recipient", "quota_day"),
)

_LOOK = statement("""
SELECT recipient, coalesce(in_flight_until >= now(), false) AS is_in_flight,
       CASE WHEN quota_day >= :day THEN sent ELSE 0 END AS sent
  FROM pushjobs.recipients
 WHERE app_no = :app_no
   AND recipient IN (SELECT decode(c.recipient, 'hex') FROM json_to_recordset(:charges) AS c(recipient text))""")

# A place of another day than the row's is gone with its day; the call is over whatever the day.
# Written as an upsert though every row is there since its charge: the conflict is found by the key, whatever the
# planner believes of the table, where an UPDATE of as many rows was planned as a scan of all recipients (65 µs a job
# against 12). The row proposed carries `sent` one higher, because a place given back after a doubt is -1 and the
# table's check would refuse that before the conflict is seen.
_SETTLE = statement("""
INSERT INTO pushjobs.recipients AS r (app_no, recipient, quota_day, held, sent, in_flight_until)
SELECT :app_no, decode(s.recipient, 'hex'), s.day, s.held, s.sent + 1, CASE WHEN NOT s.frees THEN now() END
  FROM json_to_recordset(:settled) AS s(recipient text, day date, held int, sent int, frees boolean)
 ORDER BY s.recipient
    ON CONFLICT (app_no, recipient) DO UPDATE
   SET held = greatest(r.held - CASE WHEN r.quota_day = excluded.quota_day THEN excluded.held ELSE 0 END, 0),
       sent = greatest(r.sent + CASE WHEN r.quota_day = excluded.quota_day THEN excluded.sent - 1 ELSE 0 END, 0),
       in_flight_until = CASE WHEN excluded.in_flight_until IS NULL THEN NULL ELSE r.in_flight_until END""")

_NO_CAP = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """Who got a place, and of which day; and what is in the way of the others."""

    days: Mapping[bytes, date]
    in_the_way: Mapping[bytes, InTheWay]


def charge(
    connection: Connection, app_no: int, recipients: Sequence[bytes], *, day: date, cap: int | None, lease: float
) -> Charged:
    """Take a place of the day for each recipient (all different) that has one left and that nobody is calling.

    `cap`: places a day; None: no limit. `lease`: seconds after which a caller that died no longer counts as calling.
    """
    values = {"app_no": app_no, "day": day}
    charges = {**values, "charges": _rows(recipients), "lease": lease, "cap": _NO_CAP if cap is None else cap}
    days = {bytes(recipient): day for recipient, day in connection.execute(_CHARGE, charges).all()}
    left = sorted(set(recipients).difference(days))
    if not left:
        return Charged(days=days, in_the_way={})
    rows = connection.execute(_LOOK, {**values, "charges": _rows(left)})
    in_the_way = {
        bytes(row.recipient): _in_the_way(is_in_flight=row.is_in_flight, sent=row.sent, cap=cap) for row in rows
    }
    return Charged(days=days, in_the_way=in_the_way)


def settle(connection: Connection, app_no: int, settled: Sequence[Settled]) -> None:
    """End calls and their charges; the recipients must differ."""
    if settled:
        rows = [
            {
                "recipient": one.recipient.hex(),
                "day": one.day,
                "held": one.held,
                "sent": one.sent,
                "frees": one.frees,
            }
            for one in settled
        ]
        connection.execute(_SETTLE, {"app_no": app_no, "settled": as_json(rows)})


def _rows(recipients: Sequence[bytes]) -> str:
    return as_json([{"recipient": recipient.hex()} for recipient in recipients])


def _in_the_way(*, is_in_flight: bool, sent: int, cap: int | None) -> InTheWay:
    if cap is not None and sent >= cap:
        return InTheWay.SPENT
    return InTheWay.IN_FLIGHT if is_in_flight else InTheWay.HELD
