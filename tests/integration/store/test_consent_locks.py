"""One order of locks in the consent ledger (fine print 12.9), with the other side of the race played step by step."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from pushjobs import clock
from pushjobs.store import consents
from pushjobs.store.consents import Change, Turn
from tests.acceptance.installation import wait_for
from tests.integration.store.shelf import Shelf

OLD, NEW = bytes(15) + b"\1", bytes(15) + b"\2"
WAITERS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_a_refusal_locks_users_nobody_knew_in_their_turn(shelf: Shelf) -> None:
    """12.9 Whoever waits for a known user's consent holds no new one's yet: another may take both meanwhile."""
    app_no = shelf.bucket.app_no
    with shelf.database.transaction() as connection:
        consents.grant(connection, app_no, [(OLD, 1)], credits=1, is_standing=False)
    changes = [
        Change(key=(OLD, 1), turn=Turn.BACK, held=True),
        Change(key=(NEW, 1), turn=Turn.EMPTIED, held=False, called_at=clock.now()),
    ]

    def settle() -> None:
        with shelf.database.transaction() as connection:
            consents.settle(connection, app_no, changes)

    with ThreadPoolExecutor(1) as pool, shelf.database.transaction() as other:
        other.execute(text("SELECT FROM pushjobs.consents WHERE recipient = :old FOR UPDATE"), {"old": OLD})
        settling = pool.submit(settle)
        wait_for("the other waits for us", lambda: shelf.ask(WAITERS) == [(1,)])
        consents.grant(other, app_no, [(NEW, 1)], credits=1, is_standing=False)
        other.commit()
        settling.result()
    with shelf.database.transaction() as connection:
        assert consents.read(connection, app_no, NEW)[1].credits == 1
