"""Moves: fenced by state and release number, told in the history, never a deadlock."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.lifecycle import Transition, sources, target
from pushjobs.store import moves, releases, slices
from pushjobs.store.moves import Move
from pushjobs.store.releases import Released
from tests.integration.store.shelf import Shelf

WORKERS = 8

MOVES = [each for each in Transition if each is not Transition.ADMIT]
"""What `moves.apply` is asked for: an admission locks its rows itself."""


def older(released: list[Released]) -> list[Released]:
    """The same jobs under the number before."""
    return [Released(id=job.id, release_no=job.release_no - 1, due_in=0.0) for job in released]


@pytest.mark.parametrize("transition", [each for each in MOVES if JobState.RELEASED in sources(each)])
def test_an_old_number_moves_nothing(shelf: Shelf, transition: Transition) -> None:
    """Whoever holds an old release number changes nothing and is told so."""
    released = shelf.released(3)
    assert shelf.move(older(released), transition, reason=Reason.DRAINED) == set()
    assert shelf.admit(older(released)) == set()
    for job in released:
        assert shelf.get(job.id).state is JobState.RELEASED
        assert shelf.history(job.id) == []


@pytest.mark.parametrize("transition", [each for each in Transition if JobState.RELEASED not in sources(each)])
def test_a_wrong_state_moves_nothing(shelf: Shelf, transition: Transition) -> None:
    """A transition that the job's state does not allow changes nothing, though the number matches."""
    [job] = shelf.released()
    assert shelf.move([job], transition, reason=Reason.REQUESTED) == set()
    assert shelf.get(job.id).state is JobState.RELEASED
    assert shelf.history(job.id) == []


@pytest.mark.parametrize("transition", [each for each in Transition if JobState.SENDING in sources(each)])
def test_a_move_leaves_the_row_as_its_state_demands(shelf: Shelf, transition: Transition) -> None:
    """After any move from `sending`, a closed job has its closing time, an open one none, and neither has a lease."""
    [job] = shelf.sending()
    assert shelf.move([job], transition) == {job.id}
    moved = shelf.get(job.id)
    assert moved.state is target(transition)
    assert (moved.closed_at is not None) is moved.state.is_final
    assert shelf.ask("SELECT lease_until FROM pushjobs.jobs") == [(None,)]


def test_only_the_valid_moves_of_a_slice_take_hold(shelf: Shelf) -> None:
    """Of a slice of valid, outdated and unknown jobs, the valid ones move and are reported; the others are not."""
    valid, outdated, cancelled = shelf.released(3)
    shelf.cancel([cancelled.id])
    unknown = Released(id=type(valid.id)(999_999), release_no=1, due_in=0.0)
    asked = [unknown, cancelled, *older([outdated]), valid]
    assert shelf.admit(asked) == {valid.id}


def test_a_move_tells_what_its_job_was(shelf: Shelf) -> None:
    """Each job that moved is told with the state it was in, so that a late answer knows itself as one."""
    doubted, called = shelf.sending(2)
    shelf.execute("UPDATE pushjobs.jobs SET lease_until = now() - interval '1 ms' WHERE id = :id", id=doubted.id)
    shelf.rescue()
    moved = [Move(id=job.id, release_no=1, transition=Transition.DELIVER, counts=True) for job in (doubted, called)]
    with shelf.database.transaction() as connection:
        was = moves.apply(connection, moved)
    assert was == {doubted.id: JobState.IN_DOUBT, called.id: JobState.SENDING}


def test_nothing_to_move_asks_nothing(shelf: Shelf) -> None:
    """An empty slice is no statement."""
    assert shelf.move([], Transition.DELIVER) == set()
    assert shelf.admit([]) == set()


def test_the_history_tells_exactly_the_moves_with_a_reason(shelf: Shelf) -> None:
    """The happy path writes no history; a move with a reason writes one entry with number, state, reason and code."""
    [job] = shelf.sending()
    assert shelf.history(job.id) == []
    shelf.move([job], Transition.DEFER, reason=Reason.RETRY, errcode=-1, due_in=-1.0, counts=True)
    [entry] = shelf.history(job.id)
    told = (entry.release_no, entry.transition, entry.state, entry.reason, entry.errcode)
    assert told == (1, Transition.DEFER, JobState.SCHEDULED, Reason.RETRY, -1)
    [again] = shelf.claim()
    shelf.admit([again])
    shelf.move([again], Transition.DELIVER, msgid=7, called_ago=0.1, counts=True)
    assert shelf.history(job.id) == [entry]
    sent = shelf.get(job.id)
    assert (sent.state, sent.attempts, sent.msgid, sent.errcode, sent.reason) == (JobState.SENT, 2, 7, None, None)


def test_a_cancelled_job_cannot_be_admitted(shelf: Shelf) -> None:
    """A message that is under way for a job that was cancelled meanwhile finds nothing to admit."""
    [job] = shelf.released()
    assert shelf.cancel([job.id]) == {job.id}
    with shelf.database.transaction() as connection:
        assert slices.lock(connection, [(job.id, job.release_no)]) == []
    assert shelf.admit([job]) == set()
    assert shelf.get(job.id).state is JobState.CANCELLED


def test_a_late_answer_settles_the_doubt_it_belongs_to(shelf: Shelf) -> None:
    """An answer after the lease settles the job under the same number, and its attempt is counted once."""
    [job] = shelf.sending()
    shelf.let_leases_run_out()
    shelf.rescue()
    assert shelf.get(job.id).state is JobState.IN_DOUBT
    assert shelf.move([job], Transition.DELIVER, msgid=7, counts=True) == {job.id}
    sent = shelf.get(job.id)
    assert (sent.state, sent.attempts, sent.msgid) == (JobState.SENT, 1, 7)


def test_a_late_answer_that_never_left_takes_its_attempt_back(shelf: Shelf) -> None:
    """A doubt that turns out to have used up no attempt is scheduled again with none counted."""
    [job] = shelf.sending()
    shelf.let_leases_run_out()
    shelf.rescue()
    shelf.move([job], Transition.DEFER, reason=Reason.NOT_SENT, due_in=5.0)
    deferred = shelf.get(job.id)
    assert (deferred.state, deferred.attempts, deferred.closed_at) == (JobState.SCHEDULED, 0, None)


def test_an_answer_to_an_older_release_is_only_history(shelf: Shelf) -> None:
    """Once released again, a job is not touched by the answer to the release before; the history keeps it."""
    [first] = shelf.sending()
    shelf.move([first], Transition.HAND_BACK, due_in=-1.0)
    [second] = shelf.claim()
    late = Move(id=first.id, release_no=first.release_no, transition=Transition.DELIVER, msgid=7, counts=True)
    with shelf.database.transaction() as connection:
        assert moves.apply(connection, [late]) == {}
        moves.note_late(connection, [late])
    assert shelf.get(first.id).state is JobState.RELEASED
    [entry] = shelf.history(first.id)
    assert (entry.release_no, entry.transition, entry.reason) == (1, Transition.DELIVER, Reason.LATE_ANSWER)
    assert shelf.admit([second]) == {first.id}


def test_overlapping_slices_in_any_order_do_not_deadlock(shelf: Shelf) -> None:
    """12.9 Eight workers that admit, renew, cancel and give back the same jobs in opposite orders all get through."""
    released = shelf.released(240)
    barrier = threading.Barrier(WORKERS)

    def work(worker: int) -> int:
        mine = released if worker % 2 else released[::-1]
        parts = [mine[begin : begin + 80] for begin in range(0, len(mine), 80)]
        moved = 0
        barrier.wait()
        for _ in range(5):
            for part in parts:
                with shelf.database.transaction() as connection:
                    releases.renew(connection, [job.id for job in part])
                moved += len(shelf.admit(part))
                with shelf.database.transaction() as connection:
                    slices.lock(connection, [(job.id, job.release_no) for job in part])
                shelf.cancel([job.id for job in part[::40]])
        return moved

    with ThreadPoolExecutor(WORKERS) as threads:
        moved = sum(threads.map(work, range(WORKERS)))
    [(sending, cancelled)] = shelf.ask(
        "SELECT count(*) FILTER (WHERE state = 'sending'), count(*) FILTER (WHERE state = 'cancelled') "
        "FROM pushjobs.jobs"
    )
    assert (moved, sending + cancelled) == (sending, 240)


def test_one_worker_of_many_admits_a_job(shelf: Shelf) -> None:
    """Of many workers with the same message, exactly one admits each job."""
    released = shelf.released(50)
    barrier = threading.Barrier(WORKERS)

    def admit(_: int) -> set[int]:
        barrier.wait()
        return set(shelf.admit(released))

    with ThreadPoolExecutor(WORKERS) as threads:
        admitted = list(threads.map(admit, range(WORKERS)))
    assert sum(len(each) for each in admitted) == 50
    assert set().union(*admitted) == {job.id for job in released}
