"""Other people's databases: the rows of one query, read once, as of one moment, and nothing written.

Everything about such a database is foreign: its driver may raise whatever it likes, and what it says may quote a row.
So its words are repeated only where no row was in its hands yet, or where it says that the connection failed; else its
error's type and code have to do. A password is in no repr and no message.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, CursorResult, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from pushjobs.errors import AudienceUnread, InvalidInput

__all__ = ["ForeignDatabase", "Selection", "read_foreign_url"]

_ROWS_AT_ONCE = 1000
_CONNECT_SECONDS = 10

_SNAPSHOT: dict[str, dict[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    "mysql": {"isolation_level": "REPEATABLE READ"},
    "mariadb": {"isolation_level": "REPEATABLE READ"},
}
"""What makes of a transaction one view of the database. In SQLite and Oracle a single query is one by itself."""

_READ_ONLY = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}

# SQLSTATE's classes. A connection: not made, not allowed, no such database, not enough room, ended by somebody.
_OF_CONNECTIONS = {"08", "28", "3D", "53", "57"}
# And those in which a statement is judged before it reads a row: not read-only, not possible, syntax and names.
_OF_STATEMENTS = {"0A", "25", "42"}

# SQLite has no such codes, and computes the first row at once: only these sentences quote the query and never a row.
_SQLITE_S_WORDS = (
    "ambiguous ",
    "attempt to write ",
    "database is locked",
    "file is not ",
    "incomplete input",
    "near ",
    "no such ",
    "unable to open ",
    "unrecognized token",
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query gives: its columns, known at once, and its rows, which can be read once."""

    columns: Sequence[str]
    rows: Iterator[Sequence[object]]


@dataclass(frozen=True, slots=True)
class ForeignDatabase:
    """A database at an address that SQLAlchemy understands. Nothing is connected until something is selected."""

    _url: URL = field(repr=False)

    @property
    def address(self) -> str:
        """Driver, host and database, without user and password: a password may also hide in what follows a `?`."""
        url = self._url
        return URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()

    @contextmanager
    def select(self, query: str) -> Iterator[Selection]:
        """Run a query in a read-only transaction of its own and stream what it gives; raises AudienceUnread.

        The server keeps the result (a server-side cursor where the driver has one), here are never more than a
        thousand rows. A `%` or a `:` in the query is just that. What others commit while it is read does not show;
        SQLite has them wait meanwhile, unless it keeps a write-ahead log.
        """
        with ExitStack() as stack:
            try:
                result = self._run(query, stack)
            except Exception as error:  # noqa: BLE001 - drivers raise what they like
                raise self._unread("cannot be queried", error, has_begun=False) from None
            if not result.returns_rows:
                raise AudienceUnread(self.address, "returns no rows", "give a query that selects them")
            yield Selection(list(result.keys()), self._fetched(result))

    def _run(self, query: str, stack: ExitStack) -> CursorResult[Any]:
        backend = self._url.get_backend_name()
        if backend == "sqlite":
            self._insist_on_file()
        engine = self._engine(backend)
        connection = engine.connect()
        stack.callback(_close, connection.close)
        connection = connection.execution_options(
            stream_results=True, yield_per=_ROWS_AT_ONCE, no_parameters=True, **_SNAPSHOT.get(backend, {})
        )
        result = connection.exec_driver_sql(query)
        stack.callback(_close, result.close)
        return result

    def _engine(self, backend: str) -> Engine:
        arguments: dict[str, Any] = {}
        if self._url.get_driver_name() in {"psycopg", "psycopg2"} and "connect_timeout" not in self._url.query:
            arguments["connect_timeout"] = _CONNECT_SECONDS
        engine = create_engine(self._url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
        if backend in _READ_ONLY:
            event.listen(engine, "connect", lambda connection, _: _say(connection, _READ_ONLY[backend]))
        return engine

    def _insist_on_file(self) -> None:
        """SQLite would make a file that is not there."""
        name = self._url.database
        if name and name != ":memory:" and not name.startswith("file:") and not Path(name).is_file():
            raise AudienceUnread(self.address, "is not there", f"give a database; looked for {Path(name).absolute()}")

    def _fetched(self, result: CursorResult[Any]) -> Iterator[Sequence[object]]:
        try:
            yield from result
        except Exception as error:  # noqa: BLE001 - drivers raise what they like
            raise self._unread("cannot be read to its end", error, has_begun=True) from None

    def _unread(self, fault: str, error: Exception, *, has_begun: bool) -> AudienceUnread:
        if isinstance(error, AudienceUnread):
            return error
        said = self._quoted(error.orig if isinstance(error, DBAPIError) and error.orig else error, has_begun=has_begun)
        return AudienceUnread(
            self.address, f"{fault} ({said})", "try its query and its address with a client of its own"
        )

    def _quoted(self, error: BaseException, *, has_begun: bool) -> str:
        name = type(error).__name__
        code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        match self._url.get_backend_name():
            case "postgresql":
                allowed = _OF_CONNECTIONS if has_begun else _OF_CONNECTIONS | _OF_STATEMENTS
                is_harmless = _is_of_connection(error) if code is None else code[:2] in allowed
            case "sqlite":
                is_harmless = not has_begun and str(error).startswith(_SQLITE_S_WORDS)
            case _:
                number = next(iter(error.args), None)  # as most of them have it, to be looked up; a text may hold a row
                code, is_harmless = number if isinstance(number, int) else None, False
        if is_harmless:
            [text, *_] = str(error).strip().splitlines() or [name]
            return text.replace(str(self._url.password), "***") if self._url.password else text
        return name if code is None else f"{name} {code}"


def read_foreign_url(url: str, *, name: str) -> ForeignDatabase:
    """Read an address; raises InvalidInput about the field `name`, without repeating any of it but the driver."""
    try:
        read = make_url(url)
        dialect = read.get_dialect()
        if not dialect.is_async:
            dialect.import_dbapi()
    except ImportError as error:
        raise InvalidInput(name, f"needs a driver that is not installed ({error.name})", "install it") from None
    except (ArgumentError, ValueError):
        raise InvalidInput(
            name,
            "is no address of a database",
            "write one as SQLAlchemy takes them: postgresql://user:word@host/database, sqlite:////file",
        ) from None
    if dialect.is_async:
        raise InvalidInput(name, f"names an asynchronous driver ({read.drivername})", "name one that is not")
    # What follows an unescaped @ would pass for the host, and be shown.
    if "@" in (read.host or "") or (read.host and "@" in (read.database or "")):
        raise InvalidInput(name, "has more than one @", "write an @ within user or password as %40")
    return ForeignDatabase(read)


def _say(connection: Any, sql: str) -> None:  # noqa: ANN401 - whatever driver SQLAlchemy hands over
    cursor = connection.cursor()
    cursor.execute(sql)
    cursor.close()


def _is_of_connection(error: BaseException) -> bool:
    """Whether the driver itself, without a word of the server, says that a connection failed."""
    return any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)


def _close(close: Callable[[], None]) -> None:
    with suppress(SQLAlchemyError):  # what belongs to a lost connection cannot be closed in good order
        close()
