"""Quota days across midnight, with the moment passed in: a day is the app's own, and only ever moves on."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pushjobs.delivery import charging
from pushjobs.delivery.charging import Charge, Over, Rules
from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.moment import SHANGHAI
from pushjobs.runtime import Runtime
from pushjobs.store import slices, templates
from tests.integration.hands import Batch, ask, claim, schedule

CAP = 3
MIDNIGHT = datetime(2026, 12, 2, tzinfo=SHANGHAI).astimezone(UTC)
FIRST, SECOND = date(2026, 12, 1), date(2026, 12, 2)
RULES = Rules(zone=SHANGHAI, daily_quota=CAP, resume_hour=9)

Take = Callable[[datetime], Charge | None]


@pytest.fixture
def waiting(runtime: Runtime) -> Batch:
    """Twenty claimed jobs of one user."""
    schedule(runtime, 20, touser="oReader")
    return claim(runtime)


@pytest.fixture
def take(runtime: Runtime, waiting: Batch) -> Take:
    """Charge one more of the user's jobs at a moment; None when the day is full."""
    left = iter(waiting)

    def charge(moment: datetime, rules: Rules = RULES) -> Charge | None:
        with runtime.database.transaction() as connection:
            [job] = slices.lock(connection, [next(left)])
            charges = charging.charge(connection, [job], rules, moment=moment, draw=0.5)
        assert [move.reason for move in charges.held] in ([], [Reason.QUOTA])
        return charges.charged.get(job.id)

    return charge


def end(runtime: Runtime, charge: Charge, transition: Transition = Transition.DELIVER) -> None:
    """Settle a charge as the call's outcome says."""
    over = Over(
        charge=charge,
        was=JobState.SENDING,
        transition=transition,
        is_without_consent=False,
        called_at=MIDNIGHT,
    )
    with runtime.database.transaction() as connection:
        charging.settle(connection, 1, [over])


def spend(runtime: Runtime, take: Take, moment: datetime) -> date | None:
    """Charge and send; return the day it counted for."""
    charge = take(moment)
    if charge is None:
        return None
    end(runtime, charge)
    return charge.day


def row(runtime: Runtime) -> tuple[date, int, int]:
    """The user's day, what is used of it and what is held."""
    [found] = ask(runtime, "SELECT quota_day, sent, held FROM pushjobs.recipients")
    return found


def test_each_side_of_midnight_has_its_own_places(runtime: Runtime, take: Take) -> None:
    """Three in a day's last second and three in the next one's first, and not a fourth of either."""
    seconds = [-1.0] * 4 + [0.0] * 4
    days = [spend(runtime, take, MIDNIGHT + timedelta(seconds=second)) for second in seconds]
    assert days == [FIRST] * 3 + [None] + [SECOND] * 3 + [None]


def test_a_clock_that_lags_does_not_begin_the_day_anew(runtime: Runtime, take: Take) -> None:
    """12.11 Once one worker has begun the day, those whose clocks are behind charge it too: three in all."""
    before, after = MIDNIGHT - timedelta(seconds=1), MIDNIGHT + timedelta(seconds=1)
    days = [spend(runtime, take, moment) for moment in (after, before, after, before, after, before)]
    assert days == [SECOND] * 3 + [None] * 3
    assert row(runtime) == (SECOND, 3, 0)


@pytest.mark.parametrize("transition", [Transition.DEFER, Transition.REJECT, Transition.DELIVER])
def test_what_ends_after_midnight_is_settled_with_its_own_day(
    runtime: Runtime, take: Take, transition: Transition
) -> None:
    """A call charged before midnight changes nothing of the next day's places, sent or not."""
    late = take(MIDNIGHT - timedelta(seconds=1))
    ask(runtime, "UPDATE pushjobs.recipients SET in_flight_until = NULL")
    early = take(MIDNIGHT + timedelta(seconds=1))
    assert late is not None
    assert early is not None
    assert row(runtime) == (SECOND, 0, 1)
    end(runtime, late, transition)
    assert row(runtime) == (SECOND, 0, 1)
    end(runtime, early)
    assert row(runtime) == (SECOND, 1, 0)


def test_a_place_given_back_the_same_day_can_be_taken_again(runtime: Runtime, take: Take) -> None:
    """What was refused before midnight makes room before midnight."""
    moment = MIDNIGHT - timedelta(minutes=1)
    assert [spend(runtime, take, moment) for _ in range(2)] == [FIRST] * 2
    refused = take(moment)
    assert refused is not None
    end(runtime, refused, Transition.REJECT)
    assert [spend(runtime, take, moment) for _ in range(2)] == [FIRST, None]


def test_the_day_is_the_zones_own(runtime: Runtime, waiting: Batch) -> None:
    """A day of 25 hours, in which an hour comes twice, is one day: three from its first minute to its last."""
    berlin = ZoneInfo("Europe/Berlin")
    rules = Rules(zone=berlin, daily_quota=CAP, resume_hour=9)
    begins = datetime(2026, 10, 25, tzinfo=berlin).astimezone(UTC)
    days = []
    for hours, job in zip((0.0, 2.5, 3.5, 24.9, 25.0), waiting, strict=False):
        with runtime.database.transaction() as connection:
            moment = begins + timedelta(hours=hours)
            [candidate] = slices.lock(connection, [job])
            charged = charging.charge(connection, [candidate], rules, moment=moment, draw=0.5).charged
        days += [charge.day for charge in charged.values()]
        for charge in charged.values():
            end(runtime, charge)
    assert days == [date(2026, 10, 25)] * 3 + [date(2026, 10, 26)]


def test_a_templates_day_moves_on_with_its_users(runtime: Runtime, waiting: Batch) -> None:
    """A slice in which one user's day has begun and another's has not charges each template's place to its own."""
    schedule(runtime, 1, touser="oOther")
    jobs = [waiting[0], *claim(runtime)]
    [(template_no,)] = ask(runtime, "SELECT DISTINCT template_no FROM pushjobs.jobs")
    with runtime.database.transaction() as connection:
        templates.set_policies(connection, template_no, daily_cap=1)
        slices.lock(connection, jobs)
    # Somebody whose clock is ahead has begun the first user's next day.
    ask(
        runtime,
        "INSERT INTO pushjobs.recipients (app_no, recipient, quota_day, sent, held) "
        "SELECT app_no, recipient, :day, 0, 0 FROM pushjobs.jobs WHERE id = :id",
        day=SECOND,
        id=jobs[0][0],
    )
    with runtime.database.transaction() as connection:
        candidates = slices.lock(connection, jobs)
        charged = charging.charge(connection, candidates, RULES, moment=MIDNIGHT - timedelta(seconds=1), draw=0.5)
    assert sorted(ask(runtime, "SELECT quota_day, used FROM pushjobs.template_days")) == [(FIRST, 1), (SECOND, 1)]
    for charge in charged.charged.values():
        end(runtime, charge, Transition.DEFER)
    assert ask(runtime, "SELECT used FROM pushjobs.template_days") == [(0,), (0,)]
