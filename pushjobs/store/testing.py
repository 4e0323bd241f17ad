"""What tests of applications ask of a database of their own: to be empty, whether all is done, what was accepted.

It deletes everything, so it refuses a server that keeps what it is told: the one that `pushjobs.testing` starts does
not (`fsync` is off), and no other should be run like that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from pushjobs.domain.job import Job, JobId
from pushjobs.domain.message import Message
from pushjobs.errors import NotPossible
from pushjobs.store import envelope, jobs, tables
from pushjobs.store.database import statement
from pushjobs.store.schema import SCHEMA
from pushjobs.store.sealing import Sealer

__all__ = ["Accepted", "accepted", "empty", "is_settled"]

_KEPT = {"installation", "heartbeat", "apps", "clients", "templates"}
"""Which database it is, and what was set up once; of templates, what an operator sets is put back."""

_IS_DURABLE = text("SELECT current_setting('fsync') = 'on'")

# A tick may hold rows of what is deleted here and wait for the jobs: rather than wait for each other, come again.
_PATIENCE = text("SET LOCAL lock_timeout = '200ms'")

# With this lock nobody admits a job, so when none is `sending` no call is out, and none will be of what is deleted.
_HOLD = text(f"LOCK TABLE {SCHEMA}.jobs IN SHARE ROW EXCLUSIVE MODE")
_IS_CALLING = text(f"SELECT EXISTS (SELECT FROM {SCHEMA}.jobs WHERE state = 'sending')")  # noqa: S608 - a name of ours

_POLICIES = ("consent", "in_doubt", "daily_cap", "faults_in_a_row", "content_check", "on_review", "on_unchecked")

# One statement: thirty round trips would be half of what it takes. Deleted and not truncated, because of thirty tables
# with a few rows each a TRUNCATE makes new files, and locks out whoever reads.
_DELETIONS = "".join(
    f"DELETE FROM {SCHEMA}.{table.name}{' WHERE NOT is_declared' if table.name == 'campaigns' else ''}; "  # noqa: S608 - names of ours
    for table in reversed(tables.metadata.sorted_tables)
    if table.name not in _KEPT
)
_RESET = f"UPDATE {SCHEMA}.templates SET {', '.join(f'{name} = DEFAULT' for name in _POLICIES)};"  # noqa: S608 - as above
_EMPTY = text(f"DO $$ BEGIN {_DELETIONS} {_RESET} END $$")

_IS_SETTLED = statement("""
SELECT NOT EXISTS (SELECT FROM pushjobs.jobs
                    WHERE state IN ('released', 'sending') OR (state = 'scheduled' AND due_at <= now()))""")

_SEALED = statement("""
SELECT j.id, j.recipient, j.sealed, c.sealed AS sealed_content, t.template_id, a.appid
  FROM pushjobs.jobs j JOIN pushjobs.templates t USING (template_no) JOIN pushjobs.apps a ON a.app_no = j.app_no
  LEFT JOIN pushjobs.contents c ON c.content_no = j.content_no
 WHERE j.sealed IS NOT NULL ORDER BY j.id""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A job with what it says."""

    job: Job
    message: Message


def empty(connection: Connection) -> bool:
    """Delete all that was accepted or set since the start; return False, with nothing done, while a call is out.

    Raises NotPossible on a server that keeps what it is told.
    """
    if connection.execute(_IS_DURABLE).scalar_one():
        raise NotPossible("this database is durable, so it is nobody's to empty: only pushjobs.testing's own are")
    connection.execute(_PATIENCE)
    connection.execute(_HOLD)
    if connection.execute(_IS_CALLING).scalar_one():
        return False
    connection.execute(_EMPTY)
    return True


def is_settled(connection: Connection) -> bool:
    """Return whether every job whose moment has come is closed; one that was put off waits for its new moment."""
    return bool(connection.execute(_IS_SETTLED).scalar_one())


def accepted(connection: Connection, sealer: Sealer) -> Sequence[Accepted]:
    """Return every job that still says something, and what, in the order in which they were accepted."""
    rows = connection.execute(_SEALED).all()
    found = jobs.get_several(connection, [JobId(row.id) for row in rows])
    return [
        Accepted(
            job=found[JobId(row.id)],
            message=envelope.open_message(
                sealer,
                sealed=row.sealed,
                sealed_content=row.sealed_content,
                appid=row.appid,
                recipient=row.recipient,
                template_id=row.template_id,
            ),
        )
        for row in rows
        if row.id in found
    ]
