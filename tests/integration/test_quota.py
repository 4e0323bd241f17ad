"""The daily quota: exactly so many a day, however many race for them, whoever dies, whenever midnight is."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import pytest

from pushjobs import clock
from pushjobs.delivery.calling import Answer
from pushjobs.domain.job import JobState, OnQuota, Reason
from pushjobs.domain.moment import SHANGHAI, next_day_at
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS, ORDER_SHIPPED
from pushjobs.settings import Settings
from pushjobs.store import templates
from tests.integration.hands import (
    ORDER,
    SEND,
    Batch,
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

FULL = os.environ.get("PUSHJOBS_TEST_FULL") == "1"
THREADS, ATTEMPTS = 50, 1000 if FULL else 20
CAP = 3


@pytest.fixture
def runtime(sandbox: SandboxClient, settings: Settings) -> Iterator[Runtime]:
    """A worker's runtime with a cap of three a day."""
    assert sandbox is not None
    made = Runtime(settings.model_copy(update={"daily_quota": CAP, "rate_per_second": 500.0}))
    yield made
    made.close()


def for_one_user(runtime: Runtime, count: int, **more: object) -> Batch:
    """Schedule that many jobs of one user and claim them."""
    runtime.producer.send_many(
        {
            "touser": "oReader000000",
            "template_id": DAILY_NEWS,
            "data": {"thing1": f"第{number}条", "thing2": "今日要闻", "date3": "2026年12月1日"},
            **more,
        }
        for number in range(count)
    )
    return claim(runtime, count)


def send_one_by_one(runtime: Runtime, batch: Batch) -> None:
    """Take each job through the whole pipeline on its own."""
    for job in batch:
        if admitted := admit(runtime, [job]):
            settle(runtime, call(runtime, admitted))


def day(runtime: Runtime) -> tuple[int, int]:
    """Places of the user's day that are used, and held."""
    [(sent, held)] = ask(runtime, "SELECT sent, held FROM pushjobs.recipients")
    return sent, held


@pytest.mark.timeout(900 if FULL else 120)
def test_a_cap_of_three_admits_exactly_three(runtime: Runtime, sandbox: SandboxClient) -> None:
    """12.10 Fifty threads of five workers that try for one user all at once send three messages and not one more."""
    batch = for_one_user(runtime, THREADS * ATTEMPTS, on_quota="refuse")
    workers = [Runtime(runtime.settings) for _ in range(THREADS // 10)]  # each has ten connections

    def work(part: int) -> None:
        send_one_by_one(workers[part % len(workers)], batch[part::THREADS])

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(THREADS)))
    for worker in workers:
        worker.close()

    assert sandbox.summary().by_errcode == {"0": CAP}
    assert day(runtime) == (CAP, 0)
    counts = runtime.producer.counts()
    assert counts[JobState.SENT] == CAP
    assert counts[JobState.SENT] + counts[JobState.REFUSED] + counts[JobState.SCHEDULED] == len(batch)
    reasons = ask(runtime, "SELECT DISTINCT reason FROM pushjobs.jobs WHERE state = 'scheduled'")
    assert {reason for (reason,) in reasons} <= {Reason.USER_BUSY, Reason.QUOTA_HELD}


def test_whole_batches_of_two_workers_keep_to_the_cap(runtime: Runtime, sandbox: SandboxClient) -> None:
    """Two processes with batches for the same thirty users send each of them three of five messages."""
    other = Runtime(runtime.settings)
    for number in range(5):
        schedule(runtime, 30, on_quota="refuse", reference=str(number))
    try:
        with ThreadPoolExecutor(2) as threads:
            while batch := claim(runtime):
                parts = [(runtime, batch[::2]), (other, batch[1::2])]
                list(threads.map(lambda part: deliver(*part), parts))
                let_due(runtime)
    finally:
        other.close()
    assert sandbox.summary().by_errcode == {"0": 90}
    assert set(ask(runtime, "SELECT sent, held FROM pushjobs.recipients")) == {(CAP, 0)}
    assert runtime.producer.counts()[JobState.REFUSED] == 60


def test_over_quota_defers_to_the_next_day(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A job that finds the day full goes on at the resume hour of the next day, spread over an hour."""
    batch = for_one_user(runtime, CAP + 1, on_quota="defer")
    send_one_by_one(runtime, batch)
    [waiting] = runtime.producer.find(state="scheduled")
    resume = next_day_at(clock.now(), SHANGHAI, runtime.settings.resume_hour)
    assert waiting.reason is Reason.QUOTA
    assert resume <= waiting.due_at + timedelta(seconds=5)
    assert waiting.due_at <= resume + timedelta(hours=1)
    assert sandbox.summary().received == CAP
    # The next day it goes.
    ask(runtime, "UPDATE pushjobs.recipients SET quota_day = quota_day - 1")
    let_due(runtime)
    deliver(runtime, claim(runtime))
    assert runtime.producer.get(waiting.id).state is JobState.SENT
    assert day(runtime) == (1, 0)


@pytest.mark.parametrize(
    ("on_quota", "expires"), [(OnQuota.REFUSE, None), (OnQuota.DEFER, timedelta(minutes=1))], ids=str
)
def test_over_quota_refuses_what_cannot_wait(
    runtime: Runtime, sandbox: SandboxClient, on_quota: OnQuota, expires: timedelta | None
) -> None:
    """A job that must not wait, or whose deadline lies before the next day, is refused without a call."""
    send_one_by_one(runtime, for_one_user(runtime, CAP))
    send_one_by_one(runtime, for_one_user(runtime, 1, on_quota=on_quota, expires=expires))
    [refused] = runtime.producer.find(state="refused")
    assert refused.reason is Reason.QUOTA
    assert sandbox.summary().received == CAP


def test_places_that_are_only_held_make_a_job_wait_a_second(runtime: Runtime, sandbox: SandboxClient) -> None:
    """12.11 While calls hold the last places, others are neither refused nor put off to the next day."""
    batch = for_one_user(runtime, CAP + 1, on_quota="refuse")
    send_one_by_one(runtime, batch[: CAP - 1])
    last = admit(runtime, batch[CAP - 1 : CAP])
    ask(runtime, "UPDATE pushjobs.recipients SET in_flight_until = NULL")  # the rule before this one
    assert admit(runtime, batch[CAP:]) == []
    waiting = runtime.producer.get(batch[-1][0])
    assert (waiting.state, waiting.reason) == (JobState.SCHEDULED, Reason.QUOTA_HELD)
    assert 0.0 < (waiting.due_at - clock.now()).total_seconds() <= 1.0
    # The call that held the place sent nothing: the job that waited may have it.
    sandbox.order_fault("errcode", SEND, errcode=40003, times=1)
    settle(runtime, call(runtime, last))
    let_due(runtime)
    deliver(runtime, claim(runtime))
    assert runtime.producer.get(batch[-1][0]).state is JobState.SENT
    assert day(runtime) == (CAP, 0)


@pytest.mark.parametrize("errcode", [-1, 45011, 43101, 40003, 47003, 48001])
def test_an_answer_that_sent_nothing_gives_its_place_back(
    runtime: Runtime, sandbox: SandboxClient, errcode: int
) -> None:
    """Whatever WeChat refuses does not count for the user's day."""
    sandbox.order_fault("errcode", SEND, errcode=errcode)
    send_one_by_one(runtime, for_one_user(runtime, 1))
    assert sandbox.summary().received == 1
    assert day(runtime) == (0, 0)
    assert ask(runtime, "SELECT in_flight_until FROM pushjobs.recipients") == [(None,)]


def test_the_kth_waiting_job_comes_back_k_seconds_later(runtime: Runtime) -> None:
    """12.10 Of one user's jobs in a slice the first goes, the others come back one second after another."""
    batch = for_one_user(runtime, 4)
    [admitted] = admit(runtime, batch)
    assert admitted.id == batch[0][0]
    waiting = [runtime.producer.get(job_id) for job_id, _ in batch[1:]]
    now = clock.now()
    assert [round((job.due_at - now).total_seconds()) for job in waiting] == [1, 2, 3]
    assert {(job.state, job.reason) for job in waiting} == {(JobState.SCHEDULED, Reason.USER_BUSY)}


def test_killed_before_the_call_keeps_the_place(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A worker that died between admission and settling may have called: the doubt counts for the day."""
    for _ in range(CAP):
        assert len(admit(runtime, for_one_user(runtime, 1))) == 1
        end_leases(runtime)
        runtime.upkeep.rescue()
        runtime.upkeep.rescue()
    assert day(runtime) == (CAP, 0)
    assert runtime.producer.counts()[JobState.IN_DOUBT] == CAP
    send_one_by_one(runtime, for_one_user(runtime, 1, on_quota="refuse"))
    assert [job.reason for job in runtime.producer.find(state="refused")] == [Reason.QUOTA]
    assert sandbox.summary().received == 0


def test_killed_before_admission_costs_nothing(runtime: Runtime) -> None:
    """A worker that died with a batch in hand has charged nobody."""
    for_one_user(runtime, 1)
    end_leases(runtime)
    runtime.upkeep.rescue()
    assert ask(runtime, "SELECT count(*) FROM pushjobs.recipients") == [(0,)]
    deliver(runtime, claim(runtime))
    assert day(runtime) == (1, 0)


@pytest.mark.parametrize(("errcode", "left"), [(None, (1, 0)), (-1, (0, 0)), (43101, (0, 0))])
@pytest.mark.parametrize("is_rescued", [False, True])
def test_killed_after_the_call_is_settled_once(
    runtime: Runtime, sandbox: SandboxClient, errcode: int | None, left: tuple[int, int], is_rescued: bool
) -> None:
    """12.3 An answer counts once, in time or late, however often its settling is repeated."""
    if errcode:
        sandbox.order_fault("errcode", SEND, errcode=errcode)
    answers = call(runtime, admit(runtime, for_one_user(runtime, 1)))
    if is_rescued:
        end_leases(runtime)
        runtime.upkeep.rescue()
        assert day(runtime) == (1, 0)
    for _ in range(3):
        settle(runtime, answers)
    assert day(runtime) == left


def test_a_late_answer_does_not_free_a_user_who_is_being_called(runtime: Runtime) -> None:
    """A call given up for dead freed its user; when it answers after all, another call's turn stays its own."""
    batch = for_one_user(runtime, 2)
    answers = call(runtime, admit(runtime, batch[:1]))
    end_leases(runtime)
    runtime.upkeep.rescue()
    [(second, number)] = claim(runtime)
    assert len(admit(runtime, [(second, number)])) == 1
    settle(runtime, answers)
    [(is_in_flight,)] = ask(runtime, "SELECT in_flight_until > now() FROM pushjobs.recipients")
    assert is_in_flight
    assert day(runtime) == (1, 1)


def test_a_templates_own_cap_is_counted_beside_the_users(runtime: Runtime, sandbox: SandboxClient) -> None:
    """With news capped at one a day, the second is refused, gives its place back, and an order's notice goes."""
    batch = for_one_user(runtime, 2, on_quota="refuse")
    cap_news(runtime, 1)
    send_one_by_one(runtime, batch)
    assert [job.reason for job in runtime.producer.find(state="refused")] == [Reason.QUOTA]
    assert day(runtime) == (1, 0)
    schedule(runtime, **ORDER)
    deliver(runtime, claim(runtime))
    assert [entry.template_id for entry in sandbox.all_received()] == [DAILY_NEWS, ORDER_SHIPPED]
    assert day(runtime) == (2, 0)


@pytest.mark.parametrize(("errcode", "used"), [(None, 1), (-1, 0), (43101, 0)])
@pytest.mark.parametrize("is_rescued", [False, True])
def test_a_templates_place_is_settled_with_its_answer(
    runtime: Runtime, sandbox: SandboxClient, errcode: int | None, used: int, is_rescued: bool
) -> None:
    """What was not sent gives its place of the template's day back, once, in time or late."""
    if errcode:
        sandbox.order_fault("errcode", SEND, errcode=errcode)
    batch = for_one_user(runtime, 1)
    cap_news(runtime, 1)
    answers = call(runtime, admit(runtime, batch))
    if is_rescued:
        end_leases(runtime)
        runtime.upkeep.rescue()
    assert ask(runtime, "SELECT used FROM pushjobs.template_days") == [(1,)]
    for _ in range(2):
        settle(runtime, answers)
    assert ask(runtime, "SELECT used FROM pushjobs.template_days") == [(used,)]


def test_the_charge_stands_on_the_job(runtime: Runtime) -> None:
    """A call's day is written on its job, where a rescue finds it, and goes when the job is scheduled again."""
    batch = for_one_user(runtime, 1)
    admitted = admit(runtime, batch)
    today: date = datetime.now(SHANGHAI).date()
    assert ask(runtime, "SELECT charged_day FROM pushjobs.jobs") == [(today,)]
    assert admitted[0].charge.day == today
    ask(runtime, "UPDATE pushjobs.recipients SET in_flight_until = NULL")
    settle(runtime, [Answer(job=admitted[0], outcome=None)])
    assert only_job(runtime).state is JobState.SCHEDULED
    assert ask(runtime, "SELECT charged_day FROM pushjobs.jobs") == [(None,)]
    assert day(runtime) == (0, 0)


def cap_news(runtime: Runtime, cap: int) -> None:
    """Cap the template of the user's jobs."""
    [(template_no,)] = ask(runtime, "SELECT DISTINCT template_no FROM pushjobs.jobs")
    with runtime.database.transaction() as connection:
        templates.set_policies(connection, template_no, daily_cap=cap)
