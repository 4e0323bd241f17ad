"""Delivery in one process, on a real database, counted at the sandbox; claims are made by hand, without Celery."""

import base64
import threading
from dataclasses import replace as _replace
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from pushjobs import clock
from pushjobs.domain.job import JobState, Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.settings import LEASE_SECONDS, Settings
from pushjobs.store import moves, releases, slices
from pushjobs.store.releases import Bucket
from tests.acceptance.installation import wait_for
from tests.integration.hands import SEND, admit, call, claim, deliver, end_leases, only_job, schedule, settle


@pytest.fixture
def runtime(worker: Runtime) -> Runtime:
    """A runtime that calls the sandbox."""
    return worker


def test_a_batch_is_sent_once_each_and_leaves_no_history(runtime: Runtime, sandbox: SandboxClient) -> None:
    """Every job of a batch of several slices reaches WeChat once, is `sent`, and has WeChat's number of it."""
    schedule(runtime, 250)
    deliver(runtime, claim(runtime))

    assert runtime.producer.counts()[JobState.SENT] == 250
    summary = sandbox.summary()
    assert (summary.accepted, summary.received, summary.repeats) == (250, 250, 0)
    jobs = runtime.producer.find(limit=250)
    assert {job.msgid for job in jobs} == {entry.msgid for entry in sandbox.all_received()}
    assert all(job.attempts == 1 and job.called_at and job.closed_at and job.reason is None for job in jobs)
    assert runtime.producer.history(jobs[0].id) == []


def test_a_slow_wechat_is_called_by_all_that_may_be_out(runtime: Runtime, sandbox: SandboxClient) -> None:
    """Four slices leave before the first answer is there: no call waits for the connection of another."""
    sandbox.change_settings(latency_ms=2000)
    runtime.operations.set_pace(1000)
    wait_for("the pace takes hold", lambda: runtime.inspection.limit().per_second == 1000)
    schedule(runtime, 350)
    deliver(runtime, claim(runtime))

    arrived = sorted(entry.arrived_at for entry in sandbox.all_received())
    assert len(arrived) == 350
    assert arrived[-1] - arrived[0] < 2.0


def test_no_job_leaves_before_its_time(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A job that was released ahead of its time waits in the worker and reaches WeChat at its time or just after."""
    moment = clock.now().timestamp() + 1.0
    for offset in range(5):
        schedule(runtime, time=_iso(moment + offset / 10), touser=f"oPatient{offset}")
    deliver(runtime, claim(runtime))

    lateness = [
        entry.arrived_at - job.time.timestamp()
        for entry, job in zip(sandbox.all_received(), reversed(runtime.producer.find()), strict=True)
    ]
    assert min(lateness) >= 0
    assert max(lateness) < 0.5


def test_a_message_that_arrives_twice_sends_once(runtime: Runtime, sandbox: SandboxClient) -> None:
    """The broker may redeliver a batch, at once or later: the second worker finds nothing to do."""
    sandbox.change_settings(latency_ms=20)
    schedule(runtime, 120)
    batch = claim(runtime)
    workers = [threading.Thread(target=deliver, args=(runtime, batch)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    deliver(runtime, batch)

    assert sandbox.summary().received == 120


def test_a_message_with_an_older_number_is_ignored(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A batch that comes after its jobs were released anew finds other numbers and does nothing."""
    schedule(runtime)
    old = claim(runtime)
    end_leases(runtime)
    runtime.upkeep.rescue()
    new = claim(runtime)
    assert new[0][1] == old[0][1] + 1
    deliver(runtime, old)
    assert sandbox.summary().received == 0
    deliver(runtime, new)
    assert sandbox.summary().accepted == 1


@pytest.mark.parametrize(
    ("errcode", "state", "reason"),
    [
        (43101, JobState.REFUSED, Reason.NO_CONSENT),
        (40003, JobState.REFUSED, Reason.RECIPIENT),
        (47003, JobState.REFUSED, Reason.TEMPLATE_FAULT),
        (99999, JobState.REFUSED, Reason.UNLISTED_CODE),
        (-1, JobState.SCHEDULED, Reason.RETRY),
        (45011, JobState.SCHEDULED, Reason.SLOW_DOWN),
        (45009, JobState.SCHEDULED, Reason.DAY_OVER),
        (40001, JobState.SCHEDULED, Reason.TOKEN),
        (48001, JobState.SCHEDULED, Reason.APP_FAULT),
    ],
)
def test_each_class_of_answer_has_its_state_and_reason(
    runtime: Runtime, sandbox: SandboxClient, errcode: int, state: JobState, reason: Reason
) -> None:
    """What WeChat answers decides the job's state, and the history says why."""
    if errcode == 45009:
        sandbox.change_settings(per_day=0)  # WeChat is asked whether it means the day
    sandbox.order_fault("errcode", SEND, errcode=errcode)
    schedule(runtime)
    deliver(runtime, claim(runtime))

    job = only_job(runtime)
    assert (job.state, job.reason, job.errcode) == (state, reason, errcode)
    [happening] = runtime.producer.history(job.id)
    assert (happening.state, happening.reason, happening.errcode) == (state, reason, errcode)
    if state is JobState.SCHEDULED:
        assert job.time < job.due_at <= job.expires


def test_a_job_whose_attempts_are_used_up_is_dead(runtime: Runtime, sandbox: SandboxClient) -> None:
    """After five answers of "system busy" the job is given up and kept."""
    sandbox.order_fault("errcode", {"path": "/cgi-bin/message/subscribe/send"}, errcode=-1)
    schedule(runtime)
    for _ in range(5):
        with runtime.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE pushjobs.jobs SET due_at = now()")
        deliver(runtime, claim(runtime))

    job = only_job(runtime)
    assert (job.state, job.reason, job.attempts) == (JobState.DEAD, Reason.ATTEMPTS_USED_UP, 5)
    assert sandbox.summary().received == 5


@pytest.mark.parametrize("fault", ["drop_after_read", "half_answer", "not_json"])
def test_an_unknown_outcome_is_in_doubt_and_not_sent_again(
    runtime: Runtime, sandbox: SandboxClient, fault: str
) -> None:
    """When the answer is lost after the request was read, the job is `in_doubt`, and no tick touches it again."""
    sandbox.order_fault(fault, {"path": "/cgi-bin/message/subscribe/send"})
    schedule(runtime)
    deliver(runtime, claim(runtime))

    job = only_job(runtime)
    assert (job.state, job.reason) == (JobState.IN_DOUBT, Reason.UNKNOWN_OUTCOME)
    runtime.upkeep.rescue()
    assert claim(runtime) == []
    assert sandbox.summary().received == 1


def test_a_call_that_never_left_uses_no_attempt(runtime: Runtime, settings: Settings) -> None:
    """With nobody listening at WeChat's address the job comes back soon, as if never tried."""
    nowhere = Runtime(settings.model_copy(update={"wechat_base_url": "http://127.0.0.1:9"}))
    schedule(runtime)
    try:
        deliver(nowhere, claim(runtime))
    finally:
        nowhere.close()

    job = only_job(runtime)
    assert (job.state, job.reason, job.attempts) == (JobState.SCHEDULED, Reason.NOT_SENT, 0)


def test_while_the_first_host_is_gone_the_next_gets_each_job_once(
    runtime: Runtime, settings: Settings, sandbox: SandboxClient, caplog: pytest.LogCaptureFixture
) -> None:
    """12.13 A slice whose host cannot be reached is sent by the next one, token and all, in its first attempt."""
    spare = settings.wechat_base_url
    hosts = {"wechat_base_url": "http://127.0.0.1:9", "wechat_fallback_urls": (spare,)}
    moved = Runtime(settings.model_copy(update=hosts))
    schedule(runtime, 100)
    try:
        deliver(moved, claim(runtime))
    finally:
        moved.close()

    summary = sandbox.summary()
    assert (summary.accepted, summary.received, summary.repeats) == (100, 100, 0)
    assert runtime.producer.counts()[JobState.SENT] == 100
    assert {job.attempts for job in runtime.producer.find()} == {1}
    assert [vars(each)["host"] for each in caplog.records if each.message == "calls_moved"] == [spare]


def test_an_expired_token_is_replaced_and_the_call_made_once_more(runtime: Runtime, sandbox: SandboxClient) -> None:
    """When WeChat takes the token for expired in mid-slice, one new token is fetched and every job is sent."""
    schedule(runtime, 1)
    deliver(runtime, claim(runtime))
    sandbox.order_fault("expire_tokens", {"path": "/cgi-bin/message/subscribe/send"}, times=1)
    schedule(runtime, 100, reference="second")
    deliver(runtime, claim(runtime))

    assert runtime.producer.counts()[JobState.SENT] == 101
    assert sandbox.summary().repeats == 1  # the first reader's news, scheduled twice on purpose


def test_a_worker_that_overslept_calls_nobody(runtime: Runtime, sandbox: SandboxClient) -> None:
    """12.1 Call-by: past the moment by which an answer fits the lease, the job goes back instead of out."""
    schedule(runtime)
    [admitted] = admit(runtime, claim(runtime))
    slept = _replace(admitted, call_by=clock.monotonic() - 0.001)
    settle(runtime, call(runtime, [slept]))

    job = only_job(runtime)
    assert (job.state, job.reason, job.attempts) == (JobState.SCHEDULED, Reason.TOO_LATE_TO_CALL, 0)
    assert sandbox.summary().received == 0


def test_call_by_leaves_time_for_the_answer(runtime: Runtime) -> None:
    """12.1 Call-by lies a call time-out and a second before the end of the lease, counted from before the admission."""
    schedule(runtime)
    batch = claim(runtime)
    before = clock.monotonic()
    [admitted] = admit(runtime, batch)
    timeout = runtime.settings.call_timeout_seconds
    assert admitted.call_by - before == pytest.approx(LEASE_SECONDS - timeout - 1.0, abs=0.05)


def test_a_late_answer_settles_the_doubt_it_belongs_to(runtime: Runtime) -> None:
    """12.3 A worker given up for dead that answers after all settles its job while the number is still its own."""
    schedule(runtime)
    answers = call(runtime, admit(runtime, claim(runtime)))
    end_leases(runtime)
    runtime.upkeep.rescue()
    assert only_job(runtime).state is JobState.IN_DOUBT
    settle(runtime, answers)

    assert only_job(runtime).state is JobState.SENT


def test_an_answer_of_an_older_release_is_only_history(runtime: Runtime) -> None:
    """12.3 Once the job was released anew, what the first worker says changes nothing and is noted."""
    schedule(runtime)
    answers = call(runtime, admit(runtime, claim(runtime)))
    with runtime.database.transaction() as connection:  # what "send again" by an operator comes down to
        connection.exec_driver_sql("UPDATE pushjobs.jobs SET state = 'scheduled', lease_until = NULL")
    claim(runtime)
    settle(runtime, answers)

    job = only_job(runtime)
    assert job.state is JobState.RELEASED
    assert runtime.producer.history(job.id)[-1].reason is Reason.LATE_ANSWER


def test_known_answers_outlive_a_restart_of_the_database(runtime: Runtime, sandbox: SandboxClient) -> None:
    """12.3 A settle is repeated until it commits: PostgreSQL going away after the call makes no doubts."""
    schedule(runtime, 10)
    answers = call(runtime, admit(runtime, claim(runtime)))
    repeated = threading.Event()
    settlement = runtime.delivery._settler._settlement
    settlement._emit = lambda event: repeated.set() if type(event).__name__ == "SettleRepeated" else None
    with runtime.database.transaction() as other:
        # Somebody else's lock in place of a stopped server: the statement times out, is rolled back, and is repeated.
        other.exec_driver_sql("SELECT id FROM pushjobs.jobs FOR UPDATE")
        impatient = Runtime(runtime.settings)
        settlement._database = impatient.database
        with impatient.database.transaction() as connection:
            connection.exec_driver_sql("ALTER ROLE CURRENT_USER SET lock_timeout = '200ms'")
        impatient.database._engine.dispose()
        settling = threading.Thread(target=settlement.settle, args=(1, Lane.BULK, answers))
        settling.start()
        assert repeated.wait(10), "the settle was not repeated"
        other.exec_driver_sql("ALTER ROLE CURRENT_USER RESET lock_timeout")
    settling.join(10)
    impatient.close()

    assert runtime.producer.counts()[JobState.SENT] == 10
    assert sandbox.summary().received == 10


def test_a_draining_worker_gives_back_what_it_has_not_begun(runtime: Runtime, sandbox: SandboxClient) -> None:
    """12.16 Once draining, no new slice begins; the jobs are scheduled again at once."""
    schedule(runtime, 10)
    leaving = Runtime(runtime.settings, is_draining=lambda: True)
    deliver(leaving, claim(runtime))
    leaving.close()

    assert runtime.producer.counts()[JobState.SCHEDULED] == 10
    assert only_reason(runtime) == {Reason.DRAINED}
    assert sandbox.summary().received == 0


def test_two_jobs_for_one_user_are_never_in_flight_together(runtime: Runtime, sandbox: SandboxClient) -> None:
    """WeChat answers 43108 to two sends at once to one user: the k-th waiting job comes back k seconds later."""
    sandbox.change_settings(latency_ms=300)
    for number in range(4):
        schedule(runtime, reference=str(number))
    half = claim(runtime)
    workers = [threading.Thread(target=deliver, args=(runtime, half[part::2])) for part in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sandbox.summary().by_errcode == {"0": 1}
    assert only_reason(runtime) == {None, Reason.USER_BUSY}
    wait_for("the others followed, one by one", lambda: _deliver_until_sent(runtime, 4), 20)

    assert sandbox.summary().by_errcode == {"0": 4}


def _deliver_until_sent(runtime: Runtime, count: int) -> bool:
    deliver(runtime, claim(runtime))
    return runtime.producer.counts()[JobState.SENT] == count


def test_a_job_past_its_deadline_expires_without_a_call(runtime: Runtime, sandbox: SandboxClient) -> None:
    """After `expires` the message is worthless and is not sent."""
    schedule(runtime)
    with runtime.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE pushjobs.jobs SET planned_at = now() - interval '2 days', expires_at = now() - interval '1 second'"
        )
    deliver(runtime, claim(runtime))

    job = only_job(runtime)
    assert (job.state, job.reason) == (JobState.EXPIRED, Reason.DEADLINE)
    assert sandbox.summary().received == 0


def test_what_cannot_be_decrypted_waits_for_its_key(runtime: Runtime, sandbox: SandboxClient) -> None:
    """12.20 A job sealed with a key we lack is deferred, never refused."""
    schedule(runtime)
    stranger = Runtime(runtime.settings.model_copy(update={"encryption_keys": _other_key(runtime)}))
    deliver(stranger, claim(runtime))
    stranger.close()

    job = only_job(runtime)
    assert (job.state, job.reason) == (JobState.SCHEDULED, Reason.UNDECRYPTABLE)
    assert sandbox.summary().received == 0


def test_a_shared_content_reaches_every_recipient(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A content stored once is sent to each job that names it."""
    data = {"thing1": "早报", "thing2": "今日要闻", "date3": "2026年12月1日"}
    news = runtime.producer.store_content(template_id=DAILY_NEWS, data=data)
    runtime.producer.send_many({"touser": f"oReader{number}", "content": news} for number in range(40))
    deliver(runtime, claim(runtime))

    bodies = [entry.body for entry in sandbox.all_received()]
    assert len({body["touser"] for body in bodies}) == 40
    assert all(body["data"]["thing1"]["value"] == "早报" for body in bodies)


def test_a_cancelled_job_is_not_sent_though_its_message_is_under_way(runtime: Runtime, sandbox: SandboxClient) -> None:
    """Cancelling holds until the moment of admission."""
    schedule(runtime)
    batch = claim(runtime)
    assert runtime.producer.cancel(only_job(runtime).id) == 1
    deliver(runtime, batch)

    assert only_job(runtime).state is JobState.CANCELLED
    assert sandbox.summary().received == 0


def test_a_settled_slice_is_noted_for_back_pressure(runtime: Runtime) -> None:
    """12.8 The load of a bucket knows what was settled of late, and nothing outstanding is left."""
    schedule(runtime, 30)
    deliver(runtime, claim(runtime))
    with runtime.database.transaction() as connection:
        load = releases.load(connection, Bucket(1, Lane.BULK))
    assert (load.outstanding, load.settled) == (0, 30)


def test_a_slice_that_matches_nothing_changes_nothing(runtime: Runtime) -> None:
    """Moves under a wrong number are not made, and the mover is told so."""
    schedule(runtime)
    [(job_id, number)] = claim(runtime)
    with runtime.database.transaction() as connection:
        assert slices.lock(connection, [(job_id, number + 1)]) == []
        wrong = moves.Move(id=job_id, release_no=number + 1, transition=Transition.POSTPONE, due_in=1.0)
        assert moves.apply(connection, [wrong]) == {}
    assert only_job(runtime).state is JobState.RELEASED


def only_reason(runtime: Runtime) -> set[Reason | None]:
    """Return the reasons of all jobs."""
    return {job.reason for job in runtime.producer.find()}


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def _other_key(runtime: Runtime) -> tuple[SecretStr, ...]:
    assert runtime.settings.encryption_keys
    return (SecretStr(base64.b64encode(b"o" * 32).decode()),)
