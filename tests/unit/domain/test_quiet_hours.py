"""Quiet hours: which moments they hold, and when each of these ends, with the clock changes of Berlin."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushjobs.domain.moment import SHANGHAI, read_quiet_hours
from pushjobs.errors import InvalidMoment

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.datetimes(datetime(2020, 1, 2), datetime(2040, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive by contract
SPANS = st.tuples(st.integers(0, 23), st.integers(0, 59), st.integers(0, 23), st.integers(0, 59)).filter(
    lambda span: span[:2] != span[2:]
)


def local(*parts: int, zone: ZoneInfo = SHANGHAI, fold: int = 0) -> datetime:
    """A local time of a zone."""
    return datetime(*parts, tzinfo=zone, fold=fold)  # type: ignore[misc, arg-type] # the parts stop before tzinfo


@pytest.mark.parametrize(
    ("span", "moment", "ends"),
    [
        ("22:00-08:00", local(2026, 12, 1, 21, 59), None),
        ("22:00-08:00", local(2026, 12, 1, 22), local(2026, 12, 2, 8)),
        ("22:00-08:00", local(2026, 12, 1, 23, 59), local(2026, 12, 2, 8)),
        ("22:00-08:00", local(2026, 12, 2), local(2026, 12, 2, 8)),
        ("22:00-08:00", local(2026, 12, 2, 7, 59), local(2026, 12, 2, 8)),
        ("22:00-08:00", local(2026, 12, 2, 8), None),
        ("12:30-14:00", local(2026, 12, 1, 12, 29), None),
        ("12:30-14:00", local(2026, 12, 1, 12, 30), local(2026, 12, 1, 14)),
        ("12:30-14:00", local(2026, 12, 1, 14), None),
        ("22:00-08:00", local(2026, 12, 31, 23), local(2027, 1, 1, 8)),
        ("23:00-00:00", local(2026, 12, 1, 23, 30), local(2026, 12, 2)),
    ],
)
def test_quiet_hours_hold_what_falls_into_them(span: str, moment: datetime, ends: datetime | None) -> None:
    """From their beginning up to their end, over midnight too, each moment is held until the next end."""
    assert read_quiet_hours(span, "quiet_hours").end_after(moment.astimezone(UTC), SHANGHAI) == ends


@pytest.mark.parametrize(
    ("span", "moment", "ends"),
    [
        # 2026-03-29: 02:00 becomes 03:00. The night is an hour shorter; a skipped end is the change itself.
        ("22:00-08:00", local(2026, 3, 28, 23, zone=BERLIN), datetime(2026, 3, 29, 6, tzinfo=UTC)),
        ("22:00-02:30", local(2026, 3, 29, 1, 59, zone=BERLIN), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        # 2026-10-25: 03:00 becomes 02:00. What ends at 02:30 ends the first time, and does not begin anew.
        ("22:00-02:30", local(2026, 10, 25, 2, 10, zone=BERLIN), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("22:00-02:30", local(2026, 10, 25, 2, 10, zone=BERLIN, fold=1), None),
        ("22:00-08:00", local(2026, 10, 24, 23, zone=BERLIN), datetime(2026, 10, 25, 7, tzinfo=UTC)),
    ],
)
def test_clock_changes_move_the_end(span: str, moment: datetime, ends: datetime | None) -> None:
    """The end is a time of day in the app's zone, whatever happened to the clock that night."""
    assert read_quiet_hours(span, "quiet_hours").end_after(moment.astimezone(UTC), BERLIN) == ends


@given(SPANS, MOMENTS, st.sampled_from([SHANGHAI, BERLIN]))
def test_an_end_always_lies_ahead(span: tuple[int, int, int, int], moment: datetime, zone: ZoneInfo) -> None:
    """A job that is held is held until later, and by then the hours that held it are over."""
    quiet = read_quiet_hours("{:02}:{:02}-{:02}:{:02}".format(*span), "quiet_hours")
    ends = quiet.end_after(moment, zone)
    if ends is not None:
        assert 0 < (ends - moment).total_seconds() <= 25 * 3600
        again = quiet.end_after(ends, zone)
        # Only where the clock skips their end do they hold on, for the rest of the hour that was skipped.
        assert again is None or (again - ends).total_seconds() < 3600


@pytest.mark.parametrize("value", ["", "22:00", "22:00-22:00", "24:00-08:00", "22:60-08:00", "22-8", "22:00–08:00"])
def test_what_is_no_span_is_refused(value: str) -> None:
    """Hours that do not exist, or that hold nothing or everything, are refused with the rule."""
    with pytest.raises(InvalidMoment, match="22:00-08:00"):
        read_quiet_hours(value, "quiet_hours")
