"""Pages read as a newcomer reads them: their commands typed in order, and what they show compared with the page.

A block marked `bash` is typed into one shell a page, a block marked `python` is run where the shell stands, and a block
marked `text` is what the block before it showed. There, `…` stands for anything within a line, and alone on its line
for any lines; moments, long numbers, addresses and blanks may differ.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

__all__ = ["ROOT", "Block", "Shell", "blocks_of", "differences", "without_comments"]

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DONE = "the block is done:"
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d"), "DATE"),
    (re.compile(r"\d\d:\d\d(:\d\d)?"), "TIME"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\b\d{8,}\b"), "NUMBER"),
    (re.compile(r"[─\s]+"), " "),
)
_LOOKS = re.compile(r"(?:pushjobs (?:show|why|jobs|schedule|doctor|quota)\b.*\n)+")
"""Commands that only look: what they show may take a moment to become what the page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of a page: its language, what stands in it, and what it is said to show (None: nothing is said)."""

    language: str
    text: str
    shows: str | None


def blocks_of(page: Path) -> list[Block]:
    """Return a page's blocks, those that are shown joined to those that show them."""
    found: list[Block] = []
    for language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "text":
            last = found.pop()
            assert last.shows is None, text
            found.append(Block(language=last.language, text=last.text, shows=text))
        else:
            found.append(Block(language=language, text=text, shows=None))
    return found


def without_comments(text: str) -> str:
    """Return a block as its translation must have it, too: remarks are in the page's own language."""
    return re.sub(r"(?:^|(?<=\s))(?:#|//) .*$", "", text, flags=re.MULTILINE)


def differences(shown: str, expected: str) -> list[str]:
    """Return the lines of a page that were not shown, in this order; and what was shown beyond them."""
    lines = _lines(shown)
    missing = []
    may_skip = False
    for line in _lines(expected):
        if line == "…":
            may_skip = True
            continue
        pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
        places = range(len(lines)) if may_skip else range(min(1, len(lines)))
        place = next((each for each in places if pattern.fullmatch(lines[each])), None)
        if place is None:
            missing.append(f"not shown: {line}")
        else:
            lines, may_skip = lines[place + 1 :], False
    return missing + ([] if may_skip else [f"not on the page: {line}" for line in lines])


class Shell:
    """A bash, in a directory of its own with the environment that `make install` makes; as a context."""

    def __init__(
        self, directory: Path, environment: Mapping[str, str] | None = None, *, http: str | None = None
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        (directory / ".venv").symlink_to(sys.prefix)
        self._http = http
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PUSHJOBS_")}
        self.environment = {**kept, "NO_PROXY": "*", **(environment or {})}
        command = ["bash", "--norc"]
        self._bash = subprocess.Popen(
            command,
            cwd=directory,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        """Return it, as it stands in the directory."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it."""
        self._bash.send_signal(signal.SIGKILL)
        self._bash.communicate()

    def follow(self, block: Block) -> str:
        """Type a block and compare what it shows; return that.

        A block ends with status 0, unless it is said to be refused.
        """
        deadline = time.monotonic() + 30
        looks = block.shows is not None and _LOOKS.fullmatch(block.text)
        while True:
            status, shown = self._type(self._as_typed(block))
            found = [] if block.shows is None else differences(shown, block.shows)
            if not (found and looks) or time.monotonic() > deadline:
                break
            threading.Event().wait(0.2)
        is_refused = block.shows is not None and block.shows.startswith("pushjobs: ")
        if found or (status == 0) == is_refused:
            pytest.fail(f"{block.text}ended with {status} and\n" + "\n".join([*found, "", shown]))
        return shown

    def _as_typed(self, block: Block) -> str:
        text = block.text if self._http is None else block.text.replace("http://127.0.0.1:8080", self._http)
        return f"python - <<'THE END'\n{text}THE END\n" if block.language == "python" else text

    def _type(self, text: str) -> tuple[int, str]:
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{text}printf '\\n{_DONE} %s\\n' $?\n")
        self._bash.stdin.flush()
        shown: list[str] = []
        for line in self._bash.stdout:
            if line.startswith(_DONE):
                return int(line.removeprefix(_DONE)), "".join(shown).removesuffix("\n")
            shown.append(line)
        pytest.fail(f"the shell ended in {text}")


def _lines(text: str) -> Sequence[str]:
    for pattern, instead in _VARYING:
        if instead == " ":
            text = "\n".join(pattern.sub(instead, line).strip() for line in text.splitlines())
        else:
            text = pattern.sub(instead, text)
    return [line for line in text.splitlines() if line]
