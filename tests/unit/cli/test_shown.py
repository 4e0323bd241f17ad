"""How things look: in a terminal, which is narrow and coloured, and in a pipe, which is neither."""

import os
import pty
import re
import sys
import tty
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO

import pytest
from rich.cells import cell_len

from pushjobs.cli import shown

JOB, TEMPLATE = "9007199254740991", "dn-0000000000000000000000000000000000000000"
COLUMNS = ("#job", "note", "@template")
ROWS = [(JOB, "订单已发货，请在三天之内到人民路十八号的门店领取，过期作废，谢谢您的光临", TEMPLATE), ("1", "dead", "t")]
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")

Look = Callable[[Callable[[], None]], str]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Look]:
    """Shows something in a terminal of 80 columns; returns what came to it."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:

        def look(show: Callable[[], None]) -> str:
            with monkeypatch.context() as patch:
                patch.setattr(sys, "stdout", stream)
                patch.setattr(sys, "stderr", stream)
                show()
                stream.write("\n.")
                stream.flush()
            seen = b""
            while not seen.endswith(b"\n."):
                seen += os.read(ours, 65536)
            return seen.decode()

        yield look
    os.close(ours)


def table() -> None:
    """Show a table that is wider than 80 columns."""
    shown.show_table(COLUMNS, ROWS)


def test_a_row_is_a_line_in_a_pipe() -> None:
    """However wide it is: what reads lines finds all of a row in one."""
    stream = StringIO()
    with redirect_stdout(stream):
        shown.show_table(COLUMNS, [(JOB, "words " * 100, TEMPLATE)])
        shown.show_pairs([("note", "words " * 100)])
    said = stream.getvalue()
    assert sum(("words " * 100).strip() in line for line in said.splitlines()) == 2
    assert "\x1b" not in said


def test_names_stay_in_one_piece_in_a_terminal(terminal: Look) -> None:
    """A job's number and a template's id are not wrapped, where words are."""
    said = terminal(table)
    lines = said.splitlines()
    assert sum(JOB in line and TEMPLATE in line for line in lines) == 1
    assert ROWS[0][1] not in said


def test_chinese_takes_two_columns_a_character(terminal: Look) -> None:
    """Whatever stands to the right of it begins in the same column in every line."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in terminal(table).splitlines()]
    header, first, last = (next(line for line in lines if word in line) for word in ("template", TEMPLATE, "dead"))
    assert cell_len(header[: header.index("template")]) == cell_len(first[: first.index(TEMPLATE)])
    assert cell_len(last[: last.rindex("t")]) == cell_len(header[: header.index("template")])


def test_colours_are_for_terminals_that_want_them(terminal: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that is bad is red in a terminal; with NO_COLOR nothing is of any colour."""
    assert COLOUR.search(terminal(table))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOUR.search(terminal(table))


def advance() -> None:
    """Show progress from its beginning to its end."""
    with shown.progress() as bar:
        bar.advance(bar.add_task("storing", total=2), 2)


def test_progress_is_for_terminals(terminal: Look, capsys: pytest.CaptureFixture[str]) -> None:
    """In a terminal there is a bar; in a pipe there is nothing at all."""
    assert "storing" in terminal(advance)
    advance()
    assert capsys.readouterr() == ("", "")
