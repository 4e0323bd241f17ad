"""The page of keys in Redis names every key that the code names."""

import ast
import re
from collections.abc import Iterator

import pytest

from docs.redis_keys import KEYS, is_known
from docs.website import ROOT

OURS = re.compile(r"pushjobs:[a-z]")


def named() -> Iterator[str]:
    """Yield each string of the code; what is filled in is in capitals, as on the page."""
    for module in [*(ROOT / "pushjobs").rglob("*.py"), *(ROOT / "workers").rglob("*.py")]:
        tree = ast.parse(module.read_text(encoding="utf-8"))
        joined = [each for each in ast.walk(tree) if isinstance(each, ast.JoinedStr)]
        parts = {id(part) for each in joined for part in each.values}
        yield from ("".join(map(written, each.values)) for each in joined)
        yield from (
            written(each) for each in ast.walk(tree) if isinstance(each, ast.Constant) and id(each) not in parts
        )


def written(part: ast.expr) -> str:
    """Write a part of a string."""
    match part:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=value):
            return ast.unparse(value).upper()
    return ""


def test_the_page_names_each_key_of_the_code_and_no_other() -> None:
    """A key that code reads or writes is on the page, by the same name."""
    assert {text for text in named() if OURS.match(text)} == {each.name for each in KEYS if OURS.match(each.name)}


def test_no_script_makes_up_a_key() -> None:
    """Scripts call with the keys that they are given."""
    scripts = [script.read_text(encoding="utf-8") for script in (ROOT / "pushjobs").rglob("*.lua")]
    called = [each for script in scripts for each in re.findall(r"redis\.call\('[A-Z]+', *([^,)]+)", script)]
    assert called
    assert all(each.startswith("KEYS[") for each in called)


@pytest.mark.parametrize("key", ["pushjobs:pace:wx1", "pushjobs.bulk", "pushjobs:token:wx1:lock", "_kombu.binding.x"])
def test_a_key_of_the_page_is_known(key: str) -> None:
    """What stands in capitals may be anything."""
    assert is_known(key)


@pytest.mark.parametrize("key", ["pushjobs:pace", "pushjobs:news", "pushjobs.other", "celery"])
def test_another_key_is_not_known(key: str) -> None:
    """Every other name is foreign."""
    assert not is_known(key)
