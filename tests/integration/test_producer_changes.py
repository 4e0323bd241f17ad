"""Changing what was accepted: cancel, reschedule, find."""

from datetime import timedelta

import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState, Reason
from pushjobs.errors import InvalidInput, InvalidMoment, NotFound, NotPossible
from pushjobs.producer import Producer
from pushjobs.runtime import Runtime
from pushjobs.store import slices
from tests.integration.pushes import OPEN_ID, TOMORROW, news
from tests.integration.states import put_into


@pytest.mark.parametrize("state", JobState)
def test_only_what_nobody_has_begun_can_be_cancelled(runtime: Runtime, state: JobState) -> None:
    """A scheduled or released job is cancelled and says why; any other state refuses and stays."""
    producer = runtime.producer
    job = producer.send(**news(time=TOMORROW))
    put_into(runtime, state, job)
    if state in {JobState.SCHEDULED, JobState.RELEASED}:
        assert producer.cancel(job.id) == 1
        cancelled = producer.get(job.id)
        assert (cancelled.state, cancelled.reason) == (JobState.CANCELLED, Reason.REQUESTED)
        assert [entry.transition for entry in producer.history(job.id)] == ["cancel"]
    else:
        with pytest.raises(NotPossible, match=f"is {state}"):
            producer.cancel(job.id)
        assert producer.get(job.id).state is state


@pytest.mark.parametrize("state", JobState)
def test_only_what_nobody_has_begun_can_be_rescheduled(runtime: Runtime, state: JobState) -> None:
    """A scheduled or released job moves, its deadline with it, and outruns its old message; other states refuse."""
    producer, later = runtime.producer, TOMORROW + timedelta(days=1)
    job = producer.send(**news(time=TOMORROW, expires=timedelta(hours=3)))
    put_into(runtime, state, job)
    if state in {JobState.SCHEDULED, JobState.RELEASED}:
        moved = producer.reschedule(job.id, time=later)
        assert (moved.state, moved.time, moved.due_at) == (JobState.SCHEDULED, later, later)
        assert moved.expires == later + timedelta(hours=3)
        with runtime.database.transaction() as connection:
            assert slices.lock(connection, [(job.id, 1)]) == []
    else:
        with pytest.raises(NotPossible, match=f"is {state}"):
            producer.reschedule(job.id, time=later)
        assert producer.get(job.id).time == TOMORROW


def test_rescheduling_takes_times_as_send_does(producer: Producer) -> None:
    """A past time is now, a deadline may be given anew, and what cannot be read is refused."""
    job = producer.send(**news(time=TOMORROW))
    moved = producer.reschedule(job.id, time="2020-01-01 08:00:00", expires=timedelta(minutes=5))
    assert clock.now() - moved.time < timedelta(minutes=1)
    assert moved.expires - moved.time == timedelta(minutes=5)
    for time, expires in [("soon", None), (None, None), (TOMORROW, TOMORROW)]:
        with pytest.raises(InvalidMoment):
            producer.reschedule(job.id, time=time, expires=expires)


@pytest.mark.parametrize("number", [0, -1, 2**53, 2**63, 10**30])
def test_a_number_nobody_has_is_not_found(producer: Producer, number: int) -> None:
    """Asking for, cancelling or moving a job that is not there says so, however odd its number."""
    for ask_for in (producer.get, producer.history, producer.cancel, lambda it: producer.reschedule(it, time=TOMORROW)):
        with pytest.raises(NotFound, match=f"no job {number}"):
            ask_for(number)


def test_cancels_everything_for_a_user_or_an_order(producer: Producer, runtime: Runtime) -> None:
    """Cancelling by user, reference or template takes all that match and were not begun, and no others."""
    mine = [producer.send(**news(1, time=TOMORROW, reference=f"order-{number}")) for number in range(3)]
    producer.send(**news(2, time=TOMORROW, reference="order-0"))
    put_into(runtime, JobState.SENDING, mine[2])
    assert producer.cancel(touser=OPEN_ID) == 2
    assert producer.cancel(touser=OPEN_ID) == 0
    assert producer.cancel(reference="order-0") == 1
    assert producer.cancel(template_id="news") == 0
    assert producer.get(mine[2].id).state is JobState.SENDING
    with pytest.raises(InvalidInput, match="names no job"):
        producer.cancel()


def test_cancels_more_than_one_statement_holds(producer: Producer) -> None:
    """Cancelling by reference takes thousands of jobs."""
    producer.send_many(news(number, reference="campaign") for number in range(2500))
    assert producer.cancel(reference="campaign") == 2500
    assert producer.counts()[JobState.CANCELLED] == 2500


def test_finds_the_newest_that_match(producer: Producer) -> None:
    """Finding narrows by everything given, newest first, at most the limit."""
    jobs = [producer.send(**news(number % 2, time=TOMORROW, reference=f"order-{number}")) for number in range(6)]
    producer.cancel(jobs[0].id)
    newest_first = [job.id for job in jobs[::-1]]
    assert [job.id for job in producer.find()] == newest_first
    assert [job.id for job in producer.find(limit=2)] == newest_first[:2]
    assert [job.id for job in producer.find(touser="oReader000000")] == newest_first[1::2]
    assert [job.id for job in producer.find(state="cancelled")] == [jobs[0].id]
    assert [job.id for job in producer.find(touser="oReader000000", state="scheduled", template_id="news")] == [
        jobs[4].id,
        jobs[2].id,
    ]
    assert producer.find(template_id="other") == []
    for wrong in ({"state": "waiting"}, {"limit": 0}, {"limit": 1001}):
        with pytest.raises(InvalidInput):
            producer.find(**wrong)


def test_found_page_by_page(producer: Producer) -> None:
    """`before` a job's number are those made before it, the newest first; of several templates any is meant."""
    made = [producer.send(**news(number, template_id=f"t{number % 3}", time=TOMORROW)).id for number in range(6)]
    first = producer.find(limit=4)
    assert [job.id for job in first] == made[:1:-1]
    assert [job.id for job in producer.find(before=first[-1].id)] == made[1::-1]
    assert [job.id for job in producer.find(template_ids=["t0", "t2"], limit=3)] == [made[5], made[3], made[2]]
    assert producer.find(template_ids=[]) == []
    assert producer.cancel(reference="none", template_ids=["t0"]) == 0
    assert producer.cancel(due_before=TOMORROW + timedelta(hours=1), template_ids=["t0"]) == 2


def test_filters_are_read_like_arguments(producer: Producer) -> None:
    """A reference, a user or a template that no job can have is refused, whatever its type."""
    for name in ("reference", "touser", "template_id"):
        for value in ("\0", 7, ["x"]):
            with pytest.raises(InvalidInput, match=f"^{name} "):
                producer.find(**{name: value})  # type: ignore[arg-type] # that is the point
