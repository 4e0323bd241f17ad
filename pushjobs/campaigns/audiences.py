"""Who a campaign goes to: a file, a query, an iterable in code, or what was uploaded, streamed as recipients.

An audience is never in memory as a whole, and nothing of it is remembered here: neither who was in it twice, nor how
far somebody has read. A row's fault is handed out in the row's place. A fault of the whole is an AudienceUnread; at
creation, where somebody can mend it, it is an InvalidInput.
"""

import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from itertools import islice
from operator import attrgetter
from pathlib import Path

from pushjobs.campaigns.audience_files import SUFFIXES, open_file
from pushjobs.campaigns.recipients import TOUSER, Reading, Recipient, Row, Unfit, cells_reader, check_header, read_row
from pushjobs.errors import AudienceUnread, InvalidInput
from pushjobs.store.external import ForeignDatabase, read_foreign_url

__all__ = ["Audience", "OpenStored", "Recipient", "Row", "Unfit", "read_audience", "read_name", "stored_name"]

OpenStored = Callable[[str], AbstractContextManager[Reading]]
"""Opens an audience that was uploaded, by its name; raises AudienceUnread, then or while it is read."""

_LOOKED_AT = 100
_IMPORT_PATH = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*(?:\.[^\W\d]\w*)*)")
_KINDS = 'give {"file": PATH}, {"sql": QUERY, "url": ADDRESS}, {"iterable": "package.module:name"} or {"stored": NAME}'
_NAME = re.compile(r"(?=.*[a-z])[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience(ABC):
    """An audience as it was defined. Nothing is opened until it is checked or read, and each time anew.

    `definition` is what `read_audience` was given: of a query it holds an address with its password.
    """

    definition: Mapping[str, str] = field(repr=False)
    field_name: str

    @property
    @abstractmethod
    def described(self) -> str:
        """Which one it is, in a line for people: without user and password."""

    def check(self, wanted: Collection[str] = ()) -> None:
        """Raise InvalidInput unless it can be read now, has somebody to be sent to, and the wanted columns.

        It looks at the header and the first hundred rows. Where each row names its own columns, a column that none of
        them has is missing.
        """
        try:
            with self._opened() as reading:
                columns, looked_at = reading.columns, list(islice(reading.rows, _LOOKED_AT))
        except AudienceUnread as unread:
            raise InvalidInput(self.field_name, unread.fault, unread.rule) from None
        fit = [row for row in looked_at if isinstance(row, Recipient)]
        if not fit:
            raise self._without_recipient(next((row for row in looked_at if isinstance(row, Unfit)), None))
        has = {TOUSER}.union(*(row.columns for row in fit)) if columns is None else {*columns}
        if missing := sorted(set(wanted) - has):
            rule = "the message is filled from columns of these names"
            raise InvalidInput(self.field_name, f"lacks {', '.join(missing)}", rule)

    def rows(self) -> Generator[Row, None, None]:
        """Yield each row in the order of the source, a recipient or why it is none; raises AudienceUnread.

        Numbers count rows from 1, blank lines left out. The source is open until the last row, or until the generator
        is closed.
        """
        with self._opened() as reading:
            yield from reading.rows

    @abstractmethod
    def _opened(self) -> AbstractContextManager[Reading]:
        """Open the source; raises AudienceUnread, then or while it is read."""

    def _without_recipient(self, first: Unfit | None) -> InvalidInput:
        if first is None:
            return InvalidInput(self.field_name, "has no row", "give at least one recipient")
        refusal = first.refusal
        fault = f"has nobody to be sent to in its first rows (row {first.number}: {refusal.field} {refusal.fault})"
        return InvalidInput(self.field_name, fault, refusal.rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File(Audience):
    """A CSV with a header, or an object a line. It is read to its end by the handle that it was opened with once."""

    path: Path

    @property
    def described(self) -> str:
        return str(self.path)

    def _opened(self) -> AbstractContextManager[Reading]:
        return open_file(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query(Audience):
    """What a query gives in a transaction of its own: a snapshot wherever the database can give one."""

    query: str = field(repr=False)
    database: ForeignDatabase

    @property
    def described(self) -> str:
        return self.database.address

    @contextmanager
    def _opened(self) -> Iterator[Reading]:
        with self.database.select(self.query) as selected:
            check_header(self.described, selected.columns)
            read = cells_reader(selected.columns)
            yield Reading(selected.columns, (read(number, row) for number, row in enumerate(selected.rows, start=1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Iterable(Audience):
    """What a module holds, or what a function of it returns, called anew for each reading."""

    module: str
    name: str

    @property
    def described(self) -> str:
        return f"{self.module}:{self.name}"

    @contextmanager
    def _opened(self) -> Iterator[Reading]:
        iterator = self._iterator()
        try:
            yield Reading(None, self._read(iterator))
        finally:
            if isinstance(iterator, Generator):
                iterator.close()

    def _read(self, iterator: Iterator[object]) -> Iterator[Row]:
        try:
            for number, row in enumerate(iterator, start=1):
                yield read_row(number, row)
        except Exception as error:  # noqa: BLE001 - the caller's own code raises what it likes
            raise self._unread("fails while it is read", error) from None

    def _iterator(self) -> Iterator[object]:
        found = self._found()
        is_made = callable(found)
        try:
            rows = found() if callable(found) else found
        except Exception as error:  # noqa: BLE001 - the caller's own code raises what it likes
            raise self._unread("fails when it is called without arguments", error) from None
        if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
            rule = "name an iterable of open ids or mappings, or a function that returns one"
            raise AudienceUnread(self.described, f"is no iterable of rows ({type(rows).__name__})", rule)
        if isinstance(rows, Iterator) and not is_made:
            rule = "name the function that makes it: an audience is read more than once"
            raise AudienceUnread(self.described, "can be read only once", rule)
        return iter(rows)

    def _found(self) -> object:
        try:
            with _current_directory_first():
                found: object = import_module(self.module)
        except Exception as error:  # noqa: BLE001 - the caller's own code raises what it likes
            raise self._unread("cannot be imported", error) from None
        try:
            return attrgetter(self.name)(found)
        except AttributeError as error:
            raise self._unread("is not in its module", error) from None

    def _unread(self, fault: str, error: Exception) -> AudienceUnread:
        # Of an error in somebody else's code only the type: its words may quote a row.
        missing = f" {error.name}" if isinstance(error, ModuleNotFoundError) else ""
        rule = "try it in a Python of the same environment and directory"
        return AudienceUnread(self.described, f"{fault} ({type(error).__name__}{missing})", rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored(Audience):
    """What was uploaded under a name and is in force when it is opened; a later upload is the next reading's."""

    name: str
    open: OpenStored

    @property
    def described(self) -> str:
        return f"{self.name} (uploaded)"

    def _opened(self) -> AbstractContextManager[Reading]:
        return self.open(self.name)


def read_name(value: object, *, field: str = "name") -> str:
    """Read the name of an audience that is uploaded; raises InvalidInput. It stands in addresses: no open id is one."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    rule = "up to 64 of a-z, 0-9, - and _, with a letter in it, such as readers"
    raise InvalidInput(field, "is no name of an audience", rule)


def stored_name(definition: object) -> str | None:
    """Return the name in a definition that is no more than one; None: it is of another kind, or is none."""
    match definition:
        case {"stored": str(name), **others} if not others:
            return name
    return None


def _unopened(name: str) -> AbstractContextManager[Reading]:
    raise AudienceUnread(name, "is an app's", "open it by its campaign")


def read_audience(definition: object, *, field: str = "audience", stored: OpenStored = _unopened) -> Audience:
    """Read a definition of one of four kinds; raises InvalidInput about `field`. Nothing is opened yet.

    `{"file": PATH}`: CSV or JSON-lines by its suffix. `{"sql": QUERY, "url": ADDRESS}`: any database that SQLAlchemy
    knows and whose driver is installed. `{"iterable": "package.module:name"}`: open ids or mappings, or a function that
    returns them; the module is looked for in the current directory first. `{"stored": NAME}`: what was uploaded under
    that name, which `stored` opens.
    """
    if not isinstance(definition, Mapping):
        raise InvalidInput(field, f"is no mapping ({type(definition).__name__})", _KINDS)
    given = {
        name: _text(f"{field}.{name}", definition[name])
        for name in ("file", "sql", "url", "iterable", "stored")
        if name in definition
    }
    match given:
        case _ if len(given) != len(definition):
            raise InvalidInput(field, "has keys beyond those of its kind", _KINDS)
        case {"file": path, **others} if not others:
            return _read_file(given, path, f"{field}.file")
        case {"sql": query, "url": url, **others} if not others:
            database = read_foreign_url(url, name=f"{field}.url")
            return _Query(definition=given, field_name=f"{field}.sql", query=query, database=database)
        case {"iterable": path, **others} if not others:
            return _read_iterable(given, path, f"{field}.iterable")
        case {"stored": name, **others} if not others:
            read = read_name(name, field=f"{field}.stored")
            return _Stored(definition=given, field_name=f"{field}.stored", name=read, open=stored)
    raise InvalidInput(field, "is not of one kind", _KINDS)


def _read_file(definition: Mapping[str, str], path: str, name: str) -> _File:
    if not path.endswith(SUFFIXES):
        raise InvalidInput(name, "has no suffix that says what it is", f"name it as one of {', '.join(SUFFIXES)}")
    return _File(definition=definition, field_name=name, path=Path(path))


def _read_iterable(definition: Mapping[str, str], path: str, name: str) -> _Iterable:
    if not (parts := _IMPORT_PATH.fullmatch(path)):
        raise InvalidInput(name, "is no import path", "write package.module:name")
    return _Iterable(definition=definition, field_name=name, module=parts[1], name=parts[2])


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        fault = "is empty or holds a NUL" if isinstance(value, str) else f"is no text ({type(value).__name__})"
        raise InvalidInput(name, fault, "give a text")
    return value


@contextmanager
def _current_directory_first() -> Iterator[None]:
    """Import what a worker, which is started with `python -m`, would import: a command's path begins elsewhere."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
