"""The screen of `pushjobs top`: whatever there is to show, it fits, and what matters is on it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len
from rich.console import Console

from pushjobs.campaigns.campaigns import Progress
from pushjobs.cli.top_frame import Frame, drawn
from pushjobs.domain.campaign import Policies, RunState
from pushjobs.domain.job import Lane
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.pause import Pause, PauseReason
from pushjobs.inspection import AppQuota, QuotaSource
from pushjobs.overview import AppNow, Coming, Due, LaneNow, MinuteNow, Now
from pushjobs.pace import Limit
from pushjobs.store.runs import Run

SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 12, 1, 0, 0, 30, tzinfo=UTC)
THIS = AT.replace(second=0)
MINUTE = timedelta(minutes=1)

APPS = [f"wx{number:016d}" for number in range(9)]
LANES = [
    LaneNow(appid=appid, lane=lane, out=12_345, overdue=3661.0, sent=100_000, calls=9, p50=0.012, p99=61.5)
    for appid in APPS
    for lane in Lane
]
PAUSE = Pause(
    pause_no=1,
    app_no=1,
    template_no=1,
    template_id="dn-0000000000000000000000000000000000000000",
    lane=None,
    reason=PauseReason.TEMPLATE_FAULT,
    errcode=47003,
    note="新文案还没有审核完，请先不要恢复，问李雷",
    since=AT - 5 * MINUTE,
    until=None,
    until_in=None,
    probe_in=None,
)
QUOTA = AppQuota(
    day=date(2026, 12, 1),
    used=29_000_000,
    cap=30_000_000,
    source=QuotaSource.SETTING,
    wechat_limit=None,
    used_elsewhere=0,
    asked_at=None,
    begins=AT,
)
RUN = Run(
    run_no=12,
    campaign_no=1,
    key="daily-news",
    appid=APPS[0],
    app_no=1,
    template_id="t",
    instant=AT,
    begins_at=AT,
    state=RunState.OPEN,
    reason=None,
    note=None,
    policies=Policies(),
    recipients=1_000_000,
    rejected=0,
    faults=(),
    expanded=1_000_000,
    first_job=1,
    last_job=2,
    paused_at=None,
    opened_at=AT,
    finished_at=None,
    counts=(),
    counted_at=None,
)
BUSY = Frame(
    now=Now(
        at=AT,
        beat_age=0.4,
        queues={f"pushjobs.{name}": 12_345 for name in ("urgent", "bulk", "intake", "ticks", "callbacks", "campaigns")},
        troubled={"dead": 3, "in_doubt": 17},
        callbacks_waiting=5,
        forwards_waiting=6,
        runs={"open": 5},
        lanes=LANES,
        apps=[
            AppNow(appid=each, limit=Limit(per_second=50, urgent_share=0.2), quota=QUOTA, pauses=[PAUSE], trouble=None)
            for each in APPS
        ],
        minutes=[
            MinuteNow(minute=THIS - ago * MINUTE, became={Transition.DELIVER: 100 * ago}, calls=1, p50=None, p99=None)
            for ago in reversed(range(60))
        ],
    ),
    coming=Coming(
        until=AT + 15 * MINUTE,
        counted_at=AT,
        minutes_until=AT + timedelta(days=1),
        hours_until=AT + timedelta(days=8),
        due=[
            Due(
                appid=APPS[0],
                lane=Lane.BULK,
                template_id="t",
                title=None,
                key=None,
                run_no=0,
                instant=None,
                since=since,
                jobs=jobs,
            )
            for since, jobs in ((None, 7), (THIS - 5 * MINUTE, 2), (THIS + 2 * MINUTE, 1_000))
        ],
    ),
    runs=[
        Progress(
            run=RUN, planned=1_000_000, made=9, states={}, refused={}, remaining=250_000, finishes_at=AT + 20 * MINUTE
        )
    ]
    * 5,
)
QUIET = Frame(
    now=Now(
        at=AT,
        beat_age=None,
        queues=None,
        troubled={},
        callbacks_waiting=0,
        forwards_waiting=0,
        runs={},
        lanes=[],
        apps=[AppNow(appid="wx1", limit=None, quota=None, pauses=(), trouble="the database does not answer")],
        minutes=[],
    ),
    coming=Coming(until=AT, counted_at=None, minutes_until=None, hours_until=None, due=[]),
    runs=[],
)


def screen(frame: Frame, columns: int = 80, lines: int = 24) -> str:
    """Draw a frame on a screen of that size; return what is on it."""
    stream = StringIO()
    console = Console(file=stream, width=columns, markup=False, highlight=False, emoji=False)
    console.print(drawn(frame, SHANGHAI, columns=columns, lines=lines))
    return stream.getvalue()


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (40, 12), (200, 60), (20, 3)])
@pytest.mark.parametrize("frame", [BUSY, QUIET])
def test_it_fits(frame: Frame, columns: int, lines: int) -> None:
    """No line is wider than the screen, and there are no more than it has, however much there is to show."""
    shown = screen(frame, columns, lines).splitlines()
    assert len(shown) <= lines
    assert max(cell_len(line) for line in shown) <= columns


def test_everything_is_on_80_by_24() -> None:
    """Throughput, lateness, queues, pace, quota, trouble, pauses, campaigns and what is due are all there at once."""
    shown = screen(BUSY)
    for said in (
        *("2026-12-01 08:00:30 Asia/Shanghai", "ticked 0.4 s ago", "100 in the last minute", "0 in this"),
        *("12 ms", "61.5 s", "1:01:01", "50 calls a second", "29,000,000 of 30,000,000 today"),
        *("bulk 12,345", "dead 3", "in doubt 17", "template dn-0000", "template_fault 47003"),
        *("daily-news (run 12)", "750,000 of 1,000,000", "08:20:30", "1,000 in 15 minutes", "9 overdue", "08:02 1,000"),
        "lanes more",
    ):
        assert said in shown, said


def test_what_is_wrong_is_said() -> None:
    """No tick, no broker, an app that cannot be read, a database that went away: each is named."""
    shown = screen(replace(QUIET, trouble="PostgreSQL does not answer"))
    for said in ("no tick", "the broker does not answer", "the database does not answer", "PostgreSQL does not answer"):
        assert said in shown
    assert "not counted yet" in shown
