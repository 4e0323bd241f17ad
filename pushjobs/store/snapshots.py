"""Whom a run is for: its audience copied in once, each user once, then made jobs chunk by chunk.

The copy is one transaction, and with it the run's word that it was read: killed before its end it leaves nothing. From
then on the audience may change; the run's rows do not. A chunk's jobs and the cursor behind them are one transaction
too, under the run's row: whoever comes second finds the cursor moved, and begins where it stands.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from psycopg import Connection as PsycopgConnection
from sqlalchemy import Connection

from pushjobs.domain.lifecycle import Transition
from pushjobs.store.database import as_json, statement

__all__ = ["Expanded", "Member", "copy_in", "drop", "expand", "load", "reject"]

Member = tuple[bytes, bytes]
"""A user in an audience: the keyed hash of app and open id, and what a job of it seals."""

_A_COPY = 20_000
"""Rows a COPY."""

_A_PIECE = 1_000

_LOADING = """
CREATE TEMPORARY TABLE loading (number integer, recipient bytea, sealed bytea) ON COMMIT DROP"""
_COPY = "COPY loading FROM STDIN (FORMAT binary)"
_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TAIL = struct.pack(">h", -1)
_ROW = struct.Struct(">hiii16si")

# Sorted by the hash: what comes first in the audience is not first for ever, the jobs' own index of recipients grows at
# one end, and a batch locks its users' rows where they lie side by side. Of a user's rows the first counts.
_UNBOUNDED = "SET LOCAL statement_timeout = 0"
_ONCE = statement("""
WITH loaded AS (
    INSERT INTO pushjobs.snapshots (run_no, app_no, recipient, sealed)
    SELECT :run_no, :app_no, recipient, sealed
      FROM (SELECT DISTINCT ON (recipient) recipient, sealed FROM loading ORDER BY recipient, number) AS once
     ORDER BY recipient
 RETURNING member_no
), bounds AS (
    SELECT min(member_no) AS first, max(member_no) AS last, count(*) AS members FROM loaded
)
UPDATE pushjobs.runs r
   SET read_at = clock_timestamp(), first_member = b.first, last_member = b.last, cursor = b.first - 1,
       recipients = b.members, note = NULL, expanded_at = CASE WHEN b.members = 0 THEN clock_timestamp() END
  FROM bounds b
 WHERE r.run_no = :run_no AND r.read_at IS NULL AND r.state = 'preparing'
RETURNING r.recipients""")
_REJECTED = statement("""
UPDATE pushjobs.runs SET rejected = :rejected, faults = CAST(:faults AS jsonb) WHERE run_no = :run_no""")

# SKIP LOCKED: another process is at this run, or a person pauses or cancels it this moment.
_EXPAND = statement(
    """
WITH run AS MATERIALIZED (
    SELECT * FROM pushjobs.runs
     WHERE run_no = :run_no AND state IN ('preparing', 'open') AND read_at IS NOT NULL AND expanded_at IS NULL
       FOR UPDATE SKIP LOCKED
), chunk AS MATERIALIZED (
    SELECT s.member_no, s.recipient, s.sealed
      FROM run, LATERAL (
        SELECT member_no, recipient, sealed FROM pushjobs.snapshots
         WHERE member_no > run.cursor AND member_no <= run.last_member AND run_no = :run_no
         ORDER BY member_no LIMIT :limit) AS s
), made AS (
    INSERT INTO pushjobs.jobs (app_no, template_no, content_no, run_no, lane, state, on_quota, planned_at, due_at,
                               expires_at, recipient, sealed)
    SELECT m.app_no, m.template_no, m.content_no, m.run_no, m.lane, {give_back.target}, m.on_quota, m.at, m.at,
           m.at + m.life, m.recipient, m.sealed
      FROM (SELECT run.app_no, run.template_no, run.content_no, run.run_no, c.recipient, c.sealed,
                   (run.policies ->> 'lane')::pushjobs.lane AS lane,
                   (run.policies ->> 'on_quota')::pushjobs.on_quota AS on_quota,
                   make_interval(secs => (run.policies ->> 'life')::float) AS life,
                   run.begins_at + make_interval(secs => (run.policies ->> 'spread')::float
                       * (c.member_no - run.first_member) / (run.last_member - run.first_member + 1)) AS at
              FROM run, chunk c) AS m
 RETURNING id
), bounds AS (
    SELECT (SELECT min(id) FROM made) AS first_job, (SELECT max(id) FROM made) AS last_job,
           (SELECT count(*) FROM made) AS jobs, (SELECT max(member_no) FROM chunk) AS cursor
)
UPDATE pushjobs.runs r
   SET cursor = coalesce(b.cursor, r.last_member), expanded = r.expanded + b.jobs,
       first_job = least(r.first_job, b.first_job), last_job = greatest(r.last_job, b.last_job),
       expanded_at = CASE WHEN coalesce(b.cursor, r.last_member) = r.last_member THEN clock_timestamp() END
  FROM bounds b, run
 WHERE r.run_no = run.run_no
RETURNING b.jobs, r.expanded_at IS NOT NULL AS is_last,
          CASE WHEN :wants_ids THEN ARRAY(SELECT id FROM made) ELSE '{}' END AS ids""",
    Transition.GIVE_BACK,
)

_DROP = statement("""
DELETE FROM pushjobs.snapshots
 WHERE member_no = ANY (ARRAY(
    SELECT s.member_no FROM pushjobs.runs r JOIN pushjobs.snapshots s
           ON s.member_no BETWEEN r.first_member AND r.last_member AND s.run_no = r.run_no
     WHERE r.run_no = :run_no ORDER BY s.member_no LIMIT :limit))""")


@dataclass(frozen=True, slots=True)
class Expanded:
    """What a chunk made: so many jobs, and whether they were the run's last; their ids, where they were asked for."""

    jobs: int
    is_last: bool
    ids: Sequence[int]


def load(connection: Connection, run_no: int, app_no: int, members: Iterable[Member]) -> int | None:
    """Copy a run's audience in, in the caller's transaction; return how many users it has, None: the run was stopped.

    Memory is that of some thousands of them.
    """
    copy_in(connection, members)
    row = connection.execute(_ONCE, {"run_no": run_no, "app_no": app_no}).one_or_none()
    return None if row is None else int(row.recipients)


def copy_in(connection: Connection, members: Iterable[Member]) -> None:
    """Copy users into the table `loading`, which ends with the transaction; what reads it may take its time."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, PsycopgConnection)  # noqa: S101 - narrows the type; the engine has no other driver
    numbered = enumerate(members)
    with driver.cursor() as cursor:
        # A COPY lasts as long as its rows take to come: from a slow database of somebody else's, say.
        cursor.execute(_UNBOUNDED)
        cursor.execute(_LOADING)
        for first in numbered:
            with cursor.copy(_COPY) as copy:
                copy.write(_HEAD)
                rows = chain([first], islice(numbered, _A_COPY - 1))
                # Piece by piece, so that PostgreSQL takes in one while the next is being sealed.
                while piece := _written(islice(rows, _A_PIECE)):
                    copy.write(piece)
                copy.write(_TAIL)


def reject(connection: Connection, run_no: int, rejected: int, faults: Sequence[dict[str, Any]]) -> None:
    """Note how many rows of the audience were no recipients, and what was wrong with the first."""
    connection.execute(_REJECTED, {"run_no": run_no, "rejected": rejected, "faults": as_json(faults)})


def expand(connection: Connection, run_no: int, *, limit: int, wants_ids: bool = False) -> Expanded | None:
    """Make the next `limit` users of a run's snapshot jobs; None where there is nothing to do, or another is at it."""
    row = connection.execute(_EXPAND, {"run_no": run_no, "limit": limit, "wants_ids": wants_ids}).one_or_none()
    return None if row is None else Expanded(row.jobs, row.is_last, row.ids)


def drop(connection: Connection, run_no: int, *, limit: int) -> int:
    """Delete at most `limit` rows of a run's snapshot; return how many."""
    return connection.execute(_DROP, {"run_no": run_no, "limit": limit}).rowcount


def _written(rows: Iterator[tuple[int, Member]]) -> bytes:
    """Write rows as COPY reads them in binary."""
    pack = _ROW.pack
    return b"".join(pack(3, 4, number, 16, recipient, len(sealed)) + sealed for number, (recipient, sealed) in rows)
