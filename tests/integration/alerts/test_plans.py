"""A look reads indexes and small tables, however many jobs there are and however many are in doubt."""

from pushjobs.runtime import Runtime
from pushjobs.store import alerts, conditions
from tests.integration.hands import ask, schedule
from tests.integration.store.test_query_plans import explain

ROWS = 30_000

FILL = """
INSERT INTO pushjobs.jobs (app_no, template_no, lane, state, on_quota, planned_at, due_at, expires_at, recipient,
                           sealed, closed_at)
SELECT 1, 1, 'bulk', (ARRAY['in_doubt', 'dead', 'sent'])[1 + n % 3]::pushjobs.job_state, 'refuse', now(), now(),
       now() + interval '1 day', decode(md5(n::text), 'hex'), ''::bytea, now() - make_interval(secs => 600 + n)
  FROM generate_series(1, :rows) n"""


def test_what_is_fresh_trouble_is_found_by_index(runtime: Runtime) -> None:
    """What came in doubt or was given up lately is read by its moment, not among all that ever did."""
    schedule(runtime, 1)
    ask(runtime, FILL, rows=ROWS)
    ask(runtime, "ANALYZE pushjobs.jobs")
    values = {"window": 600.0, "most": 100_000}
    with runtime.database.transaction() as connection:
        doubted = explain(connection, conditions._DOUBTED, values)
        died = explain(connection, conditions._DIED, values)
        waiting = explain(connection, conditions._WAITING_OUT)
    assert "ix_jobs_doubted" in doubted.indexes
    assert "ix_jobs_closed" in died.indexes
    assert "ix_jobs_leased" in waiting.indexes


def test_what_is_told_is_found_by_its_number(runtime: Runtime) -> None:
    """Whether there is anything to tell, asked every few seconds, reads the last notice and no more."""
    ask(
        runtime,
        "INSERT INTO pushjobs.alerts (kind, appid, subject, detail, ended_at) "
        "SELECT 'jobs_late', '', n::text, '', now() FROM generate_series(1, 20000) n",
    )
    ask(runtime, "INSERT INTO pushjobs.alert_notices (alert_no, what) SELECT alert_no, 'ended' FROM pushjobs.alerts")
    ask(runtime, "ANALYZE pushjobs.alerts, pushjobs.alert_notices")
    with runtime.database.transaction() as connection:
        plan = explain(connection, alerts._UNTOLD, {"told_through": 19_990})
        judged = explain(connection, alerts._JUDGE, {"rules": "[]"})
    assert "pk_alert_notices" in plan.indexes
    assert "uq_alerts_open" in judged.indexes
