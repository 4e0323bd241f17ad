"""The gates that need no charge, in their order, each answering in one language: the moves of the jobs it holds back.

A gate looks at a whole slice; the others go on to the next. They run inside the admitting transaction. What costs the
recipient something (a turn, a place of the day, a credit) is `charging`'s, behind these.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from pushjobs.domain.job import Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.moment import QuietHours
from pushjobs.domain.pause import Pause
from pushjobs.store.moves import Move
from pushjobs.store.slices import Candidate

__all__ = ["Now", "pass_gates"]

_SOON_SECONDS = 2.0
"""A batch's jobs are due within well under a second of its start; to wait longer would use up the lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What the gates look at besides the jobs."""

    moment: datetime
    zone: ZoneInfo
    pauses: Sequence[Pause]
    quiet_hours: QuietHours | None


_Gate = Callable[[Sequence[Candidate], Now], list[Move]]


def pass_gates(candidates: Sequence[Candidate], now: Now) -> tuple[list[Candidate], list[Move]]:
    """Return the jobs that pass every gate, and the moves of those that do not."""
    held: list[Move] = []
    passing = list(candidates)
    for gate in _GATES:
        stopped = gate(passing, now)
        held += stopped
        names = {move.id for move in stopped}
        passing = [job for job in passing if job.id not in names]
    return passing, held


def _deadline(candidates: Sequence[Candidate], _: Now) -> list[Move]:
    """Hold what is worthless at its moment: by then its deadline has passed (a wait may end at the deadline)."""
    return [
        _move(job, Transition.EXPIRE, Reason.DEADLINE) for job in candidates if job.expires_in <= max(job.due_in, 0.0)
    ]


def _not_due(candidates: Sequence[Candidate], _: Now) -> list[Move]:
    """Hold what is not due for a while yet: the worker's clock is ahead of the database's, which decides."""
    return [_move(job, Transition.GIVE_BACK, None) for job in candidates if job.due_in > _SOON_SECONDS]


def _paused(candidates: Sequence[Candidate], now: Now) -> list[Move]:
    """Hold what was paused after its release; it keeps its moment, and no tick visits it before the pause is over."""
    return [
        _move(job, Transition.GIVE_BACK, Reason.PAUSED)
        for job in candidates
        if any(pause.holds(job.template_no, job.lane) for pause in now.pauses)
    ]


def _run(candidates: Sequence[Candidate], _: Now) -> list[Move]:
    """Hold what its campaign's run holds, and end what was stopped with it: a sweep comes to the rest."""
    held = []
    for job in candidates:
        if job.run_state is None:
            continue
        if (end := job.run_state.ends_jobs) is not None:
            held.append(_move(job, *end))
        elif job.run_paused or not job.run_state.lets_jobs_leave:
            held.append(_move(job, Transition.GIVE_BACK, Reason.RUN_HELD))
    return held


def _quiet(candidates: Sequence[Candidate], now: Now) -> list[Move]:
    """Hold bulk jobs in quiet hours until these end, or until their deadline, where they expire."""
    ends = None if now.quiet_hours is None else now.quiet_hours.end_after(now.moment, now.zone)
    if ends is None:
        return []
    wait = (ends - now.moment).total_seconds()
    return [_move(job, Transition.POSTPONE, Reason.QUIET_HOURS, wait) for job in candidates if job.lane is Lane.BULK]


_GATES: tuple[_Gate, ...] = (_deadline, _not_due, _paused, _run, _quiet)


def _move(job: Candidate, transition: Transition, reason: Reason | None, wait: float | None = None) -> Move:
    return Move(id=job.id, release_no=job.release_no, transition=transition, reason=reason, due_in=wait)
