"""*Schedule*: what goes out in the next hour, day and week; at one moment from what, and whether anything holds it."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from pushjobs.errors import InvalidInput
from pushjobs.http.console.charts import Series, chart
from pushjobs.http.console.rendering import address
from pushjobs.http.console.visit import Answer, Page, Shown, Visit
from pushjobs.schedule import Grain, Outline, Schedule, Stretch, read_when

__all__ = ["PAGES"]

_RUNS_SHOWN = 20


def _schedule(visit: Visit) -> Answer:
    return _shown(visit)


def _shown(visit: Visit, fault: InvalidInput | None = None) -> Shown:
    outline = Schedule(visit.runtime).outline(visit.seen, _zone(visit))
    rows = {
        Grain.MINUTE: outline.minutes,
        Grain.HOUR: outline.hours,
        Grain.DAY: outline.days,
    }
    values = {
        "outline": outline,
        "charts": {grain.value: _bars(visit, stretches, grain) for grain, stretches in rows.items()},
        "tables": {grain.value: _told(outline, grain) for grain in rows},
        "links": {grain.value: [_link(each.since, grain) for each in _told(outline, grain)] for grain in rows},
        "runs": outline.expected[:_RUNS_SHOWN],
        "more_runs": max(0, len(outline.expected) - _RUNS_SHOWN),
        "zone": _zone(visit),
        "fault": fault,
        "written": visit.query.get("at", ""),
    }
    return Shown(template="schedule.html", values=values)


def _at(visit: Visit) -> Answer:
    """Say what goes out at a time of the day, or in the stretch of a chart that was clicked."""
    zone = _zone(visit)
    try:
        moment = read_when(visit.query.get("at", ""), zone)
        grain = next((each for each in Grain if each == visit.query.get("grain")), Grain.MINUTE)
        found = Schedule(visit.runtime).at(visit.seen, moment, zone, grain=grain)
    except InvalidInput as refusal:
        return _shown(visit, refusal)
    values = {
        "found": found,
        "zone": zone,
        "since": f"{found.stretch.since.astimezone(zone):%Y-%m-%d %H:%M}",
        "until": f"{found.stretch.until.astimezone(zone):%Y-%m-%d %H:%M}",
        "beside": {
            step: _link(found.stretch.since + by, found.grain)
            for step, by in (
                ("before", found.stretch.since - found.stretch.until),
                ("after", found.stretch.until - found.stretch.since),
            )
        },
        "jobs": [
            address(
                "/console/jobs",
                state="scheduled",
                template=line.source.template_id,
                run=line.source.run_no or None,
                since=None if found.includes_due else f"{found.stretch.since.astimezone(zone).isoformat()}",
                until=f"{found.stretch.until.astimezone(zone).isoformat()}",
            )
            for line in found.lines
        ],
    }
    return Shown(template="schedule_at.html", values=values)


def _told(outline: Outline, grain: Grain) -> Sequence[Stretch]:
    """Return the rows of a table: where there are many stretches, those in which anything goes out."""
    if grain is Grain.DAY:
        return outline.days
    stretches = outline.minutes if grain is Grain.MINUTE else outline.hours
    return [each for each in stretches if each.jobs or each.expected]


def _bars(visit: Visit, stretches: Sequence[Stretch], grain: Grain) -> str:
    jobs = Series(label=visit.words("schedule.jobs"), tone="wait", values=[each.jobs for each in stretches])
    both = Series(
        label=visit.words("schedule.with_runs"),
        tone="firm",
        values=[each.jobs + each.expected for each in stretches],
    )
    return chart(
        [each.since for each in stretches],
        [both, jobs],
        zone=_zone(visit).key,
        when=visit.words("schedule.from"),
        links=[_link(each.since, grain) for each in stretches],
    )


def _link(since: datetime, grain: Grain) -> str:
    return address("/console/schedule/at", at=since.isoformat(), grain=grain.value)


def _zone(visit: Visit) -> ZoneInfo:
    return visit.app.app.settings.zone


PAGES = (
    Page(path="/console/schedule", view=_schedule, entry="schedule"),
    Page(path="/console/schedule/at", view=_at, place="schedule"),
)
