"""What goes out when: by minute, hour and day, and at one of them source by source, with what would hold it.

What is scheduled is read from the census, so every answer is as of when that was taken. A campaign's jobs are made
minutes before its instant: until then what it will send is told apart, as about as many users as it had last.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from pushjobs import clock
from pushjobs.domain.campaign import RunState
from pushjobs.domain.instants import read_cron
from pushjobs.domain.job import Lane
from pushjobs.domain.moment import next_midnight, read_moment
from pushjobs.domain.pause import Pause
from pushjobs.errors import InvalidMoment
from pushjobs.runtime import Runtime
from pushjobs.store import census, pauses
from pushjobs.store import schedule as stored
from pushjobs.store.database import Transaction
from pushjobs.store.minutes import Seen
from pushjobs.store.schedule import Coming, ComingRun, Counted, Source

__all__ = ["Expected", "GoesOut", "Grain", "Hold", "HoldKind", "Line", "Outline", "Schedule", "Stretch", "read_when"]

_MINUTES, _HOURS, _DAYS = 60, 24, 7
_MOST_INSTANTS = 300
"""Of one campaign: a day of one that runs every five minutes."""

_TIME_OF_DAY = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_INSTANT = timedelta(microseconds=1)


class Grain(StrEnum):
    """How long a stretch is that one figure is of."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


_LENGTHS = {Grain.MINUTE: timedelta(minutes=1), Grain.HOUR: timedelta(hours=1), Grain.DAY: timedelta(days=1)}


class HoldKind(StrEnum):
    """What would keep jobs from leaving when they are due."""

    PAUSE = "pause"
    RUN_PAUSED = "run_paused"
    CAMPAIGN_PAUSED = "campaign_paused"
    RUN_STOPPED = "run_stopped"
    QUIET_HOURS = "quiet_hours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One of those; `until`: when it ends by itself, None: it does not. `pause`: the pause that it is."""

    kind: HoldKind
    until: datetime | None = None
    pause: Pause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of time, the `jobs` that fall due in it, and `expected` ones that campaigns are to make."""

    since: datetime
    until: datetime
    jobs: int = 0
    expected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One source's jobs of a stretch, with what would hold them."""

    source: Source
    holds: Sequence[Hold]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A run whose jobs are not made yet, or not counted; `run_no` None: it is not planned yet.

    `jobs`: about how many, None: nobody knows, for it never ran. `is_known`: its audience is read, so it is not about.
    """

    appid: str
    lane: Lane
    template_id: str
    title: str | None
    key: str
    run_no: int | None
    at: datetime
    spread: timedelta
    jobs: int | None
    is_known: bool
    holds: Sequence[Hold]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What is to come, as it was counted at `counted_at`; None: it is not counted yet.

    `due`: jobs that were due by then. `minutes`, `hours`, `days` begin with the present ones. `expected`: runs of the
    next seven days, of which `is_cut` where a campaign has so many that not all are told.
    """

    at: datetime
    counted_at: datetime | None
    due: int
    minutes: Sequence[Stretch]
    hours: Sequence[Stretch]
    days: Sequence[Stretch]
    expected: Sequence[Expected]
    is_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GoesOut:
    """What goes out in one stretch, the most first; `includes_due`: with what is due already."""

    stretch: Stretch
    grain: Grain
    counted_at: datetime | None
    includes_due: bool
    lines: Sequence[Line]
    expected: Sequence[Expected]


class Schedule:
    """Reads what is to come, over one process's runtime; safe to share between threads."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def outline(self, seen: Seen, zone: ZoneInfo) -> Outline:
        """Return the next hour by minute, the next day by hour, the next week by day of a zone; raises Unreachable."""
        now = clock.now()
        days = list(_days(now, zone))
        until = days[-1].until
        with self._runtime.database.transaction() as connection:
            taken = census.taken(connection)
            found = stored.counted(connection, until=until, seen=seen)
            coming = self._coming(connection, until, seen)
        grid = [_steps(now, Grain.MINUTE, _MINUTES), _steps(now, Grain.HOUR, _HOURS), days]
        minutes, hours, by_day = (_filled(row, found, coming.expected) for row in grid)
        due = sum(each.jobs for each in found if each.since is None)
        return Outline(
            at=now,
            counted_at=None if taken is None else taken.at,
            due=due,
            minutes=minutes,
            hours=hours,
            days=by_day,
            expected=coming.expected,
            is_cut=coming.is_cut,
        )

    def at(self, seen: Seen, moment: datetime, zone: ZoneInfo, *, grain: Grain = Grain.MINUTE) -> GoesOut:
        """Return what goes out in the minute, hour or day of a moment, as finely as it is counted.

        In the present one that is what is due already, too. Raises InvalidMoment for what has passed, Unreachable.
        """
        now = clock.now()
        with self._runtime.database.transaction() as connection:
            taken = census.taken(connection)
            grain = grain if taken is None else _finest(grain, moment, taken)
            stretch = _around(moment, grain, zone)
            if stretch.until <= now:
                raise InvalidMoment("at", "has passed", "give a moment to come")
            is_now = stretch.since <= now
            found = stored.sources(connection, since=None if is_now else stretch.since, until=stretch.until, seen=seen)
            coming = self._coming(connection, stretch.until, seen)
            holding = _Holding(self._runtime, pauses.active(connection), max(now, stretch.since))
        lines = [Line(source=each, holds=holding.of_source(each)) for each in found]
        expected = [
            replace(each, jobs=None if each.jobs is None else _share(each, stretch))
            for each in coming.expected
            if _overlaps(each, stretch)
        ]
        return GoesOut(
            stretch=replace(
                stretch,
                jobs=sum(line.source.jobs for line in lines),
                expected=sum(each.jobs or 0 for each in expected),
            ),
            grain=grain,
            counted_at=None if taken is None else taken.at,
            includes_due=is_now,
            lines=lines,
            expected=expected,
        )

    def _coming(self, connection: Transaction, until: datetime, seen: Seen) -> "_ToCome":
        runs = stored.runs(connection, seen=seen)
        holding = _Holding(self._runtime, pauses.active(connection), None)
        made = [_of_run(each, holding) for each in runs if each.begins_at < until]
        is_cut = False
        for campaign in stored.campaigns(connection, until=until, seen=seen):
            instants = _instants(campaign.cron, campaign.zone, campaign.next_at, until)
            is_cut |= len(instants) > _MOST_INSTANTS
            made += [_of_campaign(campaign, instant, holding) for instant in instants[:_MOST_INSTANTS]]
        return _ToCome(expected=sorted(made, key=lambda each: (each.at, each.key)), is_cut=is_cut)


def read_when(written: str, zone: ZoneInfo, *, field: str = "at") -> datetime:
    """Read a time of the day ("08:00", the next one) or a moment, as `time` is read; raises InvalidMoment."""
    of_day = _TIME_OF_DAY.fullmatch(written.strip())
    if of_day is None:
        return read_moment(written.strip(), zone, field=field, beside='"08:00" for the next one')
    now = clock.now()
    wanted, today = time(int(of_day[1]), int(of_day[2])), now.astimezone(zone)
    day = today.date() if wanted >= today.time().replace(second=0, microsecond=0) else today.date() + timedelta(days=1)
    return read_moment(f"{day.isoformat()} {wanted:%H:%M}", zone, field=field)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ToCome:
    expected: Sequence[Expected]
    is_cut: bool


class _Holding:
    """What holds which source; `at`: when it is to leave, None: each at its own moment."""

    def __init__(self, runtime: Runtime, in_force: Sequence[Pause], at: datetime | None) -> None:
        self._apps = {known.appid: known.settings for known in runtime.apps.all()}
        self._in_force = in_force
        self._at = at

    def of_source(self, source: Source) -> list[Hold]:
        at = self._at or source.begins_at or clock.now()
        holds = list(self._common(source, source.lane, at))
        if source.is_run_paused:
            holds.append(Hold(kind=HoldKind.RUN_PAUSED))
        if source.state is not None and source.state.ends_jobs is not None:
            holds.append(Hold(kind=HoldKind.RUN_STOPPED))
        return holds

    def of_run(self, run: ComingRun) -> list[Hold]:
        holds = list(self._common(run, run.policies.lane, run.begins_at))
        return [*holds, Hold(kind=HoldKind.RUN_PAUSED)] if run.is_paused else holds

    def of_campaign(self, campaign: Coming, at: datetime) -> list[Hold]:
        holds = list(self._common(campaign, campaign.policies.lane, at))
        return [*holds, Hold(kind=HoldKind.CAMPAIGN_PAUSED)] if campaign.is_paused else holds

    def _common(self, of: Source | ComingRun | Coming, lane: Lane, at: datetime) -> Iterator[Hold]:
        for pause in self._in_force:
            if pause.app_no == of.app_no and pause.holds(of.template_no, lane) and not _ends_before(pause, at):
                yield Hold(kind=HoldKind.PAUSE, until=pause.until, pause=pause)
        settings = self._apps.get(of.appid)
        if lane is Lane.BULK and settings is not None and settings.quiet is not None:
            ends = settings.quiet.end_after(at, settings.zone)
            if ends is not None:
                yield Hold(kind=HoldKind.QUIET_HOURS, until=ends)


def _ends_before(pause: Pause, at: datetime) -> bool:
    return pause.until is not None and pause.until <= at


@lru_cache(maxsize=256)
def _instants(cron: str, zone: str, first: datetime, until: datetime) -> Sequence[datetime]:
    """Return a campaign's instants before a moment, one more than are told at most.

    They are the same until the first of them is planned; finding those of a week takes tens of milliseconds.
    """
    coming = read_cron(cron, ZoneInfo(zone)).after(first - _INSTANT)
    moments = takewhile(lambda moment: moment < until, (each.moment for each in coming))
    return tuple(islice(moments, _MOST_INSTANTS + 1))


def _of_run(run: ComingRun, holding: _Holding) -> Expected:
    about = run.recipients if run.recipients is not None else run.last_reach
    # An open run's first jobs may be gone; before it opens none is.
    made = run.expanded if run.state is RunState.OPEN else run.counted
    return Expected(
        appid=run.appid,
        lane=run.policies.lane,
        template_id=run.template_id,
        title=run.title,
        key=run.key,
        run_no=run.run_no,
        at=run.begins_at,
        spread=run.policies.spread,
        jobs=None if about is None else max(0, about - made),
        is_known=run.recipients is not None,
        holds=holding.of_run(run),
    )


def _of_campaign(campaign: Coming, at: datetime, holding: _Holding) -> Expected:
    return Expected(
        appid=campaign.appid,
        lane=campaign.policies.lane,
        template_id=campaign.template_id,
        title=campaign.title,
        key=campaign.key,
        run_no=None,
        at=at,
        spread=campaign.policies.spread,
        jobs=campaign.last_reach,
        is_known=False,
        holds=holding.of_campaign(campaign, at),
    )


def _steps(now: datetime, grain: Grain, count: int) -> list[Stretch]:
    length = _LENGTHS[grain]
    first = _begin(now, grain)
    return [Stretch(since=first + n * length, until=first + (n + 1) * length) for n in range(count)]


def _begin(moment: datetime, grain: Grain) -> datetime:
    whole = moment.replace(second=0, microsecond=0)
    return whole if grain is Grain.MINUTE else whole.replace(minute=0)


def _days(now: datetime, zone: ZoneInfo) -> Iterator[Stretch]:
    since = _midnight_before(now, zone)
    for _ in range(_DAYS):
        until = next_midnight(since, zone)
        yield Stretch(since=since, until=until)
        since = until


def _midnight_before(moment: datetime, zone: ZoneInfo) -> datetime:
    # As `next_midnight` finds it: fold=0 is right of a midnight that is skipped, and of one that comes twice.
    return datetime.combine(moment.astimezone(zone).date(), time.min, tzinfo=zone).astimezone(UTC)


def _around(moment: datetime, grain: Grain, zone: ZoneInfo) -> Stretch:
    if grain is Grain.DAY:
        since = _midnight_before(moment, zone)
        return Stretch(since=since, until=next_midnight(since, zone))
    since = _begin(moment, grain)
    return Stretch(since=since, until=since + _LENGTHS[grain])


def _finest(grain: Grain, moment: datetime, taken: census.Taken) -> Grain:
    """Return the grain that was asked for, or the finest in which that moment is counted."""
    if moment >= taken.hours_until:
        return Grain.DAY
    return Grain.HOUR if grain is Grain.MINUTE and moment >= taken.minutes_until else grain


def _filled(row: Sequence[Stretch], found: Sequence[Counted], expected: Sequence[Expected]) -> list[Stretch]:
    """Give each stretch of a row, which follow one another, what falls into it."""
    begins = [stretch.since for stretch in row]
    jobs, to_come = [0] * len(row), [0] * len(row)
    for each in found:
        if each.since is not None and begins[0] <= each.since < row[-1].until:
            jobs[bisect_right(begins, each.since) - 1] += each.jobs
    for run in expected:
        first = max(bisect_right(begins, run.at) - 1, 0)
        for number in range(first, len(row)):
            if run.at + run.spread < begins[number]:
                break
            to_come[number] += _share(run, row[number])
    return [replace(each, jobs=jobs[n], expected=to_come[n]) for n, each in enumerate(row)]


def _overlaps(each: Expected, stretch: Stretch) -> bool:
    return each.at < stretch.until and (each.at >= stretch.since or each.at + each.spread > stretch.since)


def _share(each: Expected, stretch: Stretch) -> int:
    """Return how many of a run's jobs fall into a stretch, spread evenly as they are."""
    if not _overlaps(each, stretch) or not each.jobs:
        return 0
    if not each.spread:
        return each.jobs
    inside = min(each.at + each.spread, stretch.until) - max(each.at, stretch.since)
    return round(each.jobs * (inside / each.spread))
