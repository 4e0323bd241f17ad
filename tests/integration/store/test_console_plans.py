"""Every statement behind a page of the console reads an index, whatever is looked for, and no table of jobs whole."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event

from pushjobs import clock
from pushjobs.domain.job import JobId, JobState
from pushjobs.domain.lifecycle import Transition
from pushjobs.store import audit, browsing, choosing
from pushjobs.store.browsing import Order, Place, Run, Wanted, order_of
from pushjobs.store.choosing import Whose
from pushjobs.store.database import Database
from tests.databases import Databases
from tests.integration.store.shelf import Shelf
from tests.integration.store.test_query_plans import FILL, Plan

ROWS = 50_000
RUN = Run(run_no=7, first=JobId(20_000), last=JobId(40_000))


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[Shelf]:
    """Fifty thousand jobs in mixed states, some sessions and lines; the tests only read."""
    with databases.new() as url, closing(Database(url)) as database:
        shelf = Shelf(database)
        shelf.execute(FILL, app_no=shelf.bucket.app_no, rows=ROWS)
        # Most are of another template, and what is asked for is rare: that is when an index would be left aside.
        shelf.execute("UPDATE pushjobs.jobs SET template_no = 2 WHERE id % 1000 <> 0")
        shelf.execute("UPDATE pushjobs.jobs SET state = 'dead' WHERE state = 'refused' AND id % 200 < 100")
        shelf.execute("UPDATE pushjobs.jobs SET closed_at = now() - id * interval '1 s' WHERE closed_at IS NOT NULL")
        shelf.execute(
            "INSERT INTO pushjobs.audit (client_no, client, door, action, what)"
            " SELECT n % 5000, 'ops', 'console', 'cancel', '{}' FROM generate_series(1, 20000) n"
        )
        shelf.execute("ANALYZE pushjobs.jobs, pushjobs.apps, pushjobs.templates, pushjobs.audit")
        yield shelf


@contextmanager
def explained(connection: Connection, plans: list[Plan]) -> Iterator[None]:
    """Have each statement that is executed within planned as well."""

    def listen(_connection: Connection, cursor: Any, statement: str, parameters: Any, *_: object) -> None:  # noqa: ANN401 - as SQLAlchemy hands them over
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        plans.append(Plan(cursor.fetchone()[0][0]["Plan"]))

    event.listen(connection, "before_cursor_execute", listen)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", listen)


NOW = clock.now()
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "all": ({}, "pk_jobs"),
    "template": ({"template_nos": (1,)}, "pk_jobs"),
    "template and moments": ({"template_nos": (1,), "since": NOW, "until": NOW}, "pk_jobs"),
    "recipient": ({"recipient": (4321).to_bytes(16)}, "ix_jobs_recipient"),
    "recipient and state": ({"recipient": (4321).to_bytes(16), "state": JobState.SENT}, "ix_jobs_recipient"),
    "reference": ({"reference": "order-77"}, "ix_jobs_reference"),
    "reference and template": ({"reference": "order-77", "template_nos": (1,)}, "ix_jobs_reference"),
    "run": ({"run": RUN}, "pk_jobs"),
    "scheduled": ({"state": JobState.SCHEDULED}, "ix_jobs_due"),
    "scheduled between": ({"state": JobState.SCHEDULED, "since": NOW, "until": NOW}, "ix_jobs_due"),
    "scheduled of a template": ({"state": JobState.SCHEDULED, "template_nos": (1,)}, "ix_jobs_due"),
    "scheduled of a run": ({"state": JobState.SCHEDULED, "run": RUN}, "ix_jobs_due"),
    "released": ({"state": JobState.RELEASED}, "ix_jobs_leased"),
    "sending": ({"state": JobState.SENDING, "template_nos": (1,)}, "ix_jobs_leased"),
    "in doubt": ({"state": JobState.IN_DOUBT}, "ix_jobs_doubted"),
    "in doubt of a template": ({"state": JobState.IN_DOUBT, "template_nos": (1,)}, "ix_jobs_doubted"),
    "sent": ({"state": JobState.SENT}, "ix_jobs_closed"),
    "sent of a template": ({"state": JobState.SENT, "template_nos": (1,)}, "ix_jobs_closed"),
    "dead for a reason": ({"state": JobState.DEAD, "reason": "requested"}, "ix_jobs_closed"),
    "dead between": ({"state": JobState.DEAD, "since": NOW, "until": NOW}, "ix_jobs_closed"),
    "refused": ({"state": JobState.REFUSED}, "ix_jobs_closed"),
    "cancelled": ({"state": JobState.CANCELLED}, "ix_jobs_closed"),
}


@pytest.mark.parametrize("is_first", [True, False], ids=["first page", "further page"])
@pytest.mark.parametrize("name", CASES)
def test_a_page_reads_the_index_of_its_order(filled: Shelf, name: str, *, is_first: bool) -> None:
    """A page, and how far it looked, come out of an index in its order: nothing is read whole, nothing large sorted."""
    more, index = CASES[name]
    wanted = Wanted(app_no=filled.bucket.app_no, **more)
    order, plans = order_of(wanted), list[Plan]()
    place = None if is_first else Place(id=JobId(30_000), at=NOW if order in {Order.DUE, Order.CLOSED} else None)
    with filled.database.transaction() as connection, explained(connection, plans):
        # As much less than there are as ten thousand is of an old installation's.
        browsing.page(connection, wanted, after=place, limit=50, look=1000)
    assert plans
    for plan in plans:
        assert index in plan.indexes
        assert plan.read_whole <= {"looked", "out"}
        if order in {Order.NUMBER, Order.CLOSED} and wanted.recipient is None:
            # In the index's own order, or all that matches would be read and sorted.
            assert "Sort" not in plan.steps


def test_a_choice_is_read_by_its_numbers(filled: Shelf) -> None:
    """What is asked of jobs that were chosen, however many of them, reads them by their numbers."""
    whose = Whose(app_no=filled.bucket.app_no, template_nos=(1,))
    ids = [JobId(number) for number in range(1, 1000)]
    plans: list[Plan] = []
    with filled.database.transaction() as connection, explained(connection, plans):
        choosing.allowed(connection, ids, whose)
        choosing.made_of(connection, Transition.REPLAY, ids, whose, calls=True, wait=0.0)
        choosing.sealed(connection, ids[0])
    assert len(plans) == 3
    for plan in plans:
        assert "pk_jobs" in plan.indexes
        assert "jobs" not in plan.read_whole


@pytest.mark.parametrize(
    ("state", "index"), [(JobState.DEAD, "ix_jobs_closed"), (JobState.IN_DOUBT, "ix_jobs_doubted")]
)
def test_groups_are_made_of_the_newest_in_trouble(filled: Shelf, state: JobState, index: str) -> None:
    """What is dead and what is in doubt is read from an index in the order of moments, the newest, up to a bound."""
    plans: list[Plan] = []
    with filled.database.transaction() as connection, explained(connection, plans):
        choosing.groups(connection, state, Whose(app_no=filled.bucket.app_no))
    [plan] = plans
    assert index in plan.indexes
    assert "Sort" not in plan.steps or plan.steps.index("Limit") > plan.steps.index("Sort")
    assert "jobs" not in plan.read_whole
    assert "Limit" in plan.steps


def test_the_audit_log_is_read_a_page_at_a_time(filled: Shelf) -> None:
    """Everybody's lines come by their numbers, one client's out of its own index."""
    plans: list[Plan] = []
    with filled.database.transaction() as connection, explained(connection, plans):
        audit.read(connection, client_no=None, before=None, limit=50)
        audit.read(connection, client_no=7, before=10_000, limit=50)
    assert [plan.indexes for plan in plans] == [{"pk_audit"}, {"ix_audit_client_no"}]
