"""What is called well, and what not: by the figures of an overview alone."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pushjobs.concerns import ConcernKind, Level, concerns
from pushjobs.domain.alert import Alert, AlertKind
from pushjobs.domain.job import Lane
from pushjobs.domain.pause import Pause, PauseReason
from pushjobs.inspection import AppQuota, QuotaSource
from pushjobs.overview import AppNow, LaneNow, Now
from pushjobs.pace import Limit

AT = datetime(2026, 12, 1, tzinfo=UTC)
QUOTA = AppQuota(
    day=date(2026, 12, 1),
    used=100,
    cap=1000,
    source=QuotaSource.SETTING,
    wechat_limit=None,
    used_elsewhere=0,
    asked_at=None,
    begins=AT + timedelta(hours=16),
)
APP = AppNow(appid="wx1", limit=Limit(per_second=50, urgent_share=0.2), quota=QUOTA, pauses=(), trouble=None)
LANE = LaneNow(appid="wx1", lane=Lane.BULK, out=10, overdue=0.0, sent=600, calls=600, p50=0.01, p99=0.2)
WELL = Now(
    at=AT,
    beat_age=0.5,
    queues={"pushjobs.bulk": 3},
    troubled={"dead": 0, "in_doubt": 0},
    callbacks_waiting=0,
    forwards_waiting=0,
    runs={},
    lanes=[LANE],
    apps=[APP],
    minutes=(),
)


def pause(
    reason: PauseReason = PauseReason.OPERATOR, *, template_no: int | None = None, lane: Lane | None = None
) -> Pause:
    """A pause of the app, or of a part of it."""
    return Pause(
        pause_no=1,
        app_no=1,
        template_no=template_no,
        template_id=None if template_no is None else "tpl",
        lane=lane,
        reason=reason,
        errcode=None,
        note=None,
        since=AT,
        until=None,
        until_in=None,
        probe_in=None,
    )


def kinds(now: Now, troubles: dict[str, str] | None = None) -> list[str]:
    """What is not well."""
    return [each.kind.value for each in concerns(now, troubles or {})]


def lane(**changes: Any) -> Now:  # noqa: ANN401 - fields of a lane
    """All well but for a lane."""
    return replace(WELL, lanes=[replace(LANE, **changes)])


def app(*pauses: Pause) -> Now:
    """All well but for the app's pauses and its lane, which is far behind."""
    return replace(WELL, apps=[replace(APP, pauses=pauses)], lanes=[replace(LANE, overdue=900.0)])


def test_nothing_is_said_where_all_is_well() -> None:
    """Jobs that leave in time, short queues, a beat: nothing to say."""
    assert kinds(WELL) == []


@pytest.mark.parametrize(
    ("now", "kind", "level"),
    [
        (replace(WELL, beat_age=3.5), ConcernKind.BEAT_SILENT, Level.WRONG),
        (replace(WELL, queues={"pushjobs.bulk": 1001}), ConcernKind.QUEUE_LONG, Level.CARE),
        (replace(WELL, troubled={"in_doubt": 1}), ConcernKind.IN_DOUBT, Level.CARE),
        (replace(WELL, troubled={"dead": 1}), ConcernKind.DEAD, Level.CARE),
        (replace(WELL, callbacks_waiting=1001), ConcernKind.CALLBACKS_WAITING, Level.CARE),
        (lane(overdue=5.5), ConcernKind.OVERDUE, Level.WRONG),
        (lane(p99=0.51), ConcernKind.LATE, Level.CARE),
        # 2,400 of the 3,000 calls that a minute has at 50 a second: what waits, waits for the pace.
        (lane(overdue=900.0, calls=2400, p99=9.0), ConcernKind.AT_PACE, Level.CARE),
        (replace(WELL, apps=[replace(APP, quota=replace(QUOTA, used=900))]), ConcernKind.DAY_NEARLY_OVER, Level.CARE),
        (
            replace(WELL, apps=[replace(APP, limit=None, quota=None, trouble="no key")]),
            ConcernKind.APP_UNREADABLE,
            Level.WRONG,
        ),
    ],
)
def test_one_thing_is_one_concern(now: Now, kind: ConcernKind, level: Level) -> None:
    """Each thing that is not well is said once, as bad as it is."""
    assert [(each.kind, each.level) for each in concerns(now, {})] == [(kind, level)]


@pytest.mark.parametrize("held", [pause(), pause(lane=Lane.BULK), pause(template_no=7)])
def test_what_is_held_is_not_called_late(held: Pause) -> None:
    """Behind a pause jobs are to wait: the pause is said, and not what it does."""
    assert kinds(app(held)) == ["paused"]


def test_a_pause_of_the_other_lane_excuses_nothing() -> None:
    """Bulk jobs that wait while the urgent lane is held wait for another reason."""
    assert sorted(kinds(app(pause(lane=Lane.URGENT)))) == ["overdue", "paused"]


def test_what_paused_by_itself_is_wrong_and_what_somebody_paused_is_not() -> None:
    """A breaker needs somebody; an operator's pause is as it should be, and is said below it."""
    by_itself = replace(pause(PauseReason.TEMPLATE_FAULT, template_no=7), pause_no=2)
    found = concerns(app(pause(), by_itself), {})
    assert [(each.level, each.pause.reason) for each in found if each.pause] == [
        (Level.WRONG, PauseReason.TEMPLATE_FAULT),
        (Level.CARE, PauseReason.OPERATOR),
    ]


def test_a_beat_that_is_silent_is_said_once() -> None:
    """Where the check of the heartbeat fails, its age is not said on top of it."""
    assert kinds(replace(WELL, beat_age=60.0), {"beat": "the last release tick was 60 s ago"}) == ["check"]


def test_an_alert_is_said_unless_the_figures_show_it() -> None:
    """An open alert counts as bad as it is; one that stands there as a pause or a number is not said again."""
    alerts = [
        Alert(alert_no=n, kind=kind, appid="", subject="", detail="x", since=AT, seen_at=AT, ended_at=None)
        for n, kind in enumerate((AlertKind.RUN_FAILED, AlertKind.KEY_MISSING, AlertKind.APP_PAUSED))
    ]
    found = concerns(WELL, {}, alerts)
    assert [(each.figures["alert"], each.level) for each in found] == [
        ("key_missing", Level.WRONG),
        ("run_failed", Level.CARE),
    ]
