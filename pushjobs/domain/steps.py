"""How far single jobs are on their way, as frozen records: one for many at once, for whoever follows each (traces).

`events` count and are logged; these name every job, and are made only where somebody follows. Ids and moments only: no
step can hold an open id or a content. Moments are seconds on the process's monotonic clock; `since` and `at` say when
what is told of began and ended.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pushjobs.domain.job import JobId, Lane, Reason
from pushjobs.domain.lifecycle import Transition

__all__ = [
    "Called",
    "JobsAccepted",
    "JobsHeld",
    "JobsPublished",
    "NewJob",
    "Placed",
    "ReceiptsPlaced",
    "SliceAdmitted",
    "SliceWritten",
    "Step",
]


class NewJob(NamedTuple):
    """A job that was accepted; `due`: its moment, None where each of many has its own."""

    id: JobId
    lane: Lane
    template_id: str
    due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsAccepted:
    """Jobs are stored; told in the context of whoever asked for them."""

    appid: str
    jobs: Iterable[NewJob]
    since: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPublished:
    """Released jobs were handed to the broker; `is_taken` False: it did not take them, and they went back."""

    lane: Lane
    jobs: Iterable[JobId]
    is_taken: bool
    since: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceAdmitted:
    """Jobs passed every gate together, and are charged; each will be called."""

    lane: Lane
    jobs: Iterable[JobId]
    since: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsHeld:
    """Jobs did not pass: what became of each, and by which rule."""

    lane: Lane
    jobs: Iterable[tuple[JobId, Transition, Reason | None]]
    at: float


class Called(NamedTuple):
    """What became of one admitted job.

    `due`: its moment. `left_at`: when its call left, None if none did. `answered_at`: when its outcome was known.
    """

    id: JobId
    appid: str
    template_id: str
    attempt: int
    due: float
    left_at: float | None
    answered_at: float
    transition: Transition
    reason: Reason | None
    errcode: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceWritten:
    """The answers of a slice are committed."""

    lane: Lane
    jobs: Iterable[Called]
    since: float
    at: float


class Placed(NamedTuple):
    """A receipt that found its job, with WeChat's own moment and code of the arrival.

    `is_confirmed`: the job was in doubt, and is sent thereby.
    """

    id: JobId
    lane: Lane
    told_at: datetime
    errcode: int | None
    is_confirmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptsPlaced:
    """Receipts of WeChat's were put on their jobs."""

    jobs: Iterable[Placed]
    since: float
    at: float


Step = JobsAccepted | JobsHeld | JobsPublished | ReceiptsPlaced | SliceAdmitted | SliceWritten
