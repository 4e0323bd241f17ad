"""What may be wrong, as facts: each read from an index or a small table, however many jobs there are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from pushjobs.domain.job import Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.pause import Pause
from pushjobs.store import examining, figures, minutes, pauses
from pushjobs.store.database import statement
from pushjobs.store.minutes import NOT_DRAINED, Seen

__all__ = ["FEW_ATTEMPTS", "LATE_MINUTES", "CalledMinute", "Facts", "FailedRun", "LateLane", "read"]

LATE_MINUTES = 5
"""Over how many minutes lateness is looked at."""

FEW_ATTEMPTS = 5
"""After so many attempts to tell somebody of callbacks or outcomes, more than a minute has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateLane:
    """A lane whose earliest job that may leave waits for so many seconds; `settled`: of its app, in a minute."""

    app_no: int
    appid: str
    lane: Lane
    overdue: float
    settled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledMinute:
    """A lane's calls in a whole minute, by step of lateness; `together`: of all lanes of its app."""

    app_no: int
    appid: str
    lane: Lane
    steps: Mapping[int, int]
    together: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """The last run of a campaign, which failed."""

    appid: str
    key: str
    run_no: int
    instant: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was read at one moment. Keys are appids, but those of `webhooks`, which are clients' names.

    `doubted` and `died`: jobs that came there within the window and still are. `pushes`: callbacks that wait for the
    app's own door, or were given up within a day, though it was tried often. `webhooks`: attempts to tell a client the
    same. `heartbeat_age`: seconds since a release tick; None: there is no row.
    """

    heartbeat_age: float | None
    apps: Mapping[int, str]
    pauses: Sequence[Pause]
    late: Sequence[LateLane]
    called: Sequence[CalledMinute]
    unlisted: Mapping[tuple[str, int], int]
    doubted: Mapping[str, int]
    died: Mapping[str, int]
    pushes: Mapping[str, int]
    webhooks: Mapping[str, int]
    failed_runs: Sequence[FailedRun]


_APPS = statement("SELECT app_no, appid FROM pushjobs.apps")
_ARRIVED = """
SELECT a.appid, count(*) FROM (
    SELECT app_no FROM pushjobs.jobs
     WHERE state = '{}' AND closed_at > now() - make_interval(secs => :window) LIMIT :most) AS j
  JOIN pushjobs.apps a USING (app_no) GROUP BY a.appid"""
_DOUBTED = statement(_ARRIVED.format("in_doubt"))
_DIED = statement(_ARRIVED.format("dead"))
_SETTLED = statement(f"""
SELECT app_no, sum(jobs)::bigint AS jobs FROM pushjobs.settlements
 WHERE at > now() - interval '1 minute' AND transition NOT IN ({NOT_DRAINED}) GROUP BY app_no""")  # noqa: S608 - words of ours, no input
# From both places that what became of jobs is counted in, each read by its moment.
_UNLISTED = statement("""
SELECT a.appid, x.errcode, sum(x.jobs)::bigint AS jobs FROM (
    SELECT app_no, errcode, jobs FROM pushjobs.minutes
     WHERE minute > now() - make_interval(secs => :window) AND reason = :unlisted
     UNION ALL
    SELECT app_no, errcode, jobs FROM pushjobs.settlements
     WHERE at > now() - make_interval(secs => :window) AND reason = :unlisted) AS x
  JOIN pushjobs.apps a USING (app_no) GROUP BY a.appid, x.errcode""")
_NOW = statement("SELECT date_trunc('minute', now())")
_PUSHES = statement("""
SELECT a.appid, count(*) FROM (
    SELECT app_no FROM pushjobs.pushes
     WHERE (state = 'waiting' AND attempts >= :few OR state = 'dead' AND try_at > now() - interval '1 day')
     LIMIT :most) AS p
  JOIN pushjobs.apps a USING (app_no) GROUP BY a.appid""")
_WEBHOOKS = statement("""
SELECT c.name, w.attempts FROM pushjobs.webhooks w JOIN pushjobs.clients c USING (client_no)
 WHERE w.url IS NOT NULL AND w.attempts > :few""")
# What is with a worker, or on its way there, and was not begun. Where nobody reads the queue it comes back with its
# lease, and is out again with the next tick.
_WAITING_OUT = statement(
    """
SELECT a.appid, x.lane::text, extract(epoch FROM now() - x.due_at)::float FROM (
    SELECT app_no, lane, min(due_at) AS due_at FROM pushjobs.jobs j
     WHERE state IN ('released', 'sending') AND state {admit.sources}
       AND NOT EXISTS (SELECT FROM pushjobs.pauses p
                        WHERE p.app_no = j.app_no AND (p.lane IS NULL OR p.lane = j.lane)
                          AND (p.template_no IS NULL OR p.template_no = j.template_no)
                          AND (p.until IS NULL OR p.until > now()))
     GROUP BY app_no, lane) AS x JOIN pushjobs.apps a USING (app_no)""",
    Transition.ADMIT,
)
# The last that came to something, or to nothing; one that was passed over, or taken back by somebody, says neither.
_FAILED_RUNS = statement("""
SELECT a.appid, c.key, r.run_no, r.instant, coalesce(r.reason, '') AS reason
  FROM pushjobs.campaigns c JOIN pushjobs.apps a USING (app_no) CROSS JOIN LATERAL (
      SELECT run_no, instant, reason, state FROM pushjobs.runs
       WHERE campaign_no = c.campaign_no
         AND (state IN ('open', 'finished', 'failed') OR state = 'skipped' AND reason = 'nothing_new')
       ORDER BY instant DESC LIMIT 1) AS r
 WHERE c.retired_at IS NULL AND r.state = 'failed' AND r.instant > now() - interval '7 days'""")


def read(connection: Connection, *, window: float) -> Facts:
    """Read everything, in one transaction; `window`: within how many seconds jobs are counted as fresh trouble."""
    apps = {row.app_no: row.appid for row in connection.execute(_APPS)}
    arrived = {"window": window, "most": figures.MOST_COUNTED}
    pushed = {"few": FEW_ATTEMPTS, "most": figures.MOST_COUNTED}
    return Facts(
        heartbeat_age=examining.heartbeat_age(connection),
        apps=apps,
        pauses=pauses.active(connection),
        late=_late(connection, apps),
        called=_called(connection, apps),
        unlisted={
            (row.appid, row.errcode): row.jobs
            for row in connection.execute(_UNLISTED, {"window": window, "unlisted": Reason.UNLISTED_CODE})
        },
        doubted={row[0]: row[1] for row in connection.execute(_DOUBTED, arrived)},
        died={row[0]: row[1] for row in connection.execute(_DIED, arrived)},
        pushes={row[0]: row[1] for row in connection.execute(_PUSHES, pushed)},
        webhooks={row.name: row.attempts for row in connection.execute(_WEBHOOKS, {"few": FEW_ATTEMPTS})},
        failed_runs=[FailedRun(**row._asdict()) for row in connection.execute(_FAILED_RUNS)],
    )


def _late(connection: Connection, apps: Mapping[int, str]) -> list[LateLane]:
    numbers = {appid: app_no for app_no, appid in apps.items()}
    settled = {row.app_no: row.jobs for row in connection.execute(_SETTLED)}
    overdue = dict(figures.overdue(connection))
    for appid, lane, seconds in connection.execute(_WAITING_OUT):
        overdue[appid, lane] = max(seconds, overdue.get((appid, lane), 0.0))
    return [
        LateLane(
            app_no=numbers[appid],
            appid=appid,
            lane=Lane(lane),
            overdue=seconds,
            settled=settled.get(numbers[appid], 0),
        )
        for (appid, lane), seconds in sorted(overdue.items())
    ]


def _called(connection: Connection, apps: Mapping[int, str]) -> list[CalledMinute]:
    numbers = {appid: app_no for app_no, appid in apps.items()}
    this = connection.execute(_NOW).scalar_one()
    found = minutes.lateness(connection, since=this - timedelta(minutes=LATE_MINUTES), seen=Seen())
    together: Counter[tuple[datetime, str]] = Counter()
    for (minute, appid, _), steps in found.items():
        together[minute, appid] += sum(steps.values())
    return [
        CalledMinute(app_no=numbers[appid], appid=appid, lane=lane, steps=steps, together=together[minute, appid])
        for (minute, appid, lane), steps in sorted(found.items())
        if minute < this
    ]
