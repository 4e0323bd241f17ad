"""Pages of jobs: each job on one of them, in the order of an index, and a bound on what is looked at."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from pushjobs import clock
from pushjobs.domain.job import JobId, JobState
from pushjobs.store import browsing
from pushjobs.store.browsing import Order, Run, Wanted, order_of
from pushjobs.store.database import Database
from tests.databases import Databases
from tests.integration.store.shelf import Shelf

ROWS = 600
RUN = Run(run_no=7, first=JobId(100), last=JobId(300))

# Every state, three templates, two lanes, moments that many share, some of a run; a fifth is another app's.
FILL = """
INSERT INTO pushjobs.jobs (app_no, template_no, run_no, lane, state, on_quota, planned_at, due_at, expires_at,
                           lease_until, closed_at, recipient, sealed, reference, reason)
SELECT CASE WHEN n % 5 = 0 THEN 99 ELSE :app_no END, 1 + n % 3,
       CASE WHEN n BETWEEN 100 AND 300 THEN n % 2 * 7 ELSE 0 END,
       (CASE WHEN n % 2 = 0 THEN 'urgent' ELSE 'bulk' END)::pushjobs.lane, state, 'defer', moment, moment,
       moment + interval '2 days', CASE WHEN state IN ('released', 'sending') THEN now() END,
       CASE WHEN state NOT IN ('scheduled', 'released', 'sending') THEN moment END,
       decode(lpad(to_hex(n % 7), 32, '0'), 'hex'), '\\x00', CASE WHEN n % 4 = 0 THEN 'order-' || n % 3 END,
       CASE WHEN state = 'dead' THEN 'attempts_used_up' END
  FROM generate_series(1, :rows) n,
       LATERAL (SELECT (enum_range(NULL::pushjobs.job_state))[1 + n * 7 % 9] AS state,
                       cast(:begin AS timestamptz) + make_interval(mins => n / 20) AS moment)
"""
BEGIN = clock.now().replace(microsecond=0)


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[Shelf]:
    """Six hundred jobs of all kinds; the tests only read."""
    with databases.new() as url, closing(Database(url)) as database:
        shelf = Shelf(database)
        shelf.execute(FILL, app_no=shelf.bucket.app_no, rows=ROWS, begin=BEGIN)
        yield shelf


def wanted(shelf: Shelf, **more: Any) -> Wanted:  # noqa: ANN401 - the fields of a Wanted
    """Jobs of the shelf's app."""
    return Wanted(app_no=shelf.bucket.app_no, **more)


def all_pages(shelf: Shelf, sought: Wanted, *, limit: int, look: int) -> list[JobId]:
    """Turn the pages to the last one."""
    found: list[JobId] = []
    place = None
    with shelf.database.transaction() as connection:
        while True:
            stretch = browsing.page(connection, sought, after=place, limit=limit, look=look)
            assert len(stretch.ids) <= limit
            assert stretch.looked_at in (None, look)
            found += stretch.ids
            if (place := stretch.next) is None:
                return found


def expected(shelf: Shelf, condition: str, order: str) -> list[JobId]:
    """Ask for the same in one plain statement."""
    sql = f"SELECT id FROM pushjobs.jobs WHERE app_no = {shelf.bucket.app_no} AND {condition} ORDER BY {order}"  # noqa: S608 - words of the test
    return [row[0] for row in shelf.ask(sql)]


def at(minutes: int) -> datetime:
    """A moment of the shelf."""
    return BEGIN + timedelta(minutes=minutes)


@dataclass(frozen=True)
class Case:
    """What is looked for, the order it comes in, and the same as a plain condition and order in SQL."""

    more: dict[str, Any]
    order: Order
    condition: str


IN_SQL = {
    Order.NUMBER: "id DESC",
    Order.OUT: "id DESC",
    Order.DUE: "due_at, id",
    Order.CLOSED: "closed_at DESC, id DESC",
}
SPAN = {"since": at(3), "until": at(9)}
DUE_IN_SPAN, CLOSED_IN_SPAN = (f"{name} >= '{at(3)}' AND {name} < '{at(9)}'" for name in ("due_at", "closed_at"))
WAITING, DEAD = {"state": JobState.SCHEDULED}, {"state": JobState.DEAD}
CASES = {
    "all": Case({}, Order.NUMBER, "true"),
    "template": Case({"template_nos": (2,)}, Order.NUMBER, "template_no = 2"),
    "no template": Case({"template_nos": ()}, Order.NUMBER, "false"),
    "recipient": Case({"recipient": (3).to_bytes(16)}, Order.NUMBER, f"recipient = decode('{3:032x}', 'hex')"),
    "reference": Case({"reference": "order-1", **DEAD}, Order.NUMBER, "reference = 'order-1' AND state = 'dead'"),
    "run": Case({"run": RUN}, Order.NUMBER, "run_no = 7"),
    "run's dead": Case({"run": RUN, **DEAD}, Order.NUMBER, "run_no = 7 AND state = 'dead'"),
    "run's waiting": Case({"run": RUN, **WAITING}, Order.DUE, "run_no = 7 AND state = 'scheduled'"),
    "run without jobs": Case({"run": Run(run_no=8, first=None, last=None)}, Order.NUMBER, "false"),
    "moments": Case(SPAN, Order.NUMBER, DUE_IN_SPAN),
    "waiting": Case(WAITING, Order.DUE, "state = 'scheduled'"),
    "its template": Case({**WAITING, "template_nos": (1, 3)}, Order.DUE, "state = 'scheduled' AND template_no <> 2"),
    "due between": Case({**WAITING, **SPAN}, Order.DUE, f"state = 'scheduled' AND {DUE_IN_SPAN}"),
    "out": Case(
        {"state": JobState.RELEASED, "template_nos": (1,)}, Order.OUT, "state = 'released' AND template_no = 1"
    ),
    "doubts": Case({"state": JobState.IN_DOUBT, **SPAN}, Order.CLOSED, f"state = 'in_doubt' AND {CLOSED_IN_SPAN}"),
    "sent": Case({"state": JobState.SENT}, Order.CLOSED, "state = 'sent'"),
    "reason": Case({**DEAD, "reason": "attempts_used_up"}, Order.CLOSED, "state = 'dead'"),
    "dead of it": Case({**DEAD, "template_nos": (2,)}, Order.CLOSED, "state = 'dead' AND template_no = 2"),
    "closed between": Case({**DEAD, **SPAN}, Order.CLOSED, f"state = 'dead' AND {CLOSED_IN_SPAN}"),
}


@pytest.mark.parametrize(("limit", "look"), [(7, 10_000), (1, 40), (50, 25)])
@pytest.mark.parametrize("name", CASES)
def test_every_job_is_on_one_page(filled: Shelf, name: str, limit: int, look: int) -> None:
    """Turned to the end, the pages hold each job that matches once, in their order, however little a page looks at."""
    case = CASES[name]
    sought = wanted(filled, **case.more)
    assert order_of(sought) is case.order
    assert all_pages(filled, sought, limit=limit, look=look) == expected(filled, case.condition, IN_SQL[case.order])


def test_a_page_says_how_far_it_looked(filled: Shelf) -> None:
    """Where matches are rare a page ends after so many rows, with what it found, and the next begins behind them."""
    rare = wanted(filled, template_nos=(2,), since=at(0), until=at(1))
    with filled.database.transaction() as connection:
        first = browsing.page(connection, rare, after=None, limit=10, look=50)
        assert (first.ids, first.looked_at) == ([], 50)
        assert first.next is not None
        assert first.next.id == ROWS - 49
        full = browsing.page(connection, wanted(filled), after=None, limit=10, look=50)
    assert (len(full.ids), full.looked_at) == (10, None)
