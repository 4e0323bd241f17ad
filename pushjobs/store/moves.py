"""The one statement by which workers change states: many jobs at once, each fenced by its release number.

A move applies only to a row that still is in a state the lifecycle allows, under the release number the mover holds.
Whoever comes late (a duplicate of the message, a worker that slept, an answer after a rescue and a new release)
matches nothing and changes nothing; the caller learns which moves took hold and acts only on those.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.hot_value import hot_value
from pushjobs.domain.job import JobId, JobState, Reason
from pushjobs.domain.lifecycle import Transition, sources, target
from pushjobs.store.database import as_json, hot_statement, statement
from pushjobs.store.minutes import tally
from pushjobs.store.outcomes import note

__all__ = ["Move", "apply", "note_late"]


@hot_value
class Move:
    """One job's change of state, under one release number.

    `due_in`: seconds from the database's now to the next try; one beyond the deadline becomes the deadline, where the
    job expires and its owner hears of it. `called_ago`: seconds since the call left. `counts`: whether the attempt
    counts. A job that will not be sent carries no charge any more.
    """

    id: JobId
    release_no: int
    transition: Transition
    reason: Reason | None = None
    errcode: int | None = None
    msgid: int | None = None
    due_in: float | None = None
    called_ago: float | None = None
    counts: bool = False


# Rows are locked in the order of their ids by everyone who locks several (fine print 12.9): no deadlocks among movers.
# `closed_at` and `lease_until` follow from the target state; the table's checks hold them to it.
# A doubt has counted its attempt; a late answer to it does not count it again. A call is late from the moment that was
# meant, which a deferral replaces.
_APPLY = hot_statement(
    """
WITH moves AS (
    SELECT * FROM json_to_recordset(:moves) AS m(
        id bigint, release_no int, transition text, sources text, target text, reason text, errcode int,
        msgid bigint, due_in float, called_ago float, counts int)
), locked AS MATERIALIZED (
    SELECT j.id, j.state AS was, j.due_at AS was_due FROM pushjobs.jobs j JOIN moves m USING (id)
     WHERE j.release_no = m.release_no AND j.state = ANY (m.sources::pushjobs.job_state[])
     ORDER BY j.id FOR UPDATE OF j
), moved AS (
    UPDATE pushjobs.jobs j
       SET state = m.target::pushjobs.job_state,
           reason = m.reason,
           errcode = m.errcode,
           msgid = coalesce(m.msgid, j.msgid),
           attempts = j.attempts + coalesce(m.counts, 0) - (j.state = {doubt.target})::int,
           due_at = CASE WHEN m.due_in IS NULL THEN j.due_at
                         ELSE least(clock_timestamp() + make_interval(secs => m.due_in), j.expires_at) END,
           lease_until = NULL,
           charged_day = CASE WHEN m.target IN ('sent', 'in_doubt') THEN j.charged_day END,
           credit_held = m.target IN ('sent', 'in_doubt') AND j.credit_held,
           called_at = coalesce(clock_timestamp() - make_interval(secs => m.called_ago), j.called_at),
           closed_at = CASE WHEN m.target NOT IN ('scheduled', 'released', 'sending') THEN clock_timestamp() END
      FROM moves m JOIN locked l USING (id)
     WHERE j.id = m.id
 RETURNING j.id, l.was, m.release_no, m.transition, j.state, m.reason, m.errcode, j.client_no, j.closed_at,
           j.app_no, j.lane, j.template_no,
           CASE WHEN m.called_ago IS NOT NULL THEN greatest(0, extract(epoch FROM j.called_at - l.was_due))::float END
               AS late
), told AS (
    INSERT INTO pushjobs.job_history (job_id, release_no, transition, state, reason, errcode)
    SELECT id, release_no, transition, state, reason, errcode FROM moved WHERE reason IS NOT NULL
), @outcomes, @tallied
SELECT id, was FROM moved""".replace("@outcomes", note()).replace("@tallied", tally()),
    Transition.DOUBT,
    columns=("id", "was"),
)

_LATE = statement("""
INSERT INTO pushjobs.job_history (job_id, release_no, transition, state, reason, errcode)
SELECT j.id, m.release_no, m.transition, j.state, :reason, m.errcode
  FROM json_to_recordset(:moves) AS m(id bigint, release_no int, transition text, errcode int)
  JOIN pushjobs.jobs j USING (id)""")


def apply(connection: Connection, moves: Sequence[Move]) -> dict[JobId, JobState]:
    """Make the moves that are still valid; return their jobs and the state each was in.

    A move with a reason enters the history.
    """
    if not moves:
        return {}
    rows = connection.execute(_APPLY, {"moves": as_json([_row(move) for move in moves])}).all()
    return {job_id: _STATES[was] for job_id, was in rows}


def note_late(connection: Connection, moves: Sequence[Move]) -> None:
    """Enter in the history what came too late to change anything."""
    if moves:
        connection.execute(_LATE, {"moves": as_json([_row(move) for move in moves]), "reason": Reason.LATE_ANSWER})


# What a transition says of every move of its kind, in SQL's words.
_WORDS = {
    each: {
        "transition": each.value,
        "sources": "{" + ",".join(sources(each)) + "}",
        "target": target(each).value,
    }
    for each in Transition
}
_STATES = {each.value: each for each in JobState}
_OWN = ("reason", "errcode", "msgid", "due_in", "called_ago")


def _row(move: Move) -> dict[str, Any]:
    """Write a move without what it leaves out: absent keys are NULL to PostgreSQL, and a slice has a hundred moves."""
    row = {"id": move.id, "release_no": move.release_no, **_WORDS[move.transition]}
    for name in _OWN:
        value = getattr(move, name)
        if value is not None:
            row[name] = value
    if move.counts:
        row["counts"] = 1
    return row
