"""Reading `time` and `expires`, with the clock changes of three zones.

Berlin goes forward at 02:00 on 2026-03-29 and back at 03:00 on 2026-10-25; New York on 2026-03-08 and 2026-11-01;
Lord Howe Island shifts by half an hour only: back at 02:00 on 2026-04-05, forward on 2026-10-04.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushjobs.domain.job import DEFAULT_LIFE
from pushjobs.domain.moment import (
    SHANGHAI,
    last_night,
    month_in_shanghai,
    next_midnight,
    next_minute,
    read_deadline,
    read_moment,
    read_zone,
)
from pushjobs.errors import InvalidMoment

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
ZONES = st.sampled_from([SHANGHAI, BERLIN, NEW_YORK, LORD_HOWE, ZoneInfo("Africa/Cairo"), ZoneInfo("America/Havana")])
MOMENTS = st.datetimes(datetime(2000, 1, 2), datetime(2200, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive by contract


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type] # the parts stop before tzinfo


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-12-01 08:00:00", utc(2026, 12, 1)),
        ("2026-12-01 08:00", utc(2026, 12, 1)),
        ("2026-12-01T08:00:00", utc(2026, 12, 1)),
        ("2026-12-01T08:00:00.25", utc(2026, 12, 1, 0, 0, 0, 250_000)),
        ("2026-12-01T08:00:00Z", utc(2026, 12, 1, 8)),
        ("2026-12-01T08:00:00+08:00", utc(2026, 12, 1)),
        ("2026-12-01 08:00-0330", utc(2026, 12, 1, 11, 30)),
        (datetime(2026, 12, 1, 8, tzinfo=SHANGHAI), utc(2026, 12, 1)),
        (datetime(2026, 12, 1, 8, tzinfo=timezone(timedelta(hours=9))), utc(2026, 11, 30, 23)),
        ("2000-01-01 00:00:00", utc(1999, 12, 31, 16)),
        ("2200-12-31 23:59:59", utc(2200, 12, 31, 15, 59, 59)),
    ],
)
def test_reads_a_moment(value: object, expected: datetime) -> None:
    """A local time is read in the zone, an offset is kept to, and the result is in UTC."""
    moment = read_moment(value, SHANGHAI)
    assert moment == expected
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "tomorrow",
        "2026-12-01",
        "20261201T080000",
        "2026-W49-2",
        "08:00:00",
        " 2026-12-01 08:00:00",
        "2026-12-01 08:00:00\n",
        "2026-12-01 8:00",
        "2026-12-01 24:00:00",
        "2026-12-01 08:60:00",
        "2026-02-29 08:00:00",
        "2026-13-01 08:00:00",
        "0000-01-01 00:00:00",
        "2026-12-01 08:00:00+24:00",
        "２026-12-01 08:00:00",
        "1999-12-31 23:59:59",
        "2201-01-01 00:00:00",
        datetime(2026, 12, 1, 8),  # noqa: DTZ001 - the naive datetime is the case
        datetime.min.replace(tzinfo=SHANGHAI),
        datetime.max.replace(tzinfo=NEW_YORK),
        1764547200,
        1764547200.0,
        True,
        None,
        b"2026-12-01 08:00:00",
        timedelta(hours=1),
    ],
)
def test_refuses_what_is_no_moment(value: object) -> None:
    """Numbers, bare dates, naive datetimes, impossible and absurd dates are refused under the field's name."""
    with pytest.raises(InvalidMoment) as caught:
        read_moment(value, SHANGHAI, field="rows.time")
    assert caught.value.field == "rows.time"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("zone", "text", "what", "readings"),
    [
        (BERLIN, "2026-03-29 02:30:00", "skipped", ("2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00")),
        (BERLIN, "2026-03-29 02:00:00", "skipped", ("2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00")),
        (BERLIN, "2026-10-25 02:30:00", "repeated", ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00")),
        (NEW_YORK, "2026-03-08 02:59:59", "skipped", ("2026-03-08T01:59:59-05:00", "2026-03-08T03:59:59-04:00")),
        (NEW_YORK, "2026-11-01 01:00:00", "repeated", ("2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00")),
        (LORD_HOWE, "2026-10-04 02:15:00", "skipped", ("2026-10-04T01:45:00+10:30", "2026-10-04T02:45:00+11:00")),
        (LORD_HOWE, "2026-04-05 01:45:00", "repeated", ("2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30")),
    ],
)
def test_refuses_a_time_that_a_clock_change_blurs(
    zone: ZoneInfo, text: str, what: str, readings: tuple[str, str]
) -> None:
    """A skipped or repeated local time is refused; the message names both readings, each of which is then taken."""
    with pytest.raises(InvalidMoment) as caught:
        read_moment(text, zone)
    assert caught.value.fault == f"is {what} by a clock change in {zone.key}"
    assert caught.value.rule == f"write {readings[0]} or {readings[1]}"
    assert read_moment(readings[0], zone) < read_moment(readings[1], zone)


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        (BERLIN, "2026-03-29 01:59:59", utc(2026, 3, 29, 0, 59, 59)),
        (BERLIN, "2026-03-29 03:00:00", utc(2026, 3, 29, 1)),
        (BERLIN, "2026-10-25 01:59:59", utc(2026, 10, 24, 23, 59, 59)),
        (BERLIN, "2026-10-25 03:00:00", utc(2026, 10, 25, 2)),
        (LORD_HOWE, "2026-10-04 02:30:00", utc(2026, 10, 3, 15, 30)),
        (LORD_HOWE, "2026-04-05 02:00:00", utc(2026, 4, 4, 15, 30)),
    ],
)
def test_reads_the_times_beside_a_clock_change(zone: ZoneInfo, text: str, expected: datetime) -> None:
    """The last second before and the first after a clock change are ordinary times."""
    assert read_moment(text, zone) == expected


@given(MOMENTS, ZONES)
def test_iso_text_in_any_zone_reads_back_as_itself(moment: datetime, zone: ZoneInfo) -> None:
    """A moment written with its offset reads back as the same moment, also inside a repeated hour."""
    assert read_moment(moment.astimezone(zone).isoformat(), SHANGHAI) == moment


@given(MOMENTS, ZONES)
def test_local_text_reads_back_or_is_refused(moment: datetime, zone: ZoneInfo) -> None:
    """A local time without offset is either the moment it was written from or refused as repeated, never another."""
    text = moment.astimezone(zone).replace(tzinfo=None).isoformat()
    try:
        assert read_moment(text, zone) == moment
    except InvalidMoment as refusal:
        assert "repeated" in refusal.fault  # noqa: PT017 - either end is right


@pytest.mark.parametrize("name", ["Asia/Shanghai", "Europe/Berlin", "UTC"])
def test_reads_a_zone(name: str) -> None:
    """An IANA name is a zone."""
    assert read_zone(name, "timezone").key == name


@pytest.mark.parametrize(
    "name", ["", "Mars/Phobos", "Asia", "../etc/passwd", "/etc/localtime", "a\0b", "x" * 300, None, 8]
)
def test_refuses_what_is_no_zone(name: object) -> None:
    """Unknown names, directories, paths and other types are refused under the field's name."""
    with pytest.raises(InvalidMoment, match=r"^zone is not a time zone: give an IANA name"):
        read_zone(name, "zone")


PLANNED = utc(2026, 12, 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, PLANNED + DEFAULT_LIFE),
        (timedelta(minutes=30), PLANNED + timedelta(minutes=30)),
        ("2026-12-01 08:00:01", PLANNED + timedelta(seconds=1)),
        (PLANNED + timedelta(days=9), PLANNED + timedelta(days=9)),
    ],
)
def test_reads_a_deadline(value: object, expected: datetime) -> None:
    """A deadline is 48 hours after the planned moment, a span after it, or a moment of its own."""
    assert read_deadline(value, PLANNED, SHANGHAI) == expected


@pytest.mark.parametrize(
    "value",
    [
        "2026-12-01 08:00:00",
        PLANNED,
        timedelta(0),
        timedelta(seconds=-1),
        timedelta.max,
        timedelta.min,
        timedelta(days=365 * 200),
        48,
        "",
    ],
)
def test_refuses_a_deadline_that_leaves_no_time(value: object) -> None:
    """A deadline must lie after the planned moment, within the calendar, and be readable."""
    with pytest.raises(InvalidMoment, match=r"^expires "):
        read_deadline(value, PLANNED, SHANGHAI)


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        (SHANGHAI, utc(2026, 12, 1, 15, 59, 59), utc(2026, 12, 1, 16)),
        (SHANGHAI, utc(2026, 12, 1, 16), utc(2026, 12, 2, 16)),
        (BERLIN, utc(2026, 3, 28, 23), utc(2026, 3, 29, 22)),
        (BERLIN, utc(2026, 10, 24, 22), utc(2026, 10, 25, 23)),
        # Havana skips 00:00 on 2026-03-08 and has it twice on 2026-11-01.
        (ZoneInfo("America/Havana"), utc(2026, 3, 8, 4), utc(2026, 3, 8, 5)),
        (ZoneInfo("America/Havana"), utc(2026, 11, 1, 3), utc(2026, 11, 1, 4)),
        (ZoneInfo("America/Havana"), utc(2026, 11, 1, 5, 30), utc(2026, 11, 2, 5)),
    ],
)
def test_finds_the_next_midnight(zone: ZoneInfo, moment: datetime, expected: datetime) -> None:
    """A day ends at the zone's next 00:00, however long the day is."""
    assert next_midnight(moment, zone) == expected


@given(MOMENTS, ZONES)
def test_the_next_midnight_begins_the_next_date(moment: datetime, zone: ZoneInfo) -> None:
    """The next midnight is the first instant of the following date, within 25 hours, in UTC."""
    midnight = next_midnight(moment, zone)
    assert timedelta(0) < midnight - moment <= timedelta(hours=25)
    assert midnight.astimezone(zone).date() == moment.astimezone(zone).date() + timedelta(days=1)
    just_before = midnight - timedelta(microseconds=1)
    assert just_before.astimezone(zone).date() == moment.astimezone(zone).date()
    assert midnight.tzinfo is UTC


@given(MOMENTS, ZONES)
def test_the_next_minute_begins_a_clock_minute(moment: datetime, zone: ZoneInfo) -> None:
    """The next minute is a whole one, later than the moment and at most a minute away, in UTC."""
    minute = next_minute(moment.astimezone(zone))
    assert (minute.second, minute.microsecond, minute.tzinfo) == (0, 0, UTC)
    assert timedelta(0) < minute - moment <= timedelta(minutes=1)


@pytest.mark.parametrize(
    ("moment", "share", "expected"),
    [
        (utc(2026, 11, 30, 17, 59), 0.0, utc(2026, 11, 29, 18)),
        (utc(2026, 11, 30, 18), 0.0, utc(2026, 11, 30, 18)),
        (utc(2026, 11, 30, 19, 29), 0.5, utc(2026, 11, 29, 19, 30)),
        (utc(2026, 12, 1, 15), 1.0, utc(2026, 11, 30, 21)),
    ],
)
def test_the_last_night_is_the_latest_that_has_come(moment: datetime, share: float, expected: datetime) -> None:
    """An hour of the night lies between 02:00 and 05:00 in Shanghai, and the latest one is never yet to come."""
    assert last_night(moment, share) == expected


@given(MOMENTS, st.floats(0, 1))
def test_a_night_comes_once_a_day(moment: datetime, share: float) -> None:
    """The latest night is less than a day ago, and the same until the next."""
    night = last_night(moment, share)
    assert timedelta(0) <= moment - night < timedelta(days=1)
    assert last_night(night, share) == night
    assert last_night(night + timedelta(days=1) - timedelta(microseconds=1), share) == night


def test_the_month_is_shanghai_s() -> None:
    """A month begins at midnight in Shanghai, eight hours before UTC's."""
    assert month_in_shanghai(utc(2026, 11, 30, 15, 59)) == date(2026, 11, 1)
    assert month_in_shanghai(utc(2026, 11, 30, 16)) == date(2026, 12, 1)
