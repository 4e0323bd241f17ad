"""What an operator's word changes: dead jobs replayed, doubts resolved.

Every statement takes many jobs, locks them in the order of their ids and changes only those that are in a state the
lifecycle allows; what is to be sent again must still have its message. What a call in doubt was charged goes back in
the same transaction when it is sent again, in the one order of locks (fine print 12.9): jobs, recipients, consents,
templates' days. Whoever changes more than a page's worth takes a transaction a page: a second page's jobs would be
locked behind the first one's recipients.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from pushjobs.domain.backoff import MAX_ATTEMPTS
from pushjobs.domain.job import JobId, Reason
from pushjobs.domain.lifecycle import Transition, sources, target
from pushjobs.store.database import as_json, statement
from pushjobs.store.jobs import Filter
from pushjobs.store.outcomes import note
from pushjobs.store.tables import jobs, templates

__all__ = [
    "SEND_AGAIN_SECONDS",
    "confirm",
    "lock_resendable",
    "matching",
    "replay",
    "send_again",
]

SEND_AGAIN_SECONDS = 60.0
"""How long an answer that is late may still settle a doubt, before the message is sent again (fine print 12.3)."""

# A deadline that has passed stays unless another is given: the job would only expire.
_REPLAY = statement(
    """
WITH chosen AS MATERIALIZED (
    SELECT id FROM pushjobs.jobs
     WHERE id = ANY (:ids) AND state {replay.sources} AND sealed IS NOT NULL
       AND (CAST(:expires_at AS timestamptz) IS NOT NULL OR expires_at > now())
     ORDER BY id FOR UPDATE
), moved AS (
    UPDATE pushjobs.jobs j
       SET state = {replay.target}, reason = :reason, errcode = NULL, attempts = 0, due_at = clock_timestamp(),
           expires_at = coalesce(CAST(:expires_at AS timestamptz), j.expires_at), closed_at = NULL
      FROM chosen WHERE j.id = chosen.id
 RETURNING j.id, j.release_no, j.state, j.reason
), told AS (
    INSERT INTO pushjobs.job_history (job_id, release_no, transition, state, reason)
    SELECT id, release_no, 'replay', state, reason FROM moved
)
SELECT id FROM moved""",
    Transition.REPLAY,
)

_CONFIRM = statement(
    """
WITH chosen AS MATERIALIZED (
    SELECT id FROM pushjobs.jobs WHERE id = ANY (:ids) AND state {confirm.sources} ORDER BY id FOR UPDATE
), moved AS (
    UPDATE pushjobs.jobs j SET state = {confirm.target}, reason = :reason, closed_at = clock_timestamp()
      FROM chosen WHERE j.id = chosen.id
 RETURNING j.id, j.release_no, j.state, j.reason, j.errcode, j.client_no, j.closed_at
), told AS (
    INSERT INTO pushjobs.job_history (job_id, release_no, transition, state, reason)
    SELECT id, release_no, 'confirm', state, reason FROM moved
), @outcomes
SELECT id FROM moved""".replace("@outcomes", note()),
    Transition.CONFIRM,
)

# The attempts stay counted: a template that accepts repeats must not repeat for ever.
_SEND_AGAIN = statement(
    """
WITH chosen AS MATERIALIZED (
    SELECT id, charged_day, credit_held FROM pushjobs.jobs
     WHERE id = ANY (:ids) AND state {send_again.sources} AND sealed IS NOT NULL
       AND (CAST(:expires_at AS timestamptz) IS NOT NULL OR expires_at > now() + make_interval(secs => :wait))
     ORDER BY id FOR UPDATE
), moved AS (
    UPDATE pushjobs.jobs j
       SET state = {send_again.target}, reason = :reason, errcode = NULL,
           due_at = clock_timestamp() + make_interval(secs => :wait),
           expires_at = coalesce(CAST(:expires_at AS timestamptz), j.expires_at), closed_at = NULL,
           charged_day = NULL, credit_held = false
      FROM chosen c WHERE j.id = c.id
 RETURNING j.id, j.release_no, j.state, j.reason, j.app_no, j.recipient, j.template_no, c.charged_day, c.credit_held
), told AS (
    INSERT INTO pushjobs.job_history (job_id, release_no, transition, state, reason)
    SELECT id, release_no, 'send_again', state, reason FROM moved
)
SELECT id, app_no, recipient, template_no, charged_day, credit_held FROM moved""",
    Transition.SEND_AGAIN,
)

# Not `recipients.settle`: that ends a call, and another job of the same user may be in mid-call just now.
_RETURN_PLACES = statement("""
WITH back AS (
    SELECT b.app_no, decode(b.recipient, 'hex') AS recipient, b.day, b.places
      FROM json_to_recordset(:back) AS b(app_no smallint, recipient text, day date, places int)
), locked AS MATERIALIZED (
    SELECT r.app_no, r.recipient FROM pushjobs.recipients r JOIN back USING (app_no, recipient)
     ORDER BY r.app_no, r.recipient FOR UPDATE OF r
)
UPDATE pushjobs.recipients r SET sent = greatest(r.sent - b.places, 0)
  FROM back b
 WHERE r.app_no = b.app_no AND r.recipient = b.recipient AND r.quota_day = b.day
   AND (r.app_no, r.recipient) IN (SELECT app_no, recipient FROM locked)""")

_RETURN_CREDITS = statement("""
WITH back AS (
    SELECT b.app_no, decode(b.recipient, 'hex') AS recipient, b.template_no, b.places
      FROM json_to_recordset(:back) AS b(app_no smallint, recipient text, template_no int, places int)
), locked AS MATERIALIZED (
    SELECT c.app_no, c.recipient, c.template_no
      FROM pushjobs.consents c JOIN back USING (app_no, recipient, template_no)
     ORDER BY c.app_no, c.recipient, c.template_no FOR UPDATE OF c
)
UPDATE pushjobs.consents c SET credits = c.credits + b.places
  FROM back b
 WHERE c.app_no = b.app_no AND c.recipient = b.recipient AND c.template_no = b.template_no
   AND (c.app_no, c.recipient, c.template_no) IN (SELECT app_no, recipient, template_no FROM locked)""")

_RETURN_TEMPLATE_PLACES = statement("""
WITH back AS (
    SELECT b.app_no, decode(b.recipient, 'hex') AS recipient, b.template_no, b.day, b.places
      FROM json_to_recordset(:back) AS b(app_no smallint, recipient text, template_no int, day date, places int)
), locked AS MATERIALIZED (
    SELECT d.app_no, d.recipient, d.template_no
      FROM pushjobs.template_days d JOIN back USING (app_no, recipient, template_no)
     ORDER BY d.app_no, d.recipient, d.template_no FOR UPDATE OF d
)
UPDATE pushjobs.template_days d SET used = greatest(d.used - b.places, 0)
  FROM back b
 WHERE d.app_no = b.app_no AND d.recipient = b.recipient AND d.template_no = b.template_no AND d.quota_day = b.day
   AND (d.app_no, d.recipient, d.template_no) IN (SELECT app_no, recipient, template_no FROM locked)""")

# While no template accepts repeats, which is the rule, EXISTS ends it before a single doubt is read. SKIP LOCKED: an
# answer that is settling at this very moment wins.
_RESENDABLE = statement(
    """
SELECT id FROM pushjobs.jobs
 WHERE state {send_again.sources}
   AND EXISTS (SELECT FROM pushjobs.templates WHERE in_doubt = 'resend')
   AND template_no IN (SELECT template_no FROM pushjobs.templates WHERE in_doubt = 'resend')
   AND closed_at < now() - make_interval(secs => :wait) AND expires_at > now() AND attempts < :most
   AND sealed IS NOT NULL
 ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED""",
    Transition.SEND_AGAIN,
)


def matching(
    connection: Connection, wanted: Filter, transition: Transition, *, after: JobId, limit: int
) -> list[JobId]:
    """Return at most `limit` jobs that match and that the transition applies to, by id, behind the job `after`.

    Where it leads to another call, forgotten ones are left out.
    """
    # As a literal: the planner proves a partial index's predicate from nothing else.
    states = bindparam("states", sources(transition), expanding=True, literal_execute=True, type_=jobs.c.state.type)
    chosen = select(jobs.c.id).join(templates, jobs.c.template_no == templates.c.template_no)
    chosen = chosen.where(jobs.c.state.in_(states), jobs.c.id > after, *wanted.conditions())
    if not target(transition).is_final:
        chosen = chosen.where(jobs.c.sealed.is_not(None))
    return [JobId(number) for number in connection.execute(chosen.order_by(jobs.c.id).limit(limit)).scalars()]


def replay(connection: Connection, ids: Sequence[JobId], *, expires_at: datetime | None) -> set[JobId]:
    """Schedule dead jobs again, due now and with all their attempts; return which.

    One whose deadline has passed stays dead unless `expires_at` gives it another.
    """
    values = {"ids": list(ids), "expires_at": expires_at, "reason": Reason.REPLAYED}
    return {JobId(number) for number in connection.execute(_REPLAY, values).scalars()}


def confirm(connection: Connection, ids: Sequence[JobId]) -> set[JobId]:
    """Write jobs in doubt down as sent, their charges as used; return which."""
    rows = connection.execute(_CONFIRM, {"ids": list(ids), "reason": Reason.RESOLVED})
    return {JobId(number) for number in rows.scalars()}


def send_again(
    connection: Connection, ids: Sequence[JobId], *, reason: Reason, wait: float, expires_at: datetime | None = None
) -> set[JobId]:
    """Schedule jobs in doubt again, `wait` seconds from now, and give back what they were charged; return which.

    One whose deadline comes before that stays in doubt unless `expires_at` gives it another.
    """
    values = {"ids": list(ids), "expires_at": expires_at, "reason": reason, "wait": wait}
    moved = list(connection.execute(_SEND_AGAIN, values))
    _give_back(connection, [row for row in moved if row.charged_day is not None])
    return {JobId(row.id) for row in moved}


def lock_resendable(connection: Connection, *, limit: int) -> list[JobId]:
    """Lock and return doubts that are old enough, of templates that accept repeats, with attempts and time left."""
    values = {"wait": SEND_AGAIN_SECONDS, "most": MAX_ATTEMPTS, "limit": limit}
    return [JobId(number) for number in connection.execute(_RESENDABLE, values).scalars()]


def _give_back(connection: Connection, charged: Sequence[Any]) -> None:
    places = Counter((row.app_no, bytes(row.recipient).hex(), row.charged_day) for row in charged)
    _return(connection, _RETURN_PLACES, ("app_no", "recipient", "day"), places)
    held = [row for row in charged if row.credit_held]
    credits_ = Counter((row.app_no, bytes(row.recipient).hex(), row.template_no) for row in held)
    _return(connection, _RETURN_CREDITS, ("app_no", "recipient", "template_no"), credits_)
    days = Counter((row.app_no, bytes(row.recipient).hex(), row.template_no, row.charged_day) for row in charged)
    _return(connection, _RETURN_TEMPLATE_PLACES, ("app_no", "recipient", "template_no", "day"), days)


def _return(connection: Connection, sql: Any, names: Iterable[str], counted: Counter[tuple[Any, ...]]) -> None:  # noqa: ANN401 - a statement
    if counted:
        rows = [dict(zip(names, key, strict=True)) | {"places": places} for key, places in counted.items()]
        connection.execute(sql, {"back": as_json(rows)})
