"""What WeChat told by its callbacks: stored once under a key, and put where it belongs a slice at a time.

A receipt finds its job by WeChat's number of the message; where that leads nowhere, by user and template, among the
jobs whose call may have been the one it tells of. It settles a doubt only if no other job fits (fine print 12.17).

One applier at a time, by an advisory lock: two receipts of one user must see what the other has taken. Then events,
which nobody else locks, jobs by id, consents: the one order of locks (fine print 12.9).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from pushjobs.domain.job import JobId, Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.receipt import EventKind
from pushjobs.domain.steps import Placed
from pushjobs.store.database import as_json, statement
from pushjobs.store.outcomes import note

__all__ = [
    "KEEP_TRYING_SECONDS",
    "Left",
    "NewEvent",
    "close",
    "left",
    "lock",
    "put_off",
    "settle_by_msgid",
    "settle_by_user",
    "store",
    "waiting",
    "waiting_count",
]

KEEP_TRYING_SECONDS = 600.0
"""How long after a send its receipt may come, and how long a receipt waits for a job that fits it."""

_SLOWEST_SETTLE_SECONDS = 30.0
"""From a call to its job's closing: a lease, the rescue tick after it, and clocks that differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """One thing told, about to be stored."""

    key: bytes
    kind: EventKind
    recipient: bytes
    template_id: str
    happened_at: datetime
    msgid: int | None = None
    errcode: int | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A receipt that found no job."""

    template_id: str
    happened_at: datetime
    msgid: int | None
    errcode: int | None
    status: str | None


_STORE = statement("""
INSERT INTO pushjobs.events (app_no, key, kind, recipient, template_id, happened_at, msgid, errcode, status)
SELECT :app_no, decode(e.key, 'hex'), e.kind::pushjobs.event_kind, decode(e.recipient, 'hex'), e.template_id,
       e.happened_at, e.msgid, e.errcode, e.status
  FROM json_to_recordset(:events) AS e(key text, kind text, recipient text, template_id text, happened_at timestamptz,
                                       msgid bigint, errcode int, status text)
 ORDER BY e.key
    ON CONFLICT (app_no, key) DO NOTHING""")

_LOCK = statement("SELECT pg_try_advisory_xact_lock(:classid, 0)")
_CLASSID = 0x74656C6C  # "tell"

_WAITING = statement("""
SELECT event_no, kind FROM pushjobs.events
 WHERE state = 'waiting' AND try_at <= now() ORDER BY try_at, event_no LIMIT :limit""")

# A job's later receipt replaces its earlier one, whichever comes first.
_RECEIPT = """
INSERT INTO pushjobs.receipts AS r (job_id, state, errcode, status, at)
    SELECT id, CASE errcode WHEN 0 THEN 'delivered' ELSE 'failed' END::pushjobs.receipt_state, errcode, status, at
      FROM @source
        ON CONFLICT (job_id) DO UPDATE SET state = excluded.state, errcode = excluded.errcode,
                                           status = excluded.status, at = excluded.at
     WHERE excluded.at >= r.at"""

_BY_MSGID = statement(
    """
WITH found AS MATERIALIZED (
    SELECT e.event_no, j.id, j.lane, e.errcode, e.status, e.happened_at AS at
      FROM pushjobs.events e JOIN pushjobs.jobs j ON j.msgid = e.msgid
     WHERE e.event_no = ANY (:numbers) AND j.msgid IS NOT NULL
       AND j.app_no = e.app_no AND j.recipient = e.recipient
), latest AS (
    SELECT DISTINCT ON (id) * FROM found ORDER BY id, at DESC, event_no DESC
), noted AS (@receipt)
SELECT event_no, id, lane, errcode, at, false AS is_confirmed FROM found""".replace(
        "@receipt", _RECEIPT.replace("@source", "latest")
    )
)

# Of one user's receipts for one template the oldest goes first; the others see what it took at their next try.
# What is being sent just now may be the message told of: its answer is awaited. One that was settled since we looked by
# msgid is told by its number, in the same snapshot. Behind a call its job is closed within a lease.
_BY_USER = statement(
    """
WITH asked AS MATERIALIZED (
    SELECT DISTINCT ON (e.app_no, e.recipient, t.template_no)
           e.event_no, e.app_no, e.recipient, t.template_no, e.happened_at AS at, e.msgid, e.errcode, e.status
      FROM pushjobs.events e JOIN pushjobs.templates t USING (app_no, template_id)
     WHERE e.event_no = ANY (:numbers)
       AND NOT EXISTS (SELECT FROM pushjobs.jobs o WHERE o.msgid = e.msgid AND o.msgid IS NOT NULL)
     ORDER BY e.app_no, e.recipient, t.template_no, e.happened_at, e.event_no
), fitting AS MATERIALIZED (
    SELECT a.event_no, j.id,
           row_number() OVER (PARTITION BY a.event_no ORDER BY j.called_at, j.id) AS place,
           count(*) OVER (PARTITION BY a.event_no) AS together,
           bool_or(j.state {confirm.sources}) OVER (PARTITION BY a.event_no) AS has_doubt,
           bool_or(j.state {deliver.sources} AND j.state NOT {confirm.sources})
               OVER (PARTITION BY a.event_no) AS is_calling
      FROM asked a JOIN pushjobs.jobs j ON j.recipient = a.recipient
     WHERE j.app_no = a.app_no AND j.template_no = a.template_no AND (j.msgid IS NULL OR a.msgid IS NULL)
       AND (j.state {deliver.sources} OR j.state = {deliver.target})
       AND coalesce(j.closed_at BETWEEN a.at - make_interval(secs => :before) AND a.at + make_interval(secs => :after),
                    true)
       AND NOT EXISTS (SELECT FROM pushjobs.receipts r WHERE r.job_id = j.id)
), chosen AS (
    SELECT event_no, id FROM fitting
     WHERE NOT is_calling AND (together = 1 OR (place = 1 AND NOT has_doubt))
), locked AS MATERIALIZED (
    SELECT j.id, j.state AS was, a.msgid, a.event_no, a.errcode, a.status, a.at
      FROM pushjobs.jobs j JOIN chosen USING (id) JOIN asked a USING (event_no)
     WHERE (j.state {confirm.sources} OR j.state = {deliver.target}) AND (j.msgid IS NULL OR a.msgid IS NULL)
     ORDER BY j.id FOR UPDATE OF j
), moved AS (
    UPDATE pushjobs.jobs j
       SET state = {confirm.target}, msgid = coalesce(l.msgid, j.msgid),
           reason = CASE WHEN l.was {confirm.sources} THEN :reason ELSE j.reason END,
           closed_at = CASE WHEN l.was {confirm.sources} THEN clock_timestamp() ELSE j.closed_at END
      FROM locked l WHERE j.id = l.id
 RETURNING j.id, j.lane, j.release_no, j.state, l.was, l.event_no, l.errcode, l.status, l.at, j.reason, j.client_no,
           j.errcode AS own_errcode,
           CASE WHEN l.was {confirm.sources} THEN j.closed_at END AS closed_at
), told AS (
    INSERT INTO pushjobs.job_history (job_id, release_no, transition, state, reason, errcode)
    SELECT id, release_no, 'confirm', state, :reason, nullif(errcode, 0) FROM moved WHERE was {confirm.sources}
), noted AS (@receipt), @outcomes
SELECT event_no, id, lane, errcode, at, was {confirm.sources} AS is_confirmed FROM moved""".replace(
        "@receipt", _RECEIPT.replace("@source", "moved")
    ).replace("@outcomes", note("m.own_errcode")),
    Transition.CONFIRM,
    Transition.DELIVER,
)

_CLOSE = statement("UPDATE pushjobs.events SET state = 'applied' WHERE event_no = ANY (:numbers)")

# Back after 1, 2, 4 … seconds, the last time when nothing can fit any more.
_PUT_OFF = statement("""
UPDATE pushjobs.events
   SET tries = tries + 1,
       state = CASE WHEN now() >= received_at + make_interval(secs => :most) THEN 'left' ELSE 'waiting' END
               ::pushjobs.event_state,
       try_at = least(now() + make_interval(secs => 2.0 ^ tries), received_at + make_interval(secs => :most))
 WHERE event_no = ANY (:numbers)
RETURNING state = 'left' AS is_left""")


_WAITING_COUNT = statement("SELECT count(*) FROM pushjobs.events WHERE state = 'waiting' AND app_no = :app_no")
_LEFT = statement("""
SELECT template_id, happened_at, msgid, errcode, status FROM pushjobs.events
 WHERE state = 'left' AND app_no = :app_no ORDER BY try_at DESC, event_no DESC LIMIT :limit""")


def store(connection: Connection, app_no: int, events: Sequence[NewEvent]) -> int:
    """Store what is told for the first time; return how many that were. A repeat changes nothing."""
    return connection.execute(_STORE, {"app_no": app_no, "events": as_json([_row(event) for event in events])}).rowcount


def lock(connection: Connection) -> bool:
    """Become the one who applies, for this transaction; False when somebody else is."""
    return bool(connection.execute(_LOCK, {"classid": _CLASSID}).scalar_one())


def waiting(connection: Connection, *, limit: int) -> Mapping[int, EventKind]:
    """Return the numbers of events to be applied now, and what each tells."""
    return {row.event_no: EventKind(row.kind) for row in connection.execute(_WAITING, {"limit": limit})}


def settle_by_msgid(connection: Connection, numbers: Sequence[int]) -> dict[int, Placed]:
    """Put receipts on the jobs whose messages they name; return which found theirs."""
    return {row.event_no: _placed(row) for row in connection.execute(_BY_MSGID, {"numbers": list(numbers)})}


def settle_by_user(connection: Connection, numbers: Sequence[int]) -> dict[int, Placed]:
    """Put receipts on the jobs that fit their user, template and moment; return which found one.

    That is the oldest that was sent and has no receipt; or a job in doubt, which is sent thereby, if it is the only one
    that fits. While a job that fits is being sent, nothing is decided.
    """
    values = {"numbers": list(numbers), "reason": Reason.RECEIPT}
    window = {"before": KEEP_TRYING_SECONDS, "after": _SLOWEST_SETTLE_SECONDS}
    return {row.event_no: _placed(row) for row in connection.execute(_BY_USER, {**values, **window})}


def close(connection: Connection, numbers: Sequence[int]) -> None:
    """Note that these are applied."""
    connection.execute(_CLOSE, {"numbers": list(numbers)})


def put_off(connection: Connection, numbers: Sequence[int]) -> int:
    """Have these tried again later; return how many have waited long enough and are left to the operator."""
    rows = connection.execute(_PUT_OFF, {"numbers": list(numbers), "most": KEEP_TRYING_SECONDS})
    return sum(rows.scalars())


def waiting_count(connection: Connection, app_no: int) -> int:
    """Return how many events are not applied yet."""
    return int(connection.execute(_WAITING_COUNT, {"app_no": app_no}).scalar_one())


def left(connection: Connection, app_no: int, *, limit: int) -> list[Left]:
    """Return the receipts that found no job, those given up last first, at most `limit`."""
    rows = connection.execute(_LEFT, {"app_no": app_no, "limit": limit})
    return [Left(**row._asdict()) for row in rows]


def _placed(row: Row[Any]) -> Placed:
    return Placed(JobId(row.id), Lane(row.lane), row.at, row.errcode, row.is_confirmed)


def _row(event: NewEvent) -> dict[str, Any]:
    return {
        "key": event.key.hex(),
        "kind": event.kind,
        "recipient": event.recipient.hex(),
        "template_id": event.template_id,
        "happened_at": event.happened_at,
        "msgid": event.msgid,
        "errcode": event.errcode,
        "status": event.status,
    }
