"""Pages that walk somebody through a change of the code: each step must fit the code as it stands."""

import ast
import re
from pathlib import Path

import pytest

from pushjobs.wechat import errcodes
from pushjobs.wechat.errcodes import ERRCODES, SOURCES

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "pushjobs/wechat/errcodes.py").read_text(encoding="utf-8")
FIRST_CHANGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ERROR_CODE = (ROOT / "docs/how-to/add-an-error-code.md").read_text(encoding="utf-8")


def changes(page: str) -> list[tuple[str, str]]:
    """Return the changes a page shows, each with the path of its file."""
    blocks = re.findall(r"^```diff\n\+\+\+ (\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [(path, change) for path, block in blocks for change in block.split("@@\n")]


def rows(text: str) -> list[ast.Call]:
    """Return the rows of the table of codes in a module, or in a piece of one."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "_row"]


def side(change: str, marks: str) -> str:
    """Return the lines of one side of a change."""
    return "".join(line[1:] for line in change.splitlines(keepends=True) if line[0] in marks)


@pytest.mark.parametrize(("path", "change"), changes(FIRST_CHANGE) + changes(ERROR_CODE))
def test_a_step_of_a_change_fits_the_code(path: str, change: str) -> None:
    """What a step shows of a file is there, once, before it is taken or after it."""
    text = (ROOT / path).read_text(encoding="utf-8")
    before, after = side(change, " -"), side(change, " +")
    assert text.count(after) == 1 or text.count(before) == 1 or not before


def test_the_first_change_has_its_steps() -> None:
    """A test, an event, what causes it, the word for its field, the entry for users."""
    assert len(changes(FIRST_CHANGE)) == 8


def test_an_error_code_has_its_steps() -> None:
    """A row that the table would take, of a code that is not there; the same code in the test of the table."""
    (_, row), (_, expected) = changes(ERROR_CODE)
    [added] = [call for call in rows(f"({side(row, ' +')})") if ast.literal_eval(call.args[0]) not in ERRCODES]
    code, _, outcome, source = added.args
    assert callable(getattr(errcodes, ast.unparse(outcome)))
    assert set(ast.literal_eval(source).split()) <= set(SOURCES)
    assert ast.unparse(code) in side(expected, "+")


def test_every_outcome_a_row_may_have_is_told_of() -> None:
    """Whoever adds a code chooses among all the outcomes there are names for, and no others."""
    used = {call.args[2].id for call in rows(TABLE) if isinstance(call.args[2], ast.Name)}
    assert used == set(re.findall(r"^\| `(\w+)` \| ", ERROR_CODE, re.MULTILINE)) - {"guess"}
