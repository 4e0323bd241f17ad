"""What became of every job, read whole: for whoever counts what was planned against what was received."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from pushjobs.domain.job import JobId, JobState
from pushjobs.domain.lifecycle import Transition
from pushjobs.store.database import as_json, statement

__all__ = ["Held", "Row", "decided", "doubts", "read", "sending", "under_way"]


class Held(NamedTuple):
    """A job in the hands of some process, under one release."""

    id: JobId
    release_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One job as its owner planned it, and where it stands."""

    id: JobId
    reference: str | None
    state: JobState
    planned_at: datetime


_PAGE = 5000

_READ = statement("""
SELECT id, reference, state, planned_at FROM pushjobs.jobs WHERE id > :after ORDER BY id LIMIT :page""")

_SENDING = statement(
    "SELECT id, release_no FROM pushjobs.jobs WHERE state IN ('released', 'sending') AND state {doubt.sources}",
    Transition.DOUBT,
)

# A process that was killed may have a commit on its way, which its server process still carries out.
_UNDER_WAY = statement("""
SELECT pid, xact_start FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'pushjobs' AND xact_start IS NOT NULL
   AND pid <> pg_backend_pid()""")

_DOUBTS = statement("SELECT DISTINCT job_id, release_no FROM pushjobs.job_history WHERE transition = 'doubt'")

# What ended a release stands on the job, if it closed it, or in its history, if it did not: whichever came first, for a
# doubt is closed twice where a receipt ends it.
_DECIDED = statement("""
SELECT extract(epoch FROM least(
           (SELECT min(h.at) FROM pushjobs.job_history h
             WHERE h.job_id = m.id AND h.release_no = m.release_no AND h.at >= m.since),
           CASE WHEN j.release_no = m.release_no AND j.closed_at >= m.since THEN j.closed_at END)
       - m.since)::float AS seconds
  FROM json_to_recordset(:held) AS m(id bigint, release_no int, since timestamptz)
  JOIN pushjobs.jobs j USING (id)""")


def read(connection: Connection) -> Iterator[Row]:
    """Yield every job, by its number."""
    after = 0
    while rows := connection.execute(_READ, {"after": after, "page": _PAGE}).all():
        for row in rows:
            yield Row(id=JobId(row.id), reference=row.reference, state=JobState(row.state), planned_at=row.planned_at)
        after = rows[-1].id


def sending(connection: Connection) -> set[Held]:
    """Return the jobs that some process is sending, or was when it died."""
    return {Held(JobId(row.id), row.release_no) for row in connection.execute(_SENDING)}


def under_way(connection: Connection) -> set[tuple[int, datetime]]:
    """Return the transactions of all our processes that are open now, without this one's."""
    return {(row.pid, row.xact_start) for row in connection.execute(_UNDER_WAY)}


def doubts(connection: Connection) -> set[Held]:
    """Return every release that ever ended in doubt, whatever became of its job since."""
    return {Held(JobId(row.job_id), row.release_no) for row in connection.execute(_DOUBTS)}


def decided(connection: Connection, held: Sequence[tuple[Held, datetime]]) -> list[float | None]:
    """Return how many seconds after its moment each release ended, in any order; None: it has not."""
    rows = [{"id": job.id, "release_no": job.release_no, "since": since} for job, since in held]
    return list(connection.execute(_DECIDED, {"held": as_json(rows)}).scalars())
