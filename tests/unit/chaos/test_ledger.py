"""The account finds each broken promise: it is the judge, so it is judged here."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pushjobs.chaos.ledger import Deaths, Doubts, Ledger, Records, Result
from pushjobs.chaos.plan import Load, Plan
from pushjobs.domain.job import JobId, JobState
from pushjobs.sandbox.client import ReceivedSend, Summary
from pushjobs.store.ledger import Held, Row

MOMENT = datetime(2026, 12, 1, 8, tzinfo=UTC)
PLANNED = 5
NOTHING = Summary(
    received=0,
    accepted=0,
    by_errcode={},
    unjudged=0,
    dropped=0,
    repeats=0,
    first_arrival=None,
    last_arrival=None,
    peak_per_second=0,
)


def row(number: int, state: JobState = JobState.SENT) -> Row:
    """Return a job of ours for the message of that number."""
    return Row(id=JobId(100 + number), reference=str(number), state=state, planned_at=MOMENT)


def send(number: int, *, late: float = 0.1, errcode: int | None = 0, fault: str | None = None) -> ReceivedSend:
    """Return the message of that number as the sandbox took it down."""
    body = {"data": {"thing1": {"value": f"第{number}条"}}}
    return ReceivedSend(
        seq=1,
        arrived_at=(MOMENT + timedelta(seconds=late)).timestamp(),
        appid="wx",
        path="/cgi-bin/message/subscribe/send",
        touser="oReader",
        template_id="T",
        errcode=errcode,
        msgid=None,
        fault=fault,
        body=body,
    )


def kept() -> Records:
    """Return what a run without a broken promise leaves: three sent, one refused by WeChat, one cancelled."""
    rows = [row(0), row(1), row(2), row(3, JobState.REFUSED), row(4, JobState.CANCELLED)]
    received = [send(0), send(1), send(2), send(3, errcode=43101)]
    return Records(planned=PLANNED, cancelled={4}, rows=rows, received=received, summary=NOTHING)


def with_rows(*changed: Row) -> Callable[[Records], Records]:
    """Put these jobs in place of those of their numbers."""
    by_reference = {each.reference: each for each in changed}

    def change(records: Records) -> Records:
        return replace(records, rows=[by_reference.get(each.reference, each) for each in records.rows])

    return change


def with_received(*more: ReceivedSend) -> Callable[[Records], Records]:
    """Have the sandbox have received these too."""
    return lambda records: replace(records, received=[*records.received, *more])


def without(number: int) -> Callable[[Records], Records]:
    """Forget a job."""
    return lambda records: replace(records, rows=[each for each in records.rows if each.reference != str(number)])


def result(records: Records, *, doubts: Doubts | None = None, deaths: Deaths | None = None) -> Result:
    """Return the result of a run that left these records."""
    return Result(
        plan=Plan.of(1, Load(jobs=PLANNED, rate=1), kill_every=2),
        ledger=Ledger.of(records),
        doubts=doubts or Doubts(in_hand=0, by_kill=0, by_sandbox=0, unexplained=0),
        deaths=deaths or Deaths(decided_after=[], undecided=0),
        done={},
        missed={},
        unread=0,
        peak_per_second=10,
        most_per_second=10,
        failed_calls=0,
        ended_by_themselves={},
        missing=[],
        seconds=1.0,
    )


def test_a_run_that_kept_every_promise_is_found_so() -> None:
    """Refused, cancelled and sent are each counted, and nothing is wrong with them."""
    kept_all = result(kept())
    assert kept_all.broken == []
    assert kept_all.ledger.counts[JobState.SENT] == 3
    assert kept_all.ledger.lateness == pytest.approx([0.1, 0.1, 0.1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_received(send(1)), "1 jobs sent twice"),
        (with_received(send(9)), "1 messages that nobody planned"),
        (with_received(send(4)), "1 jobs that arrived and are closed as not sent"),
        (with_rows(row(3)), "1 jobs that are `sent` and never arrived"),
        (with_rows(row(4, JobState.DEAD)), "1 jobs cancelled by their owner and not `cancelled`"),
        (with_rows(row(3, JobState.RELEASED)), "1 jobs that never came to an end"),
        (without(3), "1 jobs lost after they were accepted"),
        (
            lambda records: replace(records, rows=[*records.rows, row(3, JobState.REFUSED)]),
            "1 jobs accepted twice under one idempotency key",
        ),
    ],
)
def test_each_broken_promise_is_named(change: Callable[[Records], Records], said: str) -> None:
    """One job that went wrong is found, and nothing else with it."""
    assert result(change(kept())).broken == [said]


def test_a_message_before_its_moment_is_early() -> None:
    """Earlier by a millisecond is early."""
    records = kept()
    records = replace(records, received=[*records.received[1:], send(0, late=-0.001)])
    assert result(records).broken == ["1 jobs sent before their moment"]


def test_a_job_in_doubt_may_have_arrived_or_not() -> None:
    """Neither is a broken promise; twice is."""
    records = with_rows(row(2, JobState.IN_DOUBT), row(3, JobState.IN_DOUBT))(kept())
    assert result(records).broken == []
    assert result(with_received(send(2))(records)).broken == ["1 jobs sent twice"]


def test_decisions_are_held_to_their_seconds() -> None:
    """What is decided later than 20 s after the death, or never, is named."""
    slow = Deaths.of([3.0, 20.5, None])
    said = result(kept(), deaths=slow).broken
    assert said == [
        "1 jobs of killed processes that were never decided",
        "a killed process' jobs decided after 20.5 s (promised: 20 s)",
    ]


def test_what_does_not_come_back_and_what_is_too_fast_are_named() -> None:
    """A process that stays away, and a second above the limit."""
    said = replace(result(kept()), missing=["urgent"], peak_per_second=13).broken
    assert said == ["13 calls within a second (the limit is 10)", "urgent did not come back"]


def test_each_doubt_has_a_cause_or_is_a_fault() -> None:
    """In hand at a kill, an answer that the sandbox kept, a call it dropped unread; and one that nothing explains."""
    doubted = {Held(JobId(100), 1), Held(JobId(101), 1), Held(JobId(102), 1), Held(JobId(103), 2)}
    records = replace(with_received(send(1, fault="drop_after_read"))(kept()), summary=replace(NOTHING, dropped=1))
    found = Doubts.of(doubted, {Held(JobId(100), 1), Held(JobId(103), 1)}, records)
    assert found == Doubts(in_hand=2, by_kill=1, by_sandbox=2, unexplained=1)
    assert result(kept(), doubts=found).broken == ["1 jobs in doubt that no killed process had in hand"]
