"""Users forgotten: what is gone, what stays, and that nothing of it hangs on who asked surviving."""

from pathlib import Path
from typing import Any

import pytest

from pushjobs.domain.job import JobId, JobState, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.errors import InvalidInput, NotPossible
from pushjobs.forgetting import Forgotten
from pushjobs.operations import Reopened
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.store import consents, envelope, erasing, form_ids, moves, pushes
from pushjobs.store.erasing import User
from tests.conftest import APPID
from tests.integration.commands import Run, runner
from tests.integration.hands import ORDER, admit, ask, call, claim, deliver, end_leases, let_due, settle

ME, OTHER = "oForgetMe", "oKeepMe"


@pytest.fixture
def runtime(worker: Runtime) -> Runtime:
    """A runtime that calls the sandbox."""
    return worker


@pytest.fixture
def run(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], runtime: Runtime
) -> Run:
    """Runs a command on the runtime's database; returns status, output, errors."""
    assert runtime is not None
    return runner(environment, monkeypatch, capfd)


def send(runtime: Runtime, touser: str = ME, **more: Any) -> JobId:  # noqa: ANN401 - arguments of `send`
    return runtime.producer.send(
        **{"touser": touser, "lane": "bulk", "time": "2040-12-01 08:00:00", **ORDER, **more}
    ).id


def send_now(runtime: Runtime) -> JobId:
    """Have a job due at the next tick; nobody publishes it."""
    assert runtime.producer.send_many([{"touser": ME, **ORDER}]).accepted == 1
    return runtime.producer.find(limit=1)[0].id


def close(runtime: Runtime, job_id: JobId, state: str) -> JobId:
    ask(
        runtime,
        "UPDATE pushjobs.jobs SET state = CAST(:state AS pushjobs.job_state), attempts = 5, closed_at = now()"
        " WHERE id = :id",
        state=state,
        id=job_id,
    )
    return job_id


def erased(runtime: Runtime) -> dict[int, bool]:
    return {row[0]: row[1] for row in ask(runtime, "SELECT id, sealed IS NULL FROM pushjobs.jobs")}


def me(runtime: Runtime) -> User:
    return User(1, runtime.connections.lookup.recipient(APPID, ME))


def test_what_is_a_user_s_is_gone_and_the_accounting_stays(runtime: Runtime) -> None:
    """Waiting jobs are cancelled; of all jobs the message, the reference and the shared content's name are gone."""
    content = runtime.producer.store_content(**ORDER)
    sent = close(runtime, send(runtime, reference="order-1"), "sent")
    doubt = close(runtime, send(runtime, reference="order-2"), "in_doubt")
    waiting = runtime.producer.send(touser=ME, content=content, time="2040-12-01 08:00:00", reference="order-3").id
    other = send(runtime, OTHER, reference="order-4")

    assert runtime.producer.forget(ME) == Forgotten(users=1, jobs=3, cancelled=1)
    assert erased(runtime) == {sent: True, doubt: True, waiting: True, other: False}
    states = {job.id: (job.state, job.reference, job.is_forgotten) for job in runtime.producer.find()}
    assert states == {
        sent: (JobState.SENT, None, True),
        doubt: (JobState.IN_DOUBT, None, True),
        waiting: (JobState.CANCELLED, None, True),
        other: (JobState.SCHEDULED, "order-4", False),
    }
    assert ask(runtime, "SELECT id FROM pushjobs.jobs WHERE content_no IS NOT NULL") == []
    [entry] = runtime.producer.history(waiting)
    assert (entry.transition, entry.reason) == (Transition.CANCEL, Reason.FORGOTTEN)
    assert "its user was forgotten" in runtime.producer.why(waiting).words
    assert runtime.producer.forget(ME, ME) == Forgotten(users=1)


def test_what_was_told_of_a_user_is_gone(runtime: Runtime) -> None:
    """Consents, events, form ids and callbacks that wait are deleted, and only this user's."""
    recipients = {touser: runtime.connections.lookup.recipient(APPID, touser) for touser in (ME, OTHER)}
    for touser, recipient in recipients.items():
        runtime.producer.grant(touser, DAILY_NEWS, 2)
        job_id = send(runtime, touser)
        key = touser.encode()
        with runtime.database.transaction() as connection:
            form_ids.void(connection, 1, [recipient])
            record = {"body": "{}", "openid": touser}
            sealed = envelope.seal_push(runtime.sealer, record, appid=APPID, key=key)
            pushes.store(connection, 1, [pushes.NewPush(key=key, sealed=sealed)])
        ask(
            runtime,
            "INSERT INTO pushjobs.events (app_no, key, kind, recipient, template_id, happened_at)"
            " VALUES (1, :recipient, 'receipt', :recipient, 'tpl', now())",
            recipient=recipient,
        )
        ask(
            runtime,
            "UPDATE pushjobs.form_ids SET holders = ARRAY[:id] WHERE form_id = :form_id",
            id=job_id,
            form_id=recipient,
        )
    runtime.producer.forget(ME)

    assert (runtime.producer.consent(ME), len(runtime.producer.consent(OTHER))) == ({}, 1)
    other = recipients[OTHER]
    assert ask(runtime, "SELECT recipient FROM pushjobs.events") == [(other,)]
    assert ask(runtime, "SELECT form_id FROM pushjobs.form_ids") == [(other,)]
    assert ask(runtime, "SELECT key FROM pushjobs.pushes") == [(OTHER.encode(),)]


def test_a_callback_that_names_its_user_in_its_body_is_found(runtime: Runtime) -> None:
    """A plain callback on its way to the app's own door is the user's, whatever its address says."""
    with runtime.database.transaction() as connection:
        record = {"body": f'{{"FromUserName": "{ME}"}}', "openid": ""}
        sealed = envelope.seal_push(runtime.sealer, record, appid=APPID, key=b"k")
        pushes.store(connection, 1, [pushes.NewPush(key=b"k", sealed=sealed)])
    runtime.producer.forget(ME)
    assert ask(runtime, "SELECT push_no FROM pushjobs.pushes") == []


def test_what_is_being_sent_is_let_end_and_then_erased(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A job in mid-call stays whole until it is settled; the next tick erases it, sent as it is."""
    job_id = send_now(runtime)
    [admitted] = admit(runtime, claim(runtime))
    assert runtime.producer.forget(ME) == Forgotten(users=1, under_way=1)
    assert runtime.upkeep.forget() == 0
    settle(runtime, call(runtime, [admitted]))
    assert runtime.upkeep.forget() == 1
    job = runtime.producer.get(job_id)
    assert (job.state, job.is_forgotten, job.reason) == (JobState.SENT, True, None)
    assert sandbox.summary().accepted == 1


def test_a_call_that_failed_is_not_tried_again(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A job whose call did not get through while its user was forgotten is cancelled in place of its next try."""
    job_id = send_now(runtime)
    [admitted] = admit(runtime, claim(runtime))
    runtime.producer.forget(ME)
    retry = moves.Move(
        id=job_id, release_no=admitted.release_no, transition=Transition.DEFER, reason=Reason.RETRY, due_in=0.0
    )
    with runtime.database.transaction() as connection:
        moves.apply(connection, [retry])
    runtime.upkeep.forget()
    assert runtime.producer.get(job_id).state is JobState.CANCELLED
    deliver(runtime, claim(runtime))
    assert sandbox.summary().accepted == 0


def test_a_refusal_that_comes_late_leaves_no_consent_behind(runtime: Runtime) -> None:
    """What the last call told of the user's consent goes with its job; a yes said since then is a new one."""
    send_now(runtime)
    [admitted] = admit(runtime, claim(runtime))
    runtime.producer.forget(ME)
    key = (me(runtime).recipient, admitted.template_no)
    with runtime.database.transaction() as connection:
        consents.settle(connection, 1, [consents.Change(key=key, turn=consents.Turn.EMPTIED, held=False)])
    runtime.producer.grant(ME, DAILY_NEWS)
    settle(runtime, call(runtime, [admitted]))
    runtime.upkeep.forget()
    assert set(runtime.producer.consent(ME)) == {DAILY_NEWS}


def test_who_asked_may_die_at_any_point(runtime: Runtime) -> None:
    """Once it is written down that a user is to be forgotten, the tick does it, however much there is."""
    runtime.producer.grant(ME, DAILY_NEWS)
    for _ in range(3):
        send(runtime)
    with runtime.database.transaction() as connection:
        erasing.ask(connection, [me(runtime)])
    assert runtime.upkeep.forget() == 3
    assert set(erased(runtime).values()) == {True}
    assert runtime.producer.consent(ME) == {}
    assert runtime.producer.counts()[JobState.CANCELLED] == 3


def test_an_erasure_ends_when_nothing_can_come_late(runtime: Runtime) -> None:
    """For ten minutes it finds what commits late under an older number; then, with nothing left, it goes too."""
    job_id = send(runtime)
    runtime.producer.forget(ME)
    ask(runtime, "UPDATE pushjobs.jobs SET sealed = 'late', state = 'scheduled', closed_at = NULL")
    assert runtime.upkeep.forget() == 1
    assert ask(runtime, "SELECT up_to FROM pushjobs.erasures") == [(job_id,)]
    ask(runtime, "UPDATE pushjobs.erasures SET asked_at = now() - interval '11 minutes'")
    assert runtime.upkeep.forget() == 0
    assert ask(runtime, "SELECT up_to FROM pushjobs.erasures") == []


def test_a_user_who_comes_back_is_a_new_one(runtime: Runtime, sandbox: SandboxClient) -> None:
    """Jobs made after the request are not meant by it, and are sent."""
    send(runtime)
    runtime.producer.forget(ME)
    back = send_now(runtime)
    assert runtime.upkeep.forget() == 0
    deliver(runtime, claim(runtime))
    assert (runtime.producer.get(back).state, sandbox.summary().accepted) == (JobState.SENT, 1)


def test_the_quota_is_as_it_was(runtime: Runtime) -> None:
    """What the user had today still counts after everything else is forgotten."""
    for _ in range(2):
        send_now(runtime)
        deliver(runtime, claim(runtime))
    runtime.producer.forget(ME)
    assert runtime.inspection.quota(ME).sent == 2


def test_a_dead_job_that_was_forgotten_cannot_be_replayed(runtime: Runtime) -> None:
    """By its number it is refused with words, by a filter it is left out, and `why` does not promise it."""
    job_id = close(runtime, send(runtime), "dead")
    runtime.producer.forget(ME)
    with pytest.raises(NotPossible, match=f"user of job {job_id} is forgotten: there is nothing left to send"):
        runtime.operations.replay([job_id], expires="2041-01-01 00:00:00")
    assert runtime.operations.replay(touser=ME) == Reopened(jobs=0)
    assert "there is nothing left to send" in runtime.producer.why(job_id).words


def test_a_doubt_that_was_forgotten_may_only_have_been_sent(runtime: Runtime) -> None:
    """It is not sent again, by nobody's word and by no policy; but it may be resolved as sent."""
    job_id = close(runtime, send(runtime), "in_doubt")
    runtime.producer.forget(ME)
    runtime.operations.set_policies(ORDER["template_id"], in_doubt="resend")
    ask(runtime, "UPDATE pushjobs.jobs SET closed_at = now() - interval '1 hour', attempts = 1")
    assert runtime.upkeep.resend_doubts() == 0
    with pytest.raises(NotPossible, match="nothing left to send"):
        runtime.operations.resolve([job_id], as_="again")
    assert "there is nothing left to send" in runtime.producer.why(job_id).words
    assert runtime.operations.resolve(touser=ME, as_="again") == Reopened(jobs=0)
    assert runtime.operations.resolve(touser=ME, as_="sent") == Reopened(jobs=1)


def test_a_late_answer_does_not_bring_a_forgotten_doubt_back(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A doubt that was erased and is put off by its late answer is cancelled when it would be admitted."""
    job_id = send_now(runtime)
    [admitted] = admit(runtime, claim(runtime))
    end_leases(runtime)
    runtime.upkeep.rescue()
    assert runtime.producer.forget(ME).jobs == 1
    late = moves.Move(id=job_id, release_no=admitted.release_no, transition=Transition.DEFER, reason=Reason.RETRY)
    with runtime.database.transaction() as connection:
        assert moves.apply(connection, [late]) == {job_id: JobState.IN_DOUBT}
    let_due(runtime)
    deliver(runtime, claim(runtime))
    job = runtime.producer.get(job_id)
    assert (job.state, job.reason, sandbox.summary().accepted) == (JobState.CANCELLED, Reason.FORGOTTEN, 0)


def test_a_repeat_of_a_forgotten_push_sends_nothing(runtime: Runtime) -> None:
    """An idempotency key stays known: a caller's repeat is the job that was cancelled."""
    job_id = send(runtime, idempotency_key="order-7")
    runtime.producer.forget(ME)
    assert send(runtime, idempotency_key="order-7") == job_id
    assert runtime.producer.get(job_id).state is JobState.CANCELLED


def test_forget_from_the_terminal(run: Run, runtime: Runtime, tmp_path: Path) -> None:
    """`forget` counts what it did; without --yes a script is refused; a bad line refuses the whole file."""
    send(runtime)
    send(runtime, OTHER)
    assert run("forget", ME)[0] == 2
    assert run("forget", ME, "--yes")[:2] == (0, "forgot 1 user: erased 1 job, cancelled 1 of them\n")
    file = tmp_path / "users.txt"
    file.write_text(f"{OTHER}\n\nno user\n")
    status, _, err = run("forget", "--file", str(file), "--yes")
    assert (status, "line 3" in err, "no user" in err) == (2, True, False)
    file.write_text("".join(f"oUser{number}\n" for number in range(250)) + f"{OTHER}\n{ME}\n")
    status, out, _ = run("forget", "--file", str(file), "--yes", "--json")
    assert (status, out) == (0, '{\n  "users": 252,\n  "jobs": 1,\n  "cancelled": 1,\n  "under_way": 0\n}\n')
    assert run("forget", "--yes")[0] == 2
    with pytest.raises(InvalidInput):
        runtime.producer.forget()
