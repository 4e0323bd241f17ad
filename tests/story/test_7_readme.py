"""Chapter 7: the README. Each of its blocks runs as it stands, at one installation; the Chinese one has the same."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.story.conftest import Running
from tests.story.pages import ROOT, Block, Shell, blocks_of, without_comments

README, IN_CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
FULL = os.environ.get("PUSHJOBS_TEST_FULL") == "1"
"""Only then the Chinese page is typed, too: another test finds its blocks to be the same."""

STARTS = ". .venv/bin/activate\npushjobs up --sandbox\n"


@pytest.fixture(params=[README, IN_CHINESE] if FULL else [README], ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Path:
    """The README, or its translation."""
    return Path(request.param)


@pytest.fixture
def shell(running: Running, tmp_path: Path) -> Iterator[Shell]:
    """The other terminal, whose first line is typed already; the client that a page adds is ended with it."""
    environment = {"PUSHJOBS_DIRECTORY": str(running.directory), "BROKER_URL": running.addresses["broker_url"]}
    with Shell(tmp_path / "checkout", environment, http=running.addresses["http"]) as opened:
        opened.follow(Block(language="bash", text=". .venv/bin/activate\n", shows=None))
        yield opened
        opened.follow(Block(language="bash", text="pushjobs client revoke shop --yes\n", shows=None))


def made_by_make(block: Block) -> list[str]:
    """Return the targets that a block has made; none where it is not of `make`."""
    return re.findall(r"^make ([a-z-]+)", block.text, re.MULTILINE)


def test_every_block_of_the_readme_runs(page: Path, shell: Shell) -> None:
    """Each way in schedules what it says; the commands that take minutes are tests of their own, and are there."""
    blocks = blocks_of(page)
    first, second = (block for block in blocks if made_by_make(block) or block.text == STARTS)
    # The installation that runs is what the second of them starts, and test_demo.py watches the demo.
    assert (made_by_make(first), second.text) == (["demo", "test"], STARTS)
    for target in made_by_make(first):
        dry_run = ["make", "--dry-run", target]
        subprocess.run(dry_run, cwd=ROOT, check=True, capture_output=True)

    shown = {block.text: shell.follow(block) for block in blocks if block not in {first, second}}

    assert len(shown) == 4
    python, celery, http, terminal = shown.values()
    moved, rejected, cancelled = python.splitlines()
    assert moved.startswith("It is not due before 2040-12-02 08:00:00 (Asia/Shanghai).")
    assert rejected.startswith("0 [Rejection(row=1, field='page'")
    assert cancelled == "1"
    assert celery == ""
    assert '"state":"scheduled"' in http
    assert re.search(r"^job \d+ is scheduled for 2040-12-01 08:00:00 \(Asia/Shanghai\)$", terminal, re.MULTILINE)
    assert terminal.endswith("cancelled 1 job\n")


def test_both_languages_show_the_same() -> None:
    """But for remarks, the blocks of both READMEs are the same, and so is what is compared by a test."""
    english, chinese = (
        [(block.language, without_comments(block.text)) for block in blocks_of(page)] for page in (README, IN_CHINESE)
    )
    assert english == chinese
    tests = [re.findall(r"\(tests/[^)]*\)", page.read_text(encoding="utf-8")) for page in (README, IN_CHINESE)]
    assert tests[0] == tests[1]
