"""Deleting what has served its time, a bounded number of rows at a time."""

from sqlalchemy import Connection

from pushjobs.store.database import statement

__all__ = ["prune"]

# Back-pressure looks at seconds; an hour is for people who look at how it drained.
_PRUNE = (
    statement("""
DELETE FROM pushjobs.settlements WHERE entry_no IN (
    SELECT entry_no FROM pushjobs.settlements WHERE at < now() - interval '1 hour' LIMIT :limit)"""),
    statement("""
DELETE FROM pushjobs.idempotency_keys WHERE (app_no, key) IN (
    SELECT app_no, key FROM pushjobs.idempotency_keys WHERE keep_until < now() LIMIT :limit)"""),
    statement("""
DELETE FROM pushjobs.form_ids WHERE (app_no, form_id) IN (
    SELECT app_no, form_id FROM pushjobs.form_ids WHERE keep_until < now() LIMIT :limit FOR UPDATE SKIP LOCKED)"""),
    # What is done with is kept for as long as WeChat may say it again, and many times that; what is not, for a month.
    statement("""
DELETE FROM pushjobs.events WHERE event_no IN (
    SELECT event_no FROM pushjobs.events
     WHERE received_at < now() - interval '1 day' AND (state = 'applied' OR received_at < now() - interval '30 days')
     LIMIT :limit)"""),
    statement("""
DELETE FROM pushjobs.pushes WHERE push_no IN (
    SELECT push_no FROM pushjobs.pushes
     WHERE received_at < now() - interval '1 day' AND (state = 'forwarded' OR received_at < now() - interval '30 days')
     LIMIT :limit)"""),
)


def prune(connection: Connection, *, limit: int) -> int:
    """Delete at most `limit` rows of each kind; return the largest number deleted of one kind."""
    return max(connection.execute(each, {"limit": limit}).rowcount for each in _PRUNE)
