"""What docs/reference/proofs.md says: which tests prove which rule of the fine print.

A test proves a rule whose number its docstring begins with; nothing is said here by hand.
"""  # noqa: INP001 - a script's part, as docs/generate.py

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

__all__ = ["lines"]

Write = Callable[[Sequence[str], Iterable[Sequence[str]]], list[str]]

_FINE_PRINT = Path(__file__).parent / "explanation" / "fine-print.md"
_TESTS = Path(__file__).parents[1] / "tests"


def lines(write: Write) -> Iterator[str]:
    """Yield the page below its title; `write` writes a table of columns and rows."""
    rules = dict(re.findall(r"^\*\*12\.(\d+) (.+?)\*\*", _FINE_PRINT.read_text(encoding="utf-8"), re.MULTILINE))
    proofs = sorted(_proofs())
    rows = [
        (f"12.{rule} {title.rstrip('.:')}", f"`{test}`", words)
        for rule, title in rules.items()
        for number, test, words in proofs
        if number == rule
    ]
    yield "A test whose docstring begins with a number proves that rule of [the fine"
    yield "print](../explanation/fine-print.md). Other tests may touch it too."
    yield from ("", *write(("rule", "test", "what it shows"), rows))


def _proofs() -> Iterator[tuple[str, str, str]]:
    """Yield rule, test and words of each proof."""
    for path in _TESTS.rglob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for number, words in re.findall(r"^12\.(\d+) (.+)", ast.get_docstring(node) or ""):
                    yield number, f"{path.relative_to(_TESTS.parent)}::{node.name}", words
