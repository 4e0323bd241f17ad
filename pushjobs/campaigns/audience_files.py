"""Files of recipients: CSV and JSON-lines, plain or gzipped, read from end to end by one open handle.

So whoever replaces a file by renaming another over it changes nothing for a reader that has begun; whoever writes into
a file while it is read gets what he asked for. Memory holds a block of the file and one line, however large the file.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import StringIO
from itertools import chain
from pathlib import Path

import orjson

from pushjobs.campaigns.recipients import TOUSER, Reading, Row, Unfit, cells_reader, check_header, read_row
from pushjobs.domain.message import is_storable
from pushjobs.errors import AudienceUnread, InvalidInput

__all__ = ["SUFFIXES", "FileKind", "open_file", "read_stream"]

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".csv.gz", ".jsonl.gz", ".ndjson.gz")

_LONGEST_LINE = 1024 * 1024  # bytes: a file without line ends must not fill the memory
_BLOCK = 256 * 1024  # less than a line may have: so a line that is too long is noticed before it is put together
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class FileKind(StrEnum):
    """What a file of recipients is."""

    CSV = "csv"
    JSON_LINES = "jsonl"


@contextmanager
def open_file(path: Path) -> Iterator[Reading]:
    """Open a file by its suffix; it is closed with the context. Raises AudienceUnread, then or while it is read."""
    try:
        # Asked first: opening a pipe would wait for whoever writes into it.
        if path.exists() and not path.is_file():
            raise AudienceUnread(str(path), "is no file", "give a file: it is read more than once")
        file = path.open("rb")
    except OSError as error:
        rule = f"give a file that this process may read; looked for {path.absolute()}"
        raise AudienceUnread(str(path), f"cannot be read ({error.strerror})", rule) from None
    with file, gzip.GzipFile(fileobj=file) if path.name.endswith(".gz") else file as stream:
        is_csv = path.name.removesuffix(".gz").endswith(".csv")
        yield read_stream(str(path), FileKind.CSV if is_csv else FileKind.JSON_LINES, stream.read)


def read_stream(named: str, kind: FileKind, read: Callable[[int], bytes]) -> Reading:
    """Read what is no file: `read` returns at most so many bytes, none at the end. Raises AudienceUnread, as above."""
    blocks = _blocks(named, read)
    return _csv(named, blocks) if kind is FileKind.CSV else _json_lines(blocks)


def _blocks(named: str, read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield whole lines, many at a time, without a byte order mark."""
    rest, line = b"", 1
    while block := _next(named, read):
        cut = block.rfind(b"\n") + 1
        if len(rest) + (block.find(b"\n") if cut else len(block)) > _LONGEST_LINE:
            fault = f"has a line of more than {_LONGEST_LINE:,} bytes (line {line})"
            raise AudienceUnread(named, fault, "put each recipient into a line of its own")
        if not cut:
            rest += block
            continue
        lines = rest + block[:cut]
        yield lines.removeprefix(_BYTE_ORDER_MARK) if line == 1 else lines
        rest = block[cut:]
        line += lines.count(b"\n")
    if rest:
        yield rest.removeprefix(_BYTE_ORDER_MARK) if line == 1 else rest


def _next(named: str, read: Callable[[int], bytes]) -> bytes:
    try:
        return read(_BLOCK)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise AudienceUnread(named, "is damaged, or no gzip", "write it anew") from None
    except OSError as error:
        raise AudienceUnread(named, f"cannot be read to its end ({error.strerror})", "look at its disk") from None


def _csv(named: str, blocks: Iterator[bytes]) -> Reading:
    # Bytes that are no UTF-8 become halves of surrogate pairs, and are then the fault of the one row they stand in.
    texts = (StringIO(block.decode(errors="surrogateescape"), newline="") for block in blocks)
    reader = csv.reader(chain.from_iterable(texts), strict=True)
    try:
        header = next(filter(None, reader), [])
    except csv.Error as error:
        raise AudienceUnread(named, f"is no CSV ({error})", "save it as CSV UTF-8") from None
    if not all(map(is_storable, header)):
        raise AudienceUnread(named, "is not UTF-8", "save it as CSV UTF-8")
    check_header(named, header)
    return Reading(header, _csv_rows(named, reader, lambda: reader.line_num, header))


def _csv_rows(named: str, rows: Iterator[list[str]], line: Callable[[], int], header: list[str]) -> Iterator[Row]:
    read = cells_reader(header)
    number, last_line, is_over = 0, line(), False
    while not is_over:
        try:
            for cells in rows:
                last_line = line()
                if cells:
                    number += 1
                    yield read(number, cells)
            is_over = True
        except csv.Error as error:
            # Within one line it is that row's fault. A quote that is never closed swallows the rows behind it.
            if line() > last_line + 1:
                fault = f"is no CSV from line {last_line + 1} on ({error})"
                raise AudienceUnread(named, fault, "close quotes, and double those within a cell") from None
            number, last_line = number + 1, line()
            rule = "a cell with commas or quotes stands in quotes, with quotes in it doubled"
            yield Unfit(number, InvalidInput("row", f"is no CSV (line {last_line}, {error})", rule))


def _json_lines(blocks: Iterator[bytes]) -> Reading:
    return Reading(None, _json_rows(chain.from_iterable(block.splitlines() for block in blocks)))


def _json_rows(lines: Iterator[bytes]) -> Iterator[Row]:
    number = 0
    for line_number, line in enumerate(lines, start=1):
        if not line or line.isspace():
            continue
        number += 1
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            fault = f"is no JSON (line {line_number}, {error.msg})"
            yield Unfit(number, InvalidInput("row", fault, f'write {{"{TOUSER}": "OPENID"}}'))
            continue
        yield read_row(number, row)
