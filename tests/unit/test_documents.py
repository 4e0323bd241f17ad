"""What is written about the code is true of it: the picture of the house, the generated pages, the links, the sizes."""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

import pytest

from docs.coverage import CALLS
from docs.generate import PAGES, REFERENCE
from docs.log_lines import FIELDS
from docs.tables import ROOMS
from pushjobs.domain.events import Event
from pushjobs.sandbox import paths
from pushjobs.store.schema import metadata

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ROOT / "docs/explanation/floors.md"
GUARANTEES = ROOT / "docs/explanation/guarantees.md"
PAGES_OF_PROSE = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
ROOMS_OF_CODE = ("pushjobs", "workers", "tests", "docs", "examples", "benchmarks")
MODULES = sorted([*ROOT.glob("*.py"), *(module for room in ROOMS_OF_CODE for module in (ROOT / room).rglob("*.py"))])
LONGEST = 400


def relative(path: Path) -> str:
    """Name a file as people do, for a test's own name."""
    return str(path.relative_to(ROOT))


@dataclass(frozen=True)
class Line:
    """One line of the drawn tree: the directory it lies in, what it names, and the floor it says."""

    room: str
    names: list[str]
    floor: int | None


def drawn() -> Iterator[Line]:
    """Read the tree in floors.md: a name's depth is how far the lines push it in."""
    [tree] = re.findall(r"```\n(.*?)```", FLOORS.read_text(encoding="utf-8"), re.DOTALL)
    path: list[str] = []
    for line in tree.splitlines():
        if not (words := line.lstrip("│├└─ ")):
            continue
        names, _, text = words.partition("  ")
        depth = (len(line) - len(words)) // 4
        floor = re.match(r"\s*FLOOR (\d)", text)
        yield Line("".join(path[:depth]), names.split(), int(floor[1]) if floor else None)
        path = [*path[:depth], names.split()[0]]


def module_name(name: str) -> str:
    """Return what an import calls a file or a directory of the tree."""
    return name.removesuffix("/").removesuffix(".py")


def walls() -> dict[str, int]:
    """Read the layers of import-linter's contract: each room's floor, as the line's comment says."""
    layers = re.findall(r'^    "([a-z_ |]+)",\s+# floor (\d)', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    return {room: int(floor) for rooms, floor in layers for room in rooms.split(" | ")}


def test_the_tree_names_every_room_and_nothing_else() -> None:
    """floors.md draws what lies in `pushjobs` and `workers`; of a room's files it draws all or none."""
    lines = list(drawn())
    for room in sorted({line.room for line in lines if line.room}):
        names = {name.removesuffix("/") for line in lines if line.room == room for name in line.names}
        found = {path.name for path in (ROOT / room).iterdir() if path.suffix == ".py" or path.is_dir()}
        found -= {"__pycache__"} | (set() if "__init__.py" in names else {"__init__.py"})
        assert names == found, room
    for line in lines:
        for name in line.names:
            assert (ROOT / line.room / name).exists(), line


def test_the_tree_s_floors_are_import_linter_s() -> None:
    """A room is on the floor in the picture that the contract's comment says, and lower layers are no higher floors."""
    floors = {
        module_name(name): line.floor
        for line in drawn()
        if line.room == "pushjobs/" and line.names != ["__init__.py"]
        for name in line.names
    }
    assert floors == walls()
    assert list(walls().values()) == sorted(walls().values(), reverse=True)


def test_the_table_of_walls_is_import_linter_s() -> None:
    """Who may import which library is the same in floors.md as in the contracts."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = [each for each in configuration["tool"]["importlinter"]["contracts"] if each["type"] == "protected"]
    written = re.findall(r"^\| (`.+`) \| (`.+`) \|$", FLOORS.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(re.findall(r"`(.+?)`", libraries), re.findall(r"`(.+?)`", rooms)) for libraries, rooms in written] == [
        (each["protected_modules"], [room.removeprefix("pushjobs.") for room in each["allowed_importers"]])
        for each in contracts
    ]


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_generated_pages_are_current(page: Path) -> None:
    """What docs/generate.py would write is what stands there; `make docs` brings it up to date."""
    assert page.read_text(encoding="utf-8") == PAGES[page]()


def test_every_call_of_the_sandbox_is_accounted_for() -> None:
    """The page of what is spoken names each call that the sandbox plays, and modules that are there."""
    assert {*paths.ALL, paths.UNIFORM_SEND, paths.LOGIN} <= {call.path for call in CALLS}
    for call in CALLS:
        assert call.by is None or (ROOT / "pushjobs" / call.by).is_file(), call


def test_every_field_of_a_log_line_has_its_meaning() -> None:
    """The page of events says of each field what it is, in the order of the alphabet, and of no other."""
    assert list(FIELDS) == sorted({each.name for kind in get_args(Event) for each in fields(kind)})


def test_every_table_is_told_of_once() -> None:
    """The page of tables has each, with the meaning of each column and what each index serves."""
    told = [table for tables in ROOMS.values() for table in tables]
    assert len(told) == len(set(told))
    assert set(told) == set(metadata.tables.values())
    for table in told:
        assert table.comment, table
        assert all(column.comment for column in table.columns), table
        assert all(index.info.get("serves") for index in table.indexes), table


def test_every_page_of_reference_is_generated() -> None:
    """Nobody writes facts by hand."""
    assert set(REFERENCE.iterdir()) == set(PAGES)


def test_every_rule_of_the_fine_print_has_its_proof() -> None:
    """Each rule that is built has a test that begins with its number."""
    text = (ROOT / "docs/explanation/fine-print.md").read_text(encoding="utf-8")
    rules = re.findall(r"^\*\*(12\.\d+) (.*?)(?=^\*\*|\Z)", text, re.MULTILINE | re.DOTALL)
    proven = set(re.findall(r"^\| (12\.\d+) ", (REFERENCE / "proofs.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert len(rules) == 20
    assert {number for number, words in rules if "(Not built yet.)" not in words} == proven


def test_every_promise_names_tests_that_exist() -> None:
    """What the guarantees name as their tests is there to be run."""
    rows = re.findall(r"^\| \*\*.*\|$", GUARANTEES.read_text(encoding="utf-8"), re.MULTILINE)
    named = [re.findall(r"`(tests/[^`]*)`|`(make [^`]*)`", row.rsplit("|", 2)[1]) for row in rows]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert len(rows) == 11
    assert all(named)
    for path, command in (each for row in named for each in row):
        assert (ROOT / path).is_file() if path else command.removeprefix("make ") in targets


@pytest.mark.parametrize("page", PAGES_OF_PROSE, ids=relative)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """Each link of a page to a file of ours finds it."""
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in links:
        target, _, heading = link.partition("#")
        assert re.match("[a-z]+:", link) or (page.parent / target).exists(), link
        assert not heading, "link to pages, not into them: headings change"


def test_every_decision_and_page_can_be_reached() -> None:
    """Whoever follows links from the README comes by every page of docs."""
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            links = re.findall(r"\]\(([^)\s:#]+)\)", page.read_text(encoding="utf-8"))
            waiting += [(page.parent / link).resolve() for link in links]
    assert {relative(page) for page in PAGES_OF_PROSE} <= {relative(page) for page in seen}


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_modules_are_short_and_open_with_their_reason(module: Path) -> None:
    """Every module has a docstring and at most 400 lines."""
    text = module.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= LONGEST
