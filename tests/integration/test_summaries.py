"""What became of jobs is counted once, wherever it stands; what is scheduled is counted as it is."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from pushjobs import clock
from pushjobs.domain.job import Lane
from pushjobs.domain.lateness import NO_CALL
from pushjobs.domain.lifecycle import Transition
from pushjobs.overview import Overview, Seen
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.sandbox.client import SandboxClient
from pushjobs.store import census, minutes
from tests.conftest import APPID
from tests.integration.hands import ORDER, admit, ask, claim, deliver, end_leases, let_due, schedule

HOUR = timedelta(hours=1)


@pytest.fixture
def runtime(worker: Runtime) -> Runtime:
    """A runtime that calls the sandbox."""
    return worker


def counted(runtime: Runtime) -> Counter[tuple[str, str, int]]:
    """What became of jobs, ever: by transition, reason and error code."""
    found: Counter[tuple[str, str, int]] = Counter()
    with runtime.database.transaction() as connection:
        for each in minutes.ever(connection):
            found[each.transition, each.reason, each.errcode] += each.jobs
    return found


def roll_up(runtime: Runtime, limit: int = 10_000) -> int:
    """Move everything on, however fresh it is."""
    with runtime.database.transaction() as connection:
        return minutes.roll_up(connection, age=-60, limit=limit)


def test_every_way_a_job_goes_is_counted(runtime: Runtime, sandbox: SandboxClient) -> None:
    """Sent, refused by WeChat with its code, held by a gate with its reason, lost with its worker."""
    schedule(runtime, 5)
    sandbox.mark_users("oReader000001", "refusing")
    deliver(runtime, claim(runtime, limit=4))
    runtime.operations.pause(template_id=DAILY_NEWS)
    left = claim(runtime)
    deliver(runtime, left)
    assert counted(runtime)[Transition.DELIVER, "", 0] == 3
    assert counted(runtime)[Transition.REJECT, "no_consent", 43101] == 1
    held = {(transition, reason) for transition, reason, _ in counted(runtime)} - {
        ("deliver", ""),
        ("reject", "no_consent"),
    }
    assert held == {(Transition.GIVE_BACK, "paused")}


def test_moving_it_on_changes_no_figure(runtime: Runtime) -> None:
    """Before, between and after: the sums are the same, and what was moved stands once."""
    for count in (3, 4):
        schedule(runtime, count)
        deliver(runtime, claim(runtime))
    before = counted(runtime)
    assert before == {(Transition.DELIVER, "", 0): 7}
    assert roll_up(runtime, limit=1) == 1
    assert counted(runtime) == before
    while roll_up(runtime):
        pass
    assert counted(runtime) == before
    assert ask(runtime, "SELECT count(*) FROM pushjobs.settlements") == [(0,)]
    assert ask(runtime, "SELECT sum(jobs)::int FROM pushjobs.minutes") == [(7,)]


def test_many_who_move_it_on_at_once_count_it_once(runtime: Runtime) -> None:
    """Four processes' ticks at the same time: nothing is counted twice, nothing is left out."""
    ask(
        runtime,
        "INSERT INTO pushjobs.settlements (at, app_no, lane, template_no, jobs) "
        "SELECT now() - make_interval(secs => n % 600), 1, 'bulk', n % 3, 1 FROM generate_series(1, 20000) n",
    )

    def work(_: int) -> int:
        return sum(roll_up(runtime, limit=500) for _ in range(60))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) <= 20_000
    while roll_up(runtime):
        pass
    assert ask(runtime, "SELECT sum(jobs)::int FROM pushjobs.totals") == [(20_000,)]
    assert ask(runtime, "SELECT sum(jobs)::int FROM pushjobs.minutes") == [(20_000,)]


def test_a_call_is_as_late_as_its_moment_is_past(runtime: Runtime) -> None:
    """A job that was due 90 s ago counts as that late; a minute's figures tell it in the overview."""
    schedule(runtime, 1)
    ask(runtime, "UPDATE pushjobs.jobs SET due_at = now() - interval '90 s'")
    deliver(runtime, claim(runtime))
    [lane] = Overview(runtime).now(Seen()).lanes
    assert (lane.appid, lane.lane) == (APPID, Lane.BULK)
    assert lane.p99 is not None
    assert 60 < lane.p99 <= 300
    with runtime.database.transaction() as connection:
        [row] = minutes.ever(connection)
    assert 90 <= row.late < 120


def test_what_was_not_called_is_late_for_nothing(runtime: Runtime) -> None:
    """Jobs that their worker never came back from are counted as doubts, and no lateness is made up for them."""
    schedule(runtime, 2)
    batch = claim(runtime)
    admit(runtime, batch[:1])
    end_leases(runtime)
    runtime.upkeep.rescue()
    with runtime.database.transaction() as connection:
        found = {(each.transition, each.step): each.jobs for each in minutes.ever(connection)}
    assert found == {(Transition.DOUBT, NO_CALL): 1, (Transition.GIVE_BACK, NO_CALL): 1}


def test_the_minutes_follow_without_a_gap(runtime: Runtime) -> None:
    """An hour is sixty minutes, the present one last; in it what was just sent."""
    schedule(runtime, 3)
    deliver(runtime, claim(runtime))
    now = Overview(runtime).now(Seen())
    assert [each.minute for each in now.minutes] == [
        now.minutes[0].minute + timedelta(minutes=number) for number in range(60)
    ]
    assert sum(each.became.get(Transition.DELIVER, 0) for each in now.minutes[-2:]) == 3


def test_only_what_may_be_seen_is_counted(runtime: Runtime) -> None:
    """Whoever may see another app or another template sees none of it."""
    schedule(runtime, 3)
    deliver(runtime, claim(runtime))
    runtime.summaries.bring_up_to_date()
    overview, since = Overview(runtime), clock.now() - HOUR
    assert [each.jobs for each in overview.became(Seen(), since=since)] == [3]
    assert [each.jobs for each in overview.became(Seen(templates=[DAILY_NEWS]), since=since)] == [3]
    assert overview.became(Seen(templates=[str(ORDER["template_id"])]), since=since) == []
    assert overview.became(Seen(apps=["wxanother00000000"]), since=since) == []
    assert overview.now(Seen(apps=["wxanother00000000"])).lanes == []


def test_what_is_scheduled_is_counted_as_it_is(runtime: Runtime) -> None:
    """By minute within a day, by hour within a week, by day beyond; what is due stands by itself."""
    now = clock.now()
    for time, count in ((None, 2), (now + 3 * HOUR, 3), (now + 50 * HOUR, 4), (now + 24 * 20 * HOUR, 5)):
        schedule(runtime, count, **({} if time is None else {"time": time}))
    runtime.summaries.bring_up_to_date()
    coming = Overview(runtime).coming(Seen(), until=now + 24 * 30 * HOUR)
    due, minute, hour, day = coming.due
    assert [each.jobs for each in coming.due] == [2, 3, 4, 5]
    assert {each.template_id for each in coming.due} == {DAILY_NEWS}
    assert due.since is None
    assert minute.since == (now + 3 * HOUR).replace(second=0, microsecond=0)
    assert hour.since == (now + 50 * HOUR).replace(minute=0, second=0, microsecond=0)
    assert day.since == (now + 24 * 20 * HOUR).replace(hour=0, minute=0, second=0, microsecond=0)
    assert coming.counted_at is not None
    assert coming.counted_at >= now


def test_jobs_that_left_are_counted_no_more(runtime: Runtime) -> None:
    """The next count replaces the last as a whole."""
    schedule(runtime, 3, time=clock.now() + HOUR)
    with runtime.database.transaction() as connection:
        census.take(connection)
    let_due(runtime)
    deliver(runtime, claim(runtime))
    with runtime.database.transaction() as connection:
        census.take(connection)
        assert census.due(connection, until=clock.now() + 2 * HOUR, seen=minutes.Seen()) == []


@pytest.mark.parametrize(
    ("seconds", "ago", "again"), [(0.1, 3, False), (0.1, 6, True), (10.0, 100, False), (10.0, 201, True)]
)
def test_counting_takes_a_twentieth_of_the_time(runtime: Runtime, seconds: float, ago: int, again: bool) -> None:
    """A count of ten seconds is repeated after 200, a short one after five."""
    with runtime.database.transaction() as connection:
        census.take(connection)
    ask(
        runtime,
        "UPDATE pushjobs.census_taken SET at = now() - make_interval(secs => :ago), seconds = :seconds",
        ago=ago,
        seconds=seconds,
    )
    [(before,)] = ask(runtime, "SELECT at FROM pushjobs.census_taken")
    runtime.summaries.bring_up_to_date()
    assert (ask(runtime, "SELECT at FROM pushjobs.census_taken") != [(before,)]) is again
