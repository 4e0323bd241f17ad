"""*Now*: is everything well, and if not, what is wrong and what to do; then the figures, which go on by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pushjobs.concerns import Level, concerns, look
from pushjobs.doctor import Doctor
from pushjobs.domain.lifecycle import Transition
from pushjobs.http.console.charts import Series, chart
from pushjobs.http.console.visit import Answer, Page, Shown, Visit
from pushjobs.overview import AppNow, MinuteNow, Now, Overview

__all__ = ["PAGES", "shares"]

_OBJECTIVE_MS = 500
_LOOK_SECONDS = 8.0
_REFUSED = (Transition.REFUSE, Transition.REJECT, Transition.EXPIRE)
_LOST = (Transition.GIVE_UP, Transition.DOUBT)


def _now(visit: Visit) -> Answer:
    now = _within(visit, Overview(visit.runtime).now(visit.seen))
    troubles = _troubles(visit)
    found = concerns(now, troubles or {}, () if visit.is_narrow else visit.runtime.alerts.listed())
    campaigns = visit.may.campaigns
    # The present minute is not over: beside the others it would look like a fall.
    minutes = now.minutes[:-1]
    values = {
        "stands": now,
        "concerns": found,
        "is_asking": troubles is None,
        "is_wrong": any(each.level is Level.WRONG for each in found),
        "charts": {"throughput": _throughput(visit, minutes), "lateness": _lateness(visit, minutes)},
        "last": minutes[-1],
        "apps": [(app, *shares(app, now)) for app in now.apps],
        "runs": [visit.runtime.campaigns.counted(run) for run in campaigns.going_on()],
        "titles": titles(visit),
        "is_narrow": visit.is_narrow,
    }
    return Shown(template="_now.html" if visit.is_part else "now.html", values=values)


def _troubles(visit: Visit) -> Mapping[str, str] | None:
    """Return what failed when it was looked at last, None: it is being looked at; workers take a second to answer."""
    if visit.is_narrow:
        return {}
    doctor = Doctor(visit.runtime)
    found = visit.errands.lately("look", lambda: look(doctor), fresh=_LOOK_SECONDS)
    return found if isinstance(found, Mapping) else None


def titles(visit: Visit) -> dict[str, str | None]:
    """Return the titles of the templates of every app that may be seen, by id."""
    found: dict[str, str | None] = {}
    for known in visit.apps:
        found |= visit.runtime.app(known.appid).browsing.templates()
    return found


def shares(app: AppNow, now: Now) -> tuple[float | None, float | None]:
    """Return which share of its pace an app used in the last minute, and of its day's calls up to now."""
    calls = sum(lane.calls for lane in now.lanes if lane.appid == app.appid)
    return (
        None if app.limit is None else calls / (60 * app.limit.per_second),
        None if app.quota is None or not app.quota.cap else app.quota.used / app.quota.cap,
    )


def _within(visit: Visit, now: Now) -> Now:
    """Leave out what is counted over apps and templates that are not the client's."""
    if not visit.is_narrow:
        return now
    apps = [
        replace(app, pauses=[each for each in app.pauses if visit.client.may(template_id=each.template_id)])
        for app in now.apps
    ]
    return replace(now, apps=apps, troubled={}, callbacks_waiting=0, forwards_waiting=0)


def _throughput(visit: Visit, minutes: Sequence[MinuteNow]) -> str:
    def series(key: str, tone: str, transitions: Sequence[Transition]) -> Series:
        values = [sum(each.became.get(transition, 0) for transition in transitions) for each in minutes]
        return Series(label=visit.words(key), tone=tone, values=values)

    return chart(
        [each.minute for each in minutes],
        [
            series("now.chart_sent", "good", (Transition.DELIVER,)),
            series("now.chart_refused", "care", _REFUSED),
            series("now.chart_lost", "danger", _LOST),
        ],
        zone=_zone(visit),
        when=visit.words("schedule.from"),
    )


def _lateness(visit: Visit, minutes: Sequence[MinuteNow]) -> str:
    def series(key: str, tone: str, seconds: Sequence[float | None]) -> Series:
        values = [None if each is None else round(each * 1000, 1) for each in seconds]
        return Series(label=visit.words(key), tone=tone, values=values)

    return chart(
        [each.minute for each in minutes],
        [
            series("now.chart_half", "good", [each.p50 for each in minutes]),
            series("now.chart_most", "care", [each.p99 for each in minutes]),
        ],
        zone=_zone(visit),
        when=visit.words("schedule.from"),
        unit="ms",
        limit=_OBJECTIVE_MS,
    )


def _zone(visit: Visit) -> str:
    return visit.app.app.settings.zone.key


PAGES = (Page(path="/console/now", view=_now, entry="now"),)
