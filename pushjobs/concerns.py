"""Is everything well? What is not, of what an overview shows and a doctor asks all the time: each thing in one word.

Pure but for `look`. It says what is wrong and how much; what to say and do about it is the pages' to write, for they
have two languages.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pushjobs.doctor import LATE_BEAT_SECONDS, LONG_QUEUE, Doctor
from pushjobs.domain.alert import Alert, AlertKind, Severity
from pushjobs.domain.job import JobState
from pushjobs.domain.pause import Pause, PauseReason
from pushjobs.errors import PushJobsError
from pushjobs.overview import AppNow, LaneNow, Now

__all__ = ["Concern", "ConcernKind", "Level", "concerns", "look"]

_OBJECTIVE_SECONDS = 0.5
"""What is promised of 99 calls of 100 while there is capacity to spare."""

_OVERDUE_SECONDS = 5.0
"""The look-ahead: what waits longer was not claimed when it fell due."""

_FULL_SHARE = 0.8
"""From this share of its pace on an app has no capacity to spare: what waits, waits for the pace."""

_FULL_DAY = 0.9


SAID_OTHERWISE = frozenset(
    {
        *(AlertKind.DATABASE_SILENT, AlertKind.BEAT_SILENT),
        *(
            AlertKind.APP_PAUSED,
            AlertKind.WECHAT_DOWN,
            AlertKind.DAY_OVER,
            AlertKind.TEMPLATE_PAUSED,
            AlertKind.RESTORED,
        ),
        *(AlertKind.JOBS_LATE, AlertKind.JOBS_IN_DOUBT, AlertKind.JOBS_DEAD),
    }
)
"""Kinds of alerts that the figures show by themselves, as they are this moment."""


class Level(StrEnum):
    """How bad it is."""

    WRONG = "wrong"
    """Messages do not leave, or a promise does not hold."""
    CARE = "care"
    """It waits for somebody, or soon will."""


class ConcernKind(StrEnum):
    """What is not as it should be."""

    CHECK = "check"
    BEAT_SILENT = "beat_silent"
    QUEUE_LONG = "queue_long"
    APP_UNREADABLE = "app_unreadable"
    PAUSED = "paused"
    OVERDUE = "overdue"
    AT_PACE = "at_pace"
    LATE = "late"
    DAY_NEARLY_OVER = "day_nearly_over"
    IN_DOUBT = "in_doubt"
    DEAD = "dead"
    CALLBACKS_WAITING = "callbacks_waiting"
    ALERT = "alert"
    """One that is open and is none of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One of those. `figures` go into its words; `pause`: the pause that it is.

    `detail` and `advice`: what an alert or a check says itself.
    """

    kind: ConcernKind
    level: Level
    appid: str | None = None
    figures: Mapping[str, int | str] = field(default_factory=dict)
    seconds: float | None = None
    pause: Pause | None = None
    detail: str = ""
    advice: str = ""


def look(doctor: Doctor) -> Mapping[str, str]:
    """Ask what is to be asked all the time; return what does not answer as it should, with its words."""
    found = {}
    for name, check in doctor.readiness().items():
        try:
            trouble = check()
        except PushJobsError as error:
            trouble = str(error)
        if trouble is not None:
            found[name] = trouble
    return found


def concerns(now: Now, troubles: Mapping[str, str], alerts: Sequence[Alert] = ()) -> Sequence[Concern]:
    """Return what is wrong and what wants care, the worst first; nothing where everything is well.

    `troubles`: checks that fail, with their words; `alerts`: the open ones.
    """
    found = [
        *_of_parts(now, troubles),
        *(_of_alert(each) for each in alerts if each.kind not in SAID_OTHERWISE),
        *(each for app in now.apps for each in _of_app(app)),
        *(each for lane in now.lanes for each in _of_lane(now, lane)),
        *_of_jobs(now),
    ]
    return sorted(found, key=lambda each: each.level is not Level.WRONG)


def _of_parts(now: Now, troubles: Mapping[str, str]) -> Iterator[Concern]:
    for name, detail in troubles.items():
        yield Concern(kind=ConcernKind.CHECK, level=Level.WRONG, figures={"part": name}, detail=detail)
    if "beat" not in troubles and now.beat_age is not None and now.beat_age > LATE_BEAT_SECONDS:
        yield Concern(kind=ConcernKind.BEAT_SILENT, level=Level.WRONG, seconds=now.beat_age)
    for queue, length in (now.queues or {}).items():
        if length > LONG_QUEUE:
            yield Concern(kind=ConcernKind.QUEUE_LONG, level=Level.CARE, figures={"queue": queue, "count": length})


def _of_alert(alert: Alert) -> Concern:
    return Concern(
        kind=ConcernKind.ALERT,
        level=Level.WRONG if alert.rule.severity is Severity.CRITICAL else Level.CARE,
        appid=alert.appid or None,
        figures={"alert": alert.kind.value},
        detail=alert.detail,
        advice=alert.rule.advice,
    )


def _of_app(app: AppNow) -> Iterator[Concern]:
    if app.trouble is not None:
        yield Concern(kind=ConcernKind.APP_UNREADABLE, level=Level.WRONG, appid=app.appid, detail=app.trouble)
    for pause in app.pauses:
        # What somebody paused is as somebody wants it; what paused by itself is not.
        level = Level.CARE if pause.reason is PauseReason.OPERATOR else Level.WRONG
        yield Concern(kind=ConcernKind.PAUSED, level=level, appid=app.appid, pause=pause)
    if app.quota is not None and app.quota.used >= _FULL_DAY * app.quota.cap:
        figures = {"used": app.quota.used, "cap": app.quota.cap}
        yield Concern(kind=ConcernKind.DAY_NEARLY_OVER, level=Level.CARE, appid=app.appid, figures=figures)


def _of_lane(now: Now, lane: LaneNow) -> Iterator[Concern]:
    app = next((each for each in now.apps if each.appid == lane.appid), None)
    pauses = () if app is None else app.pauses
    if any(pause.holds_lane(lane.lane) for pause in pauses):
        return
    figures: dict[str, int | str] = {"lane": lane.lane.value}
    is_full = app is not None and app.limit is not None and _calls(now, lane.appid) >= _FULL_SHARE * _pace(app)
    is_behind = lane.overdue > _OVERDUE_SECONDS
    # A template's pause holds the jobs that are overdue, for all that is known here.
    is_held = any(pause.lane in {None, lane.lane} for pause in pauses)
    if is_full and is_behind:
        yield Concern(
            kind=ConcernKind.AT_PACE, level=Level.CARE, appid=lane.appid, figures=figures, seconds=lane.overdue
        )
    elif is_behind and not is_held:
        yield Concern(
            kind=ConcernKind.OVERDUE, level=Level.WRONG, appid=lane.appid, figures=figures, seconds=lane.overdue
        )
    elif lane.p99 is not None and lane.p99 > _OBJECTIVE_SECONDS and not is_full:
        yield Concern(kind=ConcernKind.LATE, level=Level.CARE, appid=lane.appid, figures=figures, seconds=lane.p99)


def _of_jobs(now: Now) -> Iterator[Concern]:
    for kind, state in ((ConcernKind.IN_DOUBT, JobState.IN_DOUBT), (ConcernKind.DEAD, JobState.DEAD)):
        if jobs := now.troubled.get(state.value, 0):
            yield Concern(kind=kind, level=Level.CARE, figures={"count": jobs})
    if (waiting := now.callbacks_waiting) > LONG_QUEUE:
        yield Concern(kind=ConcernKind.CALLBACKS_WAITING, level=Level.CARE, figures={"count": waiting})


def _calls(now: Now, appid: str) -> int:
    return sum(lane.calls for lane in now.lanes if lane.appid == appid)


def _pace(app: AppNow) -> float:
    """Return the calls of a minute at the app's pace."""
    return 0.0 if app.limit is None else 60 * app.limit.per_second
