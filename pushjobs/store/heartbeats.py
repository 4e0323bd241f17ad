"""The heartbeat's one row: read by every admission, raised by every tick."""

from datetime import datetime

from sqlalchemy import Connection

from pushjobs.domain.heartbeat import Heartbeat
from pushjobs.store.database import hot_statement, statement

__all__ = ["accept", "holds_older_jobs", "raise_", "read"]

# What the server says of itself takes 20 µs. The name of the file now written begins with the timeline; the control
# file learns of a promotion only with the next checkpoint. Of the log, what is on disk counts: the rest may be lost in
# a crash without a loss of anything that was committed.
_READ = """
SELECT lineage::text, since, at, accepted_at, server, timeline,
       (SELECT system_identifier FROM pg_control_system()),
       substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8),
       (pg_current_wal_flush_lsn() - '0/0')::bigint
  FROM pushjobs.heartbeat"""
_COLUMNS = (
    *("lineage", "since", "at", "accepted_at", "accepted_server", "accepted_timeline"),
    *("server", "timeline", "wal"),
)
_LOOK = hot_statement(_READ, columns=_COLUMNS)

# Of two that notice a step at once the second waits, and finds it accepted.
_LOCK = hot_statement(f"{_READ} FOR UPDATE", columns=_COLUMNS)

# A clock that was set back does not take the heartbeat with it.
_RAISE = statement("UPDATE pushjobs.heartbeat SET at = greatest(clock_timestamp(), at + interval '1 us') RETURNING at")

# Past whatever anybody has seen: those who saw more than we did must not find a step again.
_ACCEPT = statement("""
UPDATE pushjobs.heartbeat h
   SET at = moment.at, accepted_at = moment.at, server = :server, timeline = :timeline
  FROM (SELECT greatest(clock_timestamp(), at + interval '1 us', CAST(:seen AS timestamptz) + interval '1 us') AS at
          FROM pushjobs.heartbeat) AS moment""")

_OLDER = statement("""
SELECT coalesce((SELECT created_at FROM pushjobs.jobs ORDER BY id LIMIT 1)
                < (SELECT since FROM pushjobs.heartbeat), false)""")


def read(connection: Connection, *, locked: bool = False) -> Heartbeat | None:
    """Return the heartbeat, locked if it is to be changed; None where the row is missing, as in mid-restore."""
    row = connection.execute(_LOCK if locked else _LOOK).one_or_none()
    return None if row is None else Heartbeat(**dict(zip(_COLUMNS, row, strict=True)))


def raise_(connection: Connection) -> datetime:
    """Beat; return the moment it shows now."""
    at: datetime = connection.execute(_RAISE).scalar_one()
    return at


def accept(connection: Connection, now: Heartbeat, *, seen: datetime) -> None:
    """Take the database as it stands for the one that counts from now on, past what was `seen`."""
    connection.execute(_ACCEPT, {"server": now.server, "timeline": now.timeline, "seen": seen})


def holds_older_jobs(connection: Connection) -> bool:
    """Whether there are jobs from before the lineage began: then it is none of a new database."""
    return bool(connection.execute(_OLDER).scalar_one())
