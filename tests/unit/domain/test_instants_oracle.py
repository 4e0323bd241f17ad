"""Campaign instants compared with cronsim's, over every behaviour that clocks have from 2020 to 2035.

cronsim follows Debian's cron, whose manual (cron(8), Notes) says: local time changes of less than three hours are
handled specially; of jobs that run at a specific time, those that fall into a skipped interval run immediately after
it, and care is taken that those in a repeated one do not run twice; jobs that run more often are scheduled normally.

Where it differs by design, the question is put to it in other words (`ask`), and its answer is read so:

- It takes a job for a frequent one if the minute *or* the hour begins with `*` (its README; Debian's cron does); here
  the hour alone decides, as said in `pushjobs.domain.instants`. So the minute of a fixed hour is written as a range.
- It has no `?`, no ranges that wrap and no `L5` (but `5L`). It has no `15W` either: that is tested by hand.
- Several skipped times, or a skipped one and a real one, may fall on one moment; it then names it several times.
- It looks for elapsed hours in steps of sixty minutes, and steps over some where a clock changes by half an hour (Lord
  Howe) or not on the hour (Casey): frequent jobs there are compared with the local time of every minute (`walk`).
"""

import os
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle, islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim

from pushjobs.domain.instants import read_cron

FULL = os.environ.get("PUSHJOBS_TEST_FULL") == "1"
BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
LEAP_DAY = datetime(2024, 2, 28, 17, 30, tzinfo=UTC)
WEEK, DAY, HOUR = timedelta(days=7), timedelta(days=1), timedelta(hours=1)
MINUTE, SECOND, MARGIN = timedelta(minutes=1), timedelta(seconds=1), timedelta(hours=3)

PICKED = """
0 0 * * *|30 0 * * *|59 23 * * *|0 1 * * *|30 1 * * *|0 2 * * *|30 2 * * *|0 3 * * *|15 2 * * *|45 1 * * *|1 0 * * *
0,30 2 * * *|0,30 1 * * *|*/15 2 * * *|* 2 * * *|* 1 * * *|* 0 * * *|*/10 1-3 * * *|*/20 0 * * *|5/20 23 * * *
0 * * * *|30 * * * *|*/5 * * * *|* * * * *|*/7 * * * *|0 */2 * * *|30 */2 * * *|0 */3 * * *|15 */4 * * *|*/30 */2 * * *
0 *,5 * * *|0 5,* * * *|0 0-23 * * *|0 0-23/2 * * *|0 1/2 * * *|0 22-2 * * *|30 23-3 * * *|10,40 */6 * * *|0-59 * * * *
0 8 * * 1-5|0 2 * * 0|30 1 * * sun|0 0 * * 6-1|0 0 * * 0-7|0 0 * * 5-7|30 2 * * 1-7/2|0 0 1 * *|0 2 L * *|0 2 15,L * *
0 2 1 */3 *|30 2 25-31 3,10 *|0 2 25-31 3 sun|0 0 1,15 * 5|0 2 * 3,4,9-11 *|0 0 * * L0|30 2 * * L7|0 2 * * sun#1
30 1 * * sun#2|0 2 * * 0#4|0 0 ? * 1|0 0 1 * ?|0 0 29 2 *|0 0 31 * *|0 12 31 12 *|0 0 30,31 * *|0 0 1-31/2 * 1
0 2 * jan-jun,sep-nov sun,mon|30 3 * apr-mar *|*/15 0 * * *|0 0,12 * * *|0 0,1,2,3 * * *|30 0-3 * * *|@daily|@hourly
@weekly|@monthly|@yearly
"""


def pick(chance: random.Random, low: int, high: int) -> str:
    """Write a field's values in one of the ways there are."""
    first, last = sorted(chance.sample(range(low, high + 1), 2))
    return chance.choice(
        [
            str(first),
            str(last),
            f"{first},{last}",
            f"{first}-{last}",
            f"{last}-{first}",
            f"{first}-{last}/{chance.randint(1, 5)}",
            f"{first}/{chance.randint(2, 9)}",
            f"*/{chance.randint(1, high)}",
            "*",
        ]
    )


def generate(chance: random.Random) -> Iterator[str]:
    """Write expressions for ever; most name every day, and hours of the night, when clocks change."""
    while True:
        minute = pick(chance, 0, 59)
        hour = chance.choice([str(chance.randint(0, 3)), pick(chance, 0, 4), pick(chance, 0, 23)])
        day = pick(chance, 1, 28).removeprefix("*/") if chance.random() < 0.2 else "*"
        weekday = pick(chance, 0, 6).removeprefix("*/") if chance.random() < 0.2 else "*"
        month = pick(chance, 1, 12) if chance.random() < 0.2 else "*"
        yield f"{minute} {hour} {day} {month} {weekday}"


CHANCE = random.Random(6)  # noqa: S311 - the same expressions each time
EXPRESSIONS = list(dict.fromkeys((*PICKED.replace("\n", "|").strip("|").split("|"), *islice(generate(CHANCE), 200))))
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}


def ask(expression: str, start: datetime) -> CronSim:
    """Put an expression to cronsim in words that mean there what they mean here."""
    minute, hour, *days = NICKNAMES.get(expression, expression).split()
    if minute.startswith("*") and not hour.startswith("*"):
        minute = minute.replace("*", "0-59")
    bounds = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    fields = [
        ",".join(unwrap(item, *bound) for item in field.replace("?", "*").split(","))
        for field, bound in zip((minute, hour, *days), bounds, strict=True)
    ]
    return CronSim(" ".join(fields), start)


def is_frequent(expression: str) -> bool:
    return NICKNAMES.get(expression, expression).split()[1].startswith("*")


def unwrap(item: str, low: int, high: int) -> str:
    """Write a range that wraps as two, and the last weekday of a month as cronsim has it."""
    if item.startswith("L") and len(item) == len("L5"):
        return f"{item[1]}L"
    names = {"apr": 4, "mar": 3, "jan": 1, "jun": 6, "sep": 9, "nov": 11}
    first, dash, last = (str(names.get(end, end)) for end in item.partition("-"))
    is_wrapping = dash and last.isdecimal() and int(first) > int(last)
    return f"{first}-{high},{low}-{last}" if is_wrapping else item


read = cache(read_cron)


def expected(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Find cronsim's moments after `start` and before `end`, each once."""
    fires = (each.astimezone(UTC) for each in ask(expression, start.astimezone(zone) - MARGIN))
    return sorted({each for each in takewhile(lambda each: each < end, fires) if each > start})


def walk(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Find the minutes after `start` and before `end` whose local time is one that cronsim finds without a zone."""
    first, last = (each.astimezone(zone).replace(tzinfo=None) for each in (start - DAY, end + DAY))
    named = set(takewhile(lambda each: each < last, ask(expression, first)))
    minutes = (start + minute * MINUTE for minute in range(1, int((end - start) / MINUTE)))
    return [each for each in minutes if each.astimezone(zone).replace(tzinfo=None) in named]


def found(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    instants = (each.moment for each in read(expression, zone).after(start))
    return list(takewhile(lambda each: each < end, instants))


def offset_at(zone: ZoneInfo, moment: datetime) -> timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


@cache
def changes(zone: ZoneInfo) -> tuple[tuple[datetime, timedelta], ...]:
    """Find a zone's clock changes of 2020 to 2035, each with the offset after it; before them, how 2020 begins."""
    moment, offset = BEGIN, offset_at(zone, BEGIN)
    result = [(moment, offset)]
    while moment < END:
        # No clock changes twice in a week.
        before, moment = moment, moment + WEEK
        if offset_at(zone, moment) != offset:
            late = moment
            while late - before > SECOND:
                middle = before + (late - before) // SECOND // 2 * SECOND
                before, late = (middle, late) if offset_at(zone, middle) == offset else (before, middle)
            offset = offset_at(zone, moment)
            result.append((late, offset))
    return tuple(result)


def is_by_the_hour(zone: ZoneInfo, change: datetime) -> bool:
    """Tell whether the clock changes on the hour and by hours."""
    before, after = (offset_at(zone, each) for each in (change - SECOND, change))
    shown = change.astimezone(zone)
    return not (after - before) % HOUR and not shown.minute


def plan() -> Iterator[tuple[ZoneInfo, datetime, Iterable[str]]]:
    """Choose which expressions are compared around which clock changes of which zones.

    Reduced: two changes of one zone for each row of changes, each with the next few expressions, so that every one has
    its turns. In full: all changes of all zones so, and each kind of change (from which offset to which, at what time)
    once with every expression.
    """
    turns = cycle(EXPRESSIONS)
    known: set[object] = set()
    kinds: set[object] = set()
    for zone in map(ZoneInfo, sorted(available_timezones())):
        is_new = changes(zone) not in known
        known.add(changes(zone))
        if not (is_new or FULL):
            continue
        its_changes = [change for change, _ in changes(zone)[1:]] or [BEGIN + 200 * DAY]
        for change in its_changes if FULL else its_changes[-2:]:
            kind = (offset_at(zone, change - SECOND), offset_at(zone, change), change.time())
            yield zone, change, EXPRESSIONS if FULL and kind not in kinds else list(islice(turns, 7))
            kinds.add(kind)
    assert len(known) > 70  # 83 with the zones of 2026


@pytest.mark.timeout(3600)
def test_clock_changes_do_what_they_do_to_debian_s_cron() -> None:
    """Around the clock changes of 2020 to 2035, each zone's instants are those that cronsim finds."""
    differing, compared, fired = [], 0, 0
    for zone, change, expressions in plan():
        start, end = change - MARGIN * 2, change + MARGIN * 2
        is_simple = is_by_the_hour(zone, change)
        for expression in expressions:
            oracle = expected if is_simple or not is_frequent(expression) else walk
            due = oracle(expression, zone, start, end)
            compared, fired = compared + 1, fired + bool(due)
            if found(expression, zone, start, end) != due:
                differing.append((zone.key, change.isoformat(), expression))
    assert differing == []
    assert fired > compared / 3


@pytest.mark.parametrize("zone", [ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")], ids=str)
def test_days_are_those_of_debian_s_cron(zone: ZoneInfo) -> None:
    """From the same moment on, every expression has the instants that cronsim finds, rare ones decades ahead."""
    for expression in EXPRESSIONS:
        instants = [each.moment for each in islice(read_cron(expression, zone).after(LEAP_DAY), 15)]
        assert instants == expected(expression, zone, LEAP_DAY, instants[-1] + SECOND), expression
