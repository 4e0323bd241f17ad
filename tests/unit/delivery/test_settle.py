"""What each answer makes of its job; and that known answers are written however long the database is away."""

from datetime import date
from typing import NoReturn, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushjobs import clock
from pushjobs.delivery.admission import Admitted
from pushjobs.delivery.breakers import Breakers
from pushjobs.delivery.calling import Answer
from pushjobs.delivery.charging import Charge
from pushjobs.delivery.settle import Settlement, move_for
from pushjobs.domain.backoff import MAX_ATTEMPTS
from pushjobs.domain.events import Event, SettleRepeated
from pushjobs.domain.job import JobId, JobState, Lane, Reason
from pushjobs.domain.lifecycle import Transition, sources, target
from pushjobs.domain.message import Content, Message
from pushjobs.domain.outcome import (
    DayOver,
    Fatal,
    Outcome,
    Refused,
    Retry,
    Sent,
    SlowDown,
    TemplateFault,
    Token,
    Unknown,
)
from pushjobs.errors import Unreachable
from pushjobs.pace import Slot
from pushjobs.store.database import Database

CHARGE = Charge(app_no=1, recipient=b"r" * 16, template_no=1, day=date(2026, 12, 1), credit_held=False, is_capped=False)

OUTCOMES: list[Outcome | None] = [
    None,
    Sent(msgid=7),
    Retry(errcode=-1),
    Retry(never_left=True),
    Token(errcode=40001),
    SlowDown(seconds=4.0),
    SlowDown(to_next_minute=True),
    DayOver(errcode=45009),
    Refused(errcode=43101, reason=Reason.NO_CONSENT),
    TemplateFault(errcode=47003),
    Fatal(errcode=48001),
    Unknown(what="ReadTimeout"),
]
ANY_OUTCOME = st.sampled_from(OUTCOMES)
DRAWS = st.floats(0, 1, exclude_max=True)


def answer(outcome: Outcome | None, *, attempts: int = 0) -> Answer:
    """An answer to a job that was called just now, unless it never was."""
    job = Admitted(
        id=JobId(5),
        release_no=3,
        attempts=attempts,
        appid="wxapp",
        template_no=1,
        faults_in_a_row=0,
        message=Message(touser="oUser", content=Content(template_id="tpl", data=(("thing1", "一"),))),
        charge=CHARGE,
        slot=Slot(opens=0.0, closes=0.0),
        admitted_at=0.0,
        not_before=0.0,
        call_by=0.0,
        lane=Lane.BULK,
        is_probe=False,
    )
    return Answer(job=job, outcome=outcome, called_at=None if outcome is None else clock.monotonic())


@pytest.mark.parametrize(
    ("outcome", "transition", "reason", "due_in", "counts"),
    [
        (None, Transition.HAND_BACK, Reason.TOO_LATE_TO_CALL, 0.0, False),
        (Sent(msgid=7), Transition.DELIVER, None, None, True),
        (Retry(errcode=-1), Transition.DEFER, Reason.RETRY, 1.0, True),
        (Retry(never_left=True), Transition.DEFER, Reason.NOT_SENT, 7.5, False),
        (Token(errcode=40001), Transition.DEFER, Reason.TOKEN, 15.0, True),
        (SlowDown(errcode=45009, seconds=4.0), Transition.DEFER, Reason.SLOW_DOWN, 6.0, False),
        (SlowDown(to_next_minute=True), Transition.DEFER, Reason.SLOW_DOWN, 0.0, False),
        (DayOver(errcode=45009), Transition.DEFER, Reason.DAY_OVER, 0.0, False),
        (Refused(errcode=43101, reason=Reason.NO_CONSENT), Transition.REJECT, Reason.NO_CONSENT, None, True),
        (TemplateFault(errcode=47003), Transition.REJECT, Reason.TEMPLATE_FAULT, None, True),
        (Fatal(errcode=48001), Transition.DEFER, Reason.APP_FAULT, 0.0, False),
        (Fatal(hold_seconds=600.0), Transition.DEFER, Reason.APP_FAULT, 0.0, False),
        (Unknown(what="ReadTimeout"), Transition.DOUBT, Reason.UNKNOWN_OUTCOME, None, True),
    ],
    ids=str,
)
def test_each_outcome_has_its_move(
    outcome: Outcome | None, transition: Transition, reason: Reason | None, due_in: float | None, counts: bool
) -> None:
    """Each outcome leads to one transition, for one reason, after one wait, and counts as an attempt or not."""
    move = move_for(answer(outcome), draw=0.5)
    assert (move.transition, move.reason, move.counts) == (transition, reason, counts)
    assert move.due_in == due_in
    assert (move.id, move.release_no) == (5, 3)
    assert move.errcode == getattr(outcome, "errcode", None)
    assert move.msgid == getattr(outcome, "msgid", None)
    assert (move.called_ago is None) is (outcome is None)


@pytest.mark.parametrize("outcome", [Retry(errcode=-1), Token(errcode=40001)], ids=str)
def test_the_last_attempt_is_the_last(outcome: Outcome) -> None:
    """The fifth failed attempt gives the job up; the fourth does not."""
    fourth, fifth = (move_for(answer(outcome, attempts=attempts), draw=0.5) for attempts in (3, 4))
    assert fourth.transition is Transition.DEFER
    assert (fifth.transition, fifth.reason) == (Transition.GIVE_UP, Reason.ATTEMPTS_USED_UP)
    assert fifth.errcode == getattr(outcome, "errcode", None)


@given(ANY_OUTCOME, st.integers(0, MAX_ATTEMPTS - 2))
def test_attempts_that_are_left_keep_a_job_alive(outcome: Outcome | None, attempts: int) -> None:
    """Before its attempts are used up no outcome gives a job up."""
    assert move_for(answer(outcome, attempts=attempts), draw=0.5).transition is not Transition.GIVE_UP


@pytest.mark.parametrize(
    "outcome", [SlowDown(), DayOver(errcode=45009), Fatal(errcode=48001), Retry(never_left=True)], ids=str
)
def test_what_is_not_the_jobs_fault_costs_it_no_attempt(outcome: Outcome) -> None:
    """Limits, a blocked account and calls that never left do not use up a job's attempts, however often."""
    move = move_for(answer(outcome, attempts=MAX_ATTEMPTS), draw=0.5)
    assert (move.transition, move.counts) == (Transition.DEFER, False)


@given(ANY_OUTCOME, DRAWS, st.integers(0, 10))
def test_what_comes_back_does_not_come_back_in_the_past(outcome: Outcome | None, draw: float, attempts: int) -> None:
    """A deferred job always has its wait, and none is negative."""
    move = move_for(answer(outcome, attempts=attempts), draw=draw)
    if target(move.transition) is JobState.SCHEDULED:
        assert move.due_in is not None
        assert move.due_in >= 0.0


@given(ANY_OUTCOME, DRAWS)
def test_every_move_starts_from_sending(outcome: Outcome | None, draw: float) -> None:
    """Whatever is answered applies to a job in mid-call; only a refusal to know leads to doubt."""
    move = move_for(answer(outcome), draw=draw)
    assert JobState.SENDING in sources(move.transition)
    assert (move.transition is Transition.DOUBT) is isinstance(outcome, Unknown)


class _Away:
    """A database that is away for a number of tries, then loses its patience with the test."""

    def __init__(self, tries: int) -> None:
        self.left = tries

    def transaction(self) -> NoReturn:
        """Fail as PostgreSQL's absence does."""
        self.left -= 1
        raise Unreachable("away") if self.left >= 0 else LookupError


def test_known_answers_outlast_any_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing is repeated at growing intervals up to two seconds, for hours if need be."""
    pauses: list[float] = []
    monkeypatch.setattr(clock, "pause", pauses.append)
    told: list[Event] = []
    away = _Away(5000)
    with pytest.raises(LookupError):
        Settlement(cast("Database", away), Breakers(faults_in_a_row=10, emit=told.append), emit=told.append).settle(
            1, Lane.BULK, [answer(Sent())]
        )
    assert len(pauses) == len(told) == 5000
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.1, 2.0)
    assert told[0] == SettleRepeated(app_no=1, lane=Lane.BULK, jobs=1, fault="Unreachable")
