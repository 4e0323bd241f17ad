"""The gates before a call: what they hold back and what they let through."""

from datetime import UTC, datetime

import pytest

from pushjobs.delivery import gates
from pushjobs.domain.job import JobId, JobState, Reason
from pushjobs.domain.lifecycle import Transition, sources
from pushjobs.store.slices import Candidate


def candidate(*, due_in: float, expires_in: float) -> Candidate:
    """A released job at those distances from now."""
    return Candidate(
        id=JobId(1),
        release_no=1,
        attempts=0,
        app_no=1,
        appid="wxapp",
        template_id="tpl",
        recipient=b"r" * 16,
        sealed=b"",
        content_no=None,
        sealed_content=None,
        planned_at=datetime(2026, 12, 1, tzinfo=UTC),
        due_in=due_in,
        expires_in=expires_in,
    )


@pytest.mark.parametrize(
    ("due_in", "expires_in", "is_held"),
    [
        (-1.0, 3600.0, False),
        (0.2, 3600.0, False),
        (-1.0, 0.001, False),
        (-1.0, 0.0, True),
        (-60.0, -1.0, True),
        # A wait that was cut at the deadline ends there: its call would come after it.
        (0.15, 0.15, True),
        (0.15, 0.1, True),
        (0.15, 0.2, False),
    ],
)
def test_what_could_only_go_after_its_deadline_expires(due_in: float, expires_in: float, is_held: bool) -> None:
    """A job is let through only if its moment lies before its deadline and the deadline before it."""
    held = gates.deadline([candidate(due_in=due_in, expires_in=expires_in)])
    assert [(move.transition, move.reason) for move in held] == [(Transition.EXPIRE, Reason.DEADLINE)] * is_held


@pytest.mark.parametrize(("due_in", "is_held"), [(-60.0, False), (0.0, False), (0.4, False), (2.0, False), (2.1, True)])
def test_what_is_due_later_goes_back_untouched(due_in: float, is_held: bool) -> None:
    """A job a worker would have to wait for long is given back without a reason, its moment as it was."""
    held = gates.not_due([candidate(due_in=due_in, expires_in=3600.0)])
    assert [(move.transition, move.reason, move.due_in) for move in held] == [
        (Transition.GIVE_BACK, None, None)
    ] * is_held


def test_every_gate_moves_what_it_holds_out_of_released() -> None:
    """Whatever a gate says applies to a released job, under the number it was released with."""
    hopeless = candidate(due_in=60.0, expires_in=-1.0)
    for gate in gates.GATES:
        for move in gate([hopeless]):
            assert JobState.RELEASED in sources(move.transition)
            assert (move.id, move.release_no) == (hopeless.id, hopeless.release_no)
