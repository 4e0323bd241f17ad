"""What is deleted because of its age, and what stays however old it is."""

from datetime import timedelta

import pytest

from pushjobs import clock
from pushjobs.domain.events import Event, JobsPruned
from pushjobs.domain.job import JobId, JobState
from pushjobs.store import accepting
from pushjobs.upkeep import Retention, Upkeep
from tests.integration.store.shelf import Shelf

KEPT = Retention(days=30, dead_days=90)


def close(shelf: Shelf, state: JobState, *, days_ago: int) -> JobId:
    """Store a job that was closed so many days ago, with a history and a receipt."""
    [job_id] = shelf.accept([-1.0])
    shelf.execute(
        "UPDATE pushjobs.jobs SET state = CAST(:state AS pushjobs.job_state),"
        " closed_at = now() - make_interval(days => :days, mins => 1) WHERE id = :id",
        state=state,
        days=days_ago,
        id=job_id,
    )
    shelf.execute(
        "INSERT INTO pushjobs.job_history (job_id, release_no, transition, state) VALUES (:id, 1, 'reject', 'refused')",
        id=job_id,
    )
    shelf.execute("INSERT INTO pushjobs.receipts (job_id, state, at) VALUES (:id, 'delivered', now())", id=job_id)
    return job_id


def ids(shelf: Shelf, sql: str) -> set[int]:
    return {row[0] for row in shelf.ask(sql)}


def prune(shelf: Shelf, retention: Retention = KEPT) -> list[Event]:
    told: list[Event] = []
    Upkeep(shelf.database, retention=retention, emit=told.append).prune()
    return told


@pytest.mark.parametrize("state", [JobState.SENT, JobState.REFUSED, JobState.EXPIRED, JobState.CANCELLED])
def test_a_closed_job_goes_with_all_that_hangs_on_it(shelf: Shelf, state: JobState) -> None:
    """Past its days a closed job is deleted, its history and its receipt with it; a younger one stays whole."""
    close(shelf, state, days_ago=30)
    young = close(shelf, state, days_ago=29)
    assert prune(shelf) == [JobsPruned(jobs={state: 1})]
    assert ids(shelf, "SELECT id FROM pushjobs.jobs") == {young}
    assert ids(shelf, "SELECT job_id FROM pushjobs.job_history") == {young}
    assert ids(shelf, "SELECT job_id FROM pushjobs.receipts") == {young}
    assert prune(shelf) == []


def test_the_dead_are_kept_for_longer(shelf: Shelf) -> None:
    """A dead job can be replayed for its own number of days."""
    close(shelf, JobState.DEAD, days_ago=90)
    kept = close(shelf, JobState.DEAD, days_ago=89)
    assert prune(shelf) == [JobsPruned(jobs={JobState.DEAD: 1})]
    assert ids(shelf, "SELECT id FROM pushjobs.jobs") == {kept}


def test_what_is_open_or_in_doubt_is_never_deleted(shelf: Shelf) -> None:
    """However old it is, a job in doubt, or one that is not closed, stays."""
    doubt = close(shelf, JobState.IN_DOUBT, days_ago=4000)
    [waiting] = shelf.accept([-400 * 86400.0])
    assert prune(shelf, Retention(days=1, dead_days=1)) == []
    assert ids(shelf, "SELECT id FROM pushjobs.jobs") == {doubt, waiting}


def test_many_go_page_by_page(shelf: Shelf) -> None:
    """More than a page of old jobs go in one prune."""
    shelf.accept([-1.0] * 2500)
    shelf.execute("UPDATE pushjobs.jobs SET state = 'sent', closed_at = now() - interval '31 days'")
    assert prune(shelf) == [JobsPruned(jobs={JobState.SENT: 2500})]
    assert shelf.ask("SELECT count(*) FROM pushjobs.jobs") == [(0,)]


def test_a_row_that_somebody_holds_is_skipped(shelf: Shelf) -> None:
    """A prune waits for nobody: a job that is just being written stays, and goes with the next prune."""
    held = close(shelf, JobState.DEAD, days_ago=91)
    close(shelf, JobState.DEAD, days_ago=91)
    with shelf.database.transaction() as connection:
        connection.exec_driver_sql("SELECT FROM pushjobs.jobs WHERE id = %s FOR UPDATE", (held,))
        assert prune(shelf) == [JobsPruned(jobs={JobState.DEAD: 1})]
    assert ids(shelf, "SELECT id FROM pushjobs.jobs") == {held}
    assert prune(shelf) == [JobsPruned(jobs={JobState.DEAD: 1})]


def store_content(shelf: Shelf, *, days_ago: int) -> int:
    with shelf.database.transaction() as connection:
        number = accepting.store_content(connection, app_no=shelf.bucket.app_no, template_no=1, sealed=b"sealed")
    shelf.execute(
        "UPDATE pushjobs.contents SET created_at = now() - make_interval(days => :days, mins => 1)"
        " WHERE content_no = :number",
        days=days_ago,
        number=number,
    )
    return number


def test_a_content_goes_when_no_job_names_it(shelf: Shelf) -> None:
    """An old content stays while one job names it, in whatever state, and a young one anyway."""
    store_content(shelf, days_ago=30)
    young, named = store_content(shelf, days_ago=29), store_content(shelf, days_ago=400)
    job = close(shelf, JobState.SENT, days_ago=1)
    shelf.execute("UPDATE pushjobs.jobs SET content_no = :number WHERE id = :id", number=named, id=job)
    prune(shelf)
    assert ids(shelf, "SELECT content_no FROM pushjobs.contents") == {young, named}


def test_a_content_that_is_being_named_stays(shelf: Shelf) -> None:
    """Who accepts a job with an old content holds it until the job is committed; what is gone is said to be gone."""
    number = store_content(shelf, days_ago=31)
    with shelf.database.transaction() as connection:
        assert accepting.hold_contents(connection, [number, 999]) == {number}
        prune(shelf)
    assert ids(shelf, "SELECT content_no FROM pushjobs.contents") == {number}


def test_quota_rows_go_a_week_after_their_day(shelf: Shelf) -> None:
    """Rows of a user's day go when it is over for a week; once a day, and by one process of all."""
    for number, days in enumerate((0, 7, 8, 400)):
        values = {"recipient": number.to_bytes(16, "big"), "days": days}
        shelf.execute(
            "INSERT INTO pushjobs.recipients (app_no, recipient, quota_day, sent, held)"
            " VALUES (1, :recipient, current_date - :days, 3, 0)",
            **values,
        )
        shelf.execute(
            "INSERT INTO pushjobs.template_days (app_no, recipient, template_no, quota_day, used)"
            " VALUES (1, :recipient, 1, current_date - :days, 1), (1, :recipient, 2, current_date - :days, 1)",
            **values,
        )
        day = "INSERT INTO pushjobs.app_days (app_no, day, taken) VALUES (1, current_date - :days, 9)"
        shelf.execute(day, days=days)
    prune(shelf)
    assert shelf.ask("SELECT current_date - quota_day FROM pushjobs.recipients ORDER BY 1") == [(0,), (7,)]
    of_templates = shelf.ask("SELECT current_date - quota_day FROM pushjobs.template_days ORDER BY 1")
    assert of_templates == [(0,), (0,), (7,), (7,)]
    assert shelf.ask("SELECT current_date - day FROM pushjobs.app_days ORDER BY 1") == [(0,), (7,), (8,)]

    shelf.execute("UPDATE pushjobs.recipients SET quota_day = current_date - 9")
    prune(shelf)
    assert shelf.ask("SELECT count(*) FROM pushjobs.recipients") == [(2,)]
    yesterday = (clock.now() - timedelta(days=1)).date().isoformat()
    shelf.execute("UPDATE pushjobs.installation SET value = :day WHERE name = 'days_pruned_on'", day=yesterday)
    prune(shelf)
    assert shelf.ask("SELECT count(*) FROM pushjobs.recipients") == [(0,)]


def test_the_walk_goes_through_all_rows(shelf: Shelf) -> None:
    """More rows than a step takes are all looked at, wherever among them the old ones stand."""
    shelf.execute(
        "INSERT INTO pushjobs.recipients (app_no, recipient, quota_day, sent, held)"
        " SELECT 1 + n % 2, decode(lpad(to_hex(n), 32, '0'), 'hex'), current_date - CASE n % 2999 WHEN 0 THEN 30"
        " ELSE 1 END, 1, 0 FROM generate_series(1, 12000) n"
    )
    prune(shelf)
    assert shelf.ask("SELECT count(*) FROM pushjobs.recipients") == [(11_996,)]
