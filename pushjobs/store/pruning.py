"""Deleting what has served its time, a bounded number of rows at a time.

Nothing here waits for a row: what somebody holds is skipped and found again. Jobs go with their history and their
receipts; a job in doubt is never deleted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import Any

from sqlalchemy import Connection, TextClause

from pushjobs.domain.job import JobState
from pushjobs.store.database import statement

__all__ = ["DISPENSABLE", "PRUNABLE", "begin_day", "prune_days", "prune_jobs", "prune_kind", "walk"]

PRUNABLE = (JobState.SENT, JobState.REFUSED, JobState.EXPIRED, JobState.CANCELLED, JobState.DEAD)
"""The states in which a job may be deleted; `ix_jobs_closed` is of these."""

_BEYOND_MEMBERS = 2**62
_IS_OVER = """(a.replaced_at < now() - interval '1 hour' OR (a.uploaded_at IS NULL
       AND (a.replaced_at IS NOT NULL OR a.touched_at < now() - interval '1 hour')))"""

# A week and a day, so that a day can be compared with the same one of the week before.
DISPENSABLE = (
    statement("""
DELETE FROM pushjobs.minutes WHERE minute IN (
    SELECT minute FROM pushjobs.minutes WHERE minute < now() - interval '8 days' LIMIT :limit)"""),
    statement("""
DELETE FROM pushjobs.idempotency_keys WHERE (app_no, key) IN (
    SELECT app_no, key FROM pushjobs.idempotency_keys WHERE keep_until < now() LIMIT :limit)"""),
    statement("""
DELETE FROM pushjobs.sessions WHERE token_hash IN (
    SELECT token_hash FROM pushjobs.sessions WHERE used_at < now() - interval '1 day' LIMIT :limit)"""),
    # Longer than jobs: who did what is asked when they are long gone.
    statement("""
DELETE FROM pushjobs.audit WHERE entry_no IN (
    SELECT entry_no FROM pushjobs.audit WHERE at < now() - interval '1 year' LIMIT :limit)"""),
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
    # What reads a replaced audience has ended by then; an upload of which nothing came for so long is given up.
    statement(f"""
DELETE FROM pushjobs.audience_members WHERE member_no = ANY (ARRAY(
    SELECT m.member_no FROM pushjobs.audiences a JOIN pushjobs.audience_members m
           ON m.audience_no = a.audience_no AND m.member_no >= a.first_member
          AND m.member_no <= coalesce(a.last_member, {_BEYOND_MEMBERS})
     WHERE {_IS_OVER} LIMIT :limit))"""),  # noqa: S608 - constants of ours, no input
    statement(f"""
DELETE FROM pushjobs.audiences WHERE audience_no IN (
    SELECT a.audience_no FROM pushjobs.audiences a
     WHERE {_IS_OVER} AND NOT EXISTS (
        SELECT FROM pushjobs.audience_members m
         WHERE m.audience_no = a.audience_no AND m.member_no >= a.first_member
           AND m.member_no <= coalesce(a.last_member, {_BEYOND_MEMBERS}))
     ORDER BY a.audience_no LIMIT :limit FOR UPDATE OF a SKIP LOCKED)"""),  # noqa: S608 - constants of ours, no input
    # Their notices go with them; an address that was silent for longer than that is told what is open, and no more.
    statement("""
DELETE FROM pushjobs.alerts WHERE alert_no IN (
    SELECT alert_no FROM pushjobs.alerts WHERE ended_at < now() - interval '30 days' LIMIT :limit)"""),
)
"""What goes by an age of its own, each by an index that finds it."""

# SKIP LOCKED: a replay, or a receipt that is being written, wins. As arrays, so that the rows are found by their keys
# whatever the planner believes of the tables. The state is a literal: a partial index is proven from nothing else.
_JOBS = {
    state: statement(f"""
WITH old AS MATERIALIZED (
    SELECT id FROM pushjobs.jobs
     WHERE state = '{state}' AND closed_at < now() - make_interval(days => :days)
     ORDER BY closed_at LIMIT :limit FOR UPDATE SKIP LOCKED
), history AS (
    DELETE FROM pushjobs.job_history WHERE job_id = ANY (ARRAY(SELECT id FROM old))
), told AS (
    DELETE FROM pushjobs.receipts WHERE job_id = ANY (ARRAY(SELECT id FROM old))
)
DELETE FROM pushjobs.jobs WHERE id = ANY (ARRAY(SELECT id FROM old))""")  # noqa: S608 - a state of ours
    for state in PRUNABLE
}

_FACT = "days_pruned_on"
# Two at once: the second waits for the first's row, and finds the day taken.
_BEGIN_DAY = statement("""
INSERT INTO pushjobs.installation AS i (name, value) VALUES (:name, :day)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE i.value < excluded.value
RETURNING name""")

# Beyond a week nobody is calling with it, and a day that is over counts for nothing. No index: one on the day would
# have to be written at each user's first message of a day, which is most messages there are.
_PAGE = """
SELECT {keys} FROM (
    SELECT {keys} FROM pushjobs.{table} WHERE ({keys}) > ({after}) ORDER BY {keys} LIMIT :limit) AS page
 ORDER BY {order} LIMIT 1"""
# By their places in the file, which the lock keeps: joined by its keys, each page would read the whole table.
_OVER = """
DELETE FROM pushjobs.{table} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM pushjobs.{table}
     WHERE ({keys}) > ({after}) AND ({keys}) <= ({last}) AND quota_day < CURRENT_DATE - 7
     ORDER BY {keys} FOR UPDATE SKIP LOCKED))"""
_QUOTA_KEYS: Mapping[str, Mapping[str, object]] = {
    "recipients": {"app_no": 0, "recipient": b""},
    "template_days": {"app_no": 0, "recipient": b"", "template_no": 0},
}

_APP_DAYS = statement("DELETE FROM pushjobs.app_days WHERE day < CURRENT_DATE - CAST(:days AS int)")

# Locked first and judged after, in two statements: what is accepted meanwhile holds its content (`hold_contents`), so
# what could be locked has every job that names it committed, and the second statement sees them.
_OLD_CONTENTS = statement("""
SELECT content_no FROM pushjobs.contents
 WHERE content_no > :after AND created_at < now() - make_interval(days => :days)
 ORDER BY content_no LIMIT :limit FOR UPDATE SKIP LOCKED""")
_NAMELESS = statement("""
DELETE FROM pushjobs.contents c
 WHERE c.content_no = ANY (:numbers)
   AND NOT EXISTS (SELECT FROM pushjobs.jobs j WHERE j.content_no = c.content_no AND j.content_no IS NOT NULL)""")


def prune_kind(connection: Connection, kind: TextClause, *, limit: int) -> int:
    """Delete at most `limit` rows of one of the `DISPENSABLE`; return how many."""
    return connection.execute(kind, {"limit": limit}).rowcount


def prune_jobs(connection: Connection, state: JobState, *, days: int, limit: int) -> int:
    """Delete at most `limit` jobs that were closed in this state so many days ago, the oldest first; return how many.

    What hangs on them goes with them. Raises KeyError for a state that is never pruned.
    """
    return connection.execute(_JOBS[state], {"days": days, "limit": limit}).rowcount


def begin_day(connection: Connection, day: date) -> bool:
    """Become the one who does what is done once a day; False when somebody has, this day or a later one."""
    return connection.execute(_BEGIN_DAY, {"name": _FACT, "day": day.isoformat()}).one_or_none() is not None


def prune_days(connection: Connection, *, days: int) -> int:
    """Delete the apps' days that are over for so many days: a row an app and day; return how many."""
    return connection.execute(_APP_DAYS, {"days": days}).rowcount


def walk(transaction: Callable[[], AbstractContextManager[Connection]], *, days: int, limit: int) -> Iterator[int]:
    """Go through quota rows and shared contents, `limit` rows a step and a transaction; tell what each step deleted.

    Quota rows go whose day is over for a week, contents that no job names and that are so many days old.
    """
    for table, first in _QUOTA_KEYS.items():
        page, over = _of(table, list(first), _PAGE), _of(table, list(first), _OVER)
        after = dict(first)
        while True:
            with transaction() as connection:
                row = connection.execute(page, {**after, "limit": limit}).one_or_none()
                if row is None:
                    break
                last = {name: getattr(row, name) for name in first}
                bounds = {**after, **{f"last_{name}": value for name, value in last.items()}}
                gone = connection.execute(over, bounds).rowcount
            after = last
            yield gone
    behind = 0
    while True:
        with transaction() as connection:
            numbers = _contents(connection, after=behind, days=days, limit=limit)
            gone = connection.execute(_NAMELESS, {"numbers": numbers}).rowcount if numbers else 0
        if not numbers:
            return
        behind = numbers[-1]
        yield gone


def _contents(connection: Connection, **values: Any) -> Sequence[int]:  # noqa: ANN401 - the statement's parameters
    return list(connection.execute(_OLD_CONTENTS, values).scalars())


def _of(table: str, keys: Sequence[str], sql: str) -> TextClause:
    return statement(
        sql.format(
            table=table,
            keys=", ".join(keys),
            after=", ".join(f":{key}" for key in keys),
            last=", ".join(f":last_{key}" for key in keys),
            order=", ".join(f"{key} DESC" for key in keys),
        )
    )
