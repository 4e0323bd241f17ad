"""Reading points in time: what a caller writes as `time` becomes one moment, or is refused.

Inside pushjobs every moment is an aware `datetime` in UTC; zones exist only here, where text comes in and where a day
or a minute ends. Nothing is guessed: a naive `datetime`, a bare number, or a local time that a clock change skips or
repeats has more than one reading, and a message sent an hour early cannot be called back.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from pushjobs.domain.job import DEFAULT_LIFE
from pushjobs.errors import InvalidMoment

__all__ = [
    "SHANGHAI",
    "QuietHours",
    "last_night",
    "month_in_shanghai",
    "next_day_at",
    "next_midnight",
    "next_minute",
    "quota_day",
    "read_deadline",
    "read_moment",
    "read_quiet_hours",
    "read_span",
    "read_zone",
]

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""WeChat's own zone: its daily allowances begin anew at 00:00 there."""

_NIGHT_BEGINS, _NIGHT_LASTS = timedelta(hours=2), timedelta(hours=3)
_FIRST_YEAR, _LAST_YEAR = 2000, 2200

# Narrower than `datetime.fromisoformat`, which also takes week dates, bare dates and, from Python 3.13, an hour 24.
_WRITTEN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T](?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def read_moment(value: object, zone: ZoneInfo, *, field: str = "time", beside: str = "") -> datetime:
    """Read a moment from a text or an aware `datetime`; the result is in UTC.

    A text without an offset ("2026-12-01 08:00:00", seconds optional, T for the blank allowed) is a local time in
    `zone`; with an offset or Z it is ISO 8601. Raises `InvalidMoment` for anything else, for years before 2000 or
    after 2200, and for a local time that does not exist or exists twice in `zone`; the message names both readings.
    `beside`: what else the caller reads, for the message about what is none of these.
    """
    return _read_text(value, zone, field, beside) if isinstance(value, str) else _located(value, zone, field, beside)


@lru_cache(maxsize=1024)
def _read_text(value: str, zone: ZoneInfo, field: str, beside: str) -> datetime:
    """Read a text; of many jobs asked for at once, most are for one and the same moment."""
    return _located(value, zone, field, beside)


def _located(value: object, zone: ZoneInfo, field: str, beside: str) -> datetime:
    moment = _read(value, zone, field, beside)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise InvalidMoment(field, f"lies in the year {moment.year}", f"give a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    return moment.astimezone(UTC) if moment.tzinfo else _locate(moment, zone, field)


def read_zone(name: object, field: str) -> ZoneInfo:
    """Read a time zone from its IANA name; raises `InvalidMoment` if there is no such zone."""
    try:
        if isinstance(name, str):
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # unknown; malformed; a directory of the database ("Asia")
        pass
    raise InvalidMoment(field, "is not a time zone", "give an IANA name such as Asia/Shanghai")


def read_deadline(value: object, planned: datetime, zone: ZoneInfo) -> datetime:
    """Read `expires`: a moment, a `timedelta` after the planned moment, or None for the default life of 48 hours.

    Raises `InvalidMoment` if it cannot be read or does not lie after the planned moment.
    """
    if value is None:
        return planned + DEFAULT_LIFE
    deadline = _after(planned, value) if isinstance(value, timedelta) else read_moment(value, zone, field="expires")
    if deadline <= planned:
        raise InvalidMoment("expires", "does not lie after time", "give a later moment, or leave it out for 48 hours")
    return deadline


def read_span(value: object, field: str, *, shortest: timedelta, longest: timedelta) -> timedelta:
    """Read a span of time: a `timedelta`, or a text such as "90s", "30m", "2h" or "1d"; raises `InvalidMoment`."""
    span = value if isinstance(value, timedelta) else _read_span(value)
    if span is None:
        raise InvalidMoment(field, "is no span of time", 'write "90s", "30m", "2h" or "1d", or give a timedelta')
    if not shortest <= span <= longest:
        rule = f"give {_written_span(shortest)} to {_written_span(longest)}"
        raise InvalidMoment(field, "is too long" if span > longest else "is too short", rule)
    return span


def next_midnight(moment: datetime, zone: ZoneInfo) -> datetime:
    """Find the next beginning of a day in `zone`, in UTC; where a clock change skips 00:00, the day begins with it."""
    tomorrow = moment.astimezone(zone).date() + timedelta(days=1)
    # fold=0 is right twice: of a repeated 00:00 it is the first, and of a skipped one the instant of the change.
    return datetime.combine(tomorrow, time.min, tzinfo=zone).astimezone(UTC)


def next_minute(moment: datetime) -> datetime:
    """Find the next beginning of a clock minute, in UTC."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)


def quota_day(moment: datetime, zone: ZoneInfo) -> date:
    """Return the day a call at this moment counts for: days end at midnight in the app's zone."""
    return moment.astimezone(zone).date()


def next_day_at(moment: datetime, zone: ZoneInfo, hour: int) -> datetime:
    """Find the next day's beginning at an hour (0 to 23) in `zone`, in UTC; a skipped hour begins with the change."""
    tomorrow = moment.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(hour), tzinfo=zone).astimezone(UTC)


def last_night(moment: datetime, share: float) -> datetime:
    """Find the latest moment a share (0 to 1) of the way from 02:00 to 05:00 in Shanghai, in UTC."""
    night = _NIGHT_BEGINS + share * _NIGHT_LASTS
    latest = datetime.combine(moment.astimezone(SHANGHAI).date(), time(), tzinfo=SHANGHAI) + night
    return (latest if latest <= moment else latest - timedelta(days=1)).astimezone(UTC)


def month_in_shanghai(moment: datetime) -> date:
    """Return the first day of the month, as WeChat counts."""
    return moment.astimezone(SHANGHAI).date().replace(day=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """Hours of the day in which bulk jobs wait; `begin` may lie after `end`, and then they last over midnight."""

    begin: time
    end: time

    def end_after(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """Return when the quiet hours that hold this moment end, in UTC; None when none do."""
        local = moment.astimezone(zone)
        now = local.time()
        is_over_midnight = self.begin > self.end
        is_quiet = (now >= self.begin or now < self.end) if is_over_midnight else self.begin <= now < self.end
        if not is_quiet:
            return None
        ends_tomorrow = is_over_midnight and now >= self.begin
        day = local.date() + timedelta(days=int(ends_tomorrow))
        ends = datetime.combine(day, self.end, tzinfo=zone).astimezone(UTC)
        # In an hour that a clock change repeats, they have ended the first time.
        return ends if ends > moment else None


_QUIET_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


def read_quiet_hours(value: str, field: str) -> QuietHours:
    """Read quiet hours such as "22:00-08:00"; raises `InvalidMoment` for anything else and for an empty span."""
    written = _QUIET_HOURS.fullmatch(value)
    if written is None or written.group(1, 2) == written.group(3, 4):
        raise InvalidMoment(field, "is no span of hours", 'write two times of day, such as "22:00-08:00"')
    begin_hour, begin_minute, end_hour, end_minute = map(int, written.groups())
    return QuietHours(begin=time(begin_hour, begin_minute), end=time(end_hour, end_minute))


_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SPAN = re.compile(r"([0-9]{1,6})([smhd])")


def _read_span(value: object) -> timedelta | None:
    written = _SPAN.fullmatch(value) if isinstance(value, str) else None
    return None if written is None else int(written[1]) * _UNITS[written[2]]


def _written_span(span: timedelta) -> str:
    unit = next((unit for unit in reversed(_UNITS) if not span % _UNITS[unit]), "s")
    return f"{span // _UNITS[unit]}{unit}"


def _read(value: object, zone: ZoneInfo, field: str, beside: str) -> datetime:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise InvalidMoment(field, "is a datetime without a time zone", "give it one, such as tzinfo=UTC")
        return value
    if isinstance(value, str) and _WRITTEN.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise InvalidMoment(field, f"does not exist ({error})", "give a date of the calendar") from None
    others = beside and f"{beside}, "
    raise InvalidMoment(
        field,
        "cannot be read" if isinstance(value, str) else f"is neither a text nor a datetime ({type(value).__name__})",
        f'write {others}"2026-12-01 08:00:00" for that time in {zone.key}, or ISO 8601 with an offset',
    )


def _locate(local: datetime, zone: ZoneInfo, field: str) -> datetime:
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    # Of a skipped time, fold 0 is the later reading; back in the zone both become times that exist.
    readings = (each.astimezone(zone).isoformat() for each in sorted((first, second)))
    raise InvalidMoment(
        field,
        f"is {'skipped' if second < first else 'repeated'} by a clock change in {zone.key}",
        f"write {' or '.join(readings)}",
    )


def _after(planned: datetime, life: timedelta) -> datetime:
    try:
        deadline = planned + life
    except OverflowError:
        deadline = None
    if deadline is None or deadline.year > _LAST_YEAR:
        raise InvalidMoment("expires", "lies too far away", f"give a year up to {_LAST_YEAR}")
    return deadline
