"""What is read for the count: every job, what is in some process' hand, and when each release was decided."""

from datetime import timedelta

import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.store import ledger
from pushjobs.store.ledger import Held
from tests.integration.store.shelf import Shelf


def test_every_job_is_read_whatever_its_state(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, by number, each once, with the name its owner gave it."""
    monkeypatch.setattr(ledger, "_PAGE", 2)
    ids = [job.id for job in shelf.sending(2)] + shelf.accept([100.0] * 3)
    with shelf.database.transaction() as connection:
        rows = list(ledger.read(connection))
    assert [row.id for row in rows] == ids
    assert [row.reference for row in rows] == [f"order-{number}" for number in ids]
    assert [row.state for row in rows] == [JobState.SENDING] * 2 + [JobState.SCHEDULED] * 3


def test_only_what_is_being_sent_is_in_hand(shelf: Shelf) -> None:
    """A released job is in nobody's hand: nobody has called for it."""
    [job] = shelf.sending()
    shelf.released()
    with shelf.database.transaction() as connection:
        assert ledger.sending(connection) == {Held(job.id, job.release_no)}


def test_a_transaction_that_is_open_is_under_way(shelf: Shelf) -> None:
    """What another connection of ours has begun shows until it ends; one's own does not."""
    with shelf.database.transaction() as other:
        own = other.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with shelf.database.transaction() as connection:
            assert [pid for pid, _ in ledger.under_way(connection)] == [own]
    with shelf.database.transaction() as connection:
        assert ledger.under_way(connection) == set()


def test_a_release_is_decided_once(shelf: Shelf) -> None:
    """By what ended it first: sent, given back, or in doubt, whatever a receipt makes of that later."""
    since = clock.now() - timedelta(seconds=100)
    sent, deferred, doubted, open_one = shelf.sending(4)
    shelf.move([sent], Transition.DELIVER)
    shelf.move([deferred], Transition.DEFER, reason=Reason.NOT_SENT, due_in=5.0)
    shelf.move([doubted], Transition.DOUBT, reason=Reason.UNKNOWN_OUTCOME)
    shelf.execute("UPDATE pushjobs.job_history SET at = at - interval '50 s' WHERE transition = 'doubt'")
    shelf.move([doubted], Transition.CONFIRM, reason=Reason.RECEIPT)

    held = [Held(job.id, job.release_no) for job in (sent, deferred, doubted, open_one)]
    with shelf.database.transaction() as connection:
        seconds = [ledger.decided(connection, [(each, since)])[0] for each in held]
        doubts = ledger.doubts(connection)
    assert seconds[:3] == [pytest.approx(100, abs=10), pytest.approx(100, abs=10), pytest.approx(50, abs=10)]
    assert seconds[3] is None
    assert doubts == {held[2]}


def test_a_later_release_decides_nothing_for_an_earlier_one(shelf: Shelf) -> None:
    """A job that came back and was sent then was decided when it came back."""
    [first] = shelf.released()
    shelf.move([first], Transition.GIVE_BACK, reason=Reason.NOT_PUBLISHED)
    since = clock.now()
    again = shelf.claim()
    shelf.admit(again)
    shelf.move(again, Transition.DELIVER)
    with shelf.database.transaction() as connection:
        assert ledger.decided(connection, [(Held(first.id, first.release_no), since)]) == [None]
        [seconds] = ledger.decided(connection, [(Held(first.id, again[0].release_no), since)])
    assert seconds is not None
    assert 0 <= seconds < 10
