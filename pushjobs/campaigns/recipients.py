"""A row of an audience, from whatever it came, made a recipient, or told why it is none.

A row's fault is that row's alone and a value here, so that a run of a million counts it and goes on. Nothing here is
an error of the whole, and nothing here reads anything.

Invariants: a recipient's open id has the form that `read_message` takes, its columns are text that PostgreSQL can
store; no repr and no refusal holds an open id or a column's text.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from pushjobs.domain.message import has_form_of_touser, is_storable, read_touser
from pushjobs.errors import AudienceUnread, InvalidInput

__all__ = ["TOUSER", "Reading", "Recipient", "Row", "Unfit", "cells_reader", "check_header", "read_row"]

TOUSER = "touser"

_LONGEST_SHOWN = 40
_MOST_DIGITS = 32
_NO_COLUMNS: Mapping[str, str] = MappingProxyType({})


class Recipient(NamedTuple):
    """Somebody to be sent to: the row's number from 1, the open id, and all other columns as text."""

    number: int
    touser: str
    columns: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Recipient(number={self.number})"


class Unfit(NamedTuple):
    """A row that is no recipient, and why."""

    number: int
    refusal: InvalidInput


Row = Recipient | Unfit


@dataclass(frozen=True, slots=True)
class Reading:
    """An audience opened: its columns, None where each row names its own, and the rows, which can be read once."""

    columns: Collection[str] | None
    rows: Iterator[Row]


def check_header(audience: str, header: Sequence[str]) -> None:
    """Raise AudienceUnread for a header that rows cannot be read under.

    Nothing of it is repeated: where a header was forgotten, an open id stands in its place.
    """
    if not header:
        raise AudienceUnread(audience, "is empty", "begin with a header, such as touser,nickname")
    if TOUSER not in header:
        raise AudienceUnread(audience, f"has no column {TOUSER}", f"name the column of open ids {TOUSER}")
    if len(set(header)) < len(header):
        raise AudienceUnread(audience, "has two columns of one name", "name each column once")


def cells_reader(header: Sequence[str]) -> Callable[[int, Sequence[object]], Row]:
    """Return what reads rows (number, cells) under this header, which has a column `touser`."""
    at, width = header.index(TOUSER), len(header)
    others = [(place, name) for place, name in enumerate(header) if place != at]

    def read(number: int, cells: Sequence[object]) -> Row:
        if len(cells) != width:
            rule = f"the header has {width}; a cell with commas stands in quotes, with quotes in it doubled"
            return Unfit(number, InvalidInput("row", f"has {len(cells)} cells", rule))
        touser = cells[at]
        if not (isinstance(touser, str) and has_form_of_touser(touser)):
            return _no_touser(number, touser)
        if not others:
            return Recipient(number, touser, _NO_COLUMNS)
        try:
            return Recipient(number, touser, {name: _as_text(name, cells[place]) for place, name in others})
        except InvalidInput as refusal:
            return Unfit(number, refusal)

    return read


def read_row(number: int, row: object) -> Row:
    """Read a row that names its columns itself, or is an open id and nothing else."""
    if isinstance(row, str):
        return Recipient(number, row, _NO_COLUMNS) if has_form_of_touser(row) else _no_touser(number, row)
    if not isinstance(row, dict | Mapping):  # a dict is told quicker than a mapping
        return Unfit(number, InvalidInput("row", f"is no object ({type(row).__name__})", 'write {"touser": "OPENID"}'))
    touser = row.get(TOUSER)
    if not (isinstance(touser, str) and has_form_of_touser(touser)):
        return _no_touser(number, touser)
    try:
        return Recipient(number, touser, {_name(key): _as_text(key, row[key]) for key in row if key != TOUSER})
    except InvalidInput as refusal:
        return Unfit(number, refusal)


def _no_touser(number: int, value: object) -> Unfit:
    try:
        read_touser({TOUSER: value})
    except InvalidInput as refusal:
        return Unfit(number, refusal)
    raise AssertionError("both rules of the form are one")


def _name(key: object) -> str:
    if isinstance(key, str) and is_storable(key):
        return key
    raise InvalidInput("row", "has a column whose name is no text", "name columns by text that UTF-8 can write")


def _as_text(name: str, value: object) -> str:
    if isinstance(value, str):
        if not is_storable(value):
            raise _refused(name, "holds a NUL or bytes that are no UTF-8", "give text in UTF-8")
        return value
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return _digits(name, value)
        case date() | datetime() | time():
            return value.isoformat()
        case UUID():
            return str(value)
    raise _refused(name, f"is no text, number or date ({type(value).__name__})", "give plain values in columns")


def _digits(name: str, value: float | Decimal) -> str:
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite() or abs(exact.adjusted()) >= _MOST_DIGITS:
        raise _refused(name, f"is not a number of up to {_MOST_DIGITS} digits", "give a smaller number, or a text")
    return format(exact, "f")


def _refused(name: str, fault: str, rule: str) -> InvalidInput:
    return InvalidInput(name[:_LONGEST_SHOWN], fault, rule)
