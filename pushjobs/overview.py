"""How things are this moment and what is to come: one reading for page, terminal and monitoring.

Every figure is read from summaries and indexes, however many jobs there are. Nothing here is of a user.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pushjobs import clock
from pushjobs.domain.job import Lane
from pushjobs.domain.lateness import quantile
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.pause import Pause
from pushjobs.errors import PushJobsError
from pushjobs.figures import CALLBACKS, HEARTBEAT, OUT, OVERDUE, PUSHES, QUEUES, RUNS, TROUBLED, Figure, Reading
from pushjobs.inspection import AppQuota
from pushjobs.pace import Limit
from pushjobs.runtime import Runtime
from pushjobs.store import census, minutes
from pushjobs.store.census import Due
from pushjobs.store.minutes import Became, Seen

__all__ = ["AppNow", "Became", "Coming", "Due", "LaneNow", "MinuteNow", "Now", "Overview", "Seen"]

_LATE_MINUTES = 5
"""Over how long lateness is told: fewer calls would make a quantile of chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneNow:
    """One app's lane.

    `out`: jobs that are released or being sent. `overdue`: seconds since the earliest job fell due that waits and is
    not held. `sent`, `calls`: in the last whole minute. `p50`, `p99`: lateness in seconds of the last five minutes'
    calls; None: there were none.
    """

    appid: str
    lane: Lane
    out: int
    overdue: float
    sent: int
    calls: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppNow:
    """One app: its pace, its day's calls, its pauses; `trouble`: why these could not be read, and are None."""

    appid: str
    limit: Limit | None
    quota: AppQuota | None
    pauses: Sequence[Pause]
    trouble: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteNow:
    """A minute: what became of jobs, and how late calls left.

    `calls` left in it; `p50` and `p99`: seconds of lateness, None where no call left.
    """

    minute: datetime
    became: Mapping[Transition, int]
    calls: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """Everything an operator looks at first. `beat_age`: seconds since a release tick, None: cannot be read.

    `queues`: messages that wait at the broker, None: it does not answer. `troubled`: jobs by `dead` and `in_doubt`, of
    the whole installation, as far as they are counted. `minutes`: the last ones, oldest first, without a gap; the
    present one, which is not over, is the last.
    """

    at: datetime
    beat_age: float | None
    queues: Mapping[str, int] | None
    troubled: Mapping[str, int]
    callbacks_waiting: int
    forwards_waiting: int
    runs: Mapping[str, int]
    lanes: Sequence[LaneNow]
    apps: Sequence[AppNow]
    minutes: Sequence[MinuteNow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """What is scheduled before `until`, source by source, as it was counted at `counted_at`; None: not counted yet.

    By minute up to `minutes_until`, by hour up to `hours_until`, then by day.
    """

    until: datetime
    counted_at: datetime | None
    minutes_until: datetime | None
    hours_until: datetime | None
    due: Sequence[Due]


class Overview:
    """The readings, over one process's runtime; safe to share between threads."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def now(self, seen: Seen, *, minutes_back: int = 60) -> Now:
        """Return how things are; raises Unreachable without the database."""
        at = clock.now()
        shown = self._minutes(seen, at, minutes_back)
        reading = self._runtime.figures.read()
        return Now(
            at=at,
            beat_age=_only(reading, HEARTBEAT),
            queues={name: int(length) for (name,), length in reading[QUEUES].items()} if QUEUES in reading else None,
            troubled={name: int(jobs) for (name,), jobs in reading.get(TROUBLED, {}).items()},
            callbacks_waiting=int(_only(reading, CALLBACKS) or 0),
            forwards_waiting=int(_only(reading, PUSHES) or 0),
            runs=_runs(reading, seen),
            lanes=_lanes(reading, seen, shown, at),
            apps=[self._app(appid) for appid in self._appids(seen)],
            minutes=_by_minute(shown, at, minutes_back),
        )

    def coming(self, seen: Seen, *, until: datetime) -> Coming:
        """Return what is scheduled before a moment; raises Unreachable."""
        with self._runtime.database.transaction() as connection:
            taken = census.taken(connection)
            due = census.due(connection, until=until, seen=seen)
        return Coming(
            until=until,
            counted_at=None if taken is None else taken.at,
            minutes_until=None if taken is None else taken.minutes_until,
            hours_until=None if taken is None else taken.hours_until,
            due=due,
        )

    def became(self, seen: Seen, *, since: datetime) -> Sequence[Became]:
        """Return what became of jobs since a moment, template by template, the most frequent first."""
        with self._runtime.database.transaction() as connection:
            return minutes.became(connection, since=since, seen=seen)

    def _appids(self, seen: Seen) -> list[str]:
        appids = [app.app.appid for app in self._runtime.all_apps()]
        return [appid for appid in appids if seen.apps is None or appid in seen.apps]

    def _app(self, appid: str) -> AppNow:
        try:
            app = self._runtime.app(appid)
            return AppNow(
                appid=appid,
                limit=app.inspection.limit(),
                quota=app.inspection.app_quota(),
                pauses=app.operations.pauses(),
                trouble=None,
            )
        except PushJobsError as trouble:
            return AppNow(appid=appid, limit=None, quota=None, pauses=(), trouble=str(trouble))

    def _minutes(self, seen: Seen, at: datetime, back: int) -> "_Shown":
        since = _minute_of(at) - timedelta(minutes=back - 1)
        with self._runtime.database.transaction() as connection:
            return _Shown(
                became=minutes.throughput(connection, since=since, seen=seen),
                lateness=minutes.lateness(connection, since=since, seen=seen),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    became: Sequence[minutes.Minute]
    lateness: Mapping[tuple[datetime, str, Lane], Mapping[int, int]]

    def steps(self, *, of: Collection[datetime], appid: str | None = None, lane: Lane | None = None) -> Counter[int]:
        """Return the calls of these minutes by step of lateness, of an app and lane or of all."""
        found: Counter[int] = Counter()
        for (minute, whose, which), steps in self.lateness.items():
            if minute in of and appid in (None, whose) and lane in (None, which):
                found.update(steps)
        return found


def _by_minute(shown: _Shown, at: datetime, back: int) -> list[MinuteNow]:
    became: dict[datetime, Counter[Transition]] = {}
    for each in shown.became:
        became.setdefault(each.minute, Counter())[each.transition] += each.jobs
    made = []
    for ago in reversed(range(back)):
        minute = _minute_of(at) - timedelta(minutes=ago)
        steps = shown.steps(of={minute})
        made.append(
            MinuteNow(
                minute=minute,
                became=became.get(minute, {}),
                calls=steps.total(),
                p50=quantile(steps, 0.5),
                p99=quantile(steps, 0.99),
            )
        )
    return made


def _lanes(reading: Reading, seen: Seen, shown: _Shown, at: datetime) -> list[LaneNow]:
    this = _minute_of(at)
    last = {this - timedelta(minutes=1)}
    late = {this - timedelta(minutes=ago) for ago in range(_LATE_MINUTES)}
    sent: Counter[tuple[str, Lane]] = Counter()
    for each in shown.became:
        if each.minute in last and each.transition is Transition.DELIVER:
            sent[each.appid, each.lane] += each.jobs
    out, overdue = reading.get(OUT, {}), reading.get(OVERDUE, {})
    keys = {(appid, Lane(lane)) for appid, lane in (*out, *overdue)}
    keys |= {(each.appid, each.lane) for each in shown.became}
    made = []
    for appid, lane in sorted(keys):
        if seen.apps is not None and appid not in seen.apps:
            continue
        steps = shown.steps(of=late, appid=appid, lane=lane)
        made.append(
            LaneNow(
                appid=appid,
                lane=lane,
                out=int(out.get((appid, lane.value), 0)),
                overdue=overdue.get((appid, lane.value), 0.0),
                sent=sent[appid, lane],
                calls=shown.steps(of=last, appid=appid, lane=lane).total(),
                p50=quantile(steps, 0.5),
                p99=quantile(steps, 0.99),
            )
        )
    return made


def _runs(reading: Reading, seen: Seen) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (appid, state), runs in reading.get(RUNS, {}).items():
        if seen.apps is None or appid in seen.apps:
            found[state] += int(runs)
    return dict(found)


def _only(reading: Reading, figure: Figure) -> float | None:
    return reading[figure][()] if figure in reading else None


def _minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
