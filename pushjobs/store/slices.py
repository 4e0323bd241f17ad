"""Reading a slice's jobs under lock, and marking those that pass as `sending`."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from pushjobs.domain.campaign import RunState
from pushjobs.domain.consent import ConsentPolicy
from pushjobs.domain.hot_value import hot_value
from pushjobs.domain.job import JobId, Lane, OnQuota
from pushjobs.domain.lifecycle import Transition
from pushjobs.store.database import as_json, hot_statement, statement

__all__ = ["Begun", "Candidate", "begin", "lock"]


class Candidate(NamedTuple):
    """A released job at the gates, locked. Distances are seconds from the database's now; negative is past.

    A tuple, because a hundred of them a slice are made out of rows; the fields stand in the order of the columns.
    """

    id: JobId
    release_no: int
    attempts: int
    app_no: int
    appid: str
    template_no: int
    template_id: str
    daily_cap: int | None
    faults_in_a_row: int
    recipient: bytes
    sealed: bytes | None
    content_no: int | None
    sealed_content: bytes | None
    planned_at: datetime
    due_in: float
    expires_in: float
    run_paused: bool
    run_state: RunState | None
    lane: Lane
    on_quota: OnQuota
    consent: ConsentPolicy


@hot_value
class Begun:
    """A job that passed, and what its call was charged to."""

    id: JobId
    day: date
    credit_held: bool


_RUN_STATES: Mapping[str | None, RunState | None] = {None: None, **{each.value: each for each in RunState}}
_LANES = {each.value: each for each in Lane}
_ON_QUOTA = {each.value: each for each in OnQuota}
_CONSENT = {each.value: each for each in ConsentPolicy}

# The join with the number asked for is the fence: a duplicate or belated message finds nothing. The state is compared
# as text so that no partial index fits: the planner believes that hardly any job is out, and would read all that are.
# The clock is read once for all: row by row, a pause between two rows would put the later job first.
_LOCK = hot_statement(
    """
SELECT j.id, j.release_no, j.attempts, j.app_no, a.appid, j.template_no, t.template_id, t.daily_cap,
       t.faults_in_a_row, j.recipient, j.sealed, j.content_no, c.sealed, j.planned_at,
       extract(epoch FROM j.due_at - (SELECT clock_timestamp()))::float,
       extract(epoch FROM j.expires_at - (SELECT clock_timestamp()))::float,
       r.paused_at IS NOT NULL, r.state, j.lane, j.on_quota, t.consent
  FROM json_to_recordset(:asked) AS m(id bigint, release_no int)
  JOIN pushjobs.jobs j USING (id)
  JOIN pushjobs.apps a USING (app_no)
  JOIN pushjobs.templates t USING (template_no)
  LEFT JOIN pushjobs.contents c ON c.content_no = j.content_no
  LEFT JOIN pushjobs.runs r ON r.run_no = j.run_no
 WHERE j.release_no = m.release_no AND j.state::text {admit.sources}
 ORDER BY j.id FOR UPDATE OF j""",
    Transition.ADMIT,
    columns=Candidate._fields,
)

# The rows are those that `lock` returned in this very transaction: nobody can have moved them, and nothing is asked of
# them again.
_BEGIN = statement(
    """
UPDATE pushjobs.jobs j
   SET state = {admit.target}, reason = NULL, errcode = NULL, lease_until = now() + make_interval(secs => :lease),
       charged_day = m.day, credit_held = m.credit_held
  FROM json_to_recordset(:begun) AS m(id bigint, day date, credit_held boolean)
 WHERE j.id = m.id""",
    Transition.ADMIT,
)


def lock(connection: Connection, asked: Sequence[tuple[JobId, int]]) -> list[Candidate]:
    """Lock and return those of the jobs that are still released under the number asked for, by id."""
    rows = as_json([{"id": job_id, "release_no": release_no} for job_id, release_no in asked])
    return [_candidate(row) for row in connection.execute(_LOCK, {"asked": rows}).all()]


def begin(connection: Connection, begun: Sequence[Begun], *, lease: float) -> None:
    """Mark jobs that `lock` returned in this transaction as `sending`, for so many seconds."""
    if begun:
        rows = [{"id": one.id, "day": one.day, "credit_held": one.credit_held} for one in begun]
        connection.execute(_BEGIN, {"begun": as_json(rows), "lease": lease})


def _candidate(row: Sequence[Any]) -> Candidate:
    *values, run_state, lane, on_quota, consent = row
    return Candidate._make((*values, _RUN_STATES[run_state], _LANES[lane], _ON_QUOTA[on_quota], _CONSENT[consent]))
