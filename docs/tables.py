"""What docs/reference/tables.md says of the tables, read off SQLAlchemy's metadata: comments, types, indexes.

Refuses to explain a column: what a reader misses there is missing in its comment, or in what an index says it serves.
"""  # noqa: INP001 - a script's part, as docs/generate.py

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import CheckConstraint, Column, DefaultClause, Enum, Identity, Index, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql

from pushjobs.store import tables

__all__ = ["ROOMS", "lines"]

Write = Callable[[Sequence[str], Iterable[Sequence[str]]], list[str]]

ROOMS: Mapping[str, tuple[Table, ...]] = {
    "Jobs": (tables.jobs, tables.job_history, tables.contents, tables.idempotency_keys, tables.form_ids),
    "Users": (tables.recipients, tables.template_days, tables.consents, tables.erasures),
    "Apps and templates": (tables.apps, tables.templates, tables.translations, tables.forbidden_words),
    "Limits": (tables.pauses, tables.paces, tables.app_days, tables.clearances),
    "Campaigns": (
        *(tables.campaigns, tables.runs, tables.snapshots),
        *(tables.audiences, tables.audience_members),
    ),
    "What WeChat tells": (tables.events, tables.receipts, tables.pushes),
    "Clients": (tables.clients, tables.webhooks, tables.outcomes),
    "Operators": (tables.sessions, tables.audit, tables.alerts, tables.alert_notices, tables.alert_addresses),
    "How things stand": (
        *(tables.settlements, tables.minutes, tables.totals),
        *(tables.census, tables.census_taken),
    ),
    "The installation": (tables.installation, tables.heartbeat),
}
"""The page's rooms, each with its tables."""

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy says no types
_SEALED = "sealed"


def lines(write: Write) -> Iterator[str]:
    """Yield the page below its title; `write` writes a table of columns and rows."""
    yield f"What stands in PostgreSQL, in the schema `{tables.SCHEMA}`. The tables are ours: any release may change"
    yield "them, by a migration (`pushjobs db upgrade`). Read them as you like; who writes them goes past every"
    yield "check. The same comments stand in the database (`\\d+ pushjobs.jobs` in psql)."
    yield from ("", "## What is encrypted", "", *_encrypted())
    for room, members in ROOMS.items():
        yield from ("", f"## {room}")
        for table in members:
            yield from _told(table, write)
    yield from ("", "## Words", "", "PostgreSQL's enums, so that a person reads words.", "")
    yield from write(("type", "words"), [(f"`{name}`", _listed(kind.enums)) for name, kind in sorted(_enums().items())])


def _encrypted() -> Iterator[str]:
    sealed = [table.name for members in ROOMS.values() for table in members if _SEALED in table.columns]
    yield f"The columns named `{_SEALED}`, of {_listed(sealed)}: by AES-256-GCM with a key of"
    yield "`PUSHJOBS_ENCRYPTION_KEYS`, each bound to its table, its app and whom or what it is for, so that it does"
    yield "not open where it was moved to. Open ids, contents and secrets stand nowhere else. A user is found again"
    yield "by `recipient`, a hash of app and open id keyed with `PUSHJOBS_LOOKUP_KEY`; other keyed hashes say so. Of"
    yield "clients' keys and cookies there are only hashes. All else is readable."


def _told(table: Table, write: Write) -> Iterator[str]:
    yield from ("", f"### {table.name}", "", f"{table.comment}.", "")
    rows = [
        (f"`{each.name}`", _type(each), "yes" if each.nullable else "", _default(each), _meaning(each))
        for each in table.columns
    ]
    yield from write(("column", "type", "null", "default", "meaning"), rows)
    words = [f"Primary key: {_listed(each.name for each in table.primary_key)}.", *map(_key, _keys(table))]
    yield from ("", " ".join(words))
    if found := sorted(table.indexes, key=lambda each: str(each.name)):
        yield from ("", *write(("index", "on", "only where", "serves"), map(_index, found)))


def _keys(table: Table) -> list[UniqueConstraint | CheckConstraint]:
    ours = [each for each in table.constraints if isinstance(each, UniqueConstraint | CheckConstraint)]
    return sorted((each for each in ours if each.name is not None), key=lambda each: str(each.name))


def _key(constraint: UniqueConstraint | CheckConstraint) -> str:
    if isinstance(constraint, CheckConstraint):
        return f"Always `{constraint.sqltext}`."
    alike = ", null being like null" if constraint.dialect_options["postgresql"]["nulls_not_distinct"] else ""
    return f"Unique: {_listed(each.name for each in constraint.columns)}{alike}."


def _index(index: Index) -> tuple[str, str, str, str]:
    where = index.dialect_options["postgresql"]["where"]
    columns = _listed(each.name for each in index.columns)
    serves = index.info["serves"]
    return (
        f"`{index.name}`",
        f"{columns}, unique" if index.unique else columns,
        "" if where is None else f"`{where}`",
        serves,
    )


def _type(column: Column[object]) -> str:
    written = str(column.type.compile(dialect=_DIALECT)).removeprefix(f"{tables.SCHEMA}.")
    short = {"TIMESTAMP WITH TIME ZONE": "timestamptz", "DOUBLE PRECISION": "float8"}.get(written, written.lower())
    return f"`{short}`"


def _default(column: Column[object]) -> str:
    match column.server_default:
        case Identity():
            return "the next number"
        case DefaultClause(arg=str(text)):
            return f"`{text}`"
        case DefaultClause(arg=expression):
            return f"`{expression}`"
    return ""


def _meaning(column: Column[object]) -> str:
    pointed = [f" (`{key.target_fullname.removeprefix(f'{tables.SCHEMA}.')}`)" for key in column.foreign_keys]
    return f"{column.comment}{''.join(pointed)}"


def _enums() -> dict[str, Enum]:
    every = [column.type for table in tables.metadata.tables.values() for column in table.columns]
    return {str(each.name): each for each in every if isinstance(each, Enum)}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
