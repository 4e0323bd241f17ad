"""What pages say of the benchmarks is what was measured."""

from pathlib import Path

import pytest

from benchmarks import pages, table
from benchmarks.__main__ import FIGURES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", pages.BLOCKS)
def test_a_page_s_figures_are_the_results(name: str) -> None:
    """A block of figures holds what the results say, to the letter: none is typed in, none is older than they are."""
    mark, render = pages.BLOCKS[name]
    text = (ROOT / name).read_text(encoding="utf-8")
    assert pages.filled(text, mark, render(pages.medians())) == text


def test_the_table_is_the_results_table(tmp_path: Path) -> None:
    """So does the table of all figures, their targets and verdicts."""
    page = tmp_path / "README.md"
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    page.write_text(text, encoding="utf-8")
    table.write(page, FIGURES)
    assert page.read_text(encoding="utf-8") == text
