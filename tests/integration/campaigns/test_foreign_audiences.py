"""Audiences from a database: streamed, as of one moment, read-only, and silent about what stands in rows."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from pushjobs.campaigns.audiences import Audience, Recipient, read_audience
from pushjobs.errors import AudienceUnread, InvalidInput
from pushjobs.settings import Settings

EVERYBODY = "SELECT nickname, touser, 7 AS level FROM readers ORDER BY touser"


@pytest.fixture
def address(settings: Settings) -> str:
    """A PostgreSQL database of somebody else's, with a table of readers."""
    address = settings.require_database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE public.readers (touser text, nickname text)")
        connection.execute(
            "INSERT INTO public.readers SELECT 'o' || to_char(n, 'FM00000'), n FROM generate_series(1, 5000) n"
        )
    return address


@pytest.fixture
def file(tmp_path: Path) -> str:
    """An SQLite database with the same table."""
    with closing(sqlite3.connect(tmp_path / "crm.db")) as connection, connection:
        connection.execute("CREATE TABLE readers (touser text, nickname text)")
        connection.executemany(
            "INSERT INTO readers VALUES (?, ?)", [(f"o{number:05}", str(number)) for number in range(1, 5001)]
        )
    return f"sqlite:///{tmp_path}/crm.db"


@pytest.fixture(params=["address", "file"])
def url(request: pytest.FixtureRequest) -> str:
    """Either of the two."""
    return str(request.getfixturevalue(request.param))


def audience(url: str, query: str = EVERYBODY) -> Audience:
    return read_audience({"sql": query, "url": url})


def refusal(url: str, query: str, wanted: tuple[str, ...] = ()) -> str:
    with pytest.raises(InvalidInput) as refused:
        audience(url, query).check(wanted)
    return str(refused.value)


def test_a_query_s_columns_are_text(url: str) -> None:
    """Rows come in the query's order, more of them than are fetched at once; what is no text is written as one."""
    readers = audience(url)
    readers.check(["nickname", "level"])
    rows = list(readers.rows())
    assert [row.number for row in rows] == list(range(1, 5001))
    assert rows[0] == Recipient(1, "o00001", {"nickname": "1", "level": "7"})
    assert rows[-1] == Recipient(5000, "o05000", {"nickname": "5000", "level": "7"})


def test_postgresql_s_types_are_written_as_people_write_them(address: str) -> None:
    """Dates, decimals, booleans and nothing at all; a type that is no plain value is that row's fault."""
    plain = "date '2026-12-01' AS day, 19.90 AS price, true AS vip, NULL AS none"
    [row] = audience(address, f"SELECT 'oA' AS touser, {plain}").rows()
    assert row == Recipient(1, "oA", {"day": "2026-12-01", "price": "19.90", "vip": "true", "none": ""})
    assert "ids is no text, number or date (list)" in refusal(address, "SELECT 'oA' AS touser, ARRAY[1, 2] AS ids")


def test_percent_signs_and_colons_are_the_query_s_own(url: str) -> None:
    """Nothing in a query is taken for a parameter, and a semicolon may end it."""
    query = "SELECT touser, '12:30' AS t, ':x' AS x, '%s' AS s FROM readers WHERE touser LIKE 'o0000%' AND 7 % 4 = 3;"
    rows = list(audience(url, query).rows())
    assert len(rows) == 9
    assert rows[0] == Recipient(1, "o00001", {"t": "12:30", "x": ":x", "s": "%s"})


def test_a_hundred_million_rows_are_begun_at_once(address: str) -> None:
    """The first rows of an enormous result come while the server has computed no more than it was asked for."""
    endless = audience(address, "SELECT 'o' || generate_series(1, 100000000) AS touser")
    started = time.monotonic()
    endless.check(())
    rows = endless.rows()
    assert [next(rows) for _ in range(10)] == [Recipient(number, f"o{number}", {}) for number in range(1, 11)]
    rows.close()
    assert time.monotonic() - started < 15


def test_what_others_change_meanwhile_does_not_show(address: str) -> None:
    """The query is answered as of its beginning: rows added, changed and deleted behind it are as they were."""
    rows = audience(address).rows()
    first = next(rows)
    with psycopg.connect(address) as connection:
        connection.execute("DELETE FROM readers WHERE touser > 'o04000'")
        connection.execute("UPDATE readers SET nickname = 'changed'")
        connection.execute("INSERT INTO readers VALUES ('o99999', 'new')")
    assert [first, *rows] == [
        Recipient(number, f"o{number:05}", {"nickname": str(number), "level": "7"}) for number in range(1, 5001)
    ]


def test_a_reader_of_sqlite_keeps_its_rows(file: str) -> None:
    """With a write-ahead log others go on writing, and the reader sees what was there when it began."""
    path = file.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        rows = audience(file).rows()
        next(rows)
        with connection:
            connection.execute("DELETE FROM readers WHERE touser > 'o04000'")
        assert sum(1 for _ in rows) == 4999


def test_nothing_can_be_written(url: str) -> None:
    """A query that would change something is refused, and changes nothing."""
    said = refusal(url, "DELETE FROM readers RETURNING touser")
    assert said.startswith("audience.sql cannot be queried")
    assert sum(1 for _ in audience(url).rows()) == 5000


def test_a_function_cannot_write_either(address: str) -> None:
    """What looks like a question and changes something in passing finds the transaction read-only."""
    with psycopg.connect(address) as connection:
        connection.execute(
            "CREATE FUNCTION public.sneak() RETURNS text LANGUAGE sql AS $$ DELETE FROM readers RETURNING touser $$"
        )
    assert "read-only transaction" in refusal(address, "SELECT public.sneak() AS touser")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT touser FROM reader", "cannot be queried ("),
        ("SELECT uname FROM readers", "cannot be queried ("),
        ("SELEC touser FROM readers", "cannot be queried ("),
        ("SELECT nickname FROM readers", "has no column touser"),
        ("SELECT touser, nickname AS a, nickname AS a FROM readers", "has two columns of one name"),
        ("SELECT touser FROM readers WHERE 1 = 0", "has no row"),
        ("SELECT touser FROM readers", "lacks level, nickname"),
        ("SELECT 'o ' || touser AS touser FROM readers", "has nobody to be sent to in its first rows (row 1: touser"),
    ],
)
def test_a_query_that_gives_no_audience_is_refused_at_creation(url: str, query: str, said: str) -> None:
    """What cannot be run, or does not return what is needed, is told by fault and rule."""
    told = refusal(url, query, ("nickname", "level") if "lacks" in said else ())
    assert told.startswith(f"audience.sql {said}")
    assert "o00001" not in told


def test_the_server_s_words_help_where_no_row_was_in_its_hands(address: str, file: str) -> None:
    """A name that is not there is told as the database tells it."""
    assert '(column "uname" does not exist)' in refusal(address, "SELECT uname FROM readers")
    assert "(no such column: uname)" in refusal(file, "SELECT uname FROM readers")


def test_a_query_that_fails_on_a_row_says_nothing_of_the_row(address: str) -> None:
    """Past the check, a fault in the midst stops the reader; its type and code are told, the row's value is not."""
    readers = audience(
        address, "SELECT touser, (CASE WHEN touser = 'o03000' THEN touser ELSE '1' END)::int FROM readers"
    )
    readers.check(())
    rows = readers.rows()
    assert [next(rows).number for _ in range(1000)][-1] == 1000
    with pytest.raises(AudienceUnread, match=r"read to its end \(InvalidTextRepresentation 22P02\)") as unread:
        list(rows)
    assert "o03000" not in str(unread.value)
    assert unread.value.__cause__ is None


def test_what_sqlite_quotes_of_a_row_is_not_repeated(file: str) -> None:
    """SQLite quotes what it cannot read or do: that is left out, at once and in the midst."""
    with closing(sqlite3.connect(file.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE readers SET nickname = CAST(x'536563726574ff' AS text) WHERE touser = 'o02500'")
    rows = audience(file).rows()
    with pytest.raises(AudienceUnread, match=r"cannot be read to its end \(OperationalError\)") as unread:
        list(rows)
    assert "Secret" not in str(unread.value)
    for expression in ("nickname", "json_extract('{}', 'Secret' || touser)"):
        query = f"SELECT {expression} AS touser FROM readers WHERE touser = 'o02500'"  # noqa: S608 - our own words
        assert "(OperationalError): try its query" in refusal(file, query)


def test_a_connection_that_is_lost_stops_the_reader(address: str) -> None:
    """Where the server ends it, the reader hears of it with the next rows, and is told which audience it was."""
    rows = audience(address).rows()
    next(rows)
    with psycopg.connect(address) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'FETCH%'"
        ).fetchall()
    assert ended == [(True,)]
    with pytest.raises(AudienceUnread, match=r"^the audience postgresql://.*cannot be read to its end"):
        list(rows)


def test_a_reader_that_stops_leaves_no_connection(address: str) -> None:
    """When its reader is closed, or it was checked, nothing of it is left at the server."""
    readers = audience(address)
    readers.check(())
    rows = readers.rows()
    next(rows)
    assert others(address) == 1
    rows.close()
    assert others(address) == 0


@pytest.mark.parametrize(
    "url", ["postgresql://u:hush-hush@127.0.0.1:9/crm", "postgresql://u@127.0.0.1:9/crm?password=hush-hush"]
)
def test_a_server_that_is_away_is_told_without_its_password(url: str) -> None:
    """Nobody listens there; the refusal says so and hides the password."""
    told = refusal(url, "SELECT 1")
    assert "cannot be queried (" in told
    assert "9 failed" in told
    assert "hush-hush" not in told


def test_sqlite_makes_no_file(tmp_path: Path) -> None:
    """A database that is not there is refused, and is not there afterwards."""
    assert "is not there" in refusal(f"sqlite:///{tmp_path}/absent.db", "SELECT 1")
    assert not (tmp_path / "absent.db").exists()


def others(address: str) -> int:
    """Count the connections to the database besides the one that asks."""
    with psycopg.connect(address) as connection:
        [(count,)] = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return int(count)
