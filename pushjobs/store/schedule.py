"""What goes out when: what is counted in the census, added up or source by source, and what campaigns will add to it.

Nothing here looks at jobs: the census has one row for a source and a minute, runs and campaigns are few.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.campaign import Policies, RunState
from pushjobs.domain.job import Lane
from pushjobs.store.database import statement
from pushjobs.store.minutes import WITHIN, Seen

__all__ = ["Coming", "ComingRun", "Counted", "Source", "campaigns", "counted", "runs", "sources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Jobs that fall due in the minute, hour or day that begins at `since`; None: they are due already."""

    since: datetime | None
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Jobs of one app, lane, template and run; `key`: the run's campaign, None where they are of none."""

    app_no: int
    appid: str
    lane: Lane
    template_no: int
    template_id: str
    title: str | None
    key: str | None
    run_no: int
    state: RunState | None
    is_run_paused: bool
    begins_at: datetime | None
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingRun:
    """A run that is planned and of which jobs are still to be made, or to be counted.

    `recipients`: users in its audience, None: it is not read yet. `counted`: its jobs that the census has.
    `last_reach`: users of the run before, None: there was none.
    """

    app_no: int
    appid: str
    template_no: int
    template_id: str
    title: str | None
    key: str
    run_no: int
    instant: datetime
    begins_at: datetime
    state: RunState
    is_paused: bool
    policies: Policies
    recipients: int | None
    expanded: int
    counted: int
    last_reach: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A campaign in force with instants that are not planned yet, the first of them at `next_at`."""

    app_no: int
    appid: str
    template_no: int
    template_id: str
    title: str | None
    key: str
    cron: str
    zone: str
    policies: Policies
    next_at: datetime
    is_paused: bool
    last_reach: int | None


_COUNTED = statement(f"""
SELECT nullif(since, '-infinity') AS since, sum(jobs)::bigint AS jobs FROM pushjobs.census
 WHERE since < :until AND {WITHIN} GROUP BY 1 ORDER BY 1 NULLS FIRST""")  # noqa: S608 - words of ours, no input

_SOURCES = statement(f"""
SELECT c.app_no, a.appid, c.lane, c.template_no, t.template_id, t.title, p.key, c.run_no, r.state,
       r.paused_at IS NOT NULL AS is_run_paused, r.begins_at, c.jobs
  FROM (SELECT app_no, lane, template_no, run_no, sum(jobs)::bigint AS jobs FROM pushjobs.census
         WHERE since >= CAST(:since AS timestamptz) AND since < :until AND {WITHIN} GROUP BY 1, 2, 3, 4) AS c
  JOIN pushjobs.apps a USING (app_no)
  JOIN pushjobs.templates t USING (template_no)
  LEFT JOIN pushjobs.runs r ON r.run_no = c.run_no
  LEFT JOIN pushjobs.campaigns p ON p.campaign_no = r.campaign_no
 ORDER BY c.jobs DESC, c.app_no, c.lane, c.template_no, c.run_no""")  # noqa: S608 - words of ours, no input

_LAST_REACH = """
  LEFT JOIN LATERAL (
       SELECT recipients FROM pushjobs.runs
        WHERE campaign_no = x.campaign_no AND recipients IS NOT NULL
        ORDER BY instant DESC LIMIT 1) AS last ON true"""

# What is made after the census was taken is not in it: such a run is still told of as a whole, less what is counted.
_RUNS = statement(f"""
SELECT x.app_no, a.appid, x.template_no, t.template_id, t.title, k.key, x.run_no, x.instant, x.begins_at, x.state,
       x.paused_at IS NOT NULL AS is_paused, x.policies, x.recipients, x.expanded, coalesce(c.jobs, 0) AS counted,
       last.recipients AS last_reach
  FROM (SELECT * FROM pushjobs.runs
         WHERE finished_at IS NULL AND state IN ('planned', 'preparing', 'open') AND {WITHIN}
           AND (expanded_at IS NULL OR expanded_at > (SELECT at FROM pushjobs.census_taken))) AS x
  JOIN pushjobs.campaigns k USING (campaign_no)
  JOIN pushjobs.apps a ON a.app_no = x.app_no
  JOIN pushjobs.templates t ON t.template_no = x.template_no
  LEFT JOIN (SELECT run_no, sum(jobs)::bigint AS jobs FROM pushjobs.census WHERE run_no <> 0 GROUP BY 1) AS c
         ON c.run_no = x.run_no
{_LAST_REACH}
 ORDER BY x.begins_at, x.run_no""")  # noqa: S608 - words of ours, no input

_CAMPAIGNS = statement(f"""
SELECT x.app_no, a.appid, x.template_no, t.template_id, t.title, x.key, x.cron, x.zone, x.policies, x.next_at,
       x.paused_at IS NOT NULL AS is_paused, last.recipients AS last_reach
  FROM (SELECT * FROM pushjobs.campaigns WHERE retired_at IS NULL AND next_at < :until AND {WITHIN}) AS x
  JOIN pushjobs.apps a USING (app_no)
  JOIN pushjobs.templates t USING (template_no)
{_LAST_REACH}
 ORDER BY x.next_at, x.key""")  # noqa: S608 - words of ours, no input


def counted(connection: Connection, *, until: datetime, seen: Seen) -> list[Counted]:
    """Return how many jobs fall due before a moment, by minute, hour or day as finely as they are counted."""
    rows = connection.execute(_COUNTED, {"until": until, **seen.as_values()})
    return [Counted(since=row.since, jobs=row.jobs) for row in rows]


def sources(connection: Connection, *, since: datetime | None, until: datetime, seen: Seen) -> list[Source]:
    """Return what falls due from one moment to another, the most first; `since` None: and what is due already."""
    values = {"since": "-infinity" if since is None else since, "until": until, **seen.as_values()}
    return [
        Source(
            **{
                **row._mapping,  # noqa: SLF001 - how SQLAlchemy names a row's mapping
                "lane": Lane(row.lane),
                "state": None if row.state is None else RunState(row.state),
            }
        )
        for row in connection.execute(_SOURCES, values)
    ]


def runs(connection: Connection, *, seen: Seen) -> Sequence[ComingRun]:
    """Return the runs whose jobs the census does not have, or not all of them, the earliest first."""
    return [
        ComingRun(**{**_with_policies(row), "state": RunState(row.state)})
        for row in connection.execute(_RUNS, seen.as_values())
    ]


def campaigns(connection: Connection, *, until: datetime, seen: Seen) -> Sequence[Coming]:
    """Return the campaigns that have an instant before a moment which is not planned yet."""
    return [
        Coming(**_with_policies(row)) for row in connection.execute(_CAMPAIGNS, {"until": until, **seen.as_values()})
    ]


def _with_policies(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of the statements above
    return {**row._mapping, "policies": Policies.from_record(row.policies)}  # noqa: SLF001 - how SQLAlchemy names it
