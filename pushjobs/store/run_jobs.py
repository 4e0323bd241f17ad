"""The jobs of a run: counted, swept when it was stopped, told apart when it is over.

They are found by their numbers, which lie between two bounds that the run's row keeps: no index is written for this.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from pushjobs.domain.campaign import RunState
from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.store.database import as_json, statement
from pushjobs.store.outcomes import note
from pushjobs.store.runs import Count, OpenRun, Run

__all__ = ["UnreachedJob", "count", "is_done", "keep_counts", "sweep", "unreached"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreachedJob:
    """A job of a run that ended without being sent."""

    job_id: int
    recipient: bytes = field(repr=False)
    sealed: bytes = field(repr=False)
    state: JobState
    reason: str | None
    errcode: int | None
    closed_at: datetime


# What waits is found in the claim's index, what is out in that of the leases: a run of a million whose jobs are all
# closed costs two looks.
_IS_DONE = statement(
    """
SELECT NOT EXISTS (SELECT FROM pushjobs.jobs j
                    WHERE j.state {release.sources} AND j.app_no = r.app_no AND j.lane = CAST(:lane AS pushjobs.lane)
                      AND j.template_no = r.template_no AND j.run_no = r.run_no)
   AND NOT EXISTS (SELECT FROM pushjobs.jobs j
                    WHERE j.state IN ('released', 'sending') AND j.app_no = r.app_no
                      AND j.lane = CAST(:lane AS pushjobs.lane) AND j.run_no = r.run_no)
  FROM pushjobs.runs r WHERE r.run_no = :run_no""",
    Transition.RELEASE,
)
_COUNT = statement("""
SELECT j.state, j.reason, count(*) AS jobs
  FROM pushjobs.runs r JOIN pushjobs.jobs j ON j.run_no = r.run_no AND j.id BETWEEN r.first_job AND r.last_job
 WHERE r.run_no = :run_no GROUP BY j.state, j.reason ORDER BY j.state, j.reason""")
_UNREACHED = statement("""
SELECT id, recipient, sealed, state, reason, errcode, closed_at FROM pushjobs.jobs
 WHERE id > :after AND id <= :last AND run_no = :run_no AND state::text = ANY (:states) AND sealed IS NOT NULL
 ORDER BY id LIMIT :limit""")
_KEEP_COUNTS = statement("""
UPDATE pushjobs.runs SET counts = CAST(:counts AS jsonb), counted_at = clock_timestamp() WHERE run_no = :run_no""")

# Locked in the order of ids (fine print 12.9). What somebody admits this moment is passed over and found by the next
# page of the next round: the gate ends it, or its call goes on.
_SWEEP = {
    transition: statement(
        f"""
WITH chosen AS MATERIALIZED (
    SELECT id FROM pushjobs.jobs
     WHERE id > :after AND id <= :last AND run_no = :run_no AND state {{{transition}.sources}}
     ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
), moved AS (
    UPDATE pushjobs.jobs j
       SET state = {{{transition}.target}}, reason = :reason, lease_until = NULL, closed_at = clock_timestamp()
     WHERE j.id = ANY (ARRAY(SELECT id FROM chosen))
 RETURNING j.id, j.release_no, j.state, j.reason, j.errcode, j.client_no, j.closed_at
), told AS (
    INSERT INTO pushjobs.job_history (job_id, release_no, transition, state, reason)
    SELECT id, release_no, :transition, state, reason FROM moved
), {note()}
SELECT max(id) AS last FROM moved""",  # noqa: S608 - words of ours, no input
        transition,
    )
    for transition in (Transition.CANCEL, Transition.REFUSE)
}


def is_done(connection: Connection, run: OpenRun) -> bool:
    """Whether every job of the run is closed."""
    return bool(connection.execute(_IS_DONE, {"run_no": run.run_no, "lane": run.policies.lane}).scalar_one())


def count(connection: Connection, run_no: int) -> list[Count]:
    """Count the run's jobs; it reads them all."""
    rows = connection.execute(_COUNT, {"run_no": run_no})
    return [
        Count(state=JobState(row.state), reason=None if row.reason is None else Reason(row.reason), jobs=row.jobs)
        for row in rows
    ]


def unreached(
    connection: Connection, run: Run, states: Sequence[JobState], *, after: int, limit: int
) -> list[UnreachedJob]:
    """Return a run's jobs that ended in these states, numbered behind `after`; forgotten users' are left out."""
    values = {"run_no": run.run_no, "after": after, "last": run.last_job or 0, "states": list(states), "limit": limit}
    return [
        UnreachedJob(
            job_id=row.id,
            recipient=bytes(row.recipient),
            sealed=bytes(row.sealed),
            state=JobState(row.state),
            reason=row.reason,
            errcode=row.errcode,
            closed_at=row.closed_at,
        )
        for row in connection.execute(_UNREACHED, values)
    ]


def keep_counts(connection: Connection, run_no: int, counts: Sequence[Count]) -> None:
    """Keep what was counted, for ever."""
    rows = [{"state": each.state, "reason": each.reason, "jobs": each.jobs} for each in counts]
    connection.execute(_KEEP_COUNTS, {"run_no": run_no, "counts": as_json(rows)})


def sweep(connection: Connection, run: Run, state: RunState, *, after: int, limit: int) -> int | None:
    """End at most `limit` of a stopped run's jobs that nobody has begun; return the last one's number, None: none."""
    ends = state.ends_jobs
    if ends is None or run.last_job is None:
        return None
    transition, reason = ends
    values = {"run_no": run.run_no, "after": after, "last": run.last_job, "limit": limit}
    row = connection.execute(_SWEEP[transition], {**values, "transition": transition, "reason": reason}).one()
    return None if row.last is None else int(row.last)
