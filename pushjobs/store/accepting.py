"""Storing new jobs, however many in one statement, and idempotency keys that hold against races.

All of a chunk is stored in the caller's transaction or none of it. Numbers are drawn before anything is written, so
that a key can name its job; a number that a known key makes superfluous is simply never used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg import Connection as PsycopgConnection
from sqlalchemy import Connection

from pushjobs.domain.job import JobId, JobState, Lane, OnQuota
from pushjobs.domain.lifecycle import Transition, target
from pushjobs.settings import LEASE_SECONDS
from pushjobs.store.database import as_json, statement

__all__ = [
    "Claimed",
    "KeyClaim",
    "NewJob",
    "claim_keys",
    "draw_ids",
    "give_up_keys",
    "hold_contents",
    "insert",
    "store_content",
]

_COPY_FROM = 20
"""Rows from which COPY is worth its set-up."""

_KEEP_KEY = timedelta(days=30)
"""How long an idempotency key outlives its job's deadline (fine print 12.19)."""


class NewJob(NamedTuple):
    """A job about to be stored. `released`: published by its maker right after the commit, not by a tick.

    A tuple because ten thousand are made for a batch: a frozen dataclass of so many fields takes three times as long.
    """

    id: JobId
    app_no: int
    template_no: int
    content_no: int | None
    lane: Lane
    on_quota: OnQuota
    planned_at: datetime
    expires_at: datetime
    recipient: bytes
    sealed: bytes
    reference: str | None
    released: bool = False
    client_no: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyClaim:
    """An idempotency key asked for on behalf of a job about to be stored."""

    app_no: int
    key: str
    fingerprint: bytes
    job_id: JobId
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Whose a key is: ours if `job_id` is the one we asked for."""

    job_id: JobId
    fingerprint: bytes


_DRAW = statement("SELECT nextval('pushjobs.jobs_id_seq') FROM generate_series(1, :count)")

_COLUMNS = (
    "id, app_no, template_no, content_no, lane, state, on_quota, release_no, planned_at, due_at, expires_at, "
    "lease_until, recipient, sealed, reference, client_no"
)
_COPY = f"COPY pushjobs.jobs ({_COLUMNS}) FROM STDIN"
_INSERT = statement(f"""
INSERT INTO pushjobs.jobs ({_COLUMNS})
VALUES (:id, :app_no, :template_no, :content_no, :lane, :state, :on_quota, :release_no, :planned_at, :planned_at,
        :expires_at, CASE WHEN :released THEN now() + make_interval(secs => :lease) END, :recipient, :sealed,
        :reference, :client_no)""")  # noqa: S608 - a constant of ours, no input

_INSERT_SOME = statement(f"""
INSERT INTO pushjobs.jobs ({_COLUMNS})
SELECT id, app_no, template_no, content_no, lane, state, on_quota, CAST(released AS int), planned_at, planned_at,
       expires_at, CASE WHEN released THEN now() + make_interval(secs => :lease) END, decode(recipient, 'hex'),
       decode(sealed, 'hex'), reference, client_no
  FROM json_to_recordset(:jobs) AS j(
       id bigint, app_no smallint, template_no int, content_no bigint, lane pushjobs.lane, state pushjobs.job_state,
       on_quota pushjobs.on_quota, released boolean, planned_at timestamptz, expires_at timestamptz, recipient text,
       sealed text, reference text, client_no int)""")  # noqa: S608 - a constant of ours, no input

# A concurrent maker of the same key makes us wait here until it commits; then its row is what the second part reads.
_CLAIM_KEYS = statement("""
INSERT INTO pushjobs.idempotency_keys (app_no, key, fingerprint, job_id, keep_until)
SELECT app_no, key, decode(fingerprint, 'hex'), job_id, keep_until
  FROM json_to_recordset(:claims) AS c(app_no smallint, key text, fingerprint text, job_id bigint,
                                       keep_until timestamptz)
 ORDER BY app_no, key
    ON CONFLICT DO NOTHING
 RETURNING app_no, key""")
_READ_KEYS = statement("""
SELECT k.app_no, k.key, k.fingerprint, k.job_id
  FROM json_to_recordset(:claims) AS c(app_no smallint, key text)
  JOIN pushjobs.idempotency_keys k USING (app_no, key)""")

_KNOWN_KEYS = statement("SELECT key FROM pushjobs.idempotency_keys WHERE app_no = :app_no AND key = ANY (:keys)")

_GIVE_UP_KEYS = statement("DELETE FROM pushjobs.idempotency_keys WHERE app_no = :app_no AND key = ANY (:keys)")

# KEY SHARE: any number of makers hold a content at once, and only who would delete it has to stay away.
_HOLD_CONTENTS = statement("""
SELECT content_no FROM pushjobs.contents WHERE content_no = ANY (:numbers) ORDER BY content_no FOR KEY SHARE""")

_STORE_CONTENT = statement("""
INSERT INTO pushjobs.contents (app_no, template_no, sealed) VALUES (:app_no, :template_no, :sealed)
RETURNING content_no""")


def draw_ids(connection: Connection, count: int) -> list[JobId]:
    """Draw job numbers; they rise, and need not be consecutive."""
    return [JobId(number) for number in connection.execute(_DRAW, {"count": count}).scalars()]


def claim_keys(connection: Connection, claims: Sequence[KeyClaim]) -> dict[tuple[int, str], Claimed]:
    """Take the keys that are free and tell whose each one is; the claims' keys must differ."""
    rows = as_json(
        [
            {
                "app_no": claim.app_no,
                "key": claim.key,
                "fingerprint": claim.fingerprint.hex(),
                "job_id": claim.job_id,
                "keep_until": claim.expires_at + _KEEP_KEY,
            }
            for claim in claims
        ]
    )
    ours = {(app_no, key) for app_no, key in connection.execute(_CLAIM_KEYS, {"claims": rows})}
    owners = {
        (claim.app_no, claim.key): Claimed(job_id=claim.job_id, fingerprint=claim.fingerprint)
        for claim in claims
        if (claim.app_no, claim.key) in ours
    }
    if len(ours) < len(claims):
        others = [{"app_no": each.app_no, "key": each.key} for each in claims if (each.app_no, each.key) not in ours]
        for row in connection.execute(_READ_KEYS, {"claims": as_json(others)}):
            owners[row.app_no, row.key] = Claimed(job_id=JobId(row.job_id), fingerprint=row.fingerprint)
    return owners


def known_keys(connection: Connection, app_no: int, keys: Sequence[str]) -> set[str]:
    """Return those of the keys that stand for a job; takes none."""
    return set(connection.execute(_KNOWN_KEYS, {"app_no": app_no, "keys": list(keys)}).scalars())


def give_up_keys(connection: Connection, app_no: int, keys: Sequence[str]) -> None:
    """Give up the keys that this transaction took for jobs that it does not store after all."""
    connection.execute(_GIVE_UP_KEYS, {"app_no": app_no, "keys": list(keys)})


def insert(connection: Connection, jobs: Sequence[NewJob]) -> None:
    """Store new jobs: due at their time, or released already where their maker publishes them."""
    if len(jobs) >= _COPY_FROM and not any(job.released for job in jobs):
        _copy(connection, jobs)
    elif len(jobs) > 1:
        rows = as_json([{**_values(job), "recipient": job.recipient.hex(), "sealed": job.sealed.hex()} for job in jobs])
        connection.execute(_INSERT_SOME, {"jobs": rows, "lease": LEASE_SECONDS})
    elif jobs:
        [job] = jobs
        values = {**_values(job), "release_no": int(job.released), "lease": LEASE_SECONDS}
        connection.execute(_INSERT, values)


def hold_contents(connection: Connection, numbers: Sequence[int]) -> set[int]:
    """Keep shared contents from being pruned until this transaction ends; return those that are there."""
    return set(connection.execute(_HOLD_CONTENTS, {"numbers": list(numbers)}).scalars())


def store_content(connection: Connection, *, app_no: int, template_no: int, sealed: bytes) -> int:
    """Store a content that many jobs will share; return its number."""
    row = connection.execute(_STORE_CONTENT, {"app_no": app_no, "template_no": template_no, "sealed": sealed})
    return int(row.scalar_one())


def _copy(connection: Connection, jobs: Sequence[NewJob]) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, PsycopgConnection)  # noqa: S101 - narrows the type; the engine has no other driver
    state = target(Transition.GIVE_BACK).value
    # As plain texts: the driver takes half of its time to write moments and enums. Many jobs have the same ones.
    written = {moment: str(moment) for job in jobs for moment in (job.planned_at, job.expires_at)}
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for job in jobs:
            planned_at = written[job.planned_at]
            copy.write_row(
                (
                    job.id,
                    job.app_no,
                    job.template_no,
                    job.content_no,
                    job.lane.value,
                    state,
                    job.on_quota.value,
                    0,
                    planned_at,
                    planned_at,
                    written[job.expires_at],
                    None,
                    job.recipient,
                    job.sealed,
                    job.reference,
                    job.client_no,
                )
            )


def _state(job: NewJob) -> JobState:
    return target(Transition.RELEASE if job.released else Transition.GIVE_BACK)


def _values(job: NewJob) -> dict[str, object]:
    return {
        "id": job.id,
        "app_no": job.app_no,
        "template_no": job.template_no,
        "content_no": job.content_no,
        "lane": job.lane,
        "state": _state(job),
        "on_quota": job.on_quota,
        "released": job.released,
        "planned_at": job.planned_at,
        "expires_at": job.expires_at,
        "recipient": job.recipient,
        "sealed": job.sealed,
        "reference": job.reference,
        "client_no": job.client_no,
    }
