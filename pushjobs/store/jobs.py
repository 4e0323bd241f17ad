"""Reading jobs, and the two changes their owners may make: cancel and reschedule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from pushjobs.domain.job import Job, JobId, JobState, Lane, Reason
from pushjobs.domain.lifecycle import Transition, sources
from pushjobs.domain.receipt import JobReceipt, ReceiptState
from pushjobs.store.database import statement
from pushjobs.store.outcomes import note
from pushjobs.store.tables import apps, clients, job_history, jobs, receipts, templates

__all__ = [
    "Filter",
    "Happening",
    "cancel",
    "cancel_matching",
    "count_by_state",
    "find",
    "get",
    "get_several",
    "history",
    "reschedule",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs are meant; what is None does not narrow. `before`: those with a lower number."""

    app_no: int | None = None
    reference: str | None = None
    recipient: bytes | None = None
    state: JobState | None = None
    template_id: str | None = None
    due_after: datetime | None = None
    due_before: datetime | None = None
    template_ids: tuple[str, ...] | None = None
    before: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the filter as SQL conditions."""
        equal = (
            (jobs.c.app_no, self.app_no),
            (jobs.c.reference, self.reference),
            (jobs.c.recipient, self.recipient),
            (jobs.c.state, self.state),
            (templates.c.template_id, self.template_id),
        )
        conditions = [column == value for column, value in equal if value is not None]
        if self.due_after is not None:
            conditions.append(jobs.c.due_at >= self.due_after)
        if self.due_before is not None:
            conditions.append(jobs.c.due_at < self.due_before)
        if self.template_ids is not None:
            conditions.append(templates.c.template_id.in_(self.template_ids))
        if self.before is not None:
            conditions.append(jobs.c.id < self.before)
        return conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One entry of a job's history: what happened to it beyond the happy path.

    `at`: when, in UTC; `release_no`: of which of its releases, from 1 (0: before the first); `transition`: which way it
    went, and `state`: where to; `reason`: why; `errcode`: WeChat's answer, None where there was none.
    """

    at: datetime
    release_no: int
    transition: Transition
    state: JobState
    reason: Reason | None
    errcode: int | None


_AT_ONCE = 1000

_JOB: Select[Any] = (
    select(
        jobs,
        apps.c.appid,
        templates.c.template_id,
        receipts.c.state.label("receipt"),
        receipts.c.errcode.label("receipt_errcode"),
        receipts.c.status.label("receipt_status"),
        receipts.c.at.label("receipt_at"),
        clients.c.name.label("client"),
    )
    .join(apps, jobs.c.app_no == apps.c.app_no)
    .join(templates, jobs.c.template_no == templates.c.template_no)
    .outerjoin(receipts, receipts.c.job_id == jobs.c.id)
    .outerjoin(clients, clients.c.client_no == jobs.c.client_no)
)

# Both lock in the order of ids, like every statement that locks several jobs (fine print 12.9).
_CANCEL = statement(
    """
WITH chosen AS MATERIALIZED (
    SELECT id FROM pushjobs.jobs WHERE id = ANY (:ids) AND state {cancel.sources} ORDER BY id FOR UPDATE
), moved AS (
    UPDATE pushjobs.jobs j
       SET state = {cancel.target}, reason = :reason, lease_until = NULL, closed_at = clock_timestamp()
      FROM chosen WHERE j.id = chosen.id AND j.state {cancel.sources}
 RETURNING j.id, j.release_no, j.state, j.reason, j.errcode, j.client_no, j.closed_at
), told AS (
    INSERT INTO pushjobs.job_history (job_id, release_no, transition, state, reason)
    SELECT id, release_no, 'cancel', state, reason FROM moved
), @outcomes
SELECT id FROM moved""".replace("@outcomes", note()),
    Transition.CANCEL,
)

# The release number rises, so that a message already on its way finds nothing when it arrives.
_RESCHEDULE = statement(
    """
WITH moved AS (
    UPDATE pushjobs.jobs
       SET state = {reschedule.target}, reason = :reason, lease_until = NULL, release_no = release_no + 1,
           planned_at = :planned_at, due_at = :planned_at, expires_at = :expires_at
     WHERE id = :id AND state {reschedule.sources}
 RETURNING id, release_no, state, reason
), told AS (
    INSERT INTO pushjobs.job_history (job_id, release_no, transition, state, reason)
    SELECT id, release_no, 'reschedule', state, reason FROM moved
)
SELECT id FROM moved""",
    Transition.RESCHEDULE,
)

_COUNT = statement("SELECT state, count(*) AS jobs FROM pushjobs.jobs WHERE app_no = :app_no GROUP BY state")


def get(connection: Connection, job_id: JobId) -> Job | None:
    """Return one job, or None."""
    row = connection.execute(_JOB.where(jobs.c.id == job_id)).one_or_none()
    return None if row is None else _job(row)


def get_several(connection: Connection, ids: Sequence[JobId]) -> dict[JobId, Job]:
    """Return those of the jobs that are there, by their numbers."""
    return {JobId(row.id): _job(row) for row in connection.execute(_JOB.where(jobs.c.id.in_(ids)))}


def find(connection: Connection, wanted: Filter, limit: int) -> list[Job]:
    """Return the newest jobs that match, at most `limit`."""
    rows = connection.execute(_JOB.where(*wanted.conditions()).order_by(jobs.c.id.desc()).limit(limit))
    return [_job(row) for row in rows]


def cancel(connection: Connection, ids: Sequence[JobId]) -> set[JobId]:
    """Cancel those of the jobs that nobody has begun to send; return which."""
    rows = connection.execute(_CANCEL, {"ids": list(ids), "reason": Reason.REQUESTED})
    return {JobId(number) for number in rows.scalars()}


def cancel_matching(connection: Connection, wanted: Filter) -> int:
    """Cancel every job that matches and that nobody has begun to send; return how many."""
    open_states = jobs.c.state.in_(sources(Transition.CANCEL))
    chosen = select(jobs.c.id).join(templates, jobs.c.template_no == templates.c.template_no)
    chosen = chosen.where(open_states, *wanted.conditions()).order_by(jobs.c.id).limit(_AT_ONCE)
    cancelled = 0
    while ids := list(connection.execute(chosen).scalars()):
        cancelled += len(cancel(connection, ids))
    return cancelled


def reschedule(connection: Connection, job_id: JobId, *, planned_at: datetime, expires_at: datetime) -> bool:
    """Move a job that nobody has begun to send to another time; tell whether that was possible."""
    values = {"id": job_id, "planned_at": planned_at, "expires_at": expires_at, "reason": Reason.REQUESTED}
    return connection.execute(_RESCHEDULE, values).one_or_none() is not None


def history(connection: Connection, job_id: JobId) -> list[Happening]:
    """Return what happened to a job beyond the happy path, oldest first."""
    rows = connection.execute(
        select(job_history).where(job_history.c.job_id == job_id).order_by(job_history.c.entry_no)
    )
    return [
        Happening(
            at=row.at,
            release_no=row.release_no,
            transition=Transition(row.transition),
            state=row.state,
            reason=Reason(row.reason) if row.reason else None,
            errcode=row.errcode,
        )
        for row in rows
    ]


def count_by_state(connection: Connection, app_no: int) -> Mapping[JobState, int]:
    """Return how many of an app's jobs are in each state; states without jobs are there with 0."""
    counted = {row.state: row.jobs for row in connection.execute(_COUNT, {"app_no": app_no})}
    return {state: counted.get(state, 0) for state in JobState}


def _job(row: Row[Any]) -> Job:
    return Job(
        id=JobId(row.id),
        appid=row.appid,
        template_id=row.template_id,
        state=row.state,
        lane=Lane(row.lane),
        time=row.planned_at,
        due_at=row.due_at,
        expires=row.expires_at,
        attempts=row.attempts,
        reason=Reason(row.reason) if row.reason else None,
        errcode=row.errcode,
        msgid=row.msgid,
        reference=row.reference,
        created_at=row.created_at,
        called_at=row.called_at,
        closed_at=row.closed_at,
        receipt=_receipt(row),
        client=row.client,
        is_forgotten=row.sealed is None,
    )


def _receipt(row: Row[Any]) -> JobReceipt | None:
    if row.receipt is None:
        return None
    return JobReceipt(
        state=ReceiptState(row.receipt), errcode=row.receipt_errcode, status=row.receipt_status, at=row.receipt_at
    )
