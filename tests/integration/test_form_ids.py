"""Legacy form ids: one message each, three for a prepay id, whoever races, dies or changes his mind."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, sessionmaker

from pushjobs.domain.job import Job, JobState, Reason
from pushjobs.errors import InvalidInput, InvalidMessage
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import LEGACY_REFUND
from tests.integration.hands import admit, ask, call, claim, deliver, end_leases, let_due, schedule, settle

LEGACY_SEND = {"path": "/cgi-bin/message/wxopen/template/send"}
FULL = "form_id has no message left for another job"


def refund(form_id: str = "F1", kind: str = "form", **more: object) -> dict[str, Any]:
    """The arguments of a legacy message."""
    data = {"keyword1": "订单编号", "keyword5": "退款失败"}
    legacy = {"template_id": LEGACY_REFUND, "form_id": form_id, "form_id_kind": kind, "lane": "bulk"}
    return {"touser": "oReader000001", "data": data, **legacy, **more}


@pytest.fixture
def send(worker: Runtime) -> Callable[..., Job]:
    """Schedule one legacy message for the next tick, or raise what is wrong with it; return its job."""

    def send(form_id: str = "F1", kind: str = "form", **more: object) -> Job:
        for _, field, reason in worker.producer.send_many([refund(form_id, kind, **more)]).rejected:
            raise InvalidInput(field, *reason.split(": ", 1))
        return worker.producer.find(limit=1)[0]

    return send


def test_a_form_id_takes_one_job_and_a_prepay_id_three(worker: Runtime, send: Callable[..., Job]) -> None:
    """One job more than a form id has messages is refused at the door, with the job that has it; nothing is stored."""
    first = send("F1")
    with pytest.raises(InvalidMessage) as refused:
        worker.producer.send(**refund("F1"))
    assert (refused.value.field, refused.value.fault) == (
        "form_id",
        f"has no message left for another job (job {first.id})",
    )
    assert refused.value.rule.startswith("the id of a form serves 1 message, a prepay id (form_id_kind prepay) 3")
    for _ in range(3):
        send("wxP1", "prepay")
    with pytest.raises(InvalidInput, match=FULL):
        send("wxP1", "prepay")
    send("F2")
    assert worker.producer.counts()[JobState.SCHEDULED] == 5


@pytest.mark.parametrize(
    ("state", "is_free"),
    [
        ("cancelled", True),
        ("expired", True),
        ("refused", True),
        ("released", False),
        ("sending", False),
        ("sent", False),
        ("dead", False),
        ("in_doubt", False),
    ],
)
def test_only_a_job_that_can_never_be_sent_lets_go_of_its_message(
    worker: Runtime, send: Callable[..., Job], state: str, is_free: bool
) -> None:
    """What was cancelled, has expired or was refused makes room; what was, may have been or may be sent does not."""
    first = send("F1")
    is_out = state in {"released", "sending"}
    ask(
        worker,
        "UPDATE pushjobs.jobs SET state = CAST(:state AS pushjobs.job_state),"
        " lease_until = CASE WHEN :is_out THEN now() END, closed_at = CASE WHEN NOT :is_out THEN now() END",
        state=state,
        is_out=is_out,
    )
    if not is_free:
        with pytest.raises(InvalidInput, match=f"{FULL} .job {first.id}."):
            send("F1")
        return
    second = send("F1")
    assert ask(worker, "SELECT holders FROM pushjobs.form_ids") == [([second.id],)]
    with pytest.raises(InvalidInput, match=f"{FULL} .job {second.id}."):
        send("F1")


def test_a_cancelled_jobs_message_goes_to_another(
    worker: Runtime, sandbox: SandboxClient, send: Callable[..., Job]
) -> None:
    """Whoever cancels a job that is out already, and sends anew on the same form id, has one message sent."""
    first = send("F1")
    batch = claim(worker)
    worker.producer.cancel(first.id)
    second = send("F1")
    deliver(worker, batch)
    deliver(worker, claim(worker))
    assert worker.producer.get(second.id).state is JobState.SENT
    assert sandbox.summary().received == 1


def test_many_rows_at_once_share_what_there_is(worker: Runtime) -> None:
    """In bulk the first rows of a form id are accepted, the others reported by number; other rows go through."""
    rows = [refund(f"F{number}") for number in range(40)]
    rows += [refund("F7"), *(refund("wxP1", "prepay") for _ in range(5)), refund("F40"), refund("F39")]
    report = worker.producer.send_many(rows)
    assert report.accepted == 40 + 3 + 1
    assert [(each.row, each.field) for each in report.rejected] == [(n, "form_id") for n in (41, 45, 46, 48)]
    assert ask(worker, "SELECT count(*), sum(cardinality(holders)) FROM pushjobs.form_ids") == [(42, 44)]
    assert worker.producer.send_many([*rows[:3], refund("F41")]).accepted == 1


def test_of_many_senders_at_once_one_has_the_form_id(worker: Runtime) -> None:
    """Sixteen senders race for one form id and one prepay id: one and three jobs are accepted, the rest refused."""
    _ = worker.producer  # made once, before the threads ask for it

    def attempt(number: int) -> bool:
        form = ("wxP1", "prepay") if number % 2 else ("F1", "form")
        try:
            worker.producer.send(**refund(*form))
        except InvalidMessage:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(32))) == 4


def test_a_repeat_under_its_key_takes_no_second_message(worker: Runtime) -> None:
    """The same body under the same idempotency key is the job it made, though its form id has no message left."""
    asked = refund("F1", idempotency_key="order-1")
    first = worker.producer.send(**asked)
    assert worker.producer.send(**asked).id == first.id
    report = worker.producer.send_many([asked, asked])
    assert (report.accepted, report.known, report.rejected) == (0, 2, [])


def test_what_is_refused_leaves_its_key_free(worker: Runtime, open_session: sessionmaker[Session]) -> None:
    """A key given with a form id that was full stands for nothing, even if the caller's transaction goes on."""
    first = worker.producer.send(**refund("F1"))
    asked = refund("F1", idempotency_key="order-2")
    with open_session() as session, session.begin(), pytest.raises(InvalidMessage, match=FULL):
        worker.producer.send(**asked, session=session)
    report = worker.producer.send_many([asked, asked])
    assert (report.accepted, report.known, [each.row for each in report.rejected]) == (0, 0, [1, 2])
    worker.producer.cancel(first.id)
    assert worker.producer.send(**asked).id != first.id


def test_a_message_taken_in_a_transaction_that_is_rolled_back_is_free(
    worker: Runtime, open_session: sessionmaker[Session]
) -> None:
    """A caller that changes its mind, or dies, before its commit has taken nothing."""
    with open_session() as session:
        worker.producer.send(**refund("F1"), session=session)
        session.rollback()
    assert ask(worker, "SELECT count(*) FROM pushjobs.form_ids") == [(0,)]
    worker.producer.send(**refund("F1"))


@pytest.mark.parametrize("errcode", [41028, 41029])
def test_a_form_id_that_wechat_calls_void_is_tried_no_more(
    worker: Runtime, sandbox: SandboxClient, send: Callable[..., Job], errcode: int
) -> None:
    """The other jobs of a prepay id that is used up are refused without a call, new ones at the door; others go."""
    sandbox.order_fault("errcode", LEGACY_SEND, errcode=errcode, times=1)
    first, second = send("wxP1", "prepay"), send("wxP1", "prepay")
    batch = claim(worker)
    deliver(worker, batch[:1])
    deliver(worker, batch[1:])
    assert sandbox.summary().received == 1
    closed = [worker.producer.get(job.id) for job in (first, second)]
    assert [(job.state, job.reason) for job in closed] == [(JobState.REFUSED, Reason.FORM_ID)] * 2
    assert closed[0].errcode == errcode
    assert "its form id" in worker.producer.why(second.id).words
    with pytest.raises(InvalidInput, match=r"form_id is invalid or used up, as WeChat has answered: .*within 7 days"):
        send("wxP1", "prepay")
    # It says nothing of the user's consent: another form id of the same user is good.
    other = send("F9")
    deliver(worker, claim(worker))
    assert worker.producer.get(other.id).state is JobState.SENT
    assert ask(worker, "SELECT count(*) FROM pushjobs.consents") == [(0,)]
    assert ask(worker, "SELECT sum(sent), sum(held) FROM pushjobs.recipients") == [(1, 0)]


def test_a_late_answer_makes_a_form_id_void(worker: Runtime, sandbox: SandboxClient, send: Callable[..., Job]) -> None:
    """12.3 What a worker that was given up learns of a form id counts, once its answer settles the doubt."""
    sandbox.order_fault("errcode", LEGACY_SEND, errcode=41029, times=1)
    job = send("F1")
    answers = call(worker, admit(worker, claim(worker)))
    end_leases(worker)
    worker.upkeep.rescue()
    with pytest.raises(InvalidInput, match=FULL):
        send("F1")
    settle(worker, answers)
    assert worker.producer.get(job.id).state is JobState.REFUSED
    with pytest.raises(InvalidInput, match="as WeChat has answered"):
        send("F1")


def test_a_retry_needs_no_second_message(worker: Runtime, sandbox: SandboxClient, send: Callable[..., Job]) -> None:
    """A job that WeChat was too busy for keeps its message until it is sent, and after."""
    sandbox.order_fault("errcode", LEGACY_SEND, errcode=-1, times=1)
    job = send("F1")
    for _ in range(2):
        let_due(worker)
        deliver(worker, claim(worker))
        with pytest.raises(InvalidInput, match=FULL):
            send("F1")
    assert worker.producer.get(job.id).state is JobState.SENT
    assert (sandbox.summary().received, sandbox.summary().accepted) == (2, 1)


def test_a_replayed_job_has_its_message_still(
    worker: Runtime, sandbox: SandboxClient, send: Callable[..., Job]
) -> None:
    """Nobody can take a dead job's message from under it: replayed, it is sent."""
    job = send("F1")
    ask(worker, "UPDATE pushjobs.jobs SET state = 'dead', closed_at = now()")
    with pytest.raises(InvalidInput, match=FULL):
        send("F1")
    worker.operations.replay([job.id])
    deliver(worker, claim(worker))
    assert worker.producer.get(job.id).state is JobState.SENT
    assert sandbox.summary().accepted == 1


def test_form_ids_are_kept_while_they_can_serve(worker: Runtime, send: Callable[..., Job]) -> None:
    """Upkeep forgets a form id a week after its last job, or with that job's deadline if that is later."""
    send("F1")
    send("F2", expires=timedelta(days=9))
    days = "SELECT round(extract(epoch FROM keep_until - now()) / 86400)::int FROM pushjobs.form_ids ORDER BY 1"
    assert ask(worker, days) == [(7,), (9,)]
    assert worker.upkeep.prune() == 0
    ask(worker, "UPDATE pushjobs.form_ids SET keep_until = now() - interval '1 s' WHERE keep_until < now() + '8 days'")
    assert worker.upkeep.prune() == 1
    assert ask(worker, "SELECT count(*) FROM pushjobs.form_ids") == [(1,)]


def test_a_form_id_is_stored_as_a_hash(worker: Runtime, send: Callable[..., Job]) -> None:
    """A form id is a person's: its row shows 16 bytes that tell nothing without the key."""
    send("F1-SECRET")
    [(form_id,)] = ask(worker, "SELECT form_id FROM pushjobs.form_ids")
    assert len(form_id) == 16
    assert ask(worker, "SELECT CAST(f AS text) FROM pushjobs.form_ids f")[0][0].find("SECRET") == -1


@pytest.fixture
def statements(worker: Runtime) -> Iterator[list[str]]:
    """Every statement from now on."""
    asked: list[str] = []

    def listen(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    engine = worker.database._engine
    event.listen(engine, "before_cursor_execute", listen)
    yield asked
    event.remove(engine, "before_cursor_execute", listen)


def test_other_messages_know_nothing_of_form_ids(
    worker: Runtime, sandbox: SandboxClient, statements: list[str]
) -> None:
    """A subscribe message is accepted, admitted and settled without a single statement about form ids."""
    schedule(worker, 3)
    deliver(worker, claim(worker))
    assert sandbox.summary().accepted == 3
    assert len(statements) > 5
    assert not [statement for statement in statements if "form_ids" in statement]
