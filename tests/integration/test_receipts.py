"""Receipts: WeChat's word on what became of a message, put on its job; and the doubts that it settles."""

from datetime import timedelta
from typing import Any

import pytest

from pushjobs import clock
from pushjobs.domain.events import Event, EventsApplied
from pushjobs.domain.job import Job, JobState, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.receipt import ReceiptState
from pushjobs.receipts import Receipts
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from tests.integration.hands import (
    ORDER,
    SEND,
    admit,
    ask,
    call,
    claim,
    deliver,
    end_leases,
    let_due,
    only_job,
    schedule,
    settle,
)
from tests.integration.telling import TOKEN, apply, event_states, receipt, retry_all, tell

MOMENT = timedelta(seconds=1)


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """An app that takes callbacks in plain."""
    return environment | {"PUSHJOBS_CALLBACK_TOKEN": TOKEN}


def send(worker: Runtime, **more: Any) -> Job:  # noqa: ANN401 - a request's arguments
    """Send one message to the test's one user; return its job."""
    schedule(worker, **more)
    deliver(worker, claim(worker))
    return newest(worker)


def send_silently(worker: Runtime, sandbox: SandboxClient, **more: Any) -> Job:  # noqa: ANN401 - as above
    """Send one message whose answer has no number, as some of WeChat's have none."""
    sandbox.change_settings(msgid=False)
    job = send(worker, **more)
    assert (job.state, job.msgid) == (JobState.SENT, None)
    return job


def lose(worker: Runtime, sandbox: SandboxClient) -> Job:
    """Send one message whose answer is lost; return its job, in doubt."""
    sandbox.order_fault("drop_after_read", SEND, accepted=True, times=1)
    job = send(worker)
    assert job.state is JobState.IN_DOUBT
    return job


def newest(worker: Runtime) -> Job:
    """Return the job made last."""
    return worker.producer.find(limit=1)[0]


def again(worker: Runtime, job: Job) -> Job:
    """Return a job as it is now."""
    return worker.producer.get(job.id)


def last_msgid(sandbox: SandboxClient) -> int:
    """Return WeChat's number of the message it accepted last, whether or not it told us."""
    *_, last = sandbox.all_received()
    assert last.msgid is not None
    return last.msgid


def state_of(job: Job) -> ReceiptState | None:
    """Return what WeChat told of a job's message."""
    return None if job.receipt is None else job.receipt.state


@pytest.mark.parametrize(("code", "state"), [(0, ReceiptState.DELIVERED), (-1, ReceiptState.FAILED)])
def test_a_receipt_shows_on_its_job(worker: Runtime, code: int, state: ReceiptState) -> None:
    """What WeChat tells of a message stands on its job with WeChat's code and words; the job stays sent."""
    job = send(worker)
    tell(worker, "sent", receipt(job.msgid, code=code))
    assert apply(worker) == 1
    told = again(worker, job)
    assert told.receipt is not None
    assert (told.state, told.receipt.state, told.receipt.errcode) == (JobState.SENT, state, code)
    assert told.receipt.status == ("failed: system failed" if code else "success")
    why = worker.producer.why(job.id).words
    assert "could not deliver it" in why if code else "delivered it" in why


def test_a_repeat_is_stored_once_and_answered_alike(worker: Runtime) -> None:
    """WeChat pushes an event up to three times; each is answered, one is kept."""
    job, at = send(worker), clock.now()
    for _ in range(3):
        tell(worker, "sent", receipt(job.msgid), at=at)
    assert event_states(worker) == ["waiting"]
    assert apply(worker) == 1
    tell(worker, "sent", receipt(job.msgid), at=at)
    assert event_states(worker) == ["applied"]
    assert apply(worker) == 0


def test_a_thousand_receipts_are_applied_together(worker: Runtime, sandbox: SandboxClient) -> None:
    """A slice of receipts in any order finds its jobs, each exactly its own."""
    schedule(worker, 300)
    deliver(worker, claim(worker))
    received = list(sandbox.all_received())
    for each in reversed(received):
        tell(worker, "sent", receipt(each.msgid), user=each.touser)
    assert apply(worker) == 300
    assert {state_of(job) for job in worker.producer.find(limit=1000)} == {ReceiptState.DELIVERED}
    assert set(event_states(worker)) == {"applied"}


def test_a_later_receipt_replaces_an_earlier_one(worker: Runtime) -> None:
    """Of two receipts for a message the later word counts, whichever is applied first."""
    job, now = send(worker), clock.now()
    for code, at in ((0, now), (-1, now - 10 * MOMENT)):
        tell(worker, "sent", receipt(job.msgid, code=code), at=at)
        apply(worker)
    assert state_of(again(worker, job)) is ReceiptState.DELIVERED


def test_a_receipt_that_is_faster_than_its_answer_waits_for_it(worker: Runtime, sandbox: SandboxClient) -> None:
    """12.17 An event that comes before the job's msgid is committed is tried again, and finds it then."""
    schedule(worker)
    answers = call(worker, admit(worker, claim(worker)))
    tell(worker, "sent", receipt(last_msgid(sandbox)))
    assert apply(worker) == 0
    assert event_states(worker) == ["waiting"]
    settle(worker, answers)
    retry_all(worker)
    assert apply(worker) == 1
    job = only_job(worker)
    assert (job.state, job.reason, state_of(job)) == (JobState.SENT, None, ReceiptState.DELIVERED)


def test_a_receipt_settles_the_doubt_of_a_lost_answer(worker: Runtime, sandbox: SandboxClient) -> None:
    """A job in doubt is sent by its receipt: named in the history, with WeChat's number, its charge used."""
    job = lose(worker, sandbox)
    tell(worker, "sent", receipt(last_msgid(sandbox)))
    assert apply(worker) == 1
    told = again(worker, job)
    assert (told.state, told.reason, told.msgid) == (JobState.SENT, Reason.RECEIPT, last_msgid(sandbox))
    assert state_of(told) is ReceiptState.DELIVERED
    assert worker.producer.history(job.id)[-1].transition is Transition.CONFIRM
    assert ask(worker, "SELECT sent, held FROM pushjobs.recipients") == [(1, 0)]


def test_a_failed_receipt_settles_a_doubt_too(worker: Runtime, sandbox: SandboxClient) -> None:
    """WeChat had accepted the message: the job is sent, its receipt says that it did not arrive, nothing is resent."""
    job = lose(worker, sandbox)
    tell(worker, "sent", receipt(last_msgid(sandbox), code=-1))
    apply(worker)
    told = again(worker, job)
    assert (told.state, state_of(told)) == (JobState.SENT, ReceiptState.FAILED)
    assert worker.producer.history(job.id)[-1].errcode == -1


def test_a_receipt_settles_the_doubt_of_a_worker_that_died(worker: Runtime, sandbox: SandboxClient) -> None:
    """A worker dies with an answer in its hand; the receipt waits for the rescue and then settles what it left."""
    schedule(worker)
    call(worker, admit(worker, claim(worker)))
    tell(worker, "sent", receipt(last_msgid(sandbox)))
    assert apply(worker) == 0
    end_leases(worker)
    worker.upkeep.rescue()
    assert only_job(worker).state is JobState.IN_DOUBT
    retry_all(worker)
    assert apply(worker) == 1
    assert only_job(worker).state is JobState.SENT


def test_a_late_answer_after_the_receipt_changes_nothing(worker: Runtime, sandbox: SandboxClient) -> None:
    """A worker wakes after its doubt was settled by a receipt: its answer is history, the charge counts once."""
    schedule(worker)
    answers = call(worker, admit(worker, claim(worker)))
    end_leases(worker)
    worker.upkeep.rescue()
    tell(worker, "sent", receipt(last_msgid(sandbox)))
    assert apply(worker) == 1
    settle(worker, answers)
    job = only_job(worker)
    assert (job.state, job.reason, job.attempts) == (JobState.SENT, Reason.RECEIPT, 1)
    assert worker.producer.history(job.id)[-1].reason is Reason.LATE_ANSWER
    assert ask(worker, "SELECT sent, held FROM pushjobs.recipients") == [(1, 0)]


def test_by_msgid_first(worker: Runtime, sandbox: SandboxClient) -> None:
    """12.17 A receipt that names a sent message goes there, though the same user has a doubt of the same template."""
    sent = send(worker)
    doubt = lose(worker, sandbox)
    tell(worker, "sent", receipt(sent.msgid))
    assert apply(worker) == 1
    assert state_of(again(worker, sent)) is ReceiptState.DELIVERED
    assert again(worker, doubt).state is JobState.IN_DOUBT


def test_without_a_number_the_oldest_open_send(worker: Runtime, sandbox: SandboxClient) -> None:
    """Where answers have no number, receipts go to the oldest message of user and template without one, in turn."""
    first, second = (send_silently(worker, sandbox) for _ in range(2))
    other = send_silently(worker, sandbox, **ORDER)
    now = clock.now()
    tell(worker, "sent", receipt(11, code=-1), at=now)
    tell(worker, "sent", receipt(12), at=now + MOMENT)
    assert apply(worker) == 1
    retry_all(worker)
    assert apply(worker) == 1
    found = [again(worker, job) for job in (first, second, other)]
    assert [state_of(job) for job in found] == [ReceiptState.FAILED, ReceiptState.DELIVERED, None]
    assert [job.msgid for job in found] == [11, 12, None]


def test_an_event_without_a_number_finds_an_open_send(worker: Runtime) -> None:
    """A receipt that names no message goes by user and template to the one that has no receipt yet."""
    job = send(worker)
    tell(worker, "sent", receipt(None))
    assert apply(worker) == 1
    told = again(worker, job)
    assert (state_of(told), told.msgid) == (ReceiptState.DELIVERED, job.msgid)


def test_two_doubts_that_fit_stay_with_the_operator(worker: Runtime, sandbox: SandboxClient) -> None:
    """12.17 A receipt without a known number that fits two doubts settles neither, and is left in the end."""
    doubts = [lose(worker, sandbox) for _ in range(2)]
    tell(worker, "sent", receipt(last_msgid(sandbox)))
    assert apply(worker) == 0
    retry_all(worker, aged="11 minutes")
    told: list[Event] = []
    Receipts(worker.database, emit=told.append).apply()
    assert told == [EventsApplied(receipts=0, confirmed=0, consents=0, waiting=0, left=1)]
    assert event_states(worker) == ["left"]
    assert {again(worker, doubt).state for doubt in doubts} == {JobState.IN_DOUBT}


def test_a_doubt_beside_an_open_send_stays_with_the_operator(worker: Runtime, sandbox: SandboxClient) -> None:
    """12.17 A receipt that may be an open send's as well proves nothing of a doubt."""
    send_silently(worker, sandbox)
    doubt = lose(worker, sandbox)
    tell(worker, "sent", receipt(last_msgid(sandbox)))
    assert apply(worker) == 0
    assert again(worker, doubt).state is JobState.IN_DOUBT


@pytest.mark.parametrize("away", ["11 minutes", "-31 seconds"])
def test_a_doubt_outside_the_time_window_stays(worker: Runtime, sandbox: SandboxClient, away: str) -> None:
    """12.17 A doubt that is far older than the receipt, or arose after it, is not what it tells of."""
    doubt = lose(worker, sandbox)
    ask(worker, "UPDATE pushjobs.jobs SET closed_at = closed_at - CAST(:away AS interval)", away=away)
    tell(worker, "sent", receipt(last_msgid(sandbox)), at=clock.now() - MOMENT)
    assert apply(worker) == 0
    assert again(worker, doubt).state is JobState.IN_DOUBT


def test_nothing_is_decided_while_a_call_that_fits_is_under_way(worker: Runtime, sandbox: SandboxClient) -> None:
    """12.17 A receipt that may be of the message being sent just now waits for its answer, though one doubt fits."""
    doubt = lose(worker, sandbox)
    schedule(worker)
    answers = call(worker, admit(worker, claim(worker)))
    tell(worker, "sent", receipt(last_msgid(sandbox)))
    assert apply(worker) == 0
    settle(worker, answers)
    retry_all(worker)
    assert apply(worker) == 1
    assert again(worker, doubt).state is JobState.IN_DOUBT
    assert state_of(newest(worker)) is ReceiptState.DELIVERED


def test_another_s_receipt_settles_nothing(worker: Runtime, sandbox: SandboxClient) -> None:
    """A receipt for another template or another user leaves a doubt alone, whatever number it names."""
    doubt = lose(worker, sandbox)
    tell(worker, "sent", receipt(last_msgid(sandbox), template_id=ORDER["template_id"]))
    tell(worker, "sent", receipt(last_msgid(sandbox)), user="oSomebodyElse")
    assert apply(worker) == 0
    assert again(worker, doubt).state is JobState.IN_DOUBT


def test_a_doubt_that_was_sent_again_is_not_settled_by_the_first_receipt(
    worker: Runtime, sandbox: SandboxClient
) -> None:
    """A receipt that comes after an operator had the message sent again leaves the second attempt alone."""
    job = lose(worker, sandbox)
    first = last_msgid(sandbox)
    worker.operations.resolve([job.id], as_="again")
    tell(worker, "sent", receipt(first))
    assert apply(worker) == 0
    let_due(worker)
    deliver(worker, claim(worker))
    retry_all(worker)
    assert apply(worker) == 0
    told = again(worker, job)
    assert (told.state, told.receipt) == (JobState.SENT, None)


def test_two_appliers_do_not_share_a_slice(worker: Runtime) -> None:
    """While one process applies, another's tick finds nothing to do."""
    job = send(worker)
    tell(worker, "sent", receipt(job.msgid))
    with worker.database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT pg_try_advisory_xact_lock(1952803948, 0)").scalar_one()
        assert apply(worker) == 0
    assert apply(worker) == 1


def test_what_is_done_with_is_forgotten(worker: Runtime) -> None:
    """Applied events go after a day, what was left to the operator after a month."""
    job = send(worker)
    tell(worker, "sent", receipt(job.msgid))
    tell(worker, "sent", receipt(1))
    apply(worker)
    retry_all(worker, aged="11 minutes")
    apply(worker)
    assert event_states(worker) == ["applied", "left"]
    for aged, stay in (("23 hours", 2), ("2 hours", 1), ("29 days", 0)):
        ask(worker, "UPDATE pushjobs.events SET received_at = received_at - CAST(:aged AS interval)", aged=aged)
        worker.upkeep.prune()
        assert len(event_states(worker)) == stay
