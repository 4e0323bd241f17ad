"""The gates before a call: what they hold back and what they let through."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pushjobs.delivery.gates import Now, pass_gates
from pushjobs.domain.campaign import RunState
from pushjobs.domain.consent import ConsentPolicy
from pushjobs.domain.job import JobId, JobState, Lane, OnQuota, Reason
from pushjobs.domain.lifecycle import Transition, sources
from pushjobs.domain.moment import SHANGHAI, read_quiet_hours
from pushjobs.domain.pause import Pause, PauseReason
from pushjobs.store.moves import Move
from pushjobs.store.slices import Candidate

LATE_EVENING = datetime(2026, 12, 1, 23, 0, tzinfo=SHANGHAI).astimezone(UTC)
NOW = Now(moment=LATE_EVENING, zone=SHANGHAI, pauses=(), quiet_hours=None)
JOB = Candidate(
    id=JobId(1),
    release_no=1,
    attempts=0,
    app_no=1,
    appid="wxapp",
    template_no=7,
    template_id="tpl",
    lane=Lane.BULK,
    on_quota=OnQuota.DEFER,
    consent=ConsentPolicy.OPTIMISTIC,
    run_paused=False,
    run_state=None,
    daily_cap=None,
    faults_in_a_row=0,
    recipient=b"r" * 16,
    sealed=b"",
    content_no=None,
    sealed_content=None,
    planned_at=datetime(2026, 12, 1, tzinfo=UTC),
    due_in=-1.0,
    expires_in=3600.0,
)
PAUSE = Pause(
    pause_no=1,
    app_no=1,
    template_no=None,
    template_id=None,
    lane=None,
    reason=PauseReason.OPERATOR,
    errcode=None,
    note=None,
    since=LATE_EVENING,
    until=None,
    until_in=None,
    probe_in=None,
)


def told(held: Sequence[Move]) -> list[tuple[Transition, Reason | None, float | None]]:
    """What the gates say, without whom they say it of."""
    return [(move.transition, move.reason, move.due_in) for move in held]


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
    passing, held = pass_gates([JOB._replace(due_in=due_in, expires_in=expires_in)], NOW)
    assert told(held) == [(Transition.EXPIRE, Reason.DEADLINE, None)] * is_held
    assert len(passing) == (not is_held)


@pytest.mark.parametrize(("due_in", "is_held"), [(-60.0, False), (0.0, False), (0.4, False), (2.0, False), (2.1, True)])
def test_what_is_due_later_goes_back_untouched(due_in: float, is_held: bool) -> None:
    """A job a worker would have to wait for long is given back without a reason, its moment as it was."""
    _, held = pass_gates([JOB._replace(due_in=due_in)], NOW)
    assert told(held) == [(Transition.GIVE_BACK, None, None)] * is_held


@pytest.mark.parametrize(
    ("state", "is_paused", "told_of"),
    [
        (RunState.OPEN, False, []),
        (RunState.FINISHED, False, []),
        (RunState.OPEN, True, [(Transition.GIVE_BACK, Reason.RUN_HELD, None)]),
        (RunState.PREPARING, False, [(Transition.GIVE_BACK, Reason.RUN_HELD, None)]),
        (RunState.CANCELLED, True, [(Transition.CANCEL, Reason.RUN_CANCELLED, None)]),
        (RunState.SKIPPED, False, [(Transition.CANCEL, Reason.NOTHING_NEW, None)]),
        (RunState.FAILED, False, [(Transition.REFUSE, Reason.NO_CONTENT, None)]),
    ],
)
def test_a_run_s_word_holds_for_its_jobs(
    state: RunState, is_paused: bool, told_of: list[tuple[Transition, Reason | None, float | None]]
) -> None:
    """A job of a campaign waits while its run does, and ends when its run was stopped."""
    _, held = pass_gates([JOB._replace(run_state=state, run_paused=is_paused)], NOW)
    assert told(held) == told_of


@pytest.mark.parametrize(
    ("paused", "is_held"),
    [
        ({}, True),
        ({"lane": Lane.BULK}, True),
        ({"lane": Lane.URGENT}, False),
        ({"template_no": 7}, True),
        ({"template_no": 7, "lane": Lane.BULK}, True),
        ({"template_no": 8}, False),
        ({"template_no": 7, "lane": Lane.URGENT}, False),
    ],
)
def test_what_is_paused_keeps_its_moment(paused: dict[str, Any], is_held: bool) -> None:
    """A pause of the app, the job's lane or its template gives it back as it is; one of something else lets it pass."""
    pause = replace(PAUSE, **paused)
    _, held = pass_gates([JOB], replace(NOW, pauses=[pause]))
    assert told(held) == [(Transition.GIVE_BACK, Reason.PAUSED, None)] * is_held


def test_quiet_hours_hold_bulk_and_let_urgent_pass() -> None:
    """In quiet hours bulk jobs wait for their end; urgent ones go."""
    quiet = replace(NOW, quiet_hours=read_quiet_hours("22:00-08:00", "quiet_hours"))
    urgent = JOB._replace(id=JobId(2), lane=Lane.URGENT)
    passing, held = pass_gates([JOB, urgent], quiet)
    assert passing == [urgent]
    assert told(held) == [(Transition.POSTPONE, Reason.QUIET_HOURS, 9 * 3600.0)]
    at_eight = replace(quiet, moment=LATE_EVENING + timedelta(hours=9))
    assert pass_gates([JOB, urgent], at_eight) == ([JOB, urgent], [])


def test_every_gate_moves_what_it_holds_out_of_released() -> None:
    """Whatever a gate says applies to a released job, under the number it was released with, and once."""
    quiet = read_quiet_hours("22:00-08:00", "quiet_hours")
    now = replace(NOW, pauses=[PAUSE, replace(PAUSE, template_no=7)], quiet_hours=quiet)
    for hopeless in (JOB._replace(due_in=60.0, expires_in=-1.0), JOB._replace(due_in=60.0), JOB):
        passing, [move] = pass_gates([hopeless], now)
        assert passing == []
        assert JobState.RELEASED in sources(move.transition)
        assert (move.id, move.release_no) == (hopeless.id, hopeless.release_no)
