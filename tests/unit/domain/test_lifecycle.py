"""The transition table: what it allows, and that nothing else is reachable."""

import pytest

from pushjobs.domain.job import JobState
from pushjobs.domain.lifecycle import Transition, sources, target

OPEN = {JobState.SCHEDULED, JobState.RELEASED, JobState.SENDING}
NOT_BEGUN = {JobState.SCHEDULED, JobState.RELEASED}
ANSWERS = [Transition.DELIVER, Transition.DEFER, Transition.REJECT, Transition.GIVE_UP]


@pytest.mark.parametrize("transition", Transition)
def test_every_transition_has_sources_and_a_target(transition: Transition) -> None:
    """Each transition starts from at least one state, names none twice, and leads somewhere."""
    assert sources(transition)
    assert len(set(sources(transition))) == len(sources(transition))
    assert target(transition) in JobState


def test_every_state_can_be_reached_from_the_first() -> None:
    """From `scheduled` on, the transitions lead to every state there is."""
    reached = {JobState.SCHEDULED}
    while new := {target(each) for each in Transition if reached & set(sources(each))} - reached:
        reached |= new
    assert reached == set(JobState)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_no_open_state_is_a_trap(state: JobState) -> None:
    """Whatever is not closed can still be closed."""
    assert any(target(each).is_final for each in Transition if state in sources(each))


@pytest.mark.parametrize("state", sorted(set(JobState) - OPEN - {JobState.IN_DOUBT, JobState.DEAD}))
def test_a_closed_job_stays_closed(state: JobState) -> None:
    """No transition starts from a closing state, but from `in_doubt` and `dead`."""
    assert state.is_final
    assert [each for each in Transition if state in sources(each)] == []


@pytest.mark.parametrize("transition", [Transition.CANCEL, Transition.RESCHEDULE])
def test_an_owner_can_change_only_what_nobody_has_begun(transition: Transition) -> None:
    """Cancel and reschedule take a job from `scheduled` and `released`, never from `sending`."""
    assert set(sources(transition)) == NOT_BEGUN


@pytest.mark.parametrize("transition", ANSWERS)
def test_a_late_answer_settles_a_doubt(transition: Transition) -> None:
    """Every answer takes a job from `sending`, and from `in_doubt` where it comes late."""
    assert set(sources(transition)) == {JobState.SENDING, JobState.IN_DOUBT}


def test_what_is_dead_comes_back_by_name_alone() -> None:
    """One transition leads out of `dead`, an operator's, and it leads to the beginning."""
    assert [each for each in Transition if JobState.DEAD in sources(each)] == [Transition.REPLAY]
    assert target(Transition.REPLAY) is JobState.SCHEDULED


@pytest.mark.parametrize(
    ("transition", "state"), [(Transition.CONFIRM, JobState.SENT), (Transition.SEND_AGAIN, JobState.SCHEDULED)]
)
def test_a_doubt_is_resolved_only_from_doubt(transition: Transition, state: JobState) -> None:
    """What resolves a doubt does not touch a job in mid-call, whose answer is still to come."""
    assert (sources(transition), target(transition)) == ((JobState.IN_DOUBT,), state)


def test_a_gate_refuses_only_what_nobody_has_begun() -> None:
    """A refusal without a call takes a job that waits, or is out; once called, only an answer refuses it."""
    waiting = (JobState.SCHEDULED, JobState.RELEASED)
    assert (sources(Transition.REFUSE), target(Transition.REFUSE)) == (waiting, JobState.REFUSED)


def test_only_admission_begins_a_call() -> None:
    """One transition alone leads to `sending`, and only from `released`."""
    assert [each for each in Transition if target(each) is JobState.SENDING] == [Transition.ADMIT]
    assert sources(Transition.ADMIT) == (JobState.RELEASED,)


def test_what_was_begun_is_never_blindly_begun_again() -> None:
    """From `sending` back to `scheduled` leads only an answer worth repeating, or proof that nothing was called."""
    back = {each for each in Transition if JobState.SENDING in sources(each) and target(each) is JobState.SCHEDULED}
    assert back == {Transition.DEFER, Transition.HAND_BACK}
