"""Claiming due jobs, counting what is out, and taking back what nobody holds any more."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause

from pushjobs.domain.job import JobId, JobState, Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.settings import LEASE_SECONDS
from pushjobs.store.database import statement
from pushjobs.store.minutes import NOT_DRAINED, tally
from pushjobs.store.outcomes import note

__all__ = [
    "Bucket",
    "Load",
    "Released",
    "Rescued",
    "buckets",
    "claim",
    "load",
    "lock",
    "others_wait",
    "renew",
    "rescue",
]


@dataclass(frozen=True, slots=True)
class Bucket:
    """What claims run by: one app's one lane."""

    app_no: int
    lane: Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A job just claimed. `due_in`: seconds from the database's now to its moment; negative when overdue."""

    id: JobId
    release_no: int
    due_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How a bucket drains: jobs `released` now, and jobs settled over the last `DRAIN_WINDOW` seconds."""

    outstanding: int
    settled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescued:
    """A job taken back from a worker whose lease ran out, and what its call was charged to, if it was being sent."""

    id: JobId
    state: JobState
    app_no: int
    recipient: bytes
    template_no: int
    charged_day: date | None
    credit_held: bool


class _Source(NamedTuple):
    """What a bucket's jobs are told apart by in the claim's index: a template, and a campaign's run or 0."""

    template_no: int
    run_no: int


DRAIN_WINDOW = 5.0
"""Seconds over which back-pressure looks at what was settled (fine print 12.8)."""

_BUCKETS = statement("SELECT app_no FROM pushjobs.apps ORDER BY app_no")

# Two ticks at once (two beats, or a tick that took long): the second finds the bucket locked and leaves it alone.
# The lock ends with the transaction. `classid` keeps our locks apart from other uses of the database.
_LOCK = statement("SELECT pg_try_advisory_xact_lock(:classid, :bucket)")
_CLASSID = 0x70757368  # "push"

# What has work, found by stepping through the index from one template and run to the next: one look for each step, and
# one for each source that is not held. A subquery in place of EXISTS, which the planner may turn into a join with
# everything that is due. Jobs of a run that is not open, or is paused, are not looked at: they keep their moments.
_WITH_WORK = statement(
    """
WITH RECURSIVE sources AS (
    (SELECT template_no, run_no FROM pushjobs.jobs
      WHERE state {release.sources} AND app_no = :app_no AND lane = :lane
      ORDER BY template_no, run_no LIMIT 1)
    UNION ALL
    SELECT n.template_no, n.run_no FROM sources s, LATERAL (
        SELECT template_no, run_no FROM pushjobs.jobs
         WHERE state {release.sources} AND app_no = :app_no AND lane = :lane
           AND (template_no, run_no) > (s.template_no, s.run_no)
         ORDER BY template_no, run_no LIMIT 1) AS n
)
SELECT s.template_no, s.run_no FROM sources s LEFT JOIN pushjobs.runs r ON r.run_no = s.run_no
 WHERE s.template_no <> ALL (:paused)
   AND (s.run_no = 0 OR r.state IN ('open', 'finished') AND r.paused_at IS NULL)
   AND (SELECT true FROM pushjobs.jobs j
         WHERE j.state {release.sources} AND j.app_no = :app_no AND j.lane = :lane AND j.template_no = s.template_no
           AND j.run_no = s.run_no AND j.due_at <= now() + make_interval(secs => :lookahead)
         ORDER BY j.due_at LIMIT 1)
 ORDER BY s.template_no, s.run_no""",
    Transition.RELEASE,
)

# A branch for each source, with a limit of its own: told how few rows are wanted, the planner reads them in the index's
# order, and never reads and sorts everything that is due. SKIP LOCKED wins the race against a cancel or a reschedule
# that holds a row just now: its owner goes first, and the next tick sees what became of it.
_OF_SOURCE = """
    SELECT id, template_no, run_no, due_at FROM (
        SELECT id, template_no, run_no, due_at FROM pushjobs.jobs
         WHERE state {{release.sources}} AND app_no = :app_no AND lane = :lane AND template_no = :template_{index}
           AND run_no = :run_{index} AND due_at <= now() + make_interval(secs => :lookahead)
         ORDER BY due_at, id LIMIT {limit}) AS of_{index}"""

# Merged in the order of moments: each branch is read no further than it counts.
_SHARES = """
SELECT template_no, run_no, count(*) AS jobs
  FROM (SELECT template_no, run_no FROM ({branches}) AS merged ORDER BY due_at, id LIMIT :limit) AS soonest
 GROUP BY template_no, run_no"""

# Written as an array, which the planner takes for a few rows: it finds them by their key, whatever it believes of the
# table. The clock is read once for all, or jobs due together would come in any order.
_CLAIM = """
WITH due AS MATERIALIZED ({branches})
UPDATE pushjobs.jobs j
   SET state = {{release.target}}, release_no = j.release_no + 1, reason = NULL,
       lease_until = greatest(j.due_at, now()) + make_interval(secs => :lease)
 WHERE j.id = ANY (ARRAY(SELECT id FROM due))
RETURNING j.id, j.release_no, extract(epoch FROM j.due_at - (SELECT clock_timestamp()))::float AS due_in"""

_LOAD = statement(
    """
SELECT (SELECT count(*) FROM pushjobs.jobs
         WHERE state IN ('released', 'sending') AND state {admit.sources} AND app_no = :app_no AND lane = :lane)
           AS outstanding,
       (SELECT coalesce(sum(jobs), 0) FROM pushjobs.settlements
         WHERE at > now() - make_interval(secs => :window) AND app_no = :app_no AND lane = :lane
           AND transition NOT IN (@not_drained)) AS settled""".replace("@not_drained", NOT_DRAINED),
    Transition.ADMIT,
)

_OTHERS_WAIT = statement(
    """
SELECT EXISTS (SELECT FROM pushjobs.jobs
                WHERE state IN ('released', 'sending') AND state {admit.sources} AND app_no <> :app_no AND lane = :lane
                  AND lease_until > now() AND due_at <= now())""",
    Transition.ADMIT,
)

# A starting task renews the leases that are about to run out; fresh ones, the usual case, are left unwritten.
_RENEW = statement(
    """
WITH old AS MATERIALIZED (
    SELECT id FROM pushjobs.jobs
     WHERE id = ANY (CAST(:ids AS bigint[])) AND state::text {admit.sources}
       AND lease_until < now() + make_interval(secs => :lease / 2)
     ORDER BY id FOR UPDATE
)
UPDATE pushjobs.jobs j SET lease_until = now() + make_interval(secs => :lease)
  FROM old WHERE j.id = old.id AND j.state::text {admit.sources}""",
    Transition.ADMIT,
)

# What was released and not admitted goes back, untouched; what was being sent is in doubt, for nobody knows how far
# its call got. SKIP LOCKED: a worker that is settling late but at this very moment wins.
_RESCUE = statement(
    """
WITH lost AS MATERIALIZED (
    SELECT id, state FROM pushjobs.jobs
     WHERE state IN ('released', 'sending') AND lease_until < now()
     ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
), moved AS (
    UPDATE pushjobs.jobs j
       SET state = CASE WHEN lost.state {give_back.sources} THEN {give_back.target}::pushjobs.job_state
                        ELSE {doubt.target} END,
           reason = CASE WHEN lost.state {give_back.sources} THEN :lease_expired ELSE :unknown END,
           attempts = j.attempts + (lost.state {doubt.sources})::int,
           closed_at = CASE WHEN lost.state {doubt.sources} THEN clock_timestamp() END,
           lease_until = NULL
      FROM lost WHERE j.id = lost.id
 RETURNING j.id, j.release_no, j.state, j.reason, j.app_no, j.recipient, j.template_no, j.charged_day, j.credit_held,
           j.errcode, j.client_no, j.closed_at, j.lane, NULL::float AS late,
           CASE WHEN j.state = {doubt.target} THEN 'doubt' ELSE 'give_back' END AS transition
), told AS (
    INSERT INTO pushjobs.job_history (job_id, release_no, transition, state, reason)
    SELECT id, release_no, transition, state, reason FROM moved
), @outcomes, @tallied
SELECT id, state, app_no, recipient, template_no, charged_day, credit_held FROM moved""".replace(
        "@outcomes", note()
    ).replace("@tallied", tally()),
    Transition.GIVE_BACK,
    Transition.DOUBT,
)


def buckets(connection: Connection) -> list[Bucket]:
    """Return every app's every lane, urgent first."""
    apps = list(connection.execute(_BUCKETS).scalars())
    return [Bucket(app_no, lane) for lane in (Lane.URGENT, Lane.BULK) for app_no in apps]


def lock(connection: Connection, bucket: Bucket) -> bool:
    """Take the bucket for this transaction; False when another tick is at it."""
    number = bucket.app_no * len(Lane) + list(Lane).index(bucket.lane)
    return bool(connection.execute(_LOCK, {"classid": _CLASSID, "bucket": number}).scalar_one())


def load(connection: Connection, bucket: Bucket) -> Load:
    """Measure how the bucket drains."""
    values = {"app_no": bucket.app_no, "lane": bucket.lane, "window": DRAIN_WINDOW}
    row = connection.execute(_LOAD, values).one()
    return Load(outstanding=row.outstanding, settled=int(row.settled))


def others_wait(connection: Connection, bucket: Bucket) -> bool:
    """Whether jobs of other apps in the same lane are released and due."""
    return bool(connection.execute(_OTHERS_WAIT, {"app_no": bucket.app_no, "lane": bucket.lane}).scalar_one())


def claim(
    connection: Connection, bucket: Bucket, *, limit: int, lookahead: float, paused: Collection[int] = ()
) -> list[Released]:
    """Release the bucket's jobs that fall due within `lookahead` seconds, at most `limit`, soonest first.

    Those of the templates `paused`, and of runs that are held, are not looked at, however many are due; they keep their
    moments.
    """
    values = {"app_no": bucket.app_no, "lane": bucket.lane, "lookahead": lookahead}
    rows = connection.execute(_WITH_WORK, {**values, "paused": list(paused)})
    shares = _shares(connection, values, [_Source(row.template_no, row.run_no) for row in rows], limit)
    if not shares:
        return []
    limits = {f"limit_{index}": jobs for index, jobs in enumerate(shares.values())}
    claimed = connection.execute(_claim(len(shares)), {**values, **_numbered(shares), **limits, "lease": LEASE_SECONDS})
    released = [Released(id=JobId(row.id), release_no=row.release_no, due_in=row.due_in) for row in claimed]
    return sorted(released, key=lambda job: (job.due_in, job.id))


def renew(connection: Connection, ids: Sequence[JobId]) -> None:
    """Prolong the leases of released jobs that are past their half."""
    # As a literal: the driver takes longer to write a list than the database to read it.
    literal = "{" + ",".join(map(str, ids)) + "}"
    connection.execute(_RENEW, {"ids": literal, "lease": LEASE_SECONDS})


def rescue(connection: Connection, *, limit: int) -> list[Rescued]:
    """Take back at most `limit` jobs whose lease ran out, and say what became of each."""
    rows = connection.execute(
        _RESCUE, {"limit": limit, "lease_expired": Reason.LEASE_EXPIRED, "unknown": Reason.UNKNOWN_OUTCOME}
    )
    return [
        Rescued(
            id=JobId(row.id),
            state=JobState(row.state),
            app_no=row.app_no,
            recipient=bytes(row.recipient),
            template_no=row.template_no,
            charged_day=row.charged_day,
            credit_held=row.credit_held,
        )
        for row in rows
    ]


def _shares(
    connection: Connection, values: Mapping[str, Any], with_work: Sequence[_Source], limit: int
) -> Mapping[_Source, int]:
    """Return how many of the bucket's soonest `limit` jobs are of which source."""
    if len(with_work) < 2:  # noqa: PLR2004 - nothing to share
        return dict.fromkeys(with_work, limit)
    rows = connection.execute(_sharing(len(with_work)), {**values, **_numbered(with_work), "limit": limit})
    return {_Source(row.template_no, row.run_no): row.jobs for row in rows}


def _numbered(sources: Iterable[_Source]) -> Mapping[str, int]:
    numbered = {}
    for index, source in enumerate(sources):
        numbered[f"template_{index}"] = source.template_no
        numbered[f"run_{index}"] = source.run_no
    return numbered


@cache
def _sharing(sources: int) -> TextClause:
    return _written(_SHARES, (_OF_SOURCE.format(index=index, limit=":limit") for index in range(sources)))


@cache
def _claim(sources: int) -> TextClause:
    limits = (f":limit_{index} FOR UPDATE SKIP LOCKED" for index in range(sources))
    return _written(_CLAIM, (_OF_SOURCE.format(index=index, limit=limit) for index, limit in enumerate(limits)))


def _written(sql: str, branches: Iterable[str]) -> TextClause:
    """Write a statement with a branch for each source that has work at once: few, and mostly one."""
    return statement(sql.format(branches="\n    UNION ALL".join(branches)), Transition.RELEASE)
