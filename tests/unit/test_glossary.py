"""docs/glossary.md has every word of the house, and the house uses the words it has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
GROUPS = re.split(r"^## .+\n", TEXT, flags=re.MULTILINE)[1:]
OURS, WECHATS, OTHERS = ([*re.findall(r"^\| \*\*(.+?)\*\*", group, re.MULTILINE)] for group in GROUPS)
ENTRIES = dict(re.findall(r"^\| \*\*(.+?)\*\*(?: \(.+?\))? \| (.+) \|$", TEXT, re.MULTILINE))

# One word an idea, in modules, tables, functions and pages alike. A word that comes up is added here and there.
HOUSE = (
    "job,message,lane,release,lease,slice,admit,gate,slot,outcome,settle,defer,refuse,in_doubt,dead,replay,credit,"
    "quota_day,breaker,pause,campaign,run,cursor,audience,content,sandbox,door"
)
MEETS = "open id,app id,Mini Program,template,subscribe message,access token,errcode,callback,msgid,receipt,form id"


def named(module: Path) -> Iterator[str]:
    """Yield what a module calls itself, its functions, classes, attributes, members of enums, tables and columns."""
    yield module.stem
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name.lower()
            case ast.Call(func=ast.Name(id="Column" | "Table"), args=[ast.Constant(value=str(name)), *_]):
                yield name


NAMES = {name for module in (ROOT / "pushjobs").rglob("*.py") for name in named(module)}
NAMES |= {room.name for room in (ROOT / "pushjobs").rglob("*") if room.is_dir()}


@pytest.mark.parametrize("word", HOUSE.split(","))
def test_a_word_of_the_house_is_explained_and_used(word: str) -> None:
    """Each has its entry, and something is called by it: a module, a table, a column, a function, a state."""
    assert word.replace("_", " ") in OURS
    assert any(re.search(rf"(^|_){word}(s|es|d|ed)?(_|$)", name) for name in NAMES)


def test_who_is_new_to_wechat_finds_its_words() -> None:
    """What every page takes for known of WeChat and of Celery is said once."""
    assert set(MEETS.split(",")) <= set(WECHATS)
    assert {"ETA", "beat", "prefork", "acks_late"} <= set(OTHERS)
    assert "drop-in endpoint" in OURS


@pytest.mark.parametrize("words", [OURS, WECHATS, OTHERS])
def test_words_stand_in_order(words: list[str]) -> None:
    """Within a group the words are sorted, and each stands there once."""
    assert words == sorted(set(words), key=str.lower)


def test_an_entry_is_short_and_leads_on() -> None:
    """Each is a sentence or two, and ends with one link, to the page that tells more."""
    assert set(ENTRIES) == {*OURS, *WECHATS, *OTHERS}
    for word, told in ENTRIES.items():
        assert re.fullmatch(r"[^\[]+[.:)] \[[^\]]+\]\([^)]+\.md\)", told), word
        assert len(told) < 300, word
