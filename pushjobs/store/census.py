"""What is scheduled, counted by app, lane, template, run and moment, from the claim's index alone.

It is counted anew as a whole: no write of a job pays for it, and no error stays. With ten million jobs that takes
seconds, so it is done no more often than a small share of the time, and every answer says as of when it is.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from pushjobs.domain.job import Lane
from pushjobs.domain.lifecycle import Transition
from pushjobs.store.database import statement
from pushjobs.store.minutes import WITHIN, Seen

__all__ = ["Due", "Taken", "due", "is_stale", "take", "taken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """When it was counted, how long that took, and how finely: by minute up to one moment, by hour up to the next."""

    at: datetime
    seconds: float
    minutes_until: datetime
    hours_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Jobs of one source that are scheduled for a minute, an hour or a day; `since` None: they were due already.

    `key`: the campaign's, `instant` its run's, None where it is of none.
    """

    appid: str
    lane: Lane
    template_id: str
    title: str | None
    key: str | None
    run_no: int
    instant: datetime | None
    since: datetime | None
    jobs: int


# Who comes second leaves it to the first.
_STALE = statement("""
SELECT pg_try_advisory_xact_lock(:classid, 0)
   AND NOT EXISTS (SELECT FROM pushjobs.census_taken
                    WHERE at > now() - make_interval(secs => greatest(:apart, seconds * :share)))""")
_CLASSID = 0x63656E73  # "cens"

# A statement that counts a hundred million may take longer than any other; it holds nothing that anybody waits for.
_PATIENCE = statement("SELECT set_config('statement_timeout', '300s', true)")
_CLEAR = statement("DELETE FROM pushjobs.census")
# Multiples of a minute since 1970, and not `date_trunc`, which asks for the time zone at each row.
_COUNT = statement(
    """
WITH grain AS (
    SELECT date_bin('1 hour', now(), 'epoch') + interval '25 hours' AS minutes_until,
           date_bin('1 day', now(), 'epoch') + interval '8 days' AS hours_until
), counted AS (
    INSERT INTO pushjobs.census (app_no, lane, template_no, run_no, since, jobs)
    SELECT app_no, lane, template_no, run_no,
           CASE WHEN due_at <= now() THEN '-infinity'
                WHEN due_at < minutes_until THEN date_bin('1 minute', due_at, 'epoch')
                WHEN due_at < hours_until THEN date_bin('1 hour', due_at, 'epoch')
                ELSE date_bin('1 day', due_at, 'epoch') END AS moment,
           count(*)
      FROM pushjobs.jobs, grain WHERE state {release.sources}
     GROUP BY app_no, lane, template_no, run_no, moment
    RETURNING 1
)
INSERT INTO pushjobs.census_taken (at, seconds, minutes_until, hours_until)
SELECT now(), 0, minutes_until, hours_until
  FROM grain, (SELECT count(*) FROM counted) AS done
    ON CONFLICT (is_here) DO UPDATE SET at = excluded.at, minutes_until = excluded.minutes_until,
       hours_until = excluded.hours_until""",
    Transition.RELEASE,
)
_TOOK = statement("UPDATE pushjobs.census_taken SET seconds = extract(epoch FROM clock_timestamp() - at)")

_TAKEN = statement("SELECT at, seconds, minutes_until, hours_until FROM pushjobs.census_taken")
_DUE = statement(f"""
SELECT a.appid, c.lane, t.template_id, t.title, p.key, c.run_no, r.instant, nullif(c.since, '-infinity') AS since,
       c.jobs
  FROM (SELECT * FROM pushjobs.census WHERE since < :until AND {WITHIN}) AS c
  JOIN pushjobs.apps a USING (app_no)
  JOIN pushjobs.templates t USING (template_no)
  LEFT JOIN pushjobs.runs r ON r.run_no = c.run_no
  LEFT JOIN pushjobs.campaigns p ON p.campaign_no = r.campaign_no
 ORDER BY c.since, c.jobs DESC, c.template_no, c.run_no""")  # noqa: S608 - words of ours, no input


def is_stale(connection: Connection, *, apart: float, share: float) -> bool:
    """Whether it is time to count again, and this transaction is to: `apart` seconds or `share` times what it took."""
    return bool(connection.execute(_STALE, {"classid": _CLASSID, "apart": apart, "share": share}).scalar_one())


def take(connection: Connection) -> None:
    """Count, in place of what was counted before."""
    connection.execute(_PATIENCE)
    connection.execute(_CLEAR)
    connection.execute(_COUNT)
    connection.execute(_TOOK)


def taken(connection: Connection) -> Taken | None:
    """Return when it was counted last; None: never yet."""
    row = connection.execute(_TAKEN).one_or_none()
    if row is None:
        return None
    return Taken(at=row.at, seconds=row.seconds, minutes_until=row.minutes_until, hours_until=row.hours_until)


def due(connection: Connection, *, until: datetime, seen: Seen) -> list[Due]:
    """Return what is scheduled before a moment, soonest first, the most first of a moment."""
    rows = connection.execute(_DUE, {"until": until, **seen.as_values()})
    return [Due(**{**row._mapping, "lane": Lane(row.lane)}) for row in rows]  # noqa: SLF001 - how SQLAlchemy names a row's mapping
