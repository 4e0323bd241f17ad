"""CONTRIBUTING walks a newcomer through a first change: it must fit the code as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(
    r"^```diff\n\+\+\+ (\S+)\n(.*?)^```$",
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)
CHANGES = [(path, change) for path, block in BLOCKS for change in block.split("@@\n")]


def side(change: str, marks: str) -> str:
    """Return the lines of one side of a change."""
    return "".join(line[1:] for line in change.splitlines(keepends=True) if line[0] in marks)


@pytest.mark.parametrize(("path", "change"), CHANGES)
def test_a_step_of_the_first_change_fits_the_code(path: str, change: str) -> None:
    """What a step shows of a file is there, once, before it is taken or after it."""
    text = (ROOT / path).read_text(encoding="utf-8")
    before, after = side(change, " -"), side(change, " +")
    assert text.count(after) == 1 or text.count(before) == 1 or not before


def test_the_first_change_has_its_steps() -> None:
    """A test, an event, what causes it, the word for its field, the entry for users."""
    assert len(CHANGES) == 8
