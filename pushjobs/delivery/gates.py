"""The gates a released job passes before it is sent, in their order, each answering in one language.

A gate looks at a whole slice and says which jobs it holds and how; the others go on to the next gate. It runs inside
the admitting transaction, so what it charges is charged if and only if the job becomes `sending`.
"""

from collections.abc import Callable, Sequence

from pushjobs.domain.job import Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.store.moves import Move
from pushjobs.store.slices import Candidate

__all__ = ["GATES", "Gate"]

Gate = Callable[[Sequence[Candidate]], list[Move]]
"""Looks at a slice; returns a move for each job it holds back."""


def deadline(candidates: Sequence[Candidate]) -> list[Move]:
    """Hold what is worthless at its moment: by then its deadline has passed (a wait may end at the deadline)."""
    return [
        Move(
            id=job.id,
            release_no=job.release_no,
            transition=Transition.EXPIRE,
            reason=Reason.DEADLINE,
        )
        for job in candidates
        if job.expires_in <= max(job.due_in, 0.0)
    ]


def not_due(candidates: Sequence[Candidate]) -> list[Move]:
    """Hold what is not due for a while yet: the worker's clock is ahead of the database's, which decides."""
    return [
        Move(id=job.id, release_no=job.release_no, transition=Transition.GIVE_BACK)
        for job in candidates
        if job.due_in > _SOON_SECONDS
    ]


_SOON_SECONDS = 2.0
"""A batch's jobs are due within well under a second of its start; to wait longer would use up the lease."""

GATES: tuple[Gate, ...] = (deadline, not_due)
"""In the order of design section 4. Pause, consent and daily quota stand after these, the app budget last."""
