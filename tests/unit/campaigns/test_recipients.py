"""A row becomes a recipient whose columns are text, or is told to be none, without any of it repeated."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pushjobs.campaigns.recipients import Recipient, Unfit, cells_reader, read_row
from pushjobs.domain.message import has_form_of_touser, read_touser
from pushjobs.errors import InvalidMessage


class City(StrEnum):
    """A text of another type."""

    SHANGHAI = "上海"


def taken(touser: object) -> bool:
    """Whether `read_touser` takes it."""
    try:
        read_touser({"touser": touser})
    except InvalidMessage:
        return False
    return True


@given(st.text() | st.text(st.characters(codec="ascii"), min_size=100))
@example("x" * 128)
@example("x" * 129)
@example("oUser\n")
@example("")
def test_the_quick_look_at_an_open_id_is_the_slow_one_s(touser: str) -> None:
    """An open id is a recipient's if, and only if, `send` would take it, whatever kind of row it stands in."""
    assert bool(has_form_of_touser(touser)) == taken(touser)
    rows = (read_row(1, touser), read_row(1, {"touser": touser}), cells_reader(["touser"])(1, [touser]))
    assert [isinstance(row, Recipient) for row in rows] == [taken(touser)] * 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("订单已发货", "订单已发货"),
        (City.SHANGHAI, "上海"),
        ("", ""),
        (None, ""),
        (12, "12"),
        (-3, "-3"),
        (True, "true"),
        (0.1, "0.1"),
        (1e22, "10000000000000000000000"),
        (Decimal("19.90"), "19.90"),
        (Decimal("1E+3"), "1000"),
        (date(2026, 12, 1), "2026-12-01"),
        (datetime(2026, 12, 1, 8, tzinfo=UTC), "2026-12-01T08:00:00+00:00"),
        (time(8, 30), "08:30:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_columns_become_text(value: object, text: str) -> None:
    """Numbers, dates and nothing at all are written as people write them."""
    row = read_row(7, {"nickname": value, "touser": "oUser"})
    assert row == Recipient(7, "oUser", {"nickname": text})
    assert cells_reader(["nickname", "touser"])(7, [value, "oUser"]) == row


@pytest.mark.parametrize(
    ("row", "field", "fault"),
    [
        ({}, "touser", "is missing"),
        ({"touser": None}, "touser", "is missing"),
        ({"touser": ""}, "touser", "is missing"),
        ({"touser": 7}, "touser", r"is no text \(int\)"),
        ({"touser": "secret user"}, "touser", "holds a blank"),
        ("secret user", "touser", "holds a blank"),
        (["secret"], "row", r"is no object \(list\)"),
        (None, "row", r"is no object \(NoneType\)"),
        (b"secret", "row", r"is no object \(bytes\)"),
        ({"touser": "secret", 7: "x"}, "row", "has a column whose name is no text"),
        ({"touser": "secret", "\ud800": "x"}, "row", "has a column whose name is no text"),
        ({"touser": "secret", "nickname": "secret\0"}, "nickname", "holds a NUL"),
        ({"touser": "secret", "nickname": "secret\ud800"}, "nickname", "holds a NUL or bytes"),
        ({"touser": "secret", "nickname": {"secret": 1}}, "nickname", r"is no text, number or date \(dict\)"),
        ({"touser": "secret", "nickname": float("nan")}, "nickname", "is not a number of up to 32 digits"),
        ({"touser": "secret", "nickname": 10**5000}, "nickname", "is not a number of up to 32 digits"),
        ({"touser": "secret", "nickname": Decimal("1E+99999999")}, "nickname", "is not a number of up to"),
        ({"touser": "secret", "n" * 999: []}, "n" * 40, "is no text, number"),
    ],
)
def test_a_row_that_is_no_recipient_is_told_without_its_values(row: object, field: str, fault: str) -> None:
    """The refusal names row, field, fault and rule, and repeats nothing of what stands in the row."""
    read = read_row(7, row)
    assert isinstance(read, Unfit)
    assert (read.number, read.refusal.field) == (7, field)
    with pytest.raises(type(read.refusal), match=fault):
        raise read.refusal
    assert "secret" not in f"{read!r} {read.refusal}"


def test_a_row_with_too_few_cells_is_refused() -> None:
    """Without the right number of cells no column can be told from another."""
    read = cells_reader(["touser", "nickname"])(3, ["oUser"])
    assert isinstance(read, Unfit)
    assert str(read.refusal).startswith("row has 1 cells: the header has 2")


def test_a_recipient_does_not_show_who_it_is() -> None:
    """What a debugger or a log prints of a recipient is its number alone."""
    shown: Mapping[str, str] = {"nickname": "secret"}
    assert repr(Recipient(7, "oUser", shown)) == "Recipient(number=7)"
