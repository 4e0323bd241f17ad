"""What became of jobs, counted: noted in the very statement that moves them, added up minute by minute and for ever.

What a slice leaves stays in `settlements` for a minute or two, for back-pressure, and is then moved on: in one
statement, so that it is never counted twice nor missed, whoever dies. Every read adds up both places in one statement.

Counted is what workers make of jobs, and what is rescued from them. What callers and operators do is not.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.job import Lane
from pushjobs.domain.lateness import NO_CALL, STEPS
from pushjobs.domain.lifecycle import Transition
from pushjobs.store.database import statement

__all__ = [
    "NOT_DRAINED",
    "WITHIN",
    "Became",
    "Ever",
    "Minute",
    "Seen",
    "became",
    "ever",
    "lateness",
    "roll_up",
    "tally",
    "throughput",
]

NOT_DRAINED = f"'{Transition.GIVE_BACK}', '{Transition.HAND_BACK}'"
"""What a bucket is no emptier for: the jobs come again at once."""

_STEPS = ", ".join(map(str, STEPS))


def tally() -> str:
    """Return the part of a statement that counts what it has moved.

    The statement has a part `moved` with `app_no`, `lane`, `template_no`, `transition`, `reason`, `errcode` and `late`:
    seconds between a job's moment and its call, null where no call left.
    """
    return f"""tallied AS (
    INSERT INTO pushjobs.settlements (app_no, lane, template_no, transition, reason, errcode, step, jobs, late)
    SELECT app_no, lane, template_no, transition, coalesce(reason, ''), coalesce(errcode, 0),
           coalesce(width_bucket(late, ARRAY[{_STEPS}]), {NO_CALL}), count(*), coalesce(sum(late), 0)
      FROM moved GROUP BY 1, 2, 3, 4, 5, 6, 7
)"""  # noqa: S608 - words and figures of ours, no input


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is looked at: these apps and templates, by their ids; None: all."""

    apps: Collection[str] | None = None
    templates: Collection[str] | None = None

    def as_values(self) -> dict[str, Any]:
        """Return it as parameters of a statement that has `WITHIN`."""
        return {
            name: None if ids is None else sorted(ids)
            for name, ids in (("apps", self.apps), ("templates", self.templates))
        }


WITHIN = """
(CAST(:apps AS text[]) IS NULL
 OR app_no IN (SELECT app_no FROM pushjobs.apps WHERE appid = ANY (CAST(:apps AS text[]))))
AND (CAST(:templates AS text[]) IS NULL
 OR template_no IN (SELECT template_no FROM pushjobs.templates WHERE template_id = ANY (CAST(:templates AS text[]))))"""
"""The condition that a row of `app_no` and `template_no` is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What became of an app's and lane's jobs in a minute."""

    minute: datetime
    appid: str
    lane: Lane
    transition: Transition
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """What became of so many jobs of a template; `template_id` empty: an older release's worker did not say."""

    appid: str
    template_id: str
    transition: Transition
    reason: str | None
    errcode: int | None
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ever:
    """Jobs that went one way, ever; `step` of lateness, -1 where no call left; `late`: seconds, added up."""

    appid: str
    lane: str
    transition: str
    reason: str
    errcode: int
    step: int
    jobs: int
    late: float


# One at a time: two would wait for each other's minutes. What somebody else is moving is in none of the two places for
# nobody, for it commits as a whole.
_LOCK = statement("SELECT pg_try_advisory_xact_lock(:classid, 0)")
_CLASSID = 0x74616C6C  # "tall"

_ROLL_UP = statement("""
WITH old AS (
    DELETE FROM pushjobs.settlements WHERE entry_no IN (
        SELECT entry_no FROM pushjobs.settlements
         WHERE at < now() - make_interval(secs => :age) ORDER BY at LIMIT :limit)
    RETURNING *
), by_minute AS (
    INSERT INTO pushjobs.minutes AS kept
           (minute, app_no, lane, transition, reason, errcode, step, template_no, jobs, late)
    SELECT date_trunc('minute', at), app_no, lane, transition, reason, errcode, step, template_no, sum(jobs), sum(late)
      FROM old GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ON CONFLICT (minute, app_no, lane, transition, reason, errcode, step, template_no)
        DO UPDATE SET jobs = kept.jobs + excluded.jobs, late = kept.late + excluded.late
), for_ever AS (
    INSERT INTO pushjobs.totals AS kept (app_no, lane, transition, reason, errcode, step, jobs, late)
    SELECT app_no, lane, transition, reason, errcode, step, sum(jobs), sum(late)
      FROM old GROUP BY 1, 2, 3, 4, 5, 6
        ON CONFLICT (app_no, lane, transition, reason, errcode, step)
        DO UPDATE SET jobs = kept.jobs + excluded.jobs, late = kept.late + excluded.late
)
SELECT count(*) FROM old""")

_SINCE = f"""
(SELECT minute, app_no, lane, transition, reason, errcode, step, template_no, jobs FROM pushjobs.minutes
  WHERE minute >= :since
  UNION ALL
 SELECT date_trunc('minute', at), app_no, lane, transition, reason, errcode, step, template_no, jobs
   FROM pushjobs.settlements WHERE at >= :since) AS x
  JOIN pushjobs.apps USING (app_no)
  LEFT JOIN (SELECT template_no, template_id FROM pushjobs.templates) AS t USING (template_no)
 WHERE {WITHIN}"""  # noqa: S608 - words of ours, no input

_THROUGHPUT = statement(f"""
SELECT minute, appid, lane, transition, sum(jobs)::bigint AS jobs FROM {_SINCE}
 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4""")  # noqa: S608 - words of ours, no input
_LATENESS = statement(f"""
SELECT minute, appid, lane, step, sum(jobs)::bigint AS jobs FROM {_SINCE} AND step > {NO_CALL}
 GROUP BY 1, 2, 3, 4""")  # noqa: S608 - words of ours, no input
_BECAME = statement(f"""
SELECT appid, coalesce(template_id, '') AS template_id, transition, reason, errcode, sum(jobs)::bigint AS jobs
  FROM {_SINCE}
 GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC""")  # noqa: S608 - words of ours, no input
_EVER = statement("""
SELECT a.appid, x.lane::text, x.transition, x.reason, x.errcode, x.step,
       sum(x.jobs)::bigint AS jobs, sum(x.late)::float AS late
  FROM (SELECT app_no, lane, transition, reason, errcode, step, jobs, late FROM pushjobs.totals
         UNION ALL
        SELECT app_no, lane, transition, reason, errcode, step, jobs, late FROM pushjobs.settlements) AS x
  JOIN pushjobs.apps a USING (app_no)
 GROUP BY 1, 2, 3, 4, 5, 6""")


def roll_up(connection: Connection, *, age: float, limit: int) -> int:
    """Move what is older than `age` seconds into the minutes and totals, at most `limit` rows; return how many."""
    if not connection.execute(_LOCK, {"classid": _CLASSID}).scalar_one():
        return 0
    return int(connection.execute(_ROLL_UP, {"age": age, "limit": limit}).scalar_one())


def throughput(connection: Connection, *, since: datetime, seen: Seen) -> list[Minute]:
    """Return what became of jobs, minute by minute, of minutes in which anything did."""
    rows = connection.execute(_THROUGHPUT, {"since": since, **seen.as_values()})
    return [
        Minute(
            minute=row.minute,
            appid=row.appid,
            lane=Lane(row.lane),
            transition=Transition(row.transition),
            jobs=row.jobs,
        )
        for row in rows
    ]


def lateness(
    connection: Connection, *, since: datetime, seen: Seen
) -> Mapping[tuple[datetime, str, Lane], Mapping[int, int]]:
    """Return how many calls fell into each step of lateness, by minute, app and lane."""
    found: dict[tuple[datetime, str, Lane], dict[int, int]] = {}
    for row in connection.execute(_LATENESS, {"since": since, **seen.as_values()}):
        found.setdefault((row.minute, row.appid, Lane(row.lane)), {})[row.step] = row.jobs
    return found


def became(connection: Connection, *, since: datetime, seen: Seen) -> list[Became]:
    """Return what became of jobs, template by template, the most frequent first."""
    rows = connection.execute(_BECAME, {"since": since, **seen.as_values()})
    return [
        Became(
            appid=row.appid,
            template_id=row.template_id,
            transition=Transition(row.transition),
            reason=row.reason or None,
            errcode=row.errcode or None,
            jobs=row.jobs,
        )
        for row in rows
    ]


def ever(connection: Connection) -> list[Ever]:
    """Return what became of jobs since there are summaries; it never falls."""
    return [Ever(**row._mapping) for row in connection.execute(_EVER)]  # noqa: SLF001 - how SQLAlchemy names a row's mapping
