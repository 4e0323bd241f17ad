"""Reading cron expressions: what they name, and what is refused and how."""

import pickle
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushjobs.domain.instants import Cron, read_cron
from pushjobs.errors import InvalidInput

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 8 * * 1-5", ["11-25 08:00", "11-26 08:00", "11-27 08:00", "11-30 08:00"]),
        ("0 8 * * MON", ["11-30 08:00", "12-07 08:00"]),
        ("30  7,20\t1 jan,Jul * ", ["01-01 07:30", "01-01 20:30", "07-01 07:30"]),
        ("50/5 8-9 * * *", ["11-25 08:50", "11-25 08:55", "11-25 09:50"]),
        ("0 22-1 * * *", ["11-24 22:00", "11-24 23:00", "11-25 00:00", "11-25 01:00", "11-25 22:00"]),
        ("0 8 1 * 1", ["11-30 08:00", "12-01 08:00", "12-07 08:00"]),
        ("0 8 1 * ?", ["12-01 08:00", "01-01 08:00"]),
        ("0 8 L * *", ["11-30 08:00", "12-31 08:00", "01-31 08:00", "02-28 08:00"]),
        ("0 8 15W * *", ["12-15 08:00", "01-15 08:00", "02-15 08:00", "03-15 08:00", "04-15 08:00", "05-14 08:00"]),
        ("0 8 * * fri#2", ["12-11 08:00", "01-08 08:00"]),
        ("0 8 * * L5", ["11-27 08:00", "12-25 08:00", "01-29 08:00"]),
        ("0 8 * * sat-sun", ["11-28 08:00", "11-29 08:00", "12-05 08:00"]),
        ("0 8 * * 0-7", ["11-25 08:00", "11-26 08:00"]),
        ("0 8 31 * *", ["12-31 08:00", "01-31 08:00", "03-31 08:00"]),
        ("0 8 29 2 *", ["02-29 08:00"]),
        ("* * * * *", ["11-24 20:31", "11-24 20:32"]),
        ("@hourly", ["11-24 21:00", "11-24 22:00"]),
        ("@Midnight", ["11-25 00:00", "11-26 00:00"]),
        ("@weekly", ["11-29 00:00", "12-06 00:00"]),
        ("@monthly", ["12-01 00:00", "01-01 00:00"]),
        ("@annually", ["01-01 00:00", "01-01 00:00"]),
    ],
)
def test_expressions(expression: str, expected: list[str]) -> None:
    """Lists, ranges, steps, names, last days, nth weekdays and nicknames mean what users of cron expect."""
    instants = read_cron(expression, SHANGHAI).after(datetime(2026, 11, 24, 20, 30, tzinfo=SHANGHAI))
    assert [f"{each.local:%m-%d %H:%M}" for each in islice(instants, len(expected))] == expected


SHAPE = r"write minute, hour, day of the month, month, day of the week \(.0 8 \* \* 1-5.\), or @hourly, @daily"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (None, rf"is no text \(NoneType\): {SHAPE}"),
        (8, rf"is no text \(int\): {SHAPE}"),
        ("", rf"has 0 fields where five are wanted: {SHAPE}"),
        ("0 8 * *", rf"has 4 fields where five are wanted: {SHAPE}"),
        ("0 0 8 * * *", rf"has 6 fields where five are wanted: {SHAPE}"),
        ("@reboot", rf"has 1 fields where five are wanted: {SHAPE}"),
        ("0 8\u3000* * *", "has 4 fields where five are wanted"),
        ("0" + " *" * 50, "is 101 characters long: it has at most 100 characters"),
        ("60 8 * * *", "has '60' for its minute: a minute is 0 to 59; lists"),
        ("0 24 * * *", "has '24' for its hour: an hour is 0 to 23; lists"),
        ("0 8 32 * *", "has '32' for its day of the month: a day of the month is 1 to 31, L"),
        ("0 8 * 13 *", "has '13' for its month: a month is 1 to 12 or jan to dec; lists"),
        ("0 8 * * 8", "has '8' for its day of the week: a day of the week is 0 to 7 or sun to sat"),
        ("0 8 * * fri#6", "has 'fri#6' for its day of the week: a day of the week is"),
        ("*/0 8 * * *", "has '\\*/0' for its minute: a minute is"),
        ("-1 8 * * *", "has '-1' for its minute: a minute is"),
        ("? 8 * * *", r"has '\?' for its minute: a minute is"),
        ("\x1b[2J 8 * * *", r"has '\\x1b\[2j' for its minute: a minute is"),
        ("٣ 8 * * *", "has '٣' for its minute: a minute is"),
        ("0 0 30 2 *", "never fires: name a day that some year has"),
        ("0 0 31 2,4,jun,9,11 *", "never fires: name a day that some year has"),
        ("R 8 * * *", r"leaves its minute to chance \('r'\): write values"),
        ("0 h(8-10) * * *", r"leaves its hour to chance \('h\(8-10\)'\): write values"),
        ("H/15 8 * * *", "leaves its minute to chance .*: write values"),
        (
            "0 8-8 * * *",
            "has '8-8' for its hour, which crons read in different ways: write the one value, or \\* for all",
        ),
        ("0 8 * jan-1 *", "has 'jan-1' for its month, which crons read in different ways: write the one value"),
        ("0 8 * * 1,fri-fri#2", "has 'fri-fri#2' for its day of the week, which|has '1,fri-fri#2' for its day"),
        ("0 8 * * 7-0", "has '7-0' for its day of the week, which crons read in different ways: write the one value"),
        (
            "0 22-4/3 * * *",
            "has '22-4/3' for its hour, which crons read in different ways: write the values one by one",
        ),
        (
            "0 8 */2 * 1",
            r"has '\*/2' for its day of the month and '1' for its day of the week: crons differ in whether",
        ),
        (
            "0 8 1 * */2",
            r"has '1' for its day of the month and '\*/2' for its day of the week: crons differ in whether",
        ),
        ("0 8 1 * fri#2", "has '1' for its day of the month and 'fri#2' .*: where W, # or L5 picks the day"),
        ("0 8 15W * 1", "has '15w' for its day of the month and '1' .*: where W, # or L5 picks the day"),
    ],
)
def test_refuses_what_is_no_expression(expression: object, message: str) -> None:
    """What cannot be read, never fires, is left to chance or has two readings is refused, with fault and rule."""
    with pytest.raises(InvalidInput, match=f"^cron {message}") as caught:
        read_cron(expression, SHANGHAI)
    assert caught.value.field == "cron"


def test_names_the_field_that_it_came_in() -> None:
    """A refusal names the caller's own field."""
    with pytest.raises(InvalidInput) as caught:
        read_cron("0 25 * * *", SHANGHAI, "campaigns.daily.cron")
    assert caught.value.field == "campaigns.daily.cron"


def test_an_expression_is_a_value() -> None:
    """An expression is a value: blanks aside it stays as it was written, and it crosses processes."""
    cron = read_cron("  0 8\t* *  MON ", SHANGHAI)
    assert cron == Cron(expression="0 8 * * MON", zone=SHANGHAI)
    assert pickle.loads(pickle.dumps(cron)) == cron  # noqa: S301 - our own, just written


def read_or_refuse(text: str) -> None:
    try:
        cron = read_cron(text, SHANGHAI)
    except InvalidInput:
        return
    assert next(cron.after(datetime(2026, 11, 24, tzinfo=UTC)), None) is not None


@settings(deadline=None)
@given(st.text(alphabet="0123456789*/,-#?LWHRlwhr() @adimonthursfe\t\u3000٣", max_size=40))
def test_reads_or_refuses_any_text(text: str) -> None:
    """Any text is an expression that fires, or is refused as invalid input; nothing else happens."""
    read_or_refuse(text)


FIELDS = st.text(alphabet="0123456789*/,-#?lwsunmrf", min_size=1, max_size=7)


@settings(deadline=None, max_examples=300)
@given(st.lists(FIELDS, min_size=5, max_size=5).map(" ".join))
def test_reads_or_refuses_any_five_fields(expression: str) -> None:
    """Any five fields are an expression that fires, or are refused as invalid input."""
    read_or_refuse(expression)
