"""Reading a slice's jobs under lock, for admission, and noting that a slice was settled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.consent import ConsentPolicy
from pushjobs.domain.job import JobId, Lane, OnQuota
from pushjobs.domain.lifecycle import Transition
from pushjobs.store.database import as_json, statement

__all__ = ["Candidate", "lock", "note_settled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A released job at the gates, locked. Distances are seconds from the database's now; negative is past."""

    id: JobId
    release_no: int
    attempts: int
    app_no: int
    appid: str
    template_no: int
    template_id: str
    lane: Lane
    on_quota: OnQuota
    consent: ConsentPolicy
    daily_cap: int | None
    faults_in_a_row: int
    recipient: bytes
    sealed: bytes
    content_no: int | None
    sealed_content: bytes | None
    planned_at: datetime
    due_in: float
    expires_in: float


# The join with the number asked for is the fence: a duplicate or belated message finds nothing. The state is compared
# as text so that no partial index fits: the planner believes that hardly any job is out, and would read all that are.
_LOCK = statement(
    """
SELECT j.id, j.release_no, j.attempts, j.app_no, a.appid, j.template_no, t.template_id, j.lane, j.on_quota,
       t.consent, t.daily_cap, t.faults_in_a_row, j.recipient, j.sealed, j.content_no,
       c.sealed AS sealed_content, j.planned_at,
       extract(epoch FROM j.due_at - clock_timestamp())::float AS due_in,
       extract(epoch FROM j.expires_at - clock_timestamp())::float AS expires_in
  FROM json_to_recordset(:asked) AS m(id bigint, release_no int)
  JOIN pushjobs.jobs j USING (id)
  JOIN pushjobs.apps a USING (app_no)
  JOIN pushjobs.templates t USING (template_no)
  LEFT JOIN pushjobs.contents c ON c.content_no = j.content_no
 WHERE j.release_no = m.release_no AND j.state::text {admit.sources}
 ORDER BY j.id FOR UPDATE OF j""",
    Transition.ADMIT,
)

_SETTLED = statement("INSERT INTO pushjobs.settlements (app_no, lane, jobs) VALUES (:app_no, :lane, :jobs)")


def lock(connection: Connection, asked: Sequence[tuple[JobId, int]]) -> list[Candidate]:
    """Lock and return those of the jobs that are still released under the number asked for, by id."""
    rows = as_json([{"id": job_id, "release_no": release_no} for job_id, release_no in asked])
    found = connection.execute(_LOCK, {"asked": rows})
    names = tuple(found.keys())
    return [_candidate(dict(zip(names, row, strict=True))) for row in found]


def note_settled(connection: Connection, *, app_no: int, lane: Lane, jobs: int) -> None:
    """Note that a slice was settled, for back-pressure and throughput."""
    connection.execute(_SETTLED, {"app_no": app_no, "lane": lane, "jobs": jobs})


def _candidate(values: dict[str, Any]) -> Candidate:
    words = {
        "lane": Lane(values["lane"]),
        "on_quota": OnQuota(values["on_quota"]),
        "consent": ConsentPolicy(values["consent"]),
    }
    return Candidate(**(values | words))
