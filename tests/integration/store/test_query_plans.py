"""The indexes are used: what rots silently when a statement or an index changes."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import ClauseElement, Connection, event, text

from pushjobs import clock
from pushjobs.domain.job import JobId, JobState, Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.store import (
    census,
    erasing,
    figures,
    form_ids,
    inspecting,
    jobs,
    moves,
    pruning,
    releases,
    reopening,
    resealing,
    slices,
    tables,
)
from pushjobs.store.database import Database, as_json
from pushjobs.store.jobs import Filter
from tests.databases import Databases
from tests.integration.store.shelf import Shelf

ROWS = 50_000

# As in an old installation: most are closed, many wait far off, few are due, out or in trouble; one order has many.
FILL = """
INSERT INTO pushjobs.jobs (app_no, template_no, lane, state, on_quota, release_no, planned_at, due_at, expires_at,
                           lease_until, closed_at, recipient, sealed, reference)
SELECT :app_no, (SELECT min(template_no) FROM pushjobs.templates),
       (CASE WHEN n % 10 = 0 THEN 'urgent' ELSE 'bulk' END)::pushjobs.lane, state::pushjobs.job_state, 'defer', 1,
       moment, moment, moment + interval '2 days',
       CASE WHEN state IN ('released', 'sending') THEN now() + make_interval(secs => n % 30 - 15) END,
       CASE WHEN state NOT IN ('scheduled', 'released', 'sending') THEN now() END,
       decode(lpad(to_hex(n % 5000), 32, '0'), 'hex'), decode(repeat('ab', 200), 'hex'),
       CASE WHEN n % 3 = 0 THEN 'order-' || n / 30 END
  FROM generate_series(1, :rows) n,
       LATERAL (SELECT CASE WHEN n % 100 < 70 THEN 'sent' WHEN n % 100 < 96 THEN 'scheduled'
                            WHEN n % 100 = 96 THEN 'released' WHEN n % 100 = 97 THEN 'sending'
                            WHEN n % 100 = 98 THEN 'refused' ELSE 'in_doubt' END AS state,
                       now() + make_interval(secs => n - 500) AS moment)
"""


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[Shelf]:
    """Fifty thousand jobs in mixed states, with statistics; the tests only read, so one such shelf serves them all."""
    with databases.new() as url, closing(Database(url)) as database:
        shelf = Shelf(database)
        shelf.execute(FILL, app_no=shelf.bucket.app_no, rows=ROWS)
        shelf.execute("ANALYZE pushjobs.jobs, pushjobs.apps, pushjobs.templates")
        yield shelf


class Plan:
    """What PostgreSQL would do: its steps, the indexes it reads and the tables it reads whole."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.steps: list[str] = []
        self.indexes: set[str] = set()
        self.read_whole: set[str] = set()
        self._read(root)

    def _read(self, node: Mapping[str, Any]) -> None:
        self.steps.append(node["Node Type"])
        if "Index Name" in node:
            self.indexes.add(node["Index Name"])
        if node["Node Type"] == "Seq Scan":
            self.read_whole.add(node["Relation Name"])
        for inner in node.get("Plans", ()):
            self._read(inner)


def explain(connection: Connection, statement: ClauseElement, values: Mapping[str, Any] | None = None) -> Plan:
    """Plan a statement as the driver would send it."""
    compiled = statement.compile(dialect=connection.dialect)
    asked = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", compiled.construct_params(values))
    return Plan(asked.scalar_one()[0]["Plan"])


def bucket_of(shelf: Shelf) -> dict[str, Any]:
    """The parameters that name the bucket."""
    return {"app_no": shelf.bucket.app_no, "lane": Lane.BULK}


def test_a_claim_reads_its_bucket_in_the_order_of_moments(filled: Shelf) -> None:
    """Claiming reads the partial index of due jobs and the rows it takes, never the table."""
    values = bucket_of(filled) | {"limit": 250, "lookahead": 5.0, "lease": 15.0, "template_0": 1, "template_1": 2}
    values |= {"run_0": 0, "run_1": 7, "limit_0": 100, "limit_1": 150}
    with filled.database.transaction() as connection:
        # Much is due, and in an order that is not the table's: that is when a planner would rather sort.
        connection.execute(text("UPDATE pushjobs.jobs SET due_at = now() - make_interval(secs => (id * 7919) % 50000)"))
        connection.execute(text("ANALYZE pushjobs.jobs"))
        claims = [explain(connection, releases._claim(count), values) for count in (1, 2)]
        shares = explain(connection, releases._sharing(2), values)
        connection.rollback()
    for plan in claims:
        assert plan.indexes == {"ix_jobs_due", "pk_jobs"}
    assert shares.indexes == {"ix_jobs_due"}
    assert "Merge Append" in shares.steps
    for plan in (*claims, shares):
        assert plan.read_whole == set()
        # In the index's own order, or everything that is due would be read and sorted.
        assert "Sort" not in plan.steps


def test_a_tick_steps_from_source_to_source_in_the_index(filled: Shelf) -> None:
    """Which templates and runs have work is read from the partial index of due jobs, a row a look, never the table."""
    values = bucket_of(filled) | {"lookahead": 5.0, "paused": [2, 3]}
    with filled.database.transaction() as connection:
        plan = explain(connection, releases._WITH_WORK, values)
    assert "ix_jobs_due" in plan.indexes
    assert "jobs" not in plan.read_whole
    # The first source, the next one behind each, and whether anything of one is due.
    assert plan.steps.count("Limit") == plan.steps.count("Index Only Scan") == 3


def test_load_counts_in_the_index_of_leases(filled: Shelf) -> None:
    """Measuring a bucket's load reads the partial index of leased jobs, never the table."""
    with filled.database.transaction() as connection:
        plan = explain(connection, releases._LOAD, bucket_of(filled) | {"window": 5.0})
    assert "ix_jobs_leased" in plan.indexes
    assert "jobs" not in plan.read_whole


def test_rescue_finds_lost_jobs_in_the_index_of_leases(filled: Shelf) -> None:
    """Looking for expired leases reads the partial index of leased jobs, never the table."""
    values = {"limit": 1000, "lease_expired": Reason.LEASE_EXPIRED, "unknown": Reason.UNKNOWN_OUTCOME}
    with filled.database.transaction() as connection:
        plan = explain(connection, releases._RESCUE, values)
    assert plan.indexes == {"ix_jobs_leased", "pk_jobs"}
    assert "jobs" not in plan.read_whole


def test_a_slice_is_locked_and_moved_by_its_ids(filled: Shelf) -> None:
    """Admitting, moving, renewing and cancelling a slice find their jobs by the primary key."""
    ids = [row[0] for row in filled.ask("SELECT id FROM pushjobs.jobs WHERE state = 'released' LIMIT 100")]
    asked = as_json([{"id": job_id, "release_no": 1} for job_id in ids])
    made = as_json([moves._row(moves.Move(id=job_id, release_no=1, transition=Transition.EXPIRE)) for job_id in ids])
    begun = as_json([{"id": job_id, "day": clock.now().date(), "credit_held": False} for job_id in ids])
    with filled.database.transaction() as connection:
        plans = [
            explain(connection, slices._LOCK, {"asked": asked}),
            explain(connection, slices._BEGIN, {"begun": begun, "lease": 15.0}),
            explain(connection, moves._APPLY, {"moves": made}),
            explain(connection, releases._RENEW, {"ids": "{" + ",".join(map(str, ids)) + "}", "lease": 15.0}),
            explain(connection, jobs._CANCEL, {"ids": ids, "reason": Reason.REQUESTED}),
        ]
    for plan in plans:
        assert "pk_jobs" in plan.indexes
        assert "jobs" not in plan.read_whole


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Filter(app_no=1, recipient=(4321).to_bytes(16, "big")), "ix_jobs_recipient"),
        (Filter(app_no=1, reference="order-77"), "ix_jobs_reference"),
        (Filter(app_no=1, state=JobState.DEAD), "ix_jobs_troubled"),
        (Filter(app_no=1), "pk_jobs"),
    ],
    ids=["recipient", "reference", "state", "newest"],
)
def test_finding_reads_the_index_of_what_is_asked(filled: Shelf, wanted: Filter, index: str) -> None:
    """Looking jobs up by recipient, reference or troubled state reads that index; the newest are read by number."""
    statement = jobs._JOB.where(*wanted.conditions()).order_by(tables.jobs.c.id.desc()).limit(100)
    with filled.database.transaction() as connection:
        plan = explain(connection, statement)
    assert index in plan.indexes
    assert "jobs" not in plan.read_whole


def test_one_job_is_read_by_its_number(filled: Shelf) -> None:
    """Getting a job reads one row by the primary key."""
    with filled.database.transaction() as connection:
        plan = explain(connection, jobs._JOB.where(tables.jobs.c.id == JobId(77)))
    assert plan.indexes >= {"pk_jobs"}
    assert "jobs" not in plan.read_whole


def test_doubts_to_resend_are_looked_for_among_what_is_in_trouble(filled: Shelf) -> None:
    """The tick reads the partial index of troubled jobs, never the table."""
    values = {"wait": 60.0, "most": 5, "limit": 1000}
    with filled.database.transaction() as connection:
        plan = explain(connection, reopening._RESENDABLE, values)
    assert plan.indexes & {"ix_jobs_troubled", "ix_jobs_doubted"}
    assert "jobs" not in plan.read_whole


def test_jobs_to_reopen_are_looked_for_among_what_is_in_trouble(filled: Shelf) -> None:
    """A filter by app and template alone reads the partial index of troubled jobs, never the table."""
    asked = []

    def listen(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    with filled.database.transaction() as connection:
        event.listen(connection, "before_cursor_execute", listen)
        wanted = Filter(app_no=filled.bucket.app_no, template_id="tpl")
        found = reopening.matching(connection, wanted, Transition.SEND_AGAIN, after=JobId(0), limit=1000)
        event.remove(connection, "before_cursor_execute", listen)
        values = {"app_no_1": wanted.app_no, "template_id_1": "tpl", "id_1": 0, "param_1": 1000}
        plan = Plan(connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {asked[0]}", values).scalar_one()[0]["Plan"])
    assert len(found) == ROWS / 100
    assert plan.indexes & {"ix_jobs_troubled", "ix_jobs_doubted"}
    assert "jobs" not in plan.read_whole


def test_a_form_id_s_holders_are_looked_at_by_their_numbers(filled: Shelf) -> None:
    """Taking a message of a form id reads its row and its holders' by their keys, never the table of jobs."""
    wanted = [{"form_id": "ab" * 16, "job_id": 1, "messages": 1, "expires_at": clock.now()}]
    values = {"app_no": filled.bucket.app_no, "wanted": as_json(wanted), "life": 1.0}
    with filled.database.transaction() as connection:
        plan = explain(connection, form_ids._TAKE, values)
    assert "pk_jobs" in plan.indexes
    assert "jobs" not in plan.read_whole


def test_why_reads_the_bucket_s_index(filled: Shelf) -> None:
    """Counting who is before a job reads the partial index of due jobs."""
    place = bucket_of(filled) | {"due_at": clock.now(), "id": 1, "most": 1000, "paused": [], "run_no": 0}
    with filled.database.transaction() as connection:
        plan = explain(connection, inspecting._AHEAD, place)
    assert "ix_jobs_due" in plan.indexes
    assert "jobs" not in plan.read_whole


def test_what_is_pruned_is_found_by_state_and_age(filled: Shelf) -> None:
    """Old jobs come out of the index of closed ones, oldest first, and go by their keys; no table is read whole."""
    with filled.database.transaction() as connection:
        for state in pruning.PRUNABLE:
            plan = explain(connection, pruning._JOBS[state], {"days": 30, "limit": 1000})
            assert plan.indexes >= {"ix_jobs_closed", "pk_jobs"}
            assert "jobs" not in plan.read_whole
            # In the index's own order, or everything that is closed would be read and sorted.
            assert "Sort" not in plan.steps


def test_whether_a_content_is_named_is_asked_of_the_index(filled: Shelf) -> None:
    """Pruning a content looks for jobs that name it in their partial index, never in the table."""
    with filled.database.transaction() as connection:
        connection.execute(text("UPDATE pushjobs.jobs SET content_no = id % 50 WHERE id % 2 = 0"))
        connection.execute(text("ANALYZE pushjobs.jobs"))
        plan = explain(connection, pruning._NAMELESS, {"numbers": [1, 2, 3]})
        connection.rollback()
    assert "ix_jobs_content_no" in plan.indexes
    assert "jobs" not in plan.read_whole


def test_a_rotation_reads_and_writes_by_the_primary_key(filled: Shelf) -> None:
    """Each page of a rotation is read and written by its numbers, never by a look through the table."""
    [column] = [each for each in resealing.SEALED if each.table == "jobs"]
    found = [resealing.Old(number=number, sealed=b"s" * 200, bound_to=b"") for number in range(100, 300)]
    rows = resealing._rows([(was, was.sealed) for was in found])
    span = {"after": 20_000, "last": 21_000}
    with filled.database.transaction() as connection:
        plans = [
            explain(connection, resealing._of(column, resealing._WINDOW), {"after": 0, "limit": 1000}),
            explain(connection, resealing._of(column, resealing._COUNTED), span),
            explain(connection, resealing._of(column, resealing._OLD), span | {"newest": b"1234"}),
            explain(connection, resealing._of(column, resealing._RESEAL), {"rows": rows}),
        ]
    for plan in plans:
        assert "pk_jobs" in plan.indexes
        assert "jobs" not in plan.read_whole


def test_what_is_to_be_forgotten_is_found_by_its_user(filled: Shelf) -> None:
    """Erasing a user's jobs, and asking what is left of them, reads the index of recipients, never the table."""
    users = [erasing.User(filled.bucket.app_no, (number * 41).to_bytes(16, "big")) for number in range(100)]
    named = erasing._named(users)
    with filled.database.transaction() as connection:
        erasing.ask(connection, users)
        connection.execute(text("ANALYZE pushjobs.erasures"))
        plans = [
            explain(connection, erasing._ERASE, named | {"limit": 1000, "reason": Reason.FORGOTTEN}),
            explain(connection, erasing._UNDER_WAY, named),
            explain(connection, erasing._FINISH, named),
            explain(connection, erasing._FORM_IDS, named),
        ]
        connection.rollback()
    for plan in plans:
        assert "ix_jobs_recipient" in plan.indexes
        assert "jobs" not in plan.read_whole


def test_the_walk_through_quota_rows_reads_a_page_at_a_time(filled: Shelf) -> None:
    """Each step of the daily walk reads its rows by the primary key, however many there are, and never the table."""
    with filled.database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO pushjobs.recipients (app_no, recipient, quota_day, sent, held)"
                " SELECT 1, decode(md5(n::text), 'hex'), current_date - n % 20, 1, 0 FROM generate_series(1, 50000) n"
            )
        )
        connection.execute(text("ANALYZE pushjobs.recipients"))
        after = {"app_no": 1, "recipient": b"\x40"}
        last = {"last_app_no": 1, "last_recipient": b"\x48"}
        keys = ["app_no", "recipient"]
        plans = [
            explain(connection, pruning._of("recipients", keys, pruning._PAGE), after | {"limit": 1000}),
            explain(connection, pruning._of("recipients", keys, pruning._OVER), after | last),
        ]
        connection.rollback()
    for plan in plans:
        assert "pk_recipients" in plan.indexes
        assert plan.read_whole == set()


def test_figures_are_read_from_indexes(filled: Shelf) -> None:
    """How things stand is asked every few seconds: of the partial indexes, and of no job that is nobody's trouble."""
    with filled.database.transaction() as connection:
        out = explain(connection, figures._OUT)
        overdue = explain(connection, figures._OVERDUE)
        troubled = explain(connection, figures._TROUBLED, {"most": 100})
    assert "ix_jobs_leased" in out.indexes
    assert "ix_jobs_due" in overdue.indexes
    assert "ix_jobs_troubled" in troubled.indexes
    for plan in (out, overdue, troubled):
        assert "jobs" not in plan.read_whole


def test_the_census_can_be_taken_from_the_claims_index_alone(filled: Shelf) -> None:
    """What is scheduled is counted without a look at the jobs themselves: the index has every column it asks for."""
    with filled.database.transaction() as connection:
        # So small a table is rather read whole; with 910,000 scheduled it takes 0.4 s, without a look at the heap.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = explain(connection, census._COUNT)
    assert plan.indexes == {"ix_jobs_due"}
    assert "Index Only Scan" in plan.steps
