"""Campaigns: one message to many users, again and again; and their runs, one for each instant.

Pure values. A campaign's key names it, whatever its name or its expression becomes; a run is unique by campaign and
instant, so firing once is a constraint of the database. What a run does next follows from its row alone (`next_steps`),
so whoever finds the row after a crash goes on where it stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from pushjobs.domain.job import DEFAULT_LIFE, Lane, OnQuota, Reason
from pushjobs.domain.lifecycle import Transition

__all__ = [
    "EXPAND_AHEAD",
    "FETCH_AHEAD",
    "Missed",
    "Planned",
    "Policies",
    "RunReason",
    "RunState",
    "Standing",
    "Step",
    "next_steps",
    "plan",
]

EXPAND_AHEAD = timedelta(minutes=10)
"""How long before its instant a run begins: its audience is read then, and its jobs are made."""

FETCH_AHEAD = timedelta(minutes=1)
"""How long before its first job a run's content is fetched: news must be fresh (design section 8)."""

_MOST_RECORDED = 100
"""Missed instants that are recorded one by one; an outage of a year misses half a million of every minute."""


class Missed(StrEnum):
    """What becomes of instants that passed while nothing ran, beyond the grace."""

    SKIP = "skip"
    """None is run."""
    LATEST = "latest"
    """The latest of them is run, unless a younger instant is."""
    ALL = "all"
    """Each is run."""


class RunState(StrEnum):
    """Where a run stands. Before it is `open` its jobs are held; the last four close it."""

    PLANNED = "planned"
    """Its instant is known."""
    PREPARING = "preparing"
    """Its audience is read, its jobs are made, its content is fetched."""
    OPEN = "open"
    """Its jobs leave as they fall due."""
    FINISHED = "finished"
    """Every job of it is closed."""
    CANCELLED = "cancelled"
    """Stopped by somebody."""
    FAILED = "failed"
    """There was no audience or no content for it."""
    SKIPPED = "skipped"
    """Not run: it was missed, or the feed had nothing new."""

    @property
    def lets_jobs_leave(self) -> bool:
        """Whether its jobs leave as they fall due, unless it is paused; what is replayed after its end does too."""
        return self in {RunState.OPEN, RunState.FINISHED}

    @property
    def ends_jobs(self) -> tuple[Transition, Reason] | None:
        """What becomes of its jobs that nobody has begun, and why; None where they may still leave."""
        return _ENDS.get(self)


_ENDS = {
    RunState.CANCELLED: (Transition.CANCEL, Reason.RUN_CANCELLED),
    RunState.SKIPPED: (Transition.CANCEL, Reason.NOTHING_NEW),
    RunState.FAILED: (Transition.REFUSE, Reason.NO_CONTENT),
}


class RunReason(StrEnum):
    """Why a run was stopped."""

    REQUESTED = "requested"
    """Somebody cancelled it."""
    MISSED = "missed"
    """Its instant passed while nothing ran."""
    NOTHING_NEW = "nothing_new"
    """The feed had nothing new."""
    NO_AUDIENCE = "no_audience"
    """The audience could not be read."""
    NO_CONTENT = "no_content"
    """The content could not be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """How a campaign sends: by which `lane`, and what becomes of a user who had the day's messages (`on_quota`).

    `spread`: over how long its jobs are spread from the instant on, evenly; zero: all are due at once. `life`: how long
    after its moment a job is still worth sending. `grace`: how late an instant is still run; `missed`: what becomes of
    those that are later.
    """

    lane: Lane = Lane.BULK
    spread: timedelta = timedelta()
    life: timedelta = DEFAULT_LIFE
    on_quota: OnQuota = OnQuota.REFUSE
    missed: Missed = Missed.SKIP
    grace: timedelta = timedelta(minutes=10)

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON can say it: spans in seconds."""
        return {
            field.name: value.total_seconds() if isinstance(value := getattr(self, field.name), timedelta) else value
            for field in fields(self)
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Read what `as_record` wrote."""
        return cls(
            lane=Lane(record["lane"]),
            spread=timedelta(seconds=record["spread"]),
            life=timedelta(seconds=record["life"]),
            on_quota=OnQuota(record["on_quota"]),
            missed=Missed(record["missed"]),
            grace=timedelta(seconds=record["grace"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An instant dealt with: run (`is_missed` False), or recorded as missed."""

    instant: datetime
    is_missed: bool


def plan(instants: Sequence[datetime], policies: Policies, now: datetime) -> list[Planned]:
    """Decide what becomes of a campaign's next instants, the earliest first; some may have passed.

    Those up to `grace` late are run. Of those that are later, all are run, or the latest unless a younger one is run,
    or none; of what is not run the latest hundred are recorded.
    """
    missed = [instant for instant in instants if instant < now - policies.grace]
    others = [instant for instant in instants if instant >= now - policies.grace]
    made_up: list[datetime] = []
    if policies.missed is Missed.ALL:
        made_up = missed
    elif policies.missed is Missed.LATEST and missed and not any(instant <= now for instant in others):
        made_up = missed[-1:]
    run = {*made_up, *others}
    recorded = [instant for instant in missed if instant not in run][-_MOST_RECORDED:]
    return [Planned(instant=instant, is_missed=instant not in run) for instant in sorted(run.union(recorded))]


class Step(StrEnum):
    """What a run needs next. Reading, expanding and sweeping take long."""

    READ = "read"
    EXPAND = "expand"
    FETCH = "fetch"
    OPEN = "open"
    FINISH = "finish"
    SWEEP = "sweep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a run is. `reads_later`, `fetches_later`: a try failed, or is under way, and the next is not due yet."""

    state: RunState
    begins_at: datetime
    is_read: bool
    is_expanded: bool
    has_content: bool
    reads_later: bool
    fetches_later: bool


def next_steps(run: Standing, now: datetime) -> set[Step]:
    """Return what an unfinished run needs next; nothing while it waits for a moment or for another try.

    Its content may be fetched while its audience is read and its jobs are made.
    """
    if run.state.ends_jobs is not None:
        return {Step.SWEEP}
    steps = set()
    if not run.is_read:
        steps |= set() if run.reads_later else {Step.READ}
    elif not run.is_expanded:
        steps.add(Step.EXPAND)
    elif run.state is RunState.OPEN:
        steps.add(Step.FINISH)
    if run.state is RunState.PREPARING:
        if run.has_content and run.is_read:
            steps.add(Step.OPEN)
        elif not run.has_content and not run.fetches_later and now >= run.begins_at - FETCH_AHEAD:
            steps.add(Step.FETCH)
    return steps
