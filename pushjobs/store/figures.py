"""How things stand, in figures: each read from an index or a small table, however many jobs there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, TextClause

from pushjobs.domain.lifecycle import Transition
from pushjobs.store.database import statement

__all__ = ["MOST_COUNTED", "Standing", "overdue", "read"]

MOST_COUNTED = 100_000
"""Where counting dead jobs and doubts ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What was read at one moment. Keys are appids, with a lane or a reason where there is one.

    `overdue`: seconds since the earliest job that may leave fell due. `heartbeat_age`: seconds since a release tick.
    `counted_ago`: seconds since what is `scheduled` was counted; None: it never was.
    """

    out: Mapping[tuple[str, str], int]
    overdue: Mapping[tuple[str, str], float]
    troubled: Mapping[str, int]
    pauses: Mapping[tuple[str, str], int]
    runs: Mapping[tuple[str, str], int]
    calls: Mapping[str, int]
    callbacks: int
    pushes: int
    heartbeat_age: float
    scheduled: Mapping[tuple[str, str], int]
    counted_ago: float | None


_BY_LANE = "SELECT a.appid, x.lane::text, x.value FROM ({}) AS x JOIN pushjobs.apps a USING (app_no)"
_OUT = statement(
    _BY_LANE.format("""
    SELECT app_no, lane, count(*) AS value FROM pushjobs.jobs WHERE state IN ('released', 'sending')
     GROUP BY app_no, lane""")
)

# From one source of jobs to the next, as the claim steps through its index, and the earliest moment of each.
_OVERDUE = statement(
    """
SELECT a.appid, x.lane::text, x.value FROM (
    WITH RECURSIVE sources AS (
        (SELECT app_no, lane, template_no, run_no FROM pushjobs.jobs WHERE state {release.sources}
          ORDER BY app_no, lane, template_no, run_no LIMIT 1)
        UNION ALL
        SELECT n.* FROM sources s, LATERAL (
            SELECT app_no, lane, template_no, run_no FROM pushjobs.jobs
             WHERE state {release.sources}
               AND (app_no, lane, template_no, run_no) > (s.app_no, s.lane, s.template_no, s.run_no)
             ORDER BY app_no, lane, template_no, run_no LIMIT 1) AS n
    )
    SELECT s.app_no, s.lane, greatest(0, extract(epoch FROM now() - min(e.due_at)))::float AS value
      FROM sources s LEFT JOIN pushjobs.runs r ON r.run_no = s.run_no, LATERAL (
        SELECT due_at FROM pushjobs.jobs j
         WHERE j.state {release.sources} AND j.app_no = s.app_no AND j.lane = s.lane
           AND j.template_no = s.template_no AND j.run_no = s.run_no
         ORDER BY j.due_at LIMIT 1) AS e
     WHERE (s.run_no = 0 OR r.state IN ('open', 'finished') AND r.paused_at IS NULL)
       AND NOT EXISTS (SELECT FROM pushjobs.pauses p
                        WHERE p.app_no = s.app_no AND (p.lane IS NULL OR p.lane = s.lane)
                          AND (p.template_no IS NULL OR p.template_no = s.template_no)
                          AND (p.until IS NULL OR p.until > now()))
     GROUP BY s.app_no, s.lane) AS x JOIN pushjobs.apps a USING (app_no)""",
    Transition.RELEASE,
)
_SCHEDULED = statement(
    _BY_LANE.format("SELECT app_no, lane, sum(jobs) AS value FROM pushjobs.census GROUP BY app_no, lane")
)
_TROUBLED = statement("""
SELECT 'dead', count(*) FROM (SELECT FROM pushjobs.jobs WHERE state = 'dead' LIMIT :most) AS dead
 UNION ALL
SELECT 'in_doubt', count(*) FROM (SELECT FROM pushjobs.jobs WHERE state = 'in_doubt' LIMIT :most) AS in_doubt""")
_PAUSES = statement("""
SELECT a.appid, p.reason, count(*) FROM pushjobs.pauses p JOIN pushjobs.apps a USING (app_no)
 WHERE p.until IS NULL OR p.until > now() GROUP BY a.appid, p.reason""")
_RUNS = statement("""
SELECT a.appid, r.state::text, count(*) FROM pushjobs.runs r JOIN pushjobs.apps a ON a.app_no = r.app_no
 WHERE r.finished_at IS NULL GROUP BY a.appid, r.state""")
_CALLS = statement("""
SELECT a.appid, coalesce(d.taken, 0) FROM pushjobs.apps a
  LEFT JOIN pushjobs.app_days d ON d.app_no = a.app_no AND d.day = :today""")
_REST = statement("""
SELECT (SELECT count(*) FROM (SELECT FROM pushjobs.events WHERE state = 'waiting' LIMIT :most) AS waiting) AS callbacks,
       (SELECT count(*) FROM (SELECT FROM pushjobs.pushes WHERE state = 'waiting' LIMIT :most) AS waiting) AS pushes,
       (SELECT extract(epoch FROM now() - at)::float FROM pushjobs.heartbeat) AS heartbeat_age,
       (SELECT extract(epoch FROM now() - at)::float FROM pushjobs.census_taken) AS counted_ago""")


def read(connection: Connection, *, today: date) -> Standing:
    """Read everything, in one transaction; `today`: the day in Shanghai, as WeChat counts calls."""
    rest = connection.execute(_REST, {"most": MOST_COUNTED}).one()
    return Standing(
        out=_pairs(connection, _OUT),
        overdue=_pairs(connection, _OVERDUE),
        troubled=_singles(connection, _TROUBLED, most=MOST_COUNTED),
        pauses=_pairs(connection, _PAUSES),
        runs=_pairs(connection, _RUNS),
        calls=_singles(connection, _CALLS, today=today),
        callbacks=rest.callbacks,
        pushes=rest.pushes,
        heartbeat_age=rest.heartbeat_age,
        scheduled=_pairs(connection, _SCHEDULED),
        counted_ago=rest.counted_ago,
    )


def overdue(connection: Connection) -> Mapping[tuple[str, str], float]:
    """Return how many seconds ago the earliest job fell due that waits and is not held, by appid and lane."""
    return _pairs(connection, _OVERDUE)


def _pairs(connection: Connection, asked: TextClause) -> dict[tuple[str, str], Any]:
    return {(appid, word): value for appid, word, value in connection.execute(asked)}


def _singles(connection: Connection, asked: TextClause, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - parameters
    return {row[0]: row[1] for row in connection.execute(asked, values)}
