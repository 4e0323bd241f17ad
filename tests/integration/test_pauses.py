"""Pauses: what they hold back, at the claim and at admission, and what they cost while they do."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState, Lane, Reason
from pushjobs.domain.pause import PauseReason
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import ORDER_SHIPPED
from pushjobs.store import pauses
from tests.integration.hands import ORDER, Batch, ask, claim, deliver, let_due, only_job, schedule

AT_THE_HEAD = 5_000


def pause(worker: Runtime, **more: object) -> bool:
    """Pause the app, or what `more` says of it."""
    with worker.database.transaction() as connection:
        return pauses.pause(connection, 1, PauseReason.OPERATOR, **more)


def lift(worker: Runtime, **what: object) -> int:
    """Lift the pauses on exactly this."""
    with worker.database.transaction() as connection:
        return pauses.lift(connection, 1, **what)  # type: ignore[arg-type] # template_no and lane


def news(worker: Runtime) -> int:
    """The number of the template that `schedule` uses."""
    [(number,)] = ask(worker, "SELECT template_no FROM pushjobs.templates WHERE template_id LIKE 'daily-news%'")
    return int(number)


@pytest.mark.parametrize(("lane", "released"), [(None, 0), (Lane.BULK, 2), (Lane.URGENT, 3)])
def test_a_pause_holds_at_the_claim(worker: Runtime, lane: Lane | None, released: int) -> None:
    """A paused app or lane is not claimed from, and its jobs keep their moment; the other lane goes on."""
    schedule(worker, 3)
    schedule(worker, 2, lane="urgent")
    due = ask(worker, "SELECT id, due_at FROM pushjobs.jobs ORDER BY id")
    assert pause(worker, lane=lane)
    assert worker.releaser.tick() == released
    assert ask(worker, "SELECT id, due_at FROM pushjobs.jobs ORDER BY id") == due
    assert lift(worker, lane=lane) == 1
    assert worker.releaser.tick() == 5 - released


@pytest.mark.parametrize("lane", [None, Lane.BULK])
def test_a_pause_holds_at_admission(worker: Runtime, sandbox: SandboxClient, lane: Lane | None) -> None:
    """What was released before the pause is not called: it goes back with its moment and the reason."""
    schedule(worker)
    batch = claim(worker)
    pause(worker, lane=lane)
    deliver(worker, batch)
    job = only_job(worker)
    assert (job.state, job.reason, job.due_at) == (JobState.SCHEDULED, Reason.PAUSED, job.time)
    assert sandbox.summary().received == 0
    lift(worker, lane=lane)
    deliver(worker, claim(worker))
    assert sandbox.summary().accepted == 1


def test_a_paused_template_lets_others_pass(worker: Runtime, sandbox: SandboxClient) -> None:
    """A template's pause puts off its jobs alone, for about as long as it lasts."""
    schedule(worker, 5)
    schedule(worker, 4, **ORDER)
    pause(worker, template_no=news(worker), until_in=600.0)
    deliver(worker, claim(worker))
    assert {entry.template_id for entry in sandbox.all_received()} == {ORDER_SHIPPED}
    assert sandbox.summary().accepted == 4
    waiting = worker.producer.find(state="scheduled")
    assert [job.reason for job in waiting] == [Reason.PAUSED] * 5
    assert all(590 <= (job.due_at - clock.now()).total_seconds() <= 630 for job in waiting)


def test_a_paused_templates_jobs_go_once_it_is_over(worker: Runtime, sandbox: SandboxClient) -> None:
    """With the pause over, what it put off is sent."""
    schedule(worker, 5)
    pause(worker, template_no=news(worker))
    deliver(worker, claim(worker))
    lift(worker, template_no=news(worker))
    let_due(worker)
    deliver(worker, claim(worker))
    assert sandbox.summary().accepted == 5


def test_a_pause_ends_by_itself(worker: Runtime) -> None:
    """A pause with an end is over with it, and one that is over and begins again is news again."""
    schedule(worker)
    assert pause(worker, until_in=60.0)
    assert not pause(worker, until_in=30.0)
    [(until,)] = ask(worker, "SELECT until FROM pushjobs.pauses")
    assert until - clock.now() > timedelta(seconds=50)  # the later end counts
    ask(worker, "UPDATE pushjobs.pauses SET until = now() - interval '1 s'")
    assert worker.releaser.tick() == 1
    assert pause(worker, until_in=60.0)
    assert worker.releaser.tick() == 0


def test_two_reasons_are_two_pauses(worker: Runtime) -> None:
    """What is paused for two reasons goes on only when both are over."""
    schedule(worker)
    pause(worker)
    with worker.database.transaction() as connection:
        pauses.pause(connection, 1, PauseReason.SLOW_DOWN, until_in=60.0)
        assert pauses.lift_breaker(connection, 1, PauseReason.SLOW_DOWN)
        assert not pauses.lift_breaker(connection, 1, PauseReason.SLOW_DOWN)
    assert worker.releaser.tick() == 0
    lift(worker)
    assert worker.releaser.tick() == 1


def test_paused_jobs_at_the_head_cost_a_tick_nothing(worker: Runtime) -> None:
    """12.14 However many jobs a paused lane has due, a tick does not read them, and the other lane's leave at once."""
    schedule(worker, AT_THE_HEAD)
    schedule(worker, 5, lane="urgent")
    pause(worker, lane=Lane.BULK)
    read_before = rows_read(worker)
    began = clock.monotonic()
    assert worker.releaser.tick() == 5
    assert clock.monotonic() - began < 0.5
    assert rows_read(worker) - read_before < 100
    assert worker.producer.counts()[JobState.SCHEDULED] == AT_THE_HEAD


def rows_read(worker: Runtime) -> int:
    """How many rows of jobs were ever read through an index or in sequence."""
    worker.database.close()  # what a connection has counted is told when it ends
    sql = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'jobs'"
    [(count,)] = ask(worker, sql)
    return int(count)


def test_one_of_many_takes_the_probe(worker: Runtime) -> None:
    """12.13 Of all the workers that ask when a probe is due, one may try, and nobody for the next ten seconds."""
    schedule(worker)
    with worker.database.transaction() as connection:
        pauses.pause(connection, 1, PauseReason.WECHAT_DOWN, probe_in=0.0)
        found = pauses.active(connection, 1)

    def take(_: int) -> bool:
        with worker.database.transaction() as connection:
            return pauses.take_probe(connection, found, again_in=10.0)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, range(24))) == 1
    [(seconds,)] = ask(worker, "SELECT extract(epoch FROM probe_at - now())::float FROM pushjobs.pauses")
    assert 5.0 < seconds <= 10.0


def test_an_operators_pause_holds_the_probe_too(worker: Runtime, sandbox: SandboxClient) -> None:
    """A breaker's probe does not pass what somebody has paused on purpose."""
    schedule(worker, 3)
    batch: Batch = claim(worker)
    with worker.database.transaction() as connection:
        pauses.pause(connection, 1, PauseReason.WECHAT_DOWN, probe_in=0.0)
    pause(worker)
    deliver(worker, batch)
    assert worker.releaser.tick() == 0
    assert sandbox.summary().received == 0
