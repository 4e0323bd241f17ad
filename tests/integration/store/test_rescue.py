"""Rescue: what dead workers held comes back after its lease, and a worker that is merely late wins or loses whole."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pushjobs.domain.events import Event, JobsRescued
from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.upkeep import Upkeep
from tests.integration.store.shelf import Shelf


def test_nothing_is_rescued_before_its_lease_ran_out(shelf: Shelf) -> None:
    """Jobs whose workers may still hold them are left alone."""
    shelf.sending(2)
    shelf.released(2)
    shelf.accept([-100.0, 100.0])
    assert shelf.rescue() == []


def test_a_released_job_is_scheduled_again(shelf: Shelf) -> None:
    """A job nobody began goes back with its moment untouched, no attempt counted, and its reason told."""
    [job] = shelf.released()
    before = shelf.get(job.id)
    shelf.let_leases_run_out()
    shelf.rescue()
    rescued = shelf.get(job.id)
    assert (rescued.state, rescued.reason) == (JobState.SCHEDULED, Reason.LEASE_EXPIRED)
    assert (rescued.due_at, rescued.attempts, rescued.closed_at) == (before.due_at, 0, None)
    [entry] = shelf.history(job.id)
    assert (entry.transition, entry.state, entry.reason) == (
        Transition.GIVE_BACK,
        JobState.SCHEDULED,
        Reason.LEASE_EXPIRED,
    )
    assert [(again.id, again.release_no) for again in shelf.claim()] == [(job.id, 2)]


def test_a_job_in_mid_call_is_in_doubt(shelf: Shelf) -> None:
    """A job whose call may have gone out is held, its attempt counted, and no claim takes it."""
    [job] = shelf.sending()
    shelf.let_leases_run_out()
    shelf.rescue()
    rescued = shelf.get(job.id)
    assert (rescued.state, rescued.reason, rescued.attempts) == (JobState.IN_DOUBT, Reason.UNKNOWN_OUTCOME, 1)
    assert rescued.closed_at is not None
    [entry] = shelf.history(job.id)
    assert (entry.transition, entry.state) == (Transition.DOUBT, JobState.IN_DOUBT)
    assert shelf.claim() == []


def test_a_rescue_repeated_changes_nothing(shelf: Shelf) -> None:
    """The second rescue finds nothing to do."""
    shelf.released(2)
    shelf.let_leases_run_out()
    assert len(shelf.rescue()) == 2
    assert shelf.rescue() == []


def test_a_worker_that_settles_at_this_moment_is_not_waited_for(shelf: Shelf) -> None:
    """A row that its worker has locked is skipped, and what the worker writes stands."""
    [job] = shelf.sending()
    shelf.let_leases_run_out()
    with shelf.database.transaction() as connection:
        connection.exec_driver_sql("SELECT 1 FROM pushjobs.jobs FOR UPDATE")
        assert shelf.rescue() == []
    assert shelf.move([job], Transition.DELIVER, counts=True) == {job.id}
    assert shelf.rescue() == []


def test_rescue_and_hand_back_racing_exactly_one_wins(shelf: Shelf) -> None:
    """For each job either the rescue puts it in doubt or its worker hands it back, never both and never neither."""
    sending = shelf.sending(300)
    shelf.let_leases_run_out()
    barrier = threading.Barrier(2)

    def rescue() -> set[int]:
        barrier.wait()
        return {job.id for _ in range(3) for job in shelf.rescue()}

    def hand_back() -> set[int]:
        barrier.wait()
        parts = [sending[begin : begin + 20] for begin in range(0, 300, 20)]
        return {job_id for part in parts for job_id in shelf.move(part, Transition.HAND_BACK, due_in=0.0)}

    with ThreadPoolExecutor(2) as threads:
        doubted, handed_back = [each.result() for each in [threads.submit(rescue), threads.submit(hand_back)]]
    assert not doubted & handed_back
    assert doubted | handed_back == {job.id for job in sending}
    states = dict(shelf.ask("SELECT state, count(*) FROM pushjobs.jobs GROUP BY state"))
    assert states.get(JobState.IN_DOUBT, 0) == len(doubted)
    assert states.get(JobState.SCHEDULED, 0) == len(handed_back)


def test_two_rescues_at_once_take_each_job_once(shelf: Shelf) -> None:
    """Two rescue ticks at once share the lost jobs; the history tells each once."""
    released = shelf.released(500)
    shelf.let_leases_run_out()
    barrier = threading.Barrier(2)

    def rescue(_: int) -> int:
        barrier.wait()
        return len(shelf.rescue())

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(rescue, range(2))) == 500
    assert shelf.ask("SELECT count(*), count(DISTINCT job_id) FROM pushjobs.job_history") == [(500, 500)]
    assert len(shelf.claim()) == len(released)


@pytest.mark.parametrize("count", [0, 1, 1000, 1001])
def test_upkeep_rescues_everything_and_tells_it_once(shelf: Shelf, count: int) -> None:
    """The rescue tick goes on until nothing is left, and emits one event with the sums, none when there was nothing."""
    shelf.released(count)
    shelf.let_leases_run_out()
    told: list[Event] = []
    rescue = Upkeep(shelf.database, emit=told.append).rescue
    assert (rescue(), rescue()) == (count, 0)
    assert told == ([JobsRescued(given_back=count, in_doubt=0)] if count else [])


def test_upkeep_prunes_only_what_served_its_time(shelf: Shelf) -> None:
    """Minutes older than eight days and keys past their time go, more than one batch of them; the others stay."""
    app_no = shelf.bucket.app_no
    shelf.execute(
        "INSERT INTO pushjobs.minutes (minute, app_no, lane, template_no, jobs, late) "
        "SELECT now() - interval '1 min' * n - interval '192 h 1 min' * (n % 2), :app_no, 'bulk', 1, 1, 0 "
        "  FROM generate_series(1, 2400) n",
        app_no=app_no,
    )
    shelf.execute(
        "INSERT INTO pushjobs.idempotency_keys (app_no, key, fingerprint, job_id, keep_until) "
        "SELECT :app_no, n, '', n, now() + interval '1 min' * (1 - 2 * (n % 2)) FROM generate_series(1, 10) n",
        app_no=app_no,
    )
    assert Upkeep(shelf.database, emit=lambda _: None).prune() > 0
    assert shelf.ask("SELECT count(*) FROM pushjobs.minutes") == [(1200,)]
    assert shelf.ask("SELECT count(*) FROM pushjobs.idempotency_keys") == [(5,)]
