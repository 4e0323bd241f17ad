"""Ends of jobs on their way to the clients that asked for them: noted where a job closes, told batch by batch.

A job of a client that has a webhook leaves a row in the very statement that closes it: so an end is told only when it
is committed, and none is skipped, however late its commit; there is no cursor that could have passed it. A job of
anybody else leaves none.

A client has one delivery at a time, whose id stays the same at each attempt. A claim is a promise for a while, not a
lock: no transaction is open during a call, and where a teller died the next one repeats its delivery.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from pushjobs.domain.job import JobState
from pushjobs.store.database import as_json, statement

__all__ = ["Delivery", "Outcome", "Told", "claim", "give_up", "lock_due", "lock_late", "note", "settle", "sweep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended; the reference is its caller's, None once its user is forgotten."""

    job_id: int
    reference: str | None
    state: JobState
    reason: str | None
    errcode: int | None
    closed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One batch for one client, in the order in which its jobs closed; `attempts` counts this one."""

    client_no: int
    client_id: str
    delivery: UUID
    url: str = field(repr=False)
    sealed: bytes = field(repr=False)
    attempts: int
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a delivery's attempt. Not taken: the same again in `wait` seconds."""

    client_no: int
    delivery: UUID
    is_taken: bool
    wait: float = 0.0


def note(errcode: str = "m.errcode") -> str:
    """Return the part of a statement that notes what it has closed.

    The statement has a part `moved` with `id`, `client_no`, `state`, `reason`, `errcode` and `closed_at`; that is null
    for a row that was not closed by it.
    """
    return f"""outcomes AS (
    INSERT INTO pushjobs.outcomes (client_no, job_id, state, reason, errcode, closed_at)
    SELECT m.client_no, m.id, m.state, m.reason, {errcode}, m.closed_at
      FROM moved m JOIN pushjobs.webhooks w USING (client_no)
     WHERE m.closed_at IS NOT NULL AND w.url IS NOT NULL
)"""  # noqa: S608 - words of ours, no input


# Of two tellers each takes other clients. One whose delivery is with somebody, or has failed, is due later.
_LOCK_DUE = statement("""
SELECT client_no FROM pushjobs.webhooks w
 WHERE url IS NOT NULL AND try_at <= now()
   AND EXISTS (SELECT FROM pushjobs.outcomes o WHERE o.client_no = w.client_no)
 ORDER BY try_at, client_no LIMIT :limit FOR UPDATE SKIP LOCKED""")

# Their clients' rows first, as everywhere here: a teller that marks its delivery just now holds its own.
_LOCK_LATE = statement("""
SELECT client_no FROM pushjobs.webhooks w
 WHERE EXISTS (SELECT FROM pushjobs.outcomes o
                WHERE o.client_no = w.client_no AND o.closed_at < now() - make_interval(secs => :after))
 ORDER BY client_no FOR UPDATE SKIP LOCKED""")

_GIVE_UP = statement("""
WITH late AS (
    SELECT o.outcome_no FROM unnest(CAST(:clients AS int[])) AS c(client_no) CROSS JOIN LATERAL (
        SELECT outcome_no FROM pushjobs.outcomes
         WHERE client_no = c.client_no AND closed_at < now() - make_interval(secs => :after)
         ORDER BY closed_at, outcome_no LIMIT :limit) o
), gone AS (
    DELETE FROM pushjobs.outcomes WHERE outcome_no = ANY (ARRAY(SELECT outcome_no FROM late)) RETURNING client_no
), counted AS (
    SELECT client_no, count(*) AS outcomes FROM gone GROUP BY client_no
)
UPDATE pushjobs.webhooks w SET given_up = w.given_up + n.outcomes
  FROM counted n JOIN pushjobs.clients c USING (client_no) WHERE w.client_no = n.client_no
RETURNING c.id, n.outcomes""")

# A delivery of which something is left goes on as it was; else the oldest outcomes make another one.
_CLAIM = statement("""
WITH held AS MATERIALIZED (
    SELECT w.client_no, EXISTS (SELECT FROM pushjobs.outcomes o WHERE o.outcome_no = ANY (w.taken)) AS goes_on
      FROM pushjobs.webhooks w WHERE w.client_no = ANY (:clients)
), fresh AS (
    SELECT h.client_no, array_agg(o.outcome_no) AS taken
      FROM held h CROSS JOIN LATERAL (
          SELECT outcome_no FROM pushjobs.outcomes
           WHERE client_no = h.client_no ORDER BY closed_at, outcome_no LIMIT :most) o
     WHERE NOT h.goes_on GROUP BY h.client_no
)
UPDATE pushjobs.webhooks w
   SET taken = CASE WHEN h.goes_on THEN w.taken ELSE coalesce(f.taken, '{}') END,
       delivery = CASE WHEN h.goes_on THEN w.delivery ELSE gen_random_uuid() END,
       attempts = CASE WHEN h.goes_on THEN w.attempts + 1 ELSE 1 END,
       try_at = now() + make_interval(secs => :promise)
  FROM held h LEFT JOIN fresh f USING (client_no)
 WHERE w.client_no = h.client_no""")

# An outcome may be told after its job was pruned, or its user forgotten: then without a reference.
_READ = statement("""
SELECT w.client_no, c.id AS client_id, w.delivery, w.url, w.sealed, w.attempts,
       o.job_id, j.reference, o.state, o.reason, o.errcode, o.closed_at
  FROM pushjobs.webhooks w JOIN pushjobs.clients c USING (client_no)
  JOIN pushjobs.outcomes o ON o.outcome_no = ANY (w.taken)
  LEFT JOIN pushjobs.jobs j ON j.id = o.job_id
 WHERE w.client_no = ANY (:clients)
 ORDER BY w.client_no, o.closed_at, o.outcome_no""")

# Whoever overran the promise and comes second finds another delivery, or writes what is as true as the other's word.
_SETTLE = statement("""
WITH told AS MATERIALIZED (
    SELECT w.client_no, w.taken, t.is_taken, t.wait
      FROM json_to_recordset(:told) AS t(client_no int, delivery uuid, is_taken boolean, wait float)
      JOIN pushjobs.webhooks w USING (client_no)
     WHERE w.delivery = t.delivery
     ORDER BY w.client_no FOR UPDATE OF w
), gone AS (
    DELETE FROM pushjobs.outcomes
     WHERE outcome_no = ANY (ARRAY(SELECT unnest(taken) FROM told WHERE is_taken)) RETURNING client_no
)
UPDATE pushjobs.webhooks w
   SET taken = CASE WHEN t.is_taken THEN '{}' ELSE w.taken END,
       delivery = CASE WHEN t.is_taken THEN NULL ELSE w.delivery END,
       attempts = CASE WHEN t.is_taken THEN 0 ELSE w.attempts END,
       try_at = clock_timestamp() + make_interval(secs => t.wait),
       told_at = CASE WHEN t.is_taken THEN now() ELSE w.told_at END,
       told = w.told + (SELECT count(*) FROM gone g WHERE g.client_no = w.client_no)
  FROM told t WHERE w.client_no = t.client_no""")

# A job may be settled by a statement that still saw the address.
_SWEEP = statement("""
DELETE FROM pushjobs.outcomes WHERE outcome_no = ANY (ARRAY(
    SELECT o.outcome_no FROM pushjobs.webhooks w CROSS JOIN LATERAL (
        SELECT outcome_no FROM pushjobs.outcomes WHERE client_no = w.client_no LIMIT :limit) o
     WHERE w.url IS NULL LIMIT :limit))""")


def lock_due(connection: Connection, *, limit: int) -> list[int]:
    """Take at most `limit` clients that something can be told, for this transaction; return their numbers."""
    return list(connection.execute(_LOCK_DUE, {"limit": limit}).scalars())


def lock_late(connection: Connection, *, after: float) -> list[int]:
    """Take the clients that did not take something in so many seconds, for this transaction; return their numbers."""
    return list(connection.execute(_LOCK_LATE, {"after": after}).scalars())


def give_up(connection: Connection, clients: Sequence[int], *, after: float, limit: int) -> Mapping[str, int]:
    """Delete at most `limit` outcomes of each of these clients that nobody took in so many seconds.

    Return how many, by the clients' ids.
    """
    values = {"clients": list(clients), "after": after, "limit": limit}
    return {row.id: row.outcomes for row in connection.execute(_GIVE_UP, values)}


def claim(connection: Connection, clients: Sequence[int], *, most: int, promise: float) -> list[Delivery]:
    """Take the next delivery of each of these clients, `most` outcomes at most; it is ours for `promise` seconds.

    The clients are locked before. One that nothing is left for is left out, and due again when the promise is over.
    """
    connection.execute(_CLAIM, {"clients": list(clients), "most": most, "promise": promise})
    rows: dict[int, list[Any]] = {}
    for row in connection.execute(_READ, {"clients": list(clients)}):
        rows.setdefault(row.client_no, []).append(row)
    return [_delivery(each) for each in rows.values()]


def settle(connection: Connection, told: Sequence[Told]) -> None:
    """Write what became of the attempts."""
    rows = [
        {"client_no": each.client_no, "delivery": str(each.delivery), "is_taken": each.is_taken, "wait": each.wait}
        for each in told
    ]
    connection.execute(_SETTLE, {"told": as_json(rows)})


def sweep(connection: Connection, *, limit: int) -> int:
    """Delete at most `limit` outcomes of clients that are told nothing any more; return how many."""
    return connection.execute(_SWEEP, {"limit": limit}).rowcount


def _delivery(rows: Sequence[Any]) -> Delivery:
    first = rows[0]
    return Delivery(
        client_no=first.client_no,
        client_id=first.client_id,
        delivery=first.delivery,
        url=first.url,
        sealed=bytes(first.sealed),
        attempts=first.attempts,
        outcomes=tuple(
            Outcome(
                job_id=row.job_id,
                reference=row.reference,
                state=JobState(row.state),
                reason=row.reason,
                errcode=row.errcode,
                closed_at=row.closed_at,
            )
            for row in rows
        ),
    )
