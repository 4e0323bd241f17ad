"""Files of jobs, a CSV for `send_many` or one request as JSON for `send`; and of consents, a CSV too.

A file is looked through once before its first row is handed out: encoding, quotes, header, at least one row. So a file
of the wrong shape is refused as a whole and nothing of it is stored. What is wrong with a single row is that row's
fault, and with a cell that argument's: it is read when it is looked at, within `send_many` say, and reported under the
row's number.
"""

import csv
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, TextIO, TypeVar

import orjson

from pushjobs import clock
from pushjobs.errors import InvalidFile, InvalidInput, InvalidMoment

__all__ = ["COLUMNS", "ConsentFile", "JobFile", "open_consents", "open_jobs", "read_request_file"]

COLUMNS = (
    "appid",
    "touser",
    "template_id",
    "page",
    "data",
    "miniprogram_state",
    "lang",
    "form_id",
    "form_id_kind",
    "emphasis_keyword",
    "time",
    "after",
    "expires",
    "lane",
    "idempotency_key",
    "reference",
    "on_quota",
)
"""The columns a CSV may have, in any order. `after` is `time` in seconds from when the file was opened.

In place of `data`, which holds JSON, a column for each keyword: `data.thing1`.
"""

_OF_DATA = "data."
_KEYWORD = re.compile("[a-z_]{3,20}[0-9]{1,3}")

_LARGEST_REQUEST = 1024 * 1024
_LONGEST_WAIT = 10 * 366 * 86400.0
_LONGEST_NUMBER = 10


class _RowFile(ABC):
    """A CSV, open: iterate for its rows, the keyword arguments of a verb. `count`: how many there are."""

    columns: ClassVar[tuple[str, ...]]
    required: ClassVar[tuple[str, ...]]

    def __init__(self, name: str, file: TextIO) -> None:
        self._name = name
        self._file = file
        self._opened_at = clock.now()
        self._header = self._read_header()
        self.count = sum(1 for _ in self._cells())
        if not self.count:
            raise InvalidFile(name, "has no row below its header", "give at least one row")

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for cells in self._cells():
            yield _Row(self, cells)

    def readers(self, cells: list[str]) -> dict[str, Callable[[], Any]]:
        """Return how each argument of a row is read, none for an empty cell; raises InvalidInput."""
        if len(cells) != len(self._header):
            rule = f"the header has {len(self._header)}; a cell with commas stands in quotes, with quotes in it doubled"
            raise InvalidInput("row", f"has {len(cells)} cells", rule)
        return self._typed({name: cell for name, cell in zip(self._header, cells, strict=True) if cell})

    @abstractmethod
    def _typed(self, cells: dict[str, str]) -> dict[str, Callable[[], Any]]:
        """Say how each text becomes what the verb takes; a reader raises InvalidInput."""

    def _read_header(self) -> list[str]:
        header = next(self._lines(), None)
        if header is None:
            raise InvalidFile(
                self._name, "is empty", f"begin with a header of columns such as {','.join(self.required)}"
            )
        for column in header:
            if not self._is_column(column):
                raise InvalidFile(self._name, f"has a column {column[:40]!r}", self._columns_for(column))
            if header.count(column) > 1:
                raise InvalidFile(self._name, f"has the column {column} twice", "name each column once")
        for column in self.required:
            if column not in self._given(header):
                raise InvalidFile(self._name, f"has no column {column}", f"its header needs {', '.join(self.required)}")
        return header

    def _is_column(self, column: str) -> bool:
        return column in self.columns

    def _columns_for(self, _column: str) -> str:
        return f"there are {', '.join(self.columns)}"

    def _given(self, header: list[str]) -> set[str]:
        return set(header)

    def _cells(self) -> Iterator[list[str]]:
        lines = self._lines()
        next(lines)
        return lines

    def _lines(self) -> Iterator[list[str]]:
        """Yield every line that is not blank, from the beginning."""
        self._file.seek(0)
        reader = csv.reader(self._file, strict=True)
        try:
            yield from filter(None, reader)
        except UnicodeDecodeError:
            fault = f"is not UTF-8 (near line {reader.line_num + 1})"
            raise InvalidFile(self._name, fault, "save it as CSV UTF-8") from None
        except csv.Error as error:
            fault = f"is no CSV from line {reader.line_num} on ({error})"
            raise InvalidFile(
                self._name, fault, "put cells with commas in quotes, and double the quotes in them"
            ) from None


class JobFile(_RowFile):
    """A CSV of jobs: rows are the keyword arguments of `send`."""

    columns = COLUMNS
    required = ("touser", "template_id", "data")

    def _is_column(self, column: str) -> bool:
        return super()._is_column(column) or (column.startswith(_OF_DATA) and column != _OF_DATA)

    def _columns_for(self, column: str) -> str:
        others = super()._columns_for(column)
        return f"a keyword's is called {_OF_DATA}{column}; {others}" if _KEYWORD.fullmatch(column) else others

    def _given(self, header: list[str]) -> set[str]:
        of_data = {column for column in header if column.startswith(_OF_DATA)}
        if of_data and "data" in header:
            raise InvalidFile(self._name, f"has data beside {min(of_data)}", "give one column, or one for each keyword")
        return {*header, "data"} if of_data else {*header}

    def _typed(self, cells: dict[str, str]) -> dict[str, Callable[[], Any]]:
        after = cells.pop("after", None)
        texts = {name.removeprefix(_OF_DATA): cells.pop(name) for name in list(cells) if name.startswith(_OF_DATA)}
        readers = _as_written(cells)
        if texts:
            readers["data"] = lambda: texts
        if after is not None:
            readers["time"] = partial(self._after, after, is_alone="time" not in cells)
        return readers

    def _after(self, cell: str, *, is_alone: bool) -> datetime:
        if not is_alone:
            raise InvalidMoment("after", "is given beside time", "give one of the two")
        return self._opened_at + _read_wait(cell)


class ConsentFile(_RowFile):
    """A CSV of consents: rows are the arguments of `grant`. `credits` is a number, `standing` true or false."""

    columns = ("touser", "template_id", "credits", "standing")
    required = ("touser", "template_id")

    def _typed(self, cells: dict[str, str]) -> dict[str, Callable[[], Any]]:
        return _as_written(cells)


_File = TypeVar("_File", bound=_RowFile)


class _Row(Mapping[str, Any]):
    """One row, each argument read when it is looked at; every look at one that cannot be read raises its InvalidInput.

    With the wrong number of cells no argument can be told from another: every look at the row raises.
    """

    def __init__(self, file: _RowFile, cells: list[str]) -> None:
        self._file = file
        self._cells = cells

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - as the arguments of `send` are
        return self._readers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)

    @cached_property
    def _readers(self) -> dict[str, Callable[[], Any]]:
        return self._file.readers(self._cells)


def open_jobs(path: Path) -> AbstractContextManager[JobFile]:
    """Open a CSV of jobs in UTF-8, with or without a byte order mark; raises InvalidFile for one of the wrong shape."""
    return _opened(path, JobFile)


def open_consents(path: Path) -> AbstractContextManager[ConsentFile]:
    """Open a CSV of consents, like one of jobs."""
    return _opened(path, ConsentFile)


@contextmanager
def _opened(path: Path, kind: type[_File]) -> Iterator[_File]:
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise _unreadable(path, error) from None
    with file:
        if not file.seekable():
            raise InvalidFile(path.name, "is a pipe", "give a file: it is checked as a whole before its first row")
        yield kind(path.name, file)


def read_request_file(path: Path) -> dict[str, Any]:
    """Read one request, the JSON body that WeChat's send takes plus our own fields; raises InvalidFile."""
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= _LARGEST_REQUEST else b""
    except OSError as error:
        raise _unreadable(path, error) from None
    if size > _LARGEST_REQUEST:
        raise InvalidFile(path.name, f"has {size:,} bytes", f"a request has up to {_LARGEST_REQUEST:,}")
    try:
        request = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise InvalidFile(path.name, f"is no JSON ({error.msg}, line {error.lineno})", "give one JSON object") from None
    if not isinstance(request, dict):
        raise InvalidFile(path.name, f"is no JSON object ({type(request).__name__})", "give one JSON object")
    return request


def _unreadable(path: Path, error: OSError) -> InvalidFile:
    return InvalidFile(path.name, f"cannot be read ({error.strerror})", f"give a file; looked for {path}")


def _as_written(cells: Mapping[str, str]) -> dict[str, Callable[[], Any]]:
    return {name: partial(_READERS.get(name, str), cell) for name, cell in cells.items()}


def _read_data(cell: str) -> Any:  # noqa: ANN401 - any JSON value: the message's own checks come later
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        raise InvalidInput("data", "is no JSON", 'write {"thing1": "text"}') from None


def _read_credits(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) < _LONGEST_NUMBER):
        raise InvalidInput("credits", "are no whole number", "give how many messages, such as 1")
    return int(cell)


def _read_standing(cell: str) -> bool:
    if cell.lower() not in {"true", "false"}:
        raise InvalidInput("standing", "is neither true nor false", "leave it empty for single messages")
    return cell.lower() == "true"


def _read_wait(cell: str) -> timedelta:
    try:
        seconds = float(cell)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise InvalidMoment("after", "is no number of seconds", "give seconds from now, such as 20 or 0.5")
    return timedelta(seconds=seconds)


_READERS: dict[str, Callable[[str], Any]] = {
    "data": _read_data,
    "credits": _read_credits,
    "standing": _read_standing,
}
