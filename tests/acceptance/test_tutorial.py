"""The tutorial: whoever types what it says sees what it shows, from the first start to the second."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.at_console import Browser
from tests.story.pages import ROOT, Block, Shell, blocks_of, differences, without_comments
from tests.terminals import Terminal

TUTORIAL = ROOT / "docs/tutorial"
FIRST_PUSH, IN_CHINESE = TUTORIAL / "first-push.md", TUTORIAL / "first-push.zh-CN.md"
REAL_ACCOUNT = (TUTORIAL / "real-account.md", TUTORIAL / "real-account.zh-CN.md")
FULL = os.environ.get("PUSHJOBS_TEST_FULL") == "1"
"""Only then the Chinese page is typed, too: that takes a while, and another test finds its blocks to be the same."""

UP = "pushjobs up --sandbox\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Shell]:
    """The second terminal, in a directory in which nothing was started yet."""
    with Shell(tmp_path / "pushjobs") as opened:
        yield opened


@contextmanager
def started(block: Block, directory: Path) -> Iterator[str]:
    """Type a block that starts everything into the first terminal; yield what it shows. Ctrl-C ends it."""
    line = block.text.replace(UP, "exec pushjobs up --sandbox --http 0 --flower 0")
    if "activate" not in line:
        line = f". .venv/bin/activate\n{line}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PUSHJOBS_")}
    with Terminal(["bash", "-c", f"cd {directory}\n{line}"], environment=kept, columns=200) as first:
        try:
            yield first.see("ready: .*\n")
        finally:
            # Killed, it would leave its servers behind.
            first.type("\x03")
            assert first.end() == 0
            assert first.text.replace("^C", "").split() == ["stopping", "stopped"]


def sign_in(console: str, shown: str) -> None:
    """Sign in at the console with what `client add` showed."""
    named = dict(line.split(maxsplit=1) for line in shown.splitlines())
    browser = Browser(console.removesuffix("/console/"))
    browser.get("/console/sign-in")
    browser.post("/console/sign-in", {"id": named["id"].strip(), "key": named["key"].strip()})
    assert browser.get("/console/jobs").status_code == 200
    assert "/console/jobs/6" in browser.page
    browser.http.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [FIRST_PUSH, IN_CHINESE] if FULL else [FIRST_PUSH], ids=lambda page: page.name)
def test_the_first_push_goes_as_the_page_says(page: Path, checkout: Shell) -> None:
    """Everything is typed, in order, in two terminals; the browser is one without a script."""
    install, up, *others, again, last = blocks_of(page)
    assert install.text == "make install\n"
    assert (up.text, again.text) == (f". .venv/bin/activate\n{UP}", UP)
    with started(up, checkout.directory) as said:
        assert up.shows is not None
        assert differences(said, up.shows) == []
        [console] = re.findall(r"^console +(\S+)", said, re.MULTILINE)
        for block in others:
            shown = checkout.follow(block)
            if block.text.startswith("pushjobs client add"):
                sign_in(console, shown)
    with started(again, checkout.directory):
        checkout.follow(last)


def test_both_languages_type_and_see_the_same() -> None:
    """But for remarks, the blocks of a page and of its translation are the same."""
    for english, chinese in ((FIRST_PUSH, IN_CHINESE), REAL_ACCOUNT):
        mine, theirs = (
            [(each.language, without_comments(each.text), each.shows) for each in blocks_of(page)]
            for page in (english, chinese)
        )
        assert mine == theirs
