"""Definitions of audiences, and iterables in code: what is refused when it is defined, checked and read."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from pushjobs.campaigns.audiences import Recipient, Unfit, read_audience
from pushjobs.errors import AudienceUnread, InvalidInput

MODULE = """
import sys
EVERYBODY = ["oA", {"touser": "oB", "nickname": "B"}, "not one"]
NOBODY = []
ONCE = iter(["oA"])
TEXT = "oA"
FAULTY = ["not one", "nor this"]
OPEN = []

def made():
    OPEN.append("open")
    try:
        yield "oA"
        yield "oB"
    finally:
        OPEN.remove("open")

def broken():
    yield "oA"
    raise RuntimeError("secret user")

def uncallable(argument):
    return []

class Lists:
    readers = ["oA"]
"""


@pytest.fixture
def iterable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """An audience of a module in the current directory, which is on nobody's path."""
    name = f"audience_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return lambda path: read_audience({"iterable": f"{name}:{path}"})


@pytest.mark.parametrize(
    ("definition", "field", "fault"),
    [
        (None, "audience", r"is no mapping \(NoneType\)"),
        ({}, "audience", "is not of one kind"),
        ({"file": "a.csv", "iterable": "a:b"}, "audience", "is not of one kind"),
        ({"file": "a.csv", "url": "sqlite://"}, "audience", "is not of one kind"),
        ({"sql": "SELECT 1"}, "audience", "is not of one kind"),
        ({"url": "sqlite://"}, "audience", "is not of one kind"),
        ({"file": "a.csv", "delimiter": ";"}, "audience", "has keys beyond"),
        ({"file": 7}, "audience.file", r"is no text \(int\)"),
        ({"file": " "}, "audience.file", "is empty or holds a NUL"),
        ({"file": "a\0.csv"}, "audience.file", "is empty or holds a NUL"),
        ({"file": "a.xlsx"}, "audience.file", "has no suffix that says what it is"),
        ({"file": "a.gz"}, "audience.file", "has no suffix that says what it is"),
        ({"sql": "", "url": "sqlite://"}, "audience.sql", "is empty"),
        ({"iterable": "package.module"}, "audience.iterable", "is no import path"),
        ({"iterable": "package.:name"}, "audience.iterable", "is no import path"),
        ({"iterable": "os:system('x')"}, "audience.iterable", "is no import path"),
        ({"sql": "SELECT 1", "url": "hush-hush"}, "audience.url", "is no address of a database"),
        ({"sql": "SELECT 1", "url": "foo://u:hush-hush@h/d"}, "audience.url", "is no address of a database"),
        ({"sql": "SELECT 1", "url": "mysql://u:hush-hush@h:port/d"}, "audience.url", "is no address of a database"),
        ({"sql": "SELECT 1", "url": "oracle://u:hush-hush@h/d"}, "audience.url", r"not installed \(oracledb\)"),
        ({"sql": "SELECT 1", "url": "postgresql+asyncpg://u:hush-hush@h/d"}, "audience.url", "an asynchronous driver"),
        ({"sql": "SELECT 1", "url": "postgresql://u:hu@hush-hush@h/d"}, "audience.url", "has more than one @"),
        ({"sql": "SELECT 1", "url": "postgresql://u/r:hush-hush@h/d"}, "audience.url", "has more than one @"),
    ],
)
def test_what_defines_no_audience_is_refused(definition: object, field: str, fault: str) -> None:
    """The refusal names the part of the definition, what is wrong and what is allowed, and repeats no password."""
    with pytest.raises(InvalidInput, match=fault) as refused:
        read_audience(definition)
    assert refused.value.field == field
    assert "hush" not in str(refused.value)


def test_the_field_s_name_is_the_caller_s() -> None:
    """A refusal speaks of what its reader wrote."""
    with pytest.raises(InvalidInput, match=r"^news\.audience\.file has no suffix"):
        read_audience({"file": "a.xlsx"}, field="news.audience")


@pytest.mark.parametrize(
    ("definition", "described"),
    [
        ({"file": "lists/readers.csv.gz"}, "lists/readers.csv.gz"),
        ({"iterable": "package.module:name"}, "package.module:name"),
        (
            {"sql": "SELECT 'hush-hush'", "url": "postgresql://u:hush-hush@db.example:5433/crm?password=hush-hush"},
            "postgresql://db.example:5433/crm",
        ),
        ({"sql": "SELECT 'hush-hush'", "url": "sqlite:////data/crm.db"}, "sqlite:////data/crm.db"),
    ],
)
def test_an_audience_is_described_without_its_secrets(definition: dict[str, str], described: str) -> None:
    """People read where it comes from; neither that line nor a repr holds a password, user or query."""
    audience = read_audience(definition)
    assert audience.described == described
    assert "hush-hush" not in f"{audience!r} {audience.described}"
    assert orjson.loads(orjson.dumps(audience.definition)) == definition


def test_an_iterable_is_read_row_by_row(iterable: Callable[[str], Any]) -> None:
    """Open ids and mappings may be mixed; what is neither is handed out as unfit, in its place."""
    audience = iterable("EVERYBODY")
    audience.check(["nickname"])
    first, second, third = audience.rows()
    assert (first, second) == (Recipient(1, "oA", {}), Recipient(2, "oB", {"nickname": "B"}))
    assert isinstance(third, Unfit)


@pytest.mark.parametrize("path", ["made", "Lists.readers", "Lists.readers.copy"])
def test_a_function_s_iterable_is_made_anew_each_time(iterable: Callable[[str], Any], path: str) -> None:
    """A check uses nothing up: each reading begins with the first row."""
    audience = iterable(path)
    for _ in range(2):
        audience.check(())
        assert next(audience.rows()) == Recipient(1, "oA", {})


def test_a_reader_who_stops_ends_the_function_s_generator(iterable: Callable[[str], Any]) -> None:
    """What a generator holds open, a connection say, is let go when its reader is closed."""
    rows = iterable("made").rows()
    next(rows)
    [module] = [sys.modules[name] for name in sys.modules if name == iterable("made").module]
    assert module.OPEN == ["open"]
    rows.close()
    assert module.OPEN == []


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("ABSENT", r"is not in its module \(AttributeError\)"),
        ("Lists.writers", r"is not in its module \(AttributeError\)"),
        ("NOBODY", "has no row"),
        ("ONCE", "can be read only once"),
        ("TEXT", r"is no iterable of rows \(str\)"),
        ("sys.maxsize", r"is no iterable of rows \(int\)"),
        ("uncallable", r"fails when it is called without arguments \(TypeError\)"),
        ("broken", r"fails while it is read \(RuntimeError\)"),
        ("FAULTY", r"has nobody to be sent to in its first rows \(row 1: touser holds a blank"),
    ],
)
def test_what_cannot_be_iterated_is_refused_at_creation(iterable: Callable[[str], Any], path: str, fault: str) -> None:
    """Absent, empty, used up by one look, not iterable or failing: told by its type, without an error's own words."""
    with pytest.raises(InvalidInput, match=f"^audience.iterable {fault}") as refused:
        iterable(path).check(())
    assert "secret" not in str(refused.value)


def test_a_column_that_no_row_names_is_missing(iterable: Callable[[str], Any]) -> None:
    """Rows that name their own columns need not all have one, but somebody must."""
    iterable("EVERYBODY").check(["nickname", "touser"])
    with pytest.raises(InvalidInput, match=r"^audience.iterable lacks city, level: "):
        iterable("EVERYBODY").check(["nickname", "level", "city"])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError nowhere_to_be_found"),
        ("1/0", "ZeroDivisionError"),
        ("(", "SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_imported_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, fault: str
) -> None:
    """What an import raises is told by its type; a missing module by its name."""
    (tmp_path / "broken_audience.py").write_text(content)
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    with pytest.raises(InvalidInput, match=rf"^audience.iterable cannot be imported \({fault}\)"):
        read_audience({"iterable": "broken_audience:X"}).check(())
    assert sys.path == path


def test_an_iterable_that_breaks_stops_the_reader(iterable: Callable[[str], Any]) -> None:
    """The rows before the fault are handed out, and then it is the whole audience's fault, without its words."""
    rows = iterable("broken").rows()
    assert next(rows) == Recipient(1, "oA", {})
    with pytest.raises(AudienceUnread, match=r"^the audience audience_of_.*:broken fails while") as unread:
        next(rows)
    assert "secret" not in str(unread.value)
