"""A program in a terminal of its own: what people type to it, and what they see."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import pytest

__all__ = ["Terminal"]

_CONTROL = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>()][0-9A-B]?)|[\r\x07\x08]")


def _own_terminal() -> None:
    """Have Ctrl-C come to the program: its standard input becomes the terminal of its session.

    Whatever started the tests may ignore it, as shells have what runs in their background do.
    """
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """Runs a program in a terminal of so many columns and lines until the block ends."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        kept = {name: value for name, value in environment.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
        self._process = subprocess.Popen(
            command,
            env={**kept, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_own_terminal,  # noqa: PLW1509 - it is one call of the system
        )
        os.close(theirs)
        self._seen = ""

    def __enter__(self) -> Self:
        """Return it; it runs already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End what still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def type(self, keys: str) -> None:
        """Type keys, Ctrl-C among them; what was seen before is forgotten."""
        self._seen = ""
        os.write(self._ours, keys.encode())

    def see(self, pattern: str, seconds: float = 60.0) -> str:
        """Wait until what is shown matches; return all of it, without the codes that place and colour it."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, text := self.text):
            if time.monotonic() > deadline or not self._read():
                pytest.fail(f"{pattern!r} was not shown, but {text[-2000:]!r}")
        return text

    @property
    def text(self) -> str:
        """What was shown since the last key, without the codes that place and colour it."""
        return _CONTROL.sub("", self._seen)

    @property
    def raw(self) -> str:
        """The same with them."""
        return self._seen

    def end(self, seconds: float = 60.0) -> int:
        """Read until the program has ended; return its status."""
        deadline = time.monotonic() + seconds
        while self._read() and time.monotonic() < deadline:
            pass
        return self._process.wait(max(1.0, deadline - time.monotonic()))

    def _read(self) -> bool:
        """Take what there is within a second; False once nothing more can come."""
        if not select.select([self._ours], [], [], 1.0)[0]:
            return True
        try:
            read = os.read(self._ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            return False
        self._seen += read.decode(errors="replace")
        return bool(read)
