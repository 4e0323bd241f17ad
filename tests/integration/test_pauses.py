"""Pauses: what they hold back, at the claim and at admission, and what they cost while they do."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState, Lane, Reason
from pushjobs.domain.pause import PauseReason
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import ORDER_SHIPPED
from pushjobs.store import pauses
from tests.integration.hands import ORDER, Batch, ask, claim, deliver, only_job, schedule

AT_THE_HEAD = 5_000
CROWDED = 200_000

# Copies of the first job, all overdue, the later ones by less.
CROWD = """
INSERT INTO pushjobs.jobs (app_no, template_no, lane, state, on_quota, planned_at, due_at, expires_at, recipient,
                           sealed)
SELECT app_no, template_no, lane, state, on_quota, planned_at, now() - make_interval(secs => 60 + (n * 7919) % 86400),
       expires_at, recipient, sealed
  FROM (SELECT * FROM pushjobs.jobs ORDER BY id LIMIT 1) AS first, generate_series(1, :count) AS n"""


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


@pytest.mark.parametrize("of", ["app", "lane", "template"])
def test_a_pause_holds_at_admission(worker: Runtime, sandbox: SandboxClient, of: str) -> None:
    """What was released before the pause is not called: it goes back with its moment and the reason."""
    schedule(worker)
    parts: dict[str, dict[str, Any]] = {
        "app": {},
        "lane": {"lane": Lane.BULK},
        "template": {"template_no": news(worker)},
    }
    what = parts[of]
    batch = claim(worker)
    pause(worker, **what)
    deliver(worker, batch)
    job = only_job(worker)
    assert (job.state, job.reason, job.due_at) == (JobState.SCHEDULED, Reason.PAUSED, job.time)
    assert sandbox.summary().received == 0
    assert worker.releaser.tick() == 0
    lift(worker, **what)
    deliver(worker, claim(worker))
    assert sandbox.summary().accepted == 1


def test_a_paused_template_lets_others_pass(worker: Runtime, sandbox: SandboxClient) -> None:
    """Of a batch that was out already, a template's pause gives back its jobs alone, and their moments stay."""
    schedule(worker, 5)
    schedule(worker, 4, **ORDER)
    batch = claim(worker)
    pause(worker, template_no=news(worker), until_in=600.0)
    deliver(worker, batch)
    assert {entry.template_id for entry in sandbox.all_received()} == {ORDER_SHIPPED}
    assert sandbox.summary().accepted == 4
    waiting = worker.producer.find(state="scheduled")
    assert [(job.reason, job.due_at) for job in waiting] == [(Reason.PAUSED, job.time) for job in waiting]
    assert len(waiting) == 5


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


def test_a_templates_pause_is_of_one_lane_where_it_says_so(worker: Runtime) -> None:
    """A template paused in one lane leaves by the other."""
    schedule(worker, 3)
    schedule(worker, 2, lane="urgent")
    pause(worker, template_no=news(worker), lane=Lane.BULK)
    assert worker.releaser.tick() == 2


def test_a_paused_lane_at_the_head_costs_a_tick_nothing(worker: Runtime) -> None:
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


def test_a_paused_template_at_the_head_costs_a_tick_nothing(worker: Runtime) -> None:
    """12.14 However many jobs a paused template has due, a tick does not read them, and others' leave at once.

    Resumed, they leave in the order in which they fell due, among the others and before what fell due later.
    """
    schedule(worker)
    schedule(worker, 4, **ORDER)
    ask(worker, "UPDATE pushjobs.jobs SET due_at = due_at - interval '30 s' WHERE id % 2 = 0")
    pause(worker, template_no=news(worker))
    ask(worker, CROWD, count=CROWDED)
    read_before = rows_read(worker)
    assert worker.releaser.tick() == 4
    assert rows_read(worker) - read_before < 100
    assert worker.producer.counts()[JobState.SCHEDULED] == CROWDED + 1

    schedule(worker, 2, **ORDER)
    lift(worker, template_no=news(worker))
    ids = sorted(job_id for job_id, _ in claim(worker, limit=AT_THE_HEAD))
    soonest = "SELECT id FROM pushjobs.jobs WHERE state <> 'sent' AND template_no = :news ORDER BY due_at, id LIMIT :n"
    assert ids == sorted(row[0] for row in ask(worker, soonest, news=news(worker), n=AT_THE_HEAD))


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
