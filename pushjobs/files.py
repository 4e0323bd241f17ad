"""Files of jobs: a CSV for `send_many`, one request as JSON for `send`.

A file is looked through once before its first row is handed out: encoding, quotes, header, at least one row. So a file
of the wrong shape is refused as a whole and nothing of it is stored. What is wrong with a single row is that row's
fault: it is read when the producer looks at it, within `send_many`, and reported under its number.
"""

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

import orjson

from pushjobs import clock
from pushjobs.errors import InvalidFile, InvalidInput, InvalidMoment

__all__ = ["COLUMNS", "JobFile", "open_jobs", "read_request_file"]

COLUMNS = (
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
"""The columns a CSV may have, in any order. `after` is `time` in seconds from when the file was opened."""

_REQUIRED = ("touser", "template_id", "data")
_LARGEST_REQUEST = 1024 * 1024
_LONGEST_WAIT = 10 * 366 * 86400.0


class JobFile:
    """A CSV of jobs, open: iterate for its rows, the keyword arguments of `send`. `count`: how many there are."""

    def __init__(self, name: str, file: TextIO) -> None:
        self._name = name
        self._file = file
        self._opened_at = clock.now()
        self._header = self._read_header()
        self.count = sum(1 for _ in self._cells())
        if not self.count:
            raise InvalidFile(name, "has no row below its header", "give one row a job")

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for cells in self._cells():
            yield _Row(self, cells)

    def read(self, cells: list[str]) -> dict[str, Any]:
        """Turn a row's cells into arguments, an empty cell into none; raises InvalidInput."""
        if len(cells) != len(self._header):
            rule = f"the header has {len(self._header)}; a cell with commas stands in quotes, with quotes in it doubled"
            raise InvalidInput("row", f"has {len(cells)} cells", rule)
        arguments: dict[str, Any] = {name: cell for name, cell in zip(self._header, cells, strict=True) if cell}
        if "data" in arguments:
            arguments["data"] = _read_data(arguments["data"])
        if "after" in arguments:
            if "time" in arguments:
                raise InvalidMoment("after", "is given beside time", "give one of the two")
            arguments["time"] = self._opened_at + _read_wait(arguments.pop("after"))
        return arguments

    def _read_header(self) -> list[str]:
        header = next(self._lines(), None)
        if header is None:
            raise InvalidFile(self._name, "is empty", f"begin with a header of columns such as {','.join(_REQUIRED)}")
        for column in header:
            if column not in COLUMNS:
                raise InvalidFile(self._name, f"has a column {column[:40]!r}", f"there are {', '.join(COLUMNS)}")
            if header.count(column) > 1:
                raise InvalidFile(self._name, f"has the column {column} twice", "name each column once")
        for column in _REQUIRED:
            if column not in header:
                raise InvalidFile(self._name, f"has no column {column}", f"its header needs {', '.join(_REQUIRED)}")
        return header

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


class _Row(Mapping[str, Any]):
    """One row, read when it is first looked at; every look at a row that cannot be read raises its InvalidInput."""

    def __init__(self, file: JobFile, cells: list[str]) -> None:
        self._file = file
        self._cells = cells

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - as the arguments of `send` are
        return self._arguments[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arguments)

    def __len__(self) -> int:
        return len(self._arguments)

    @cached_property
    def _arguments(self) -> dict[str, Any]:
        return self._file.read(self._cells)


@contextmanager
def open_jobs(path: Path) -> Iterator[JobFile]:
    """Open a CSV of jobs in UTF-8, with or without a byte order mark; raises InvalidFile for one of the wrong shape."""
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise _unreadable(path, error) from None
    with file:
        if not file.seekable():
            raise InvalidFile(path.name, "is a pipe", "give a file: it is checked as a whole before its first row")
        yield JobFile(path.name, file)


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


def _read_data(cell: str) -> Any:  # noqa: ANN401 - any JSON value: the message's own checks come later
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        raise InvalidInput("data", "is no JSON", 'write {"thing1": "text"}') from None


def _read_wait(cell: str) -> timedelta:
    try:
        seconds = float(cell)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise InvalidMoment("after", "is no number of seconds", "give seconds from now, such as 20 or 0.5")
    return timedelta(seconds=seconds)
