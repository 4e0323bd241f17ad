"""The indexes of callbacks are used, however much was told and forwarded before."""

from pushjobs.domain.job import Reason
from pushjobs.store import consents, events, pushes
from tests.integration.store.shelf import Shelf
from tests.integration.store.test_query_plans import FILL, ROWS, explain

FILL_EVENTS = """
INSERT INTO pushjobs.events (app_no, key, kind, recipient, template_id, happened_at, msgid, state)
SELECT :app_no, decode(lpad(to_hex(n), 32, '0'), 'hex'),
       (CASE WHEN n % 2 = 0 THEN 'receipt' ELSE 'consent_given' END)::pushjobs.event_kind,
       decode(lpad(to_hex(n % 5000), 32, '0'), 'hex'), 'tpl', now(), 10000000 + n,
       (CASE WHEN n % 100 = 0 THEN 'waiting' ELSE 'applied' END)::pushjobs.event_state
  FROM generate_series(1, :rows) n
"""


def test_events_and_their_jobs_are_found_by_index(shelf: Shelf) -> None:
    """Applying reads the partial index of what waits, jobs by msgid or recipient; no table whole."""
    app_no = shelf.bucket.app_no
    shelf.execute(FILL, app_no=app_no, rows=ROWS)
    shelf.execute(FILL_EVENTS, app_no=app_no, rows=ROWS)
    shelf.execute("UPDATE pushjobs.jobs SET msgid = 10000000 + id WHERE state = 'sent'")
    shelf.execute("ANALYZE pushjobs.jobs, pushjobs.templates, pushjobs.events, pushjobs.receipts, pushjobs.consents")
    numbers = {"numbers": [row[0] for row in shelf.ask("SELECT event_no FROM pushjobs.events LIMIT 100")]}
    by_user = numbers | {"reason": Reason.RECEIPT, "before": 600.0, "after": 30.0}
    with shelf.database.transaction() as connection:
        waiting = explain(connection, events._WAITING, {"limit": 1000})
        by_msgid = explain(connection, events._BY_MSGID, numbers)
        by_recipient = explain(connection, events._BY_USER, by_user)
        told = explain(connection, consents._TELL, numbers)
    assert waiting.indexes == {"ix_events_open"}
    assert by_msgid.indexes >= {"pk_events", "ix_jobs_msgid"}
    assert by_recipient.indexes >= {"pk_events", "ix_jobs_msgid", "ix_jobs_recipient", "pk_jobs"}
    assert "pk_events" in told.indexes
    for plan in (waiting, by_msgid, by_recipient, told):
        assert not plan.read_whole & {"jobs", "events"}


def test_pushes_are_claimed_by_the_index_of_what_waits(shelf: Shelf) -> None:
    """Claiming what is to be forwarded reads its partial index, however much was forwarded."""
    fill = """
    INSERT INTO pushjobs.pushes (app_no, key, state)
    SELECT :app_no, decode(lpad(to_hex(n), 32, '0'), 'hex'),
           (CASE WHEN n % 100 = 0 THEN 'waiting' ELSE 'forwarded' END)::pushjobs.push_state
      FROM generate_series(1, :rows) n"""
    shelf.execute(fill, app_no=shelf.bucket.app_no, rows=ROWS)
    shelf.execute("ANALYZE pushjobs.pushes")
    values = {"app_no": shelf.bucket.app_no, "limit": 32, "few": 8, "promise": 60.0}
    with shelf.database.transaction() as connection:
        plan = explain(connection, pushes._CLAIM, values)
    assert plan.indexes == {"ix_pushes_open", "pk_pushes"}
    assert plan.read_whole == set()
