"""The connection to PostgreSQL: one engine a process, made after fork, and transactions that say what went wrong.

Nothing here repeats a statement. Who may repeat is decided where the statement stands: a claim may (its tick comes
again), a settle must (`delivery` repeats it until it commits), a caller's insert may not.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import orjson
from sqlalchemy import URL, Connection, TextClause, TextualSelect, column, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, scoped_session

from pushjobs.domain.lifecycle import Transition, sources, target
from pushjobs.errors import Misconfigured, NotReady, Unreachable
from pushjobs.store.schema import SCHEMA

__all__ = ["CallersSession", "Database", "Transaction", "as_json", "hot_statement", "joined", "statement"]

Transaction = Connection
"""An open transaction, as other rooms pass it along without knowing SQLAlchemy."""

CallersSession = Session | scoped_session[Session] | Connection
"""A transaction of the caller's own, on our database: what is accepted within it commits with it."""

_UNDEFINED_TABLE, _UNDEFINED_SCHEMA, _UNDEFINED_COLUMN = "42P01", "3F000", "42703"


class Database:
    """PostgreSQL at one address. `pool_size` bounds the connections this process holds."""

    def __init__(self, url: str, *, pool_size: int = 5, statement_timeout_seconds: float = 30.0) -> None:
        self._url = _read_url(url)
        self._engine = create_engine(
            self._url,
            # What is bound may be a reference or a sealed value; an exception's text ends up in logs.
            hide_parameters=True,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            # A connection that a database restart has closed is noticed before a statement is lost on it.
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": 5,
                "application_name": "pushjobs",
                # The session's zone is the answer's zone: everything leaves the database in UTC. Names are always
                # qualified; a fixed path keeps a role named like our schema from hiding that one is not.
                "options": "-c timezone=UTC -c search_path=public "
                f"-c statement_timeout={int(statement_timeout_seconds * 1000)}",
            },
        )
        event.listen(self._engine, "connect", _insist_on_durability)

    @property
    def address(self) -> str:
        """Where it is, without a password."""
        return self._url.render_as_string(hide_password=True)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction: committed at the end, rolled back by an exception.

        Raises Unreachable when PostgreSQL does not answer, NotReady when our tables are not there.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:
            raise Unreachable(
                f"PostgreSQL at {self.address} does not answer ({_first_line(error)}): is it running, "
                "and is PUSHJOBS_DATABASE_URL right?"
            ) from None
        except PoolTimeout:
            raise Unreachable(f"every connection of this process to PostgreSQL at {self.address} is in use") from None
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", None) in {_UNDEFINED_TABLE, _UNDEFINED_SCHEMA, _UNDEFINED_COLUMN}:
                raise NotReady(
                    f"the database at {self.address} lacks our tables, or has another release's: "
                    "run `pushjobs db upgrade`"
                ) from None
            raise

    def check(self) -> None:
        """Raise what `transaction` raises when PostgreSQL does not answer or our tables are not there."""
        with self.transaction() as connection:
            connection.exec_driver_sql(_CHECK)

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()


_CHECK = f"SELECT FROM {SCHEMA}.apps LIMIT 0"

# An admission that a crash of the database forgets would be sent twice: a laxer setting of the server does not hold for
# us, a stricter one does.
_INSIST = """
SELECT set_config('synchronous_commit', 'on', false)
 WHERE current_setting('synchronous_commit') IN ('off', 'local')"""


def _insist_on_durability(connection: Any, _: object) -> None:  # noqa: ANN401 - whatever driver SQLAlchemy hands over
    with connection.cursor() as cursor:
        cursor.execute(_INSIST)
    connection.commit()


def joined(session: CallersSession) -> Connection:
    """Return the connection of a caller's own transaction, to commit with it."""
    return session if isinstance(session, Connection) else session.connection()


def statement(sql: str, *transitions: Transition) -> TextClause:
    """Write a statement whose states come from the lifecycle.

    `{release.sources}` becomes `IN ('scheduled')` and `{release.target}` becomes `'released'`, as literals: the
    planner proves a partial index's predicate only from literals, never from parameters.
    """
    return text(_filled(sql, transitions))


def hot_statement(sql: str, *transitions: Transition, columns: Sequence[str]) -> TextualSelect:
    """Write a statement of every slice, as `statement` does, and name its columns.

    SQLAlchemy then keeps what it learns of a result for the next one, which costs more than the rows do.
    """
    return text(_filled(sql, transitions)).columns(*(column(name) for name in columns))


def _filled(sql: str, transitions: Sequence[Transition]) -> str:
    for transition in transitions:
        listed = ", ".join(f"'{state}'" for state in sources(transition))
        sql = sql.replace(f"{{{transition}.sources}}", f"IN ({listed})")
        sql = sql.replace(f"{{{transition}.target}}", f"'{target(transition)}'")
    return sql


def as_json(rows: Sequence[Any] | Mapping[str, Any] | None) -> str:
    """Encode rows, or one value, as one JSON parameter: faster than arrays, and one statement serves any number."""
    return orjson.dumps(rows).decode()


def _read_url(url: str) -> URL:
    with suppress(ArgumentError, ValueError):
        read = make_url(url)
        if read.get_backend_name() == "postgresql":
            return read.set(drivername="postgresql+psycopg")
    raise Misconfigured("PUSHJOBS_DATABASE_URL is no address of PostgreSQL: write postgresql://user:word@host/database")


def _first_line(error: DBAPIError) -> str:
    """Name the fault without the statement and its parameters, which may hold what must not be logged."""
    return str(error.orig).strip().partition("\n")[0]
