"""What goes out when: counted, expected of campaigns, and held; from the read-model and from the terminal."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time

from pushjobs import clock
from pushjobs.domain.job import Lane
from pushjobs.domain.moment import SHANGHAI
from pushjobs.errors import InvalidMoment
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS, ORDER_SHIPPED
from pushjobs.schedule import GoesOut, Grain, HoldKind, Schedule, read_when
from pushjobs.store import census
from pushjobs.store.minutes import Seen
from tests.conftest import APPID
from tests.integration.campaigns.hands import NEWS, audience, plan_at, readers
from tests.integration.commands import Run, runner
from tests.integration.hands import ORDER, ask, schedule

ALL = Seen()
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def run(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], runtime: Runtime
) -> Run:
    """Runs a command on the runtime's database; returns status, output, errors."""
    assert runtime is not None
    return runner(environment, monkeypatch, capfd)


def minute(**ahead: int) -> datetime:
    """A whole minute that far ahead."""
    return clock.now().replace(second=0, microsecond=0) + timedelta(**ahead)


def count(runtime: Runtime) -> None:
    """Count what is scheduled, as a tick does."""
    with runtime.database.transaction() as connection:
        census.take(connection)


def at(runtime: Runtime, moment: datetime, *, seen: Seen = ALL, grain: Grain = Grain.MINUTE) -> GoesOut:
    """What goes out then."""
    return Schedule(runtime).at(seen, moment, SHANGHAI, grain=grain)


def holds(found: GoesOut) -> list[list[HoldKind]]:
    """What holds each of its lines."""
    return [[hold.kind for hold in line.holds] for line in found.lines]


def campaign(runtime: Runtime, directory: Path, **more: object) -> None:
    """Add a campaign that went to 1,200 users last."""
    runtime.campaigns.add("news", **{**NEWS, "audience": audience(directory, readers(3)), **more})
    plan_at(runtime, clock.now() - timedelta(days=1))
    ask(runtime, "UPDATE pushjobs.runs SET recipients = 1200, state = 'finished', finished_at = now()")


def test_a_minute_is_told_source_by_source(runtime: Runtime) -> None:
    """Of a minute to come: how many jobs, of which app, lane and template; of the minute beside it nothing."""
    moment = minute(hours=3)
    schedule(runtime, 5, time=moment + timedelta(seconds=10))
    schedule(runtime, 2, time=moment + timedelta(seconds=59), lane="urgent", **ORDER)
    schedule(runtime, 1, time=moment + timedelta(minutes=1))
    count(runtime)
    found = at(runtime, moment + timedelta(seconds=30))
    told = [(line.source.jobs, line.source.appid, line.source.lane, line.source.template_id) for line in found.lines]
    assert told == [(5, APPID, Lane.BULK, DAILY_NEWS), (2, APPID, Lane.URGENT, ORDER_SHIPPED)]
    assert (found.stretch.since, found.stretch.jobs, found.grain, found.includes_due) == (moment, 7, "minute", False)
    assert holds(found) == [[], []]
    assert found.counted_at is not None
    hour = at(runtime, moment, grain=Grain.HOUR)
    assert hour.stretch.jobs == (8 if moment.minute < 59 else 7)
    assert at(runtime, minute(days=3)).grain == "hour"
    assert at(runtime, minute(days=20)).grain == "day"


def test_what_is_not_to_be_seen_is_not_told(runtime: Runtime) -> None:
    """Whoever may see some templates, or another app, is told of nothing else."""
    moment = minute(hours=3)
    schedule(runtime, 5, time=moment)
    schedule(runtime, 2, time=moment, **ORDER)
    count(runtime)
    assert at(runtime, moment, seen=Seen(templates=[ORDER_SHIPPED])).stretch.jobs == 2
    assert at(runtime, moment, seen=Seen(apps=["wx0000000000000000"])).lines == []
    outline = Schedule(runtime).outline(Seen(templates=[ORDER_SHIPPED]), SHANGHAI)
    assert sum(each.jobs for each in outline.days) == 2


def test_the_outline_adds_up(runtime: Runtime) -> None:
    """The next hour by minute, the next day by hour and the week by day each hold what falls into them."""
    schedule(runtime, 3)
    schedule(runtime, 5, time=minute(minutes=10))
    schedule(runtime, 7, time=minute(hours=5))
    schedule(runtime, 11, time=minute(days=4))
    count(runtime)
    outline = Schedule(runtime).outline(ALL, SHANGHAI)
    assert outline.due == 3
    assert (len(outline.minutes), len(outline.hours), len(outline.days)) == (60, 24, 7)
    assert {each.since: each.jobs for each in outline.minutes if each.jobs} == {minute(minutes=10): 5}
    assert sum(each.jobs for each in outline.hours) == 12
    assert sum(each.jobs for each in outline.days) == 23
    for before, after in zip(outline.days, outline.days[1:], strict=False):
        assert before.until == after.since
    assert outline.days[0].since.astimezone(SHANGHAI).hour == 0


def test_what_would_hold_a_job_is_told(runtime: Runtime) -> None:
    """A pause of the app, the lane or the template holds what is due before its end."""
    soon, later = minute(hours=1), minute(hours=9)
    for moment in (soon, later):
        schedule(runtime, 2, time=moment)
        schedule(runtime, 1, time=moment, lane="urgent", **ORDER)
    count(runtime)
    runtime.operations.pause(template_id=DAILY_NEWS, note="wrong price", until=minute(hours=5))
    runtime.operations.pause(lane="urgent")
    now = at(runtime, soon)
    assert holds(now) == [[HoldKind.PAUSE], [HoldKind.PAUSE]]
    assert now.lines[0].holds[0].pause is not None
    assert now.lines[0].holds[0].pause.note == "wrong price"
    assert holds(at(runtime, later)) == [[], [HoldKind.PAUSE]]


def test_quiet_hours_hold_bulk(runtime: Runtime) -> None:
    """What falls into the app's quiet hours waits for their end; urgent jobs do not."""
    moment = minute(hours=3)
    local = moment.astimezone(SHANGHAI)
    until = (local + timedelta(hours=1)).replace(minute=0)
    quiet = runtime.settings.model_copy(update={"quiet_hours": f"{local:%H}:00-{until:%H}:00"})
    schedule(runtime, 2, time=moment)
    schedule(runtime, 1, time=moment, lane="urgent")
    count(runtime)
    made = Runtime(quiet)
    try:
        found = at(made, moment)
    finally:
        made.close()
    assert holds(found) == [[HoldKind.QUIET_HOURS], []]
    assert found.lines[0].holds[0].until == until.astimezone(UTC)


def test_a_campaign_is_expected_before_its_jobs_are_made(runtime: Runtime, tmp_path: Path) -> None:
    """An instant that is not planned yet, and a run that is, are told with as many users as there were last."""
    campaign(runtime, tmp_path)
    campaign_at = runtime.campaigns.get("news").next_at
    assert campaign_at is not None
    plan_at(runtime, minute(minutes=9))
    count(runtime)
    [planned] = at(runtime, minute(minutes=9)).expected
    assert (planned.key, planned.jobs, planned.is_known, planned.run_no is None) == ("news", 1200, False, False)
    coming = at(runtime, campaign_at)
    assert [(each.run_no, each.jobs) for each in coming.expected] == [(None, 1200)]
    assert coming.stretch.expected == 1200
    runtime.campaigns.pause("news")
    [held] = at(runtime, campaign_at).expected
    assert [hold.kind for hold in held.holds] == [HoldKind.CAMPAIGN_PAUSED]
    [held] = at(runtime, minute(minutes=9)).expected
    assert [hold.kind for hold in held.holds] == [HoldKind.RUN_PAUSED]
    outline = Schedule(runtime).outline(ALL, SHANGHAI)
    assert sum(each.expected for each in outline.days) == 1200 * len(outline.expected)


def test_a_campaign_that_never_ran_is_told_without_a_number(runtime: Runtime, tmp_path: Path) -> None:
    """Nobody guesses how many users an audience has that was never read."""
    runtime.campaigns.add("news", **NEWS, audience=audience(tmp_path, readers(3)))
    campaign_at = runtime.campaigns.get("news").next_at
    assert campaign_at is not None
    assert [each.jobs for each in at(runtime, campaign_at).expected] == [None]


def test_jobs_are_told_once_while_a_run_is_made(runtime: Runtime, tmp_path: Path) -> None:
    """What the census has of a run is not expected on top of it, nor is what was made since forgotten."""
    campaign(runtime, tmp_path, spread="30m")
    moment = minute(minutes=9)
    plan_at(runtime, moment)
    schedule(runtime, 4, time=moment)
    ask(runtime, "UPDATE pushjobs.runs SET state = 'preparing', recipients = 10, expanded = 4 WHERE state = 'planned'")
    ask(runtime, "UPDATE pushjobs.jobs SET run_no = (SELECT run_no FROM pushjobs.runs WHERE state = 'preparing')")
    count(runtime)
    hour = [at(runtime, moment + timedelta(minutes=n)) for n in range(30)]
    assert sum(each.stretch.jobs for each in hour) == 4
    [expected] = hour[0].expected
    assert (expected.jobs, expected.is_known, expected.spread) == (0, True, timedelta(minutes=30))
    [whole] = [each for each in Schedule(runtime).outline(ALL, SHANGHAI).expected if each.run_no is not None]
    assert whole.jobs == 6
    ask(runtime, "UPDATE pushjobs.runs SET expanded_at = now() - interval '1 minute' WHERE state = 'preparing'")
    assert at(runtime, moment).expected == []


def test_a_campaign_of_every_minute_is_cut(runtime: Runtime, tmp_path: Path) -> None:
    """Of a campaign with thousands of instants the first are told, and that there are more."""
    campaign(runtime, tmp_path, cron="* * * * *")
    outline = Schedule(runtime).outline(ALL, SHANGHAI)
    assert (len(outline.expected), outline.is_cut) == (300, True)


def test_a_time_of_the_day_is_the_next_one() -> None:
    """08:00 is today's while it has not passed, and tomorrow's after; a moment is read as `time` is."""
    with freeze_time("2026-12-01 00:00:30", real_asyncio=True):  # 08:00:30 in Shanghai
        assert read_when("08:00", SHANGHAI) == datetime(2026, 12, 1, tzinfo=UTC)
        assert read_when("7:59", SHANGHAI) == datetime(2026, 12, 1, 23, 59, tzinfo=UTC)
        assert read_when("2026-12-24 18:00", SHANGHAI) == datetime(2026, 12, 24, 10, tzinfo=UTC)
        for unreadable in ("24:00", "quarter"):
            with pytest.raises(InvalidMoment, match=r'^at cannot be read: write "08:00" for the next one, "2026'):
                read_when(unreadable, SHANGHAI)
    with freeze_time("2026-03-08 06:00:00", real_asyncio=True), pytest.raises(InvalidMoment, match="skipped"):
        read_when("2:30", NEW_YORK)


def test_days_end_at_midnight_when_clocks_change(runtime: Runtime) -> None:
    """A day of 23 hours is one, and follows the one before."""
    with freeze_time("2026-03-09 03:30:00", real_asyncio=True):  # 23:30 of the short day in New York
        outline = Schedule(runtime).outline(ALL, NEW_YORK)
    assert outline.days[0].since == datetime(2026, 3, 8, 5, tzinfo=UTC)
    assert outline.days[0].until == datetime(2026, 3, 9, 4, tzinfo=UTC)


def test_the_terminal_says_what_goes_out(run: Run, runtime: Runtime, tmp_path: Path) -> None:
    """`schedule --at` names template, number and what holds it; `schedule` the hours and days; both speak JSON."""
    campaign(runtime, tmp_path)
    moment = minute(hours=3)
    schedule(runtime, 5, time=moment)
    count(runtime)
    runtime.operations.pause(template_id=DAILY_NEWS, note="wrong price")
    written = f"{moment.astimezone(SHANGHAI):%H:%M}"
    status, out, _ = run("schedule", "--at", written)
    assert status == 0
    for said in (DAILY_NEWS, " 5 ", "paused (operator: wrong price)", "as counted", written):
        assert said in out
    answer = json.loads(run("schedule", "--at", written, "--json")[1])
    assert (answer["stretch"]["jobs"], answer["lines"][0]["source"]["jobs"]) == (5, 5)
    status, out, _ = run("schedule")
    assert status == 0
    for said in ("next day", "next days", "about 1,200", "news"):
        assert said in out
    assert json.loads(run("schedule", "--json")[1])["due"] == 0
    assert run("--appid", APPID, "schedule", "--at", written)[0] == 0


def test_the_terminal_says_that_nothing_goes_out(run: Run) -> None:
    """An empty minute says so, and that nothing was counted; what is no time, or has passed, ends with 2."""
    status, out, err = run("schedule", "--at", "08:00")
    assert (status, "nothing goes out" in out, "not counted yet" in err) == (0, True, True)
    for wrong in ("half past eight", "2020-01-01 08:00"):
        status, _, err = run("schedule", "--at", wrong)
        assert (status, "at" in err) == (2, True)
