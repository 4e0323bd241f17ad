"""What answers about jobs hold; as `answers`, of which they are a part."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pushjobs import inspection
from pushjobs.domain import job as jobs
from pushjobs.domain.job import JobState, Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.receipt import ReceiptState
from pushjobs.domain.rule import Rule
from pushjobs.store.jobs import Happening as StoredHappening

__all__ = ["BatchReport", "Cancelled", "Happening", "History", "Job", "JobPage", "RowError", "Why"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What WeChat told of a message after it was sent."""

    state: ReceiptState
    errcode: int | None
    status: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One push to one user at one time.

    `time` is the moment that was asked for, `due_at` the moment it is tried next. `errcode` is WeChat's last answer,
    `msgid` WeChat's number of the message, a text because it may be too long for JavaScript. Recipient and content are
    not part of it: they stay sealed, and are gone where `is_forgotten`.
    """

    id: int
    appid: str
    template_id: str
    state: JobState
    lane: Lane
    time: datetime
    due_at: datetime
    expires: datetime
    attempts: int
    reason: Reason | None
    errcode: int | None
    msgid: str | None
    reference: str | None
    client: str | None
    created_at: datetime
    called_at: datetime | None
    closed_at: datetime | None
    receipt: Receipt | None
    is_forgotten: bool

    @classmethod
    def of(cls, job: jobs.Job) -> "Job":
        """Show a job."""
        receipt = job.receipt
        return cls(
            id=job.id,
            appid=job.appid,
            template_id=job.template_id,
            state=job.state,
            lane=job.lane,
            time=job.time,
            due_at=job.due_at,
            expires=job.expires,
            attempts=job.attempts,
            reason=job.reason,
            errcode=job.errcode,
            msgid=None if job.msgid is None else str(job.msgid),
            reference=job.reference,
            client=job.client,
            created_at=job.created_at,
            called_at=job.called_at,
            closed_at=job.closed_at,
            receipt=None
            if receipt is None
            else Receipt(state=receipt.state, errcode=receipt.errcode, status=receipt.status, at=receipt.at),
            is_forgotten=job.is_forgotten,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Jobs, the newest first; `next` is the cursor of the page after it, null on the last."""

    jobs: Sequence[Job]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """A row of a batch that was refused: its place in `jobs`, counted from 0, and field, fault and rule."""

    row: int
    field: str
    fault: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What became of a batch. `ids` has the job of each row, in the order of the rows, null for one that was refused.

    `accepted` jobs are new; `known` ones were made before, by the same idempotency keys.
    """

    accepted: int
    known: int
    rejected: int
    ids: Sequence[int | None]
    errors: Sequence[RowError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """How many jobs were cancelled."""

    cancelled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One entry of a job's history."""

    at: datetime
    release_no: int
    transition: Transition
    state: JobState
    reason: Reason | None
    errcode: int | None

    @classmethod
    def of(cls, happening: StoredHappening) -> "Happening":
        """Show an entry."""
        return cls(
            at=happening.at,
            release_no=happening.release_no,
            transition=happening.transition,
            state=happening.state,
            reason=happening.reason,
            errcode=happening.errcode,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened to a job beyond the happy path, oldest first."""

    history: Sequence[Happening]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a job is where it is.

    `rule`: what holds it; `words`: the same in English, with the figures. `when`: the moment it is tried next, as
    things stand; null where that is not known, or the job is closed. `place`: jobs of its app and lane before it.
    """

    job: Job
    rule: Rule
    words: str
    when: datetime | None
    place: int | None
    history: Sequence[Happening]

    @classmethod
    def of(cls, why: inspection.Why) -> "Why":
        """Show an answer."""
        return cls(
            job=Job.of(why.job),
            rule=why.rule,
            words=why.words,
            when=why.when,
            place=why.place,
            history=[Happening.of(each) for each in why.history],
        )
