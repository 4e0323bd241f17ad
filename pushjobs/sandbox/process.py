"""A sandbox in a process of its own, so that what it counts and how fast it is do not depend on who is counted.

It ends with the block it was opened for, and with its parent: it watches its standard input, which closes when the
parent dies of whatever cause.
"""

import json
import subprocess
import sys
from types import TracebackType
from typing import Self

from pushjobs.sandbox.client import SandboxClient
from pushjobs.sandbox.options import SandboxOptions

__all__ = ["SandboxProcess"]

_STOP_SECONDS = 5.0


class SandboxProcess:
    """`with SandboxProcess() as sandbox:` runs `python -m pushjobs.sandbox`, on a free port unless one is given.

    `base_url` is what `PUSHJOBS_WECHAT_BASE_URL` takes, `client` reads and arranges, `pid` is the process.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self._options = options or SandboxOptions()
        self._process: subprocess.Popen[str]
        self.base_url: str
        self.client: SandboxClient

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def __enter__(self) -> Self:
        options = self._options
        apps = [argument for appid, secret in options.apps.items() for argument in ("--app", f"{appid}:{secret}")]
        self._process = subprocess.Popen(  # noqa: S603 - our own module, and arguments of our caller
            [
                *(sys.executable, "-m", "pushjobs.sandbox", "--stop-with-stdin"),
                *("--host", options.host, "--port", str(options.port), *apps),
                *("--settings", json.dumps(options.settings.as_json())),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.base_url = self._read_address()
        except BaseException:
            self._stop()
            raise
        self.client = SandboxClient(self.base_url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def _read_address(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the sandbox ended before it listened; its standard error says why")
        return str(json.loads(line)["base_url"])

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
