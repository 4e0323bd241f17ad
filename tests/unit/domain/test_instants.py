"""Campaign instants by hand: what each kind of clock change does to fixed hours and to elapsed ones.

The zones, and what is odd in them: Berlin changes at 02:00 and 03:00; Lord Howe by half an hour; Troll by two hours;
Casey once by three, a minute after midnight; Havana and Cairo about midnight; Nuuk skips the last hour of a day; Dublin
has its summer time in winter; Casablanca goes back for Ramadan; St. John's went back over midnight, a minute after it;
Apia skipped a Friday.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from pushjobs.domain.instants import ClockChange, Effect, Instant, read_cron

SHANGHAI = ZoneInfo("Asia/Shanghai")
ODD_ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "Antarctica/Troll",
        "Antarctica/Casey",
        "America/Havana",
        "Africa/Cairo",
        "America/Nuuk",
        "Europe/Dublin",
        "Africa/Casablanca",
        "America/St_Johns",
        "Asia/Shanghai",
    )
]


def preview(expression: str, zone: str, after: str, count: int) -> list[str]:
    """Write the next instants as local times with their offsets and notes; `after` is a local time with its offset."""
    instants = read_cron(expression, ZoneInfo(zone)).after(datetime.fromisoformat(after))
    return [
        f"{each.local:%m-%d %H:%M} {each.local.isoformat()[-6:]}" + (f" {each.note}" if each.note else "")
        for each in islice(instants, count)
    ]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T00:00+01:00",
            [
                "03-28 02:30 +01:00",
                "03-29 03:00 +02:00 02:30 skipped by a clock change: fires at 03:00",
                "03-30 02:30 +02:00",
            ],
            id="a skipped time fires at the moment of the change",
        ),
        pytest.param(
            "0 2,3 * * *",
            "Europe/Berlin",
            "2026-03-29T00:00+01:00",
            ["03-29 03:00 +02:00 02:00 skipped by a clock change: fires at 03:00", "03-30 02:00 +02:00"],
            id="a skipped time that falls on a real one fires with it",
        ),
        pytest.param(
            "*/15 2,3 * * *",
            "Europe/Berlin",
            "2026-03-29T00:00+01:00",
            [
                "03-29 03:00 +02:00 02:00 to 02:45 (4 times) skipped by a clock change: fires once, at 03:00",
                "03-29 03:15 +02:00",
            ],
            id="skipped times fire once together",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-29T03:00+02:00",
            ["03-30 02:30 +02:00"],
            id="what fired at the change is over with it",
        ),
        pytest.param(
            "30 * * * *",
            "Europe/Berlin",
            "2026-03-29T01:00+01:00",
            ["03-29 01:30 +01:00", "03-29 03:30 +02:00", "03-29 04:30 +02:00"],
            id="elapsed hours take no notice of a gap",
        ),
        pytest.param(
            "0 */2 * * *",
            "Europe/Berlin",
            "2026-03-29T00:00+01:00",
            ["03-29 04:00 +02:00"],
            id="an elapsed hour that is skipped does not fire",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T00:00+02:00",
            ["10-25 02:30 +02:00 02:30 repeated by a clock change: fires the first time only", "10-26 02:30 +01:00"],
            id="a repeated time fires the first time",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T02:45+02:00",
            ["10-26 02:30 +01:00"],
            id="a repeated time does not fire the second time",
        ),
        pytest.param(
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-25T02:15+02:00",
            ["10-25 02:30 +02:00", "10-25 02:30 +01:00", "10-25 03:30 +01:00"],
            id="elapsed hours fire in both of a repeated pair",
        ),
        pytest.param(
            "0 */2 * * *",
            "Europe/Berlin",
            "2026-10-25T02:15+02:00",
            ["10-25 02:00 +01:00", "10-25 04:00 +01:00"],
            id="from within the first of the pair the second is found",
        ),
        pytest.param(
            "*/15 1,2 * * *",
            "Australia/Lord_Howe",
            "2026-10-04T01:30+10:30",
            [
                "10-04 01:45 +10:30",
                "10-04 02:30 +11:00 02:00 to 02:15 (2 times) skipped by a clock change: fires once, at 02:30",
                "10-04 02:45 +11:00",
            ],
            id="half an hour is skipped",
        ),
        pytest.param(
            "*/30 * * * *",
            "Australia/Lord_Howe",
            "2026-04-05T01:00+11:00",
            ["04-05 01:30 +11:00", "04-05 01:30 +10:30", "04-05 02:00 +10:30"],
            id="half an hour is repeated",
        ),
        pytest.param(
            "30 1,2 * * *",
            "Antarctica/Troll",
            "2026-03-29T00:00+00:00",
            [
                "03-29 03:00 +02:00 01:30 to 02:30 (2 times) skipped by a clock change: fires once, at 03:00",
                "03-30 01:30 +02:00",
            ],
            id="two hours are skipped",
        ),
        pytest.param(
            "30 1-3 * * *",
            "Antarctica/Troll",
            "2026-10-25T00:00+02:00",
            [
                "10-25 01:30 +02:00 01:30 repeated by a clock change: fires the first time only",
                "10-25 02:30 +02:00 02:30 repeated by a clock change: fires the first time only",
                "10-25 03:30 +00:00",
            ],
            id="two hours are repeated",
        ),
        pytest.param(
            "0 0,2 * * *",
            "Antarctica/Casey",
            "2020-10-03T12:00+08:00",
            ["10-04 00:00 +08:00", "10-04 03:01 +11:00 02:00 skipped by a clock change: fires at 03:01"],
            id="the gap does not begin on the hour",
        ),
        pytest.param(
            "@daily",
            "America/Havana",
            "2026-03-07T12:00-05:00",
            ["03-08 01:00 -04:00 00:00 skipped by a clock change: fires at 01:00", "03-09 00:00 -04:00"],
            id="midnight is skipped",
        ),
        pytest.param(
            "@daily",
            "America/Havana",
            "2026-10-31T12:00-04:00",
            ["11-01 00:00 -04:00 00:00 repeated by a clock change: fires the first time only", "11-02 00:00 -05:00"],
            id="midnight is repeated",
        ),
        pytest.param(
            "30 0,23 * * *",
            "Africa/Cairo",
            "2026-10-29T12:00+03:00",
            [
                "10-29 23:30 +03:00 23:30 repeated by a clock change: fires the first time only",
                "10-30 00:30 +02:00",
                "10-30 23:30 +02:00",
            ],
            id="the last hour of a day is repeated",
        ),
        pytest.param(
            "30 23 28 3 *",
            "America/Nuuk",
            "2026-03-01T00:00-02:00",
            ["03-29 00:00 -01:00 2026-03-28 23:30 skipped by a clock change: fires at 2026-03-29 00:00"],
            id="the last hour of a day is skipped",
        ),
        pytest.param(
            "30 1 * * *",
            "Europe/Dublin",
            "2026-03-29T00:00+00:00",
            ["03-29 02:00 +01:00 01:30 skipped by a clock change: fires at 02:00", "03-30 01:30 +01:00"],
            id="summer time that is the standard begins",
        ),
        pytest.param(
            "30 1 * * *",
            "Europe/Dublin",
            "2026-10-25T00:00+01:00",
            ["10-25 01:30 +01:00 01:30 repeated by a clock change: fires the first time only", "10-26 01:30 +00:00"],
            id="summer time that is the standard ends",
        ),
        pytest.param(
            "30 2 * * 0",
            "Africa/Casablanca",
            "2026-02-14T00:00+01:00",
            [
                "02-15 02:30 +01:00 02:30 repeated by a clock change: fires the first time only",
                "02-22 02:30 +00:00",
                "03-01 02:30 +00:00",
                "03-08 02:30 +00:00",
                "03-15 02:30 +00:00",
                "03-22 03:00 +01:00 02:30 skipped by a clock change: fires at 03:00",
            ],
            id="two changes within a season",
        ),
        pytest.param(
            "*/30 * * * *",
            "America/St_Johns",
            "2010-11-06T23:00-02:30",
            [
                "11-06 23:30 -02:30",
                "11-07 00:00 -02:30",
                "11-06 23:30 -03:30",
                "11-07 00:00 -03:30",
                "11-07 00:30 -03:30",
            ],
            id="midnight comes, goes and comes again",
        ),
        pytest.param(
            "*/30 * * * *",
            "America/St_Johns",
            "2010-11-07T00:00-02:30",
            ["11-06 23:30 -03:30", "11-07 00:00 -03:30"],
            id="yesterday comes again",
        ),
        pytest.param(
            "0 8,20 * * *",
            "Pacific/Apia",
            "2011-12-29T12:00-10:00",
            [
                "12-29 20:00 -10:00",
                (
                    "12-31 00:00 +14:00 2011-12-30 08:00 to 2011-12-30 20:00 (2 times) skipped by a clock change: "
                    "fires once, at 2011-12-31 00:00"
                ),
                "12-31 08:00 +14:00",
            ],
            id="a day is skipped",
        ),
    ],
)
def test_clock_changes(expression: str, zone: str, after: str, expected: list[str]) -> None:
    """A fixed hour fires once whatever the clock does, an hour that begins with * as time passes."""
    assert preview(expression, zone, after, len(expected)) == expected


def test_an_instant_says_all_there_is() -> None:
    """An instant has its moment in UTC, the local time of its zone, and what the clock change did."""
    zone = ZoneInfo("Europe/Berlin")
    (instant,) = islice(read_cron("30 2 * * *", zone).after(datetime(2026, 3, 29, tzinfo=UTC)), 1)
    assert instant == Instant(
        moment=datetime(2026, 3, 29, 1, tzinfo=UTC),
        local=datetime(2026, 3, 29, 3, tzinfo=zone),
        note=ClockChange(
            effect=Effect.SKIPPED,
            meant=(datetime(2026, 3, 29, 2, 30),),  # noqa: DTZ001 - a local time that no zone has
            fires=datetime(2026, 3, 29, 3),  # noqa: DTZ001 - a local time
        ),
    )
    assert instant.moment.tzinfo is UTC
    assert instant.local.tzinfo is zone


def test_instants_end_with_the_year_2200() -> None:
    """Far ahead there is an end to the instants, not a fault."""
    instants = list(read_cron("0 8 1 * *", SHANGHAI).after(datetime(2200, 10, 15, tzinfo=UTC)))
    assert [each.local.date() for each in instants] == [date(2200, 11, 1), date(2200, 12, 1)]
    (last,) = read_cron("30 2 30 3 *", ZoneInfo("Europe/Berlin")).after(datetime(2200, 1, 1, tzinfo=UTC))
    assert str(last.note) == "02:30 skipped by a clock change: fires at 03:00"


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive by contract
HOURS = st.sampled_from(["*", "*/2", "*/3", "0-23", "0-3", "1,2", "0", "1", "2", "3", "23", "22-1", "1/2"])
MINUTES = st.sampled_from(["*", "*/7", "*/30", "0", "1", "30", "15,45", "0-59/20", "59"])
DAYS = st.sampled_from(["* * *", "* * *", "* * 0", "* 3,10 *", "25-31 * *", "1 * *", "* * 1-5", "L * *"])
EXPRESSIONS = st.tuples(MINUTES, HOURS, DAYS).map(" ".join)
NIGHTS = [
    (zone, day)
    for zone in ODD_ZONES
    for day in (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(1096))
    if day.astimezone(zone).utcoffset() != (day + timedelta(days=1)).astimezone(zone).utcoffset()
]
NEAR_CHANGES = st.builds(
    lambda night, minutes: (night[0], night[1] + timedelta(minutes=minutes)),
    st.sampled_from(NIGHTS),
    st.integers(-200, 1640),
)
ANYWHERE = st.tuples(st.sampled_from(ODD_ZONES), MOMENTS)


@settings(deadline=None)
@given(EXPRESSIONS, ANYWHERE | NEAR_CHANGES)
def test_instants_rise_and_are_what_the_expression_says(expression: str, place: tuple[ZoneInfo, datetime]) -> None:
    """Instants lie strictly after the moment, rise, and show the expression's local times unless a note says more."""
    zone, moment = place
    instants = list(islice(read_cron(expression, zone).after(moment), 60))
    assert instants[0].moment > moment
    assert all(earlier.moment < later.moment for earlier, later in pairwise(instants))
    for each in instants:
        assert each.local.astimezone(UTC) == each.moment
        shown = each.local.replace(tzinfo=None)
        if each.note is None or each.note.effect is Effect.REPEATED:
            assert croniter.match(expression, shown)
            assert each.local.fold == 0 or expression.split()[1].startswith("*")
        else:
            assert all(croniter.match(expression, meant) for meant in each.note.meant)
            assert each.note.meant[-1] < each.note.fires == shown


@settings(deadline=None)
@given(EXPRESSIONS, NEAR_CHANGES, st.integers(0, 2000))
def test_asking_later_changes_nothing(expression: str, place: tuple[ZoneInfo, datetime], minutes: int) -> None:
    """From whichever moment one asks, the instants after it are the same: a restart neither loses nor repeats a run."""
    zone, moment = place
    later = moment + timedelta(minutes=minutes)
    cron, end = read_cron(expression, zone), later + timedelta(days=2)
    from_moment = [
        each for each in takewhile(lambda each: each.moment < end, cron.after(moment)) if each.moment > later
    ]
    assert list(takewhile(lambda each: each.moment < end, cron.after(later))) == from_moment


@settings(deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from(NIGHTS))
def test_a_fixed_hour_fires_once_for_each_day(hour: int, minute: int, night: tuple[ZoneInfo, datetime]) -> None:
    """No day is left out and none fires twice, whatever the clock does in the night."""
    zone, moment = night
    instants = islice(read_cron(f"{minute} {hour} * * *", zone).after(moment - timedelta(days=2)), 6)
    days = [(each.note.meant[0] if each.note else each.local).date() for each in instants]
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
