"""The indexes of outcomes are used, however many wait."""

from pushjobs.domain.client import Client
from pushjobs.runtime import Runtime
from pushjobs.store import outcomes
from tests.integration.hands import ask
from tests.integration.store.test_query_plans import explain

ROWS = 50_000

FILL = """
INSERT INTO pushjobs.outcomes (client_no, job_id, state, closed_at)
SELECT 1 + n % 50, n, 'sent', now() - make_interval(secs => (n * 7919) % 50000) FROM generate_series(1, :rows) n"""


def test_what_is_told_is_found_by_index(runtime: Runtime, client: Client) -> None:
    """Whom to tell, what next and what is too late: each reads the index of its client, no table of outcomes whole."""
    for number in range(49):
        runtime.clients.add(f"till {number}")
    ask(
        runtime,
        "INSERT INTO pushjobs.webhooks (client_no, url) SELECT client_no, 'https://a.example/' FROM pushjobs.clients",
    )
    ask(runtime, FILL, rows=ROWS)
    ask(runtime, "ANALYZE pushjobs.outcomes, pushjobs.webhooks, pushjobs.clients, pushjobs.jobs")
    mine = {"clients": [client.client_no]}
    with runtime.database.transaction() as connection:
        connection.execute(outcomes._CLAIM, {**mine, "most": 500, "promise": 60.0})
        plans = {
            "due": explain(connection, outcomes._LOCK_DUE, {"limit": 32}),
            "late": explain(connection, outcomes._LOCK_LATE, {"after": 86_400.0}),
            "given up": explain(connection, outcomes._GIVE_UP, {**mine, "after": 86_400.0, "limit": 10_000}),
            "claimed": explain(connection, outcomes._CLAIM, {**mine, "most": 500, "promise": 60.0}),
            "read": explain(connection, outcomes._READ, mine),
            "settled": explain(connection, outcomes._SETTLE, {"told": "[]"}),
            "swept": explain(connection, outcomes._SWEEP, {"limit": 10_000}),
        }
    for name, plan in plans.items():
        assert "outcomes" not in plan.read_whole, name
    assert "ix_outcomes_client_no" in plans["claimed"].indexes
