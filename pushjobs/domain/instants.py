"""When a campaign runs: a cron expression in a zone becomes moments.

croniter reads the expression and finds its days. What a clock change does to an hour is decided here, much as Debian's
cron does (cron(8)), and `Instant.note` says so: croniter itself fires a fixed 02:30 twice on a night that has it twice.

- A fixed hour (`30 2 * * *`) fires once a day. Where its local time is skipped it fires at the first instant after the
  gap, where it is repeated the first time only.
- An hour that begins with `*` (`0 * * * *`, `0 */2 * * *`) follows elapsed time: it fires at every instant whose local
  time it names, in both of a repeated pair, and never for one that is skipped.

Nothing is guessed: what crons read in more than one way is refused, and so is what croniter reads as nobody would.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, CroniterError, croniter

from pushjobs.errors import InvalidInput

__all__ = ["ClockChange", "Cron", "Effect", "Instant", "read_cron"]

_LONGEST = 100
_LAST_YEAR = 2200
# Any would do: the rarest day (a 29 February on a given weekday) is forty years off at most, and croniter looks fifty
# years ahead.
_LONG_AGO = datetime(2000, 1, 1)  # noqa: DTZ001 - a local time, as all that croniter sees
_MINUTE, _HOUR, _DAY, _SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)

_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = (
    ("minute", "a minute is 0 to 59"),
    ("hour", "an hour is 0 to 23"),
    ("day of the month", "a day of the month is 1 to 31, L for the last, 15W for the weekday nearest to the 15th"),
    ("month", "a month is 1 to 12 or jan to dec"),
    ("day of the week", "a day of the week is 0 to 7 or sun to sat, fri#2 for the second Friday, L5 for the last"),
)
_SHAPE = f'write minute, hour, day of the month, month, day of the week ("0 8 * * 1-5"), or {", ".join(_NICKNAMES)}'
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NUMBERS = {name: str(number) for number, name in (*enumerate(_MONTH_NAMES, start=1), *enumerate(_WEEKDAY_NAMES))}

# croniter's two words for chance: R draws anew at each reading, H hashes a name that we do not give.
_CHANCE = re.compile(r"[hr](\(.*)?(/.*)?")
_NTH_WEEKDAY = re.compile(r"#|l[0-7]")


class Effect(StrEnum):
    """What a clock change did to a local time."""

    SKIPPED = "skipped"
    """There is no such time that day: it fires after the gap."""
    REPEATED = "repeated"
    """The clocks show it twice: it fires the first time only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """Why an instant is not simply the local time it was meant for; as text, the words for a preview.

    `effect`: what the clocks do. `meant`: those local times, without a zone, rising; several where all were skipped by
    one change. `fires`: the local time at which they fire, once.
    """

    effect: Effect
    meant: tuple[datetime, ...]
    fires: datetime

    def __str__(self) -> str:
        """Say what happens: "02:30 skipped by a clock change: fires at 03:00"."""
        written = "%H:%M" if all(each.date() == self.fires.date() for each in self.meant) else "%Y-%m-%d %H:%M"
        first, last, fires = (f"{each:{written}}" for each in (self.meant[0], self.meant[-1], self.fires))
        if self.effect is Effect.REPEATED:
            return f"{first} repeated by a clock change: fires the first time only"
        if len(self.meant) == 1:
            return f"{first} skipped by a clock change: fires at {fires}"
        return f"{first} to {last} ({len(self.meant)} times) skipped by a clock change: fires once, at {fires}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """One moment at which an expression fires: `moment` in UTC, `local` in its zone, and what a clock change did.

    `note` is None where the clocks have nothing to do with it.

    Compare `moment`s: Python holds a local time that is repeated to be unequal to the same moment in another zone.
    """

    moment: datetime
    local: datetime
    note: ClockChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A cron expression in a zone, read by `read_cron`."""

    expression: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> Iterator[Instant]:
        """Find the instants strictly after an aware moment, rising, each once, as they are asked for.

        There is no end to them but the year 2200.
        """
        pattern = _Pattern.read(self.expression)
        # Local hours come one after another. Where the clock goes back from one into the one before, their instants
        # mingle: none is given away before every earlier one has been found.
        found: dict[datetime, list[tuple[Effect, datetime]]] = {}
        # A day back: where the clock goes back over midnight, yesterday's times may yet come a second time.
        for hour in pattern.hours_from(moment.astimezone(self.zone).replace(tzinfo=None) - _DAY):
            if max(self._readings(hour + _HOUR)) <= moment:
                continue
            for instant, local, effect in self._find(hour, pattern):
                if instant > moment:
                    found.setdefault(instant, []).extend([(effect, local)] if effect else [])
            complete = self._first(hour + _HOUR)
            for instant in sorted(each for each in found if each < complete):
                yield self._describe(instant, found.pop(instant))
        for instant in sorted(found):
            yield self._describe(instant, found[instant])

    def _find(self, hour: datetime, pattern: "_Pattern") -> Iterator[tuple[datetime, datetime, Effect | None]]:
        """Find an hour's instants, each with the local time it was meant for; they may rise and fall, and repeat."""
        begins, ends = self._readings(hour), self._readings(hour + _HOUR)
        is_plain = ends[0] == ends[1] == begins[0] + _HOUR
        for minute in pattern.minutes:
            local = hour.replace(minute=minute)
            if is_plain:
                yield begins[0] + timedelta(minutes=minute), local, None
                continue
            first, second = self._readings(local)
            if first > second:
                if not pattern.is_elapsed:
                    yield self._first(local), local, Effect.SKIPPED
            elif first == second or pattern.is_elapsed:
                yield first, local, None
                yield second, local, None
            else:
                yield first, local, Effect.REPEATED

    def _readings(self, local: datetime) -> tuple[datetime, datetime]:
        """Read a local time by the offset before a clock change and by the one after: alike but for times near it."""
        first, second = (local.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return first, second

    def _first(self, local: datetime) -> datetime:
        """Find the first instant that is as late as a local time: where that is skipped, the moment of the change."""
        first, second = self._readings(local)
        if first <= second:
            return first
        # The change lies between: the old offset makes of a skipped time an instant after it, the new one before it.
        too_early, late_enough = second, first
        while late_enough - too_early > _SECOND:
            middle = too_early + (late_enough - too_early) // _SECOND // 2 * _SECOND
            if middle.astimezone(self.zone).replace(tzinfo=None) < local:
                too_early = middle
            else:
                late_enough = middle
        return late_enough

    def _describe(self, instant: datetime, changes: list[tuple[Effect, datetime]]) -> Instant:
        local = instant.astimezone(self.zone)
        if not changes:
            return Instant(moment=instant, local=local)
        effect, meant = changes[0][0], tuple(each for _, each in changes)
        fires = local.replace(tzinfo=None, fold=0)
        return Instant(moment=instant, local=local, note=ClockChange(effect=effect, meant=meant, fires=fires))


def read_cron(expression: object, zone: ZoneInfo, field: str = "cron") -> Cron:
    """Read a cron expression: five fields as in crontab(5), or a nickname such as `@daily`.

    What croniter reads: lists, steps, names, ranges that wrap (`22-2`), `L`, `15W`, `fri#2`, `L5`, and `?` for `*` in a
    field of days. A day of the month and a day of the week that are both given are alternatives.

    Raises `InvalidInput` for anything else, for what never fires (`0 0 30 2 *`), for chance (`R`, `H`), and for what
    has more than one reading: a range from a value to itself (croniter takes `8-8` for every hour), a step over a range
    that wraps (`22-4/3`, where croniter errs), and two fields of days of which one begins with `*` (Vixie's cron wants
    both to match, croniter either) or picks a day within the month (croniter then drops the other).
    """
    if not isinstance(expression, str):
        raise InvalidInput(field, f"is no text ({type(expression).__name__})", _SHAPE)
    if len(expression) > _LONGEST:
        raise InvalidInput(field, f"is {len(expression)} characters long", f"it has at most {_LONGEST} characters")
    fields = _split(expression)
    if len(fields) != len(_FIELDS):
        raise InvalidInput(field, f"has {len(fields)} fields where five are wanted", _SHAPE)
    for position, text in enumerate(fields):
        _refuse_chance(text, _FIELDS[position][0], field)
        _refuse_unreadable(text, position, field)
        _refuse_ambiguous(text, _FIELDS[position][0], field)
    _refuse_ambiguous_days(fields[2], fields[4], field)
    cron = Cron(expression=" ".join(_WORD.findall(expression)), zone=zone)
    try:
        pattern = _Pattern.read(cron.expression)
    except CroniterError:  # each field can be read, but not all together
        raise InvalidInput(field, "cannot be read", _SHAPE) from None
    if next(pattern.hours_from(_LONG_AGO), None) is None:
        raise InvalidInput(field, "never fires", "name a day that some year has")
    return cron


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    """An expression taken apart: its days for croniter, the hours and minutes of such a day for us."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: str
    is_elapsed: bool

    @classmethod
    def read(cls, expression: str) -> "_Pattern":
        """Take apart what croniter can read; raises `CroniterError` for anything else."""
        _, hour, day, month, weekday = fields = _split(expression)
        expanded, _ = croniter.expand(" ".join(fields))
        return cls(
            minutes=tuple(range(60) if "*" in expanded[0] else sorted(map(int, expanded[0]))),
            hours=tuple(range(24) if "*" in expanded[1] else sorted(map(int, expanded[1]))),
            days=f"0 0 {day} {month} {weekday}",
            is_elapsed=hour.startswith("*"),
        )

    def hours_from(self, local: datetime) -> Iterator[datetime]:
        """Find the hours in which the expression names a minute, from a local time's day on, rising."""
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        days = croniter(self.days, midnight - _MINUTE, ret_type=datetime)
        while True:
            try:
                day: datetime = days.get_next()
            except CroniterBadDateError:
                return
            if day.year > _LAST_YEAR:
                return
            yield from (day.replace(hour=hour) for hour in self.hours)


_WORD = re.compile(r"\S+", re.ASCII)  # as croniter: an ideographic space parts nothing


def _split(expression: str) -> list[str]:
    words = _WORD.findall(expression.lower())
    return _NICKNAMES[words[0]].split() if len(words) == 1 and words[0] in _NICKNAMES else words


def _refuse_chance(text: str, name: str, field: str) -> None:
    if _CHANCE.fullmatch(text):
        fault = f"leaves its {name} to chance ({text!r})"
        raise InvalidInput(field, fault, "write values: a run is planned long before it is due, by whoever comes first")


def _refuse_unreadable(text: str, position: int, field: str) -> None:
    name, rule = _FIELDS[position]
    alone = ["*"] * len(_FIELDS)
    alone[position] = text
    try:
        croniter.expand(" ".join(alone))
    except CroniterError:
        rule = f"{rule}; lists (1,2), ranges (1-5), steps (*/5) and * for all are allowed"
        raise InvalidInput(field, f"has {text!r} for its {name}", rule) from None


def _refuse_ambiguous(text: str, name: str, field: str) -> None:
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, _, last = (_NUMBERS.get(end, end) for end in span.partition("#")[0].partition("-"))
        if not (first.isdecimal() and last.isdecimal()):
            continue
        low, high = int(first), int(last)
        fault = f"has {item!r} for its {name}, which crons read in different ways"
        if low == high or (name == "day of the week" and (low, high) == (7, 0)):
            raise InvalidInput(field, fault, "write the one value, or * for all")
        if low > high and step:
            raise InvalidInput(field, fault, "write the values one by one")


def _refuse_ambiguous_days(day: str, weekday: str, field: str) -> None:
    if {day, weekday} & {"*", "?"}:
        return
    fault = f"has {day!r} for its day of the month and {weekday!r} for its day of the week"
    if day.startswith("*") or weekday.startswith("*"):
        rule = "crons differ in whether both must match: write * for one of them, or a range in place of * (1-31/2)"
        raise InvalidInput(field, fault, rule)
    if "w" in day or _NTH_WEEKDAY.search(weekday):
        raise InvalidInput(
            field, fault, "where W, # or L5 picks the day, write * for the other: two rules, two campaigns"
        )
