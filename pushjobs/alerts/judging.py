"""Facts judged: what is wrong, with the threshold of each and its reason. Pure, but for the pace that is asked for."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from pushjobs.domain.alert import AlertKind, Condition
from pushjobs.domain.job import Lane
from pushjobs.domain.lateness import quantile
from pushjobs.domain.pause import Pause, PauseReason
from pushjobs.store.conditions import LATE_MINUTES, CalledMinute, Facts, LateLane
from pushjobs.wechat.errcodes import meaning

__all__ = ["WINDOW_SECONDS", "judge"]

WINDOW_SECONDS = 600.0
"""Within how long trouble is counted: long enough that a few in a row count together, short enough to be news."""

# The look-ahead is 5 s: until then nothing is late yet. A restart of beat or of the ticks' worker takes some seconds.
_SILENT_SECONDS = 10.0

# Twice a lease: the jobs of a worker that died are back by then, and with another one.
_OVERDUE_SECONDS = 30.0

# A campaign that waits for its turn at the pace is not late for a fault of ours.
_SPARE_SHARE = 0.5

# What is promised of p99 with capacity to spare; beyond it what the pace alone explains, were all calls of the minute
# due at once. Fewer calls than these in a minute say nothing.
_OBJECTIVE_SECONDS = 0.5
_FEWEST_CALLS = 10
_P99 = 0.99

# A killed worker leaves some calls in doubt; so does a time-out now and then. From here on it is worth a look.
_MANY = 20

_KINDS = {
    PauseReason.TEMPLATE_FAULT: AlertKind.TEMPLATE_PAUSED,
    PauseReason.APP_FAULT: AlertKind.APP_PAUSED,
    PauseReason.WECHAT_DOWN: AlertKind.WECHAT_DOWN,
    PauseReason.DAY_OVER: AlertKind.DAY_OVER,
    PauseReason.APP_BUDGET: AlertKind.DAY_OVER,
    PauseReason.RESTORED: AlertKind.RESTORED,
}
"""Not an operator's own pauses, which somebody knows of; not slowing down, which ends with the minute."""


def judge(facts: Facts, rate: Callable[[int], float | None]) -> Iterator[Condition]:
    """Yield what is wrong; `rate`: the pace of an app by its number, None for one that cannot be sent for."""
    age = facts.heartbeat_age
    if age is not None and age > _SILENT_SECONDS:
        # Without beat nothing is released, and nothing else is to be blamed for being late.
        yield Condition(kind=AlertKind.BEAT_SILENT, detail=f"the last release tick was {age:.0f} s ago")
    else:
        yield from _slow(facts.called, rate)
        yield from (_late(each) for each in facts.late if _is_late(each, rate))
    for pause in facts.pauses:
        if pause.reason in _KINDS:
            yield _paused(pause, facts.apps.get(pause.app_no, ""))
    yield from _counted(facts)
    for appid, waiting in facts.pushes.items():
        detail = f"{waiting:,} were tried again and again"
        yield Condition(kind=AlertKind.CALLBACKS_NOT_TAKEN, appid=appid, detail=detail)
    for client, attempts in facts.webhooks.items():
        detail = f"{attempts - 1} attempts failed"
        yield Condition(kind=AlertKind.OUTCOMES_NOT_TAKEN, subject=client, detail=detail)
    for run in facts.failed_runs:
        detail = f"run {run.run_no}: {run.reason}"
        yield Condition(kind=AlertKind.RUN_FAILED, appid=run.appid, subject=run.key, detail=detail)


def _counted(facts: Facts) -> Iterator[Condition]:
    minutes = f"within {WINDOW_SECONDS / 60:.0f} minutes"
    for kind, arrived, became in (
        (AlertKind.JOBS_IN_DOUBT, facts.doubted, "came in doubt"),
        (AlertKind.JOBS_DEAD, facts.died, "were given up"),
    ):
        for appid, jobs in arrived.items():
            if jobs >= _MANY:
                yield Condition(kind=kind, appid=appid, detail=f"{jobs:,} jobs {became} {minutes}")
    for (appid, errcode), jobs in facts.unlisted.items():
        detail = f"{jobs:,} jobs were refused {minutes}"
        yield Condition(kind=AlertKind.UNLISTED_CODE, appid=appid, subject=str(errcode), detail=detail)


def _slow(called: Sequence[CalledMinute], rate: Callable[[int], float | None]) -> Iterator[Condition]:
    """Yield the lanes whose calls left late in each of the last minutes, though there was capacity to spare."""
    lanes: dict[tuple[int, str, Lane], list[CalledMinute]] = {}
    for minute in called:
        lanes.setdefault((minute.app_no, minute.appid, minute.lane), []).append(minute)
    for (app_no, appid, lane), found in lanes.items():
        enough = [each for each in found if sum(each.steps.values()) >= _FEWEST_CALLS]
        per_second = rate(app_no) if len(enough) == LATE_MINUTES else None
        if per_second is not None and all(_is_slow(each, per_second) for each in enough):
            steps: Counter[int] = Counter()
            for each in enough:
                steps.update(each.steps)
            detail = f"p99 {quantile(steps, _P99):.1f} s over the last {LATE_MINUTES} minutes"
            yield Condition(kind=AlertKind.JOBS_LATE, appid=appid, subject=lane, detail=detail)


def _is_slow(minute: CalledMinute, per_second: float) -> bool:
    late = quantile(minute.steps, _P99) or 0.0
    has_room = minute.together < _SPARE_SHARE * per_second * 60
    return has_room and late > _OBJECTIVE_SECONDS + 2 * minute.together / per_second


def _is_late(lane: LateLane, rate: Callable[[int], float | None]) -> bool:
    if lane.overdue < _OVERDUE_SECONDS:
        return False
    per_second = rate(lane.app_no)
    return per_second is not None and lane.settled < _SPARE_SHARE * per_second * 60


def _late(lane: LateLane) -> Condition:
    detail = f"the earliest has waited for {lane.overdue:,.0f} s"
    return Condition(kind=AlertKind.JOBS_LATE, appid=lane.appid, subject=lane.lane, detail=detail)


def _paused(pause: Pause, appid: str) -> Condition:
    said = "it is paused"
    if pause.errcode is not None:
        said = f"WeChat answered {pause.errcode}: {meaning(pause.errcode)}"
    elif pause.note:
        said = pause.note
    return Condition(kind=_KINDS[pause.reason], appid=appid, subject=pause.template_id or "", detail=said)
