"""Legacy form ids: a form's serves one message, a prepay id three, and each message is held by the job it is for.

A job takes its message in the transaction that accepts it and holds it for life: through retries, doubts, death and
replay. Nothing gives one back. A holder that was cancelled, expired or refused sent nothing and has no way back, so
the next taker drops it. That is why no transition has to remember form ids, and a crash cannot leak one; and why
admission need not charge them: the accepted jobs of a form id are never more than its messages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from pushjobs.domain.job import JobId
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.message import FORM_ID_LIFE
from pushjobs.store.database import as_json, statement

__all__ = ["Standing", "Wanted", "take", "void", "voided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A message of a form id, wanted by a job about to be stored. `messages`: how many the form id serves in all."""

    job_id: JobId
    form_id: bytes
    messages: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a form id stands that has no message left: whose they are, and whether WeChat called it void."""

    holders: Sequence[JobId]
    is_void: bool


# Makers of jobs on one form id wait for each other here, in the order of form ids; the next statement sees whom the
# one before has let in.
_LOCK = statement("""
INSERT INTO pushjobs.form_ids AS f (app_no, form_id, keep_until)
SELECT DISTINCT CAST(:app_no AS smallint), decode(w.form_id, 'hex') AS form_id, now()
  FROM json_to_recordset(:wanted) AS w(form_id text)
 ORDER BY form_id
    ON CONFLICT (app_no, form_id) DO UPDATE SET is_void = f.is_void""")

# A holder that is not there any more is taken for one that was sent.
_TAKE = statement(
    """
WITH wanted AS (
    SELECT decode(w.form_id, 'hex') AS form_id, w.job_id, w.messages, w.expires_at
      FROM json_to_recordset(:wanted) AS w(form_id text, job_id bigint, messages int, expires_at timestamptz)
), found AS (
    SELECT f.form_id, f.is_void, ARRAY(
           SELECT h.job_id
             FROM unnest(f.holders) WITH ORDINALITY AS h(job_id, place) LEFT JOIN pushjobs.jobs j ON j.id = h.job_id
            WHERE j.state IS NULL OR j.state NOT IN ({cancel.target}, {expire.target}, {refuse.target})
            ORDER BY h.place) AS holders
      FROM pushjobs.form_ids f
     WHERE f.app_no = :app_no AND f.form_id IN (SELECT form_id FROM wanted)
), placed AS (
    SELECT w.*, f.holders, f.is_void, NOT f.is_void AND w.messages >= cardinality(f.holders)
               + row_number() OVER (PARTITION BY w.form_id ORDER BY w.job_id) AS fits
      FROM wanted w JOIN found f USING (form_id)
), taken AS (
    UPDATE pushjobs.form_ids f
       SET holders = p.holders || p.came,
           keep_until = greatest(f.keep_until, p.expires_at, now() + make_interval(secs => :life))
      FROM (SELECT form_id, holders, array_agg(job_id ORDER BY job_id) AS came, max(expires_at) AS expires_at
              FROM placed WHERE fits GROUP BY form_id, holders) AS p
     WHERE f.app_no = :app_no AND f.form_id = p.form_id
 RETURNING f.form_id, f.holders
)
SELECT p.job_id, p.is_void, coalesce(t.holders, p.holders) AS holders
  FROM placed p LEFT JOIN taken t USING (form_id)
 WHERE NOT p.fits
 ORDER BY p.job_id""",
    Transition.CANCEL,
    Transition.EXPIRE,
    Transition.REFUSE,
)

_VOID = statement("""
INSERT INTO pushjobs.form_ids AS f (app_no, form_id, is_void, keep_until)
SELECT DISTINCT CAST(:app_no AS smallint), decode(v.form_id, 'hex') AS form_id, true,
       now() + make_interval(secs => :life)
  FROM json_to_recordset(:void) AS v(form_id text)
 ORDER BY form_id
    ON CONFLICT (app_no, form_id) DO UPDATE SET is_void = true""")

_VOIDED = statement("""
SELECT form_id FROM pushjobs.form_ids
 WHERE app_no = :app_no AND is_void
   AND form_id IN (SELECT decode(a.form_id, 'hex') FROM json_to_recordset(:asked) AS a(form_id text))""")


def take(connection: Connection, app_no: int, wanted: Sequence[Wanted]) -> Mapping[JobId, Standing]:
    """Take a message of its form id for each job; return those for which there is none, and how their form ids stand.

    Of jobs of one form id, the one with the lowest number comes first.
    """
    rows = [
        {
            "form_id": one.form_id.hex(),
            "job_id": one.job_id,
            "messages": one.messages,
            "expires_at": one.expires_at,
        }
        for one in wanted
    ]
    values = {"app_no": app_no, "wanted": as_json(rows)}
    connection.execute(_LOCK, values)
    refused = connection.execute(_TAKE, {**values, "life": FORM_ID_LIFE.total_seconds()})
    return {
        JobId(row.job_id): Standing(holders=[JobId(number) for number in row.holders], is_void=row.is_void)
        for row in refused
    }


def void(connection: Connection, app_no: int, form_ids: Sequence[bytes]) -> None:
    """Note that WeChat called form ids invalid or used up: nobody else is to try them."""
    if form_ids:
        values = {"app_no": app_no, "life": FORM_ID_LIFE.total_seconds()}
        connection.execute(_VOID, {**values, "void": _rows(form_ids)})


def voided(connection: Connection, app_no: int, form_ids: Sequence[bytes]) -> set[bytes]:
    """Return which of the form ids WeChat called invalid or used up."""
    if not form_ids:
        return set()
    rows = connection.execute(_VOIDED, {"app_no": app_no, "asked": _rows(form_ids)})
    return {bytes(form_id) for form_id in rows.scalars()}


def _rows(form_ids: Sequence[bytes]) -> str:
    return as_json([{"form_id": form_id.hex()} for form_id in form_ids])
