"""Runs as rows: how far each is, and what is done to it by name. Their jobs are in `run_jobs`.

A step that takes hold writes the run's row under a condition on its state, so two processes at one run take it once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.campaign import Policies, RunReason, RunState, Standing
from pushjobs.domain.job import JobState, Reason
from pushjobs.store.database import statement

__all__ = [
    "CLASSID",
    "Count",
    "OpenRun",
    "Run",
    "begin",
    "cancel",
    "fail",
    "fetch_later",
    "find",
    "finish",
    "going_on",
    "is_wanted",
    "keep_content",
    "latest",
    "listed",
    "lock",
    "open_run",
    "pause",
    "read_later",
    "resume",
    "share_content",
    "skip",
    "take_fetch",
    "unfinished",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """So many of a run's `jobs` are in one `state` for one `reason`; None: for none."""

    state: JobState
    reason: Reason | None
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as people see it: `run_no`, of the campaign `key` (our number: `campaign_no`), for one `instant`.

    It sends `template_id` of the app `appid` (our number: `app_no`) by the campaign's `policies` of then, from
    `begins_at` on. `state` says where it stands, `reason` and `note` why it was stopped. `recipients`: users in its
    audience, each once; `rejected` rows of it were none, and `faults` tells of the first; None: not read yet.
    `expanded`: jobs made so far, whose numbers are between `first_job` and `last_job`. `counts`: its jobs as they were
    counted last, at `counted_at`; empty: never. `paused_at`, `opened_at`, `finished_at`: since when; None: it is not.
    """

    run_no: int
    campaign_no: int
    key: str
    appid: str
    app_no: int
    template_id: str
    instant: datetime
    begins_at: datetime
    state: RunState
    reason: RunReason | None
    note: str | None
    policies: Policies
    recipients: int | None
    rejected: int | None
    faults: Sequence[Mapping[str, Any]]
    expanded: int
    first_job: int | None
    last_job: int | None
    paused_at: datetime | None
    opened_at: datetime | None
    finished_at: datetime | None
    counts: Sequence[Count]
    counted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run that is not finished, as whoever works on it needs it; `now` by the database's clock."""

    run_no: int
    campaign_no: int
    app_no: int
    appid: str
    key: str
    template_no: int
    template_id: str
    zone: str
    begins_at: datetime
    policies: Policies
    sealed: bytes = field(repr=False)
    content_no: int | None
    feed: Mapping[str, Any] | None = field(repr=False)
    standing: Standing
    now: datetime


_LISTED = """
SELECT r.*, c.key, a.appid, t.template_id
  FROM pushjobs.runs r JOIN pushjobs.campaigns c USING (campaign_no) JOIN pushjobs.apps a ON a.app_no = r.app_no
  JOIN pushjobs.templates t ON t.template_no = r.template_no"""
_FIND = statement(f"{_LISTED} WHERE r.run_no = :run_no")
_OF_CAMPAIGN = statement(f"""
{_LISTED} WHERE r.campaign_no = :campaign_no ORDER BY r.instant DESC, r.run_no DESC LIMIT :limit""")
_GOING_ON = statement(f"{_LISTED} WHERE r.finished_at IS NULL ORDER BY r.begins_at, r.run_no")
_LATEST = statement(f"""
{_LISTED} WHERE r.run_no IN (
    SELECT l.run_no FROM pushjobs.campaigns c, LATERAL (
        SELECT run_no FROM pushjobs.runs WHERE campaign_no = c.campaign_no ORDER BY instant DESC LIMIT 1) AS l
     WHERE c.retired_at IS NULL)""")  # noqa: S608 - words of ours, no input
_UNFINISHED = statement("""
SELECT r.*, c.key, c.zone, c.feed, a.appid, t.template_id, clock_timestamp() AS now,
       coalesce(r.read_again_at > clock_timestamp(), false) AS reads_later,
       coalesce(r.fetch_again_at > clock_timestamp(), false) AS fetches_later
  FROM pushjobs.runs r JOIN pushjobs.campaigns c USING (campaign_no) JOIN pushjobs.apps a ON a.app_no = r.app_no
  JOIN pushjobs.templates t ON t.template_no = r.template_no
 WHERE r.finished_at IS NULL
 ORDER BY r.begins_at, r.run_no""")

# Who reads an audience or sweeps holds this lock, which ends with the transaction; the row stays free for a pause or a
# cancellation. `classid` keeps our locks apart from other uses of the database.
_LOCK = statement("SELECT pg_try_advisory_xact_lock(:classid, :run_no)")
CLASSID = 0x72756E73
"""Of the lock that whoever reads a run's audience holds: "runs"."""

_BEGIN = statement("""
UPDATE pushjobs.runs SET state = 'preparing' WHERE run_no = :run_no AND state IN ('planned', 'preparing')
RETURNING run_no""")
_IS_WANTED = statement("SELECT FROM pushjobs.runs WHERE run_no = :run_no AND state IN ('preparing', 'open')")
_SHARE = statement("""
UPDATE pushjobs.runs SET content_no = coalesce(content_no, nextval('pushjobs.contents_content_no_seq'))
 WHERE run_no = :run_no RETURNING content_no""")
_READ_LATER = statement("""
UPDATE pushjobs.runs SET read_again_at = clock_timestamp() + make_interval(secs => :seconds), note = :note
 WHERE run_no = :run_no""")
# One of those who would fetch at the same moment does: the others find the moment moved on.
_TAKE_FETCH = statement("""
UPDATE pushjobs.runs SET fetch_again_at = clock_timestamp() + make_interval(secs => :seconds)
 WHERE run_no = :run_no AND content_at IS NULL AND (fetch_again_at IS NULL OR fetch_again_at <= clock_timestamp())
RETURNING run_no""")
_FETCH_LATER = statement("""
UPDATE pushjobs.runs SET fetch_again_at = clock_timestamp() + make_interval(secs => :seconds), note = :note
 WHERE run_no = :run_no""")
_KEEP_CONTENT = statement("""
WITH known AS (
    UPDATE pushjobs.runs SET content_at = clock_timestamp(), note = NULL
     WHERE run_no = :run_no AND content_at IS NULL AND state = 'preparing'
 RETURNING content_no, app_no, template_no
)
INSERT INTO pushjobs.contents (content_no, app_no, template_no, sealed) OVERRIDING SYSTEM VALUE
SELECT content_no, app_no, template_no, :sealed FROM known WHERE CAST(:sealed AS bytea) IS NOT NULL
RETURNING content_no""")
_OPEN = statement("""
UPDATE pushjobs.runs SET state = 'open', opened_at = clock_timestamp()
 WHERE run_no = :run_no AND state = 'preparing' AND read_at IS NOT NULL AND content_at IS NOT NULL
RETURNING run_no""")
_STOP = statement("""
UPDATE pushjobs.runs
   SET state = CAST(:state AS pushjobs.run_state), reason = :reason, note = coalesce(:note, note)
 WHERE run_no = :run_no AND state::text = ANY (:states)
RETURNING run_no""")
_PAUSE = statement("""
UPDATE pushjobs.runs SET paused_at = coalesce(paused_at, now())
 WHERE finished_at IS NULL AND (run_no = :run_no OR campaign_no = :campaign_no) RETURNING run_no""")
_RESUME = statement("""
UPDATE pushjobs.runs SET paused_at = NULL
 WHERE paused_at IS NOT NULL AND (run_no = :run_no OR campaign_no = :campaign_no) RETURNING run_no""")

_FINISH = statement("""
UPDATE pushjobs.runs
   SET state = CASE WHEN state = 'open' THEN 'finished' ELSE state END, finished_at = clock_timestamp()
 WHERE run_no = :run_no AND finished_at IS NULL RETURNING run_no""")


def listed(connection: Connection, campaign_no: int, *, limit: int) -> list[Run]:
    """Return a campaign's runs, the latest instant first."""
    rows = connection.execute(_OF_CAMPAIGN, {"campaign_no": campaign_no, "limit": limit})
    return [_run(row) for row in rows]


def find(connection: Connection, run_no: int) -> Run | None:
    """Return a run, or None."""
    row = connection.execute(_FIND, {"run_no": run_no}).one_or_none()
    return None if row is None else _run(row)


def going_on(connection: Connection) -> list[Run]:
    """Return the runs that are not finished, as people see them, the earliest first."""
    return [_run(row) for row in connection.execute(_GOING_ON)]


def latest(connection: Connection) -> list[Run]:
    """Return the latest run of each campaign in force."""
    return [_run(row) for row in connection.execute(_LATEST)]


def unfinished(connection: Connection) -> list[OpenRun]:
    """Return the runs that are not finished, the earliest first."""
    return [_open_run(row) for row in connection.execute(_UNFINISHED)]


def lock(connection: Connection, run_no: int) -> bool:
    """Be the one who reads the run's audience, or sweeps, until the transaction ends; False: another one is."""
    return bool(connection.execute(_LOCK, {"classid": CLASSID, "run_no": run_no}).scalar_one())


def begin(connection: Connection, run_no: int) -> bool:
    """Begin a run; False where it was stopped, or is gone with what its campaign was."""
    return connection.execute(_BEGIN, {"run_no": run_no}).one_or_none() is not None


def is_wanted(connection: Connection, run_no: int) -> bool:
    """Whether the run is still to be prepared."""
    return connection.execute(_IS_WANTED, {"run_no": run_no}).one_or_none() is not None


def share_content(connection: Connection, run_no: int) -> int:
    """Draw the number of the content that the run's jobs will share; always the same."""
    return int(connection.execute(_SHARE, {"run_no": run_no}).scalar_one())


def read_later(connection: Connection, run_no: int, seconds: float, note: str) -> None:
    """Let the audience be read again so many seconds from now; `note` says why."""
    connection.execute(_READ_LATER, {"run_no": run_no, "seconds": seconds, "note": note})


def take_fetch(connection: Connection, run_no: int, seconds: float) -> bool:
    """Be the one who fetches the content, for so many seconds; False where another one is."""
    return connection.execute(_TAKE_FETCH, {"run_no": run_no, "seconds": seconds}).one_or_none() is not None


def fetch_later(connection: Connection, run_no: int, seconds: float, note: str) -> None:
    """Let the content be fetched again so many seconds from now; `note` says why."""
    connection.execute(_FETCH_LATER, {"run_no": run_no, "seconds": seconds, "note": note})


def keep_content(connection: Connection, run_no: int, sealed: bytes | None) -> None:
    """Store what the run's jobs share, once; None: each has its own."""
    connection.execute(_KEEP_CONTENT, {"run_no": run_no, "sealed": sealed})


def open_run(connection: Connection, run_no: int) -> bool:
    """Let the run's jobs leave; False where it is not ready, or was stopped."""
    return connection.execute(_OPEN, {"run_no": run_no}).one_or_none() is not None


def cancel(connection: Connection, run_no: int) -> bool:
    """Stop a run by its owner's word; False where it has ended."""
    stoppable = (RunState.PLANNED, RunState.PREPARING, RunState.OPEN)
    return _stop(connection, run_no, RunState.CANCELLED, RunReason.REQUESTED, stoppable)


def fail(connection: Connection, run_no: int, reason: RunReason, note: str) -> bool:
    """Stop a run that cannot be; False where it was stopped, or opened."""
    return _stop(connection, run_no, RunState.FAILED, reason, (RunState.PLANNED, RunState.PREPARING), note)


def skip(connection: Connection, run_no: int, reason: RunReason) -> bool:
    """Stop a run that need not be; False where it was stopped, or opened."""
    return _stop(connection, run_no, RunState.SKIPPED, reason, (RunState.PLANNED, RunState.PREPARING))


def pause(connection: Connection, *, run_no: int | None = None, campaign_no: int | None = None) -> int:
    """Hold the jobs of a run, or of all of a campaign's that are not finished; return of how many."""
    return connection.execute(_PAUSE, {"run_no": run_no, "campaign_no": campaign_no}).rowcount


def resume(connection: Connection, *, run_no: int | None = None, campaign_no: int | None = None) -> int:
    """Let them go on; return of how many runs."""
    return connection.execute(_RESUME, {"run_no": run_no, "campaign_no": campaign_no}).rowcount


def finish(connection: Connection, run_no: int) -> bool:
    """Note that nothing of the run is left to do; False where it was noted."""
    return connection.execute(_FINISH, {"run_no": run_no}).one_or_none() is not None


def _stop(
    connection: Connection,
    run_no: int,
    state: RunState,
    reason: RunReason,
    states: Sequence[RunState],
    note: str | None = None,
) -> bool:
    values = {"run_no": run_no, "state": state, "reason": reason, "note": note, "states": list(states)}
    return connection.execute(_STOP, values).one_or_none() is not None


def read_reason(word: str | None) -> Reason | None:
    return None if word is None else Reason(word)


def _run(row: Any) -> Run:  # noqa: ANN401 - a row of the statements above
    own = ("policies", "state", "reason", "faults", "counts")
    values = {name: getattr(row, name) for name in Run.__slots__ if name not in own}
    return Run(
        **values,
        policies=Policies.from_record(row.policies),
        state=RunState(row.state),
        reason=None if row.reason is None else RunReason(row.reason),
        faults=row.faults or (),
        counts=[
            Count(state=JobState(each["state"]), reason=read_reason(each["reason"]), jobs=each["jobs"])
            for each in row.counts or ()
        ],
    )


def _open_run(row: Any) -> OpenRun:  # noqa: ANN401 - a row of the statement above
    own = ("policies", "standing")
    values = {name: getattr(row, name) for name in OpenRun.__slots__ if name not in own}
    return OpenRun(
        **values,
        policies=Policies.from_record(row.policies),
        standing=Standing(
            state=RunState(row.state),
            begins_at=row.begins_at,
            is_read=row.read_at is not None,
            is_expanded=row.expanded_at is not None,
            has_content=row.content_at is not None,
            reads_later=row.reads_later,
            fetches_later=row.fetches_later,
        ),
    )
