"""An installation for tests, as the test run sees it: started in two steps, emptied for each test, stopped at the end.

First the servers, our tables and a sandbox, which is all that accepting a job takes; workers, beat and the HTTP door
when a test asks for somebody who sends. It lives in a process of its own (`process`).
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, Self

from pushjobs import settings
from pushjobs.errors import InvalidInput, NotRunning, Unreachable
from pushjobs.local.daemon import wait_until
from pushjobs.producer import Producer
from pushjobs.runtime import Runtime
from pushjobs.store import testing as stored
from pushjobs.testing.counting import Sandbox

__all__ = ["Installation"]

Keywords = Sequence[str] | Mapping[str, Sequence[str]]
"""A template's keys, alone or each with the texts it allows."""

_PREFIX = "PUSHJOBS_"
_OURS = {
    "DIRECTORY",
    "SECRETS_DIR",
    "DATABASE_URL",
    "REDIS_URL",
    "BROKER_URL",
    "WECHAT_BASE_URL",
    "WECHAT_FALLBACK_URLS",
}
_STOP_SECONDS = 60.0
_EMPTY_SECONDS = 20.0
_TOLD = 4000


class Installation:
    """A pushjobs of this test run, on free ports and in a temporary directory, with a WeChat sandbox.

    `settings` are those of its processes, without their prefix: {"DAILY_QUOTA": "3"}. `templates` are the app's beside
    the sandbox's own, by id: {"TPL": ["thing1", "time2"]}. Raises NotRunning where it cannot start.
    """

    def __init__(self, settings: Mapping[str, str], templates: Mapping[str, Keywords]) -> None:
        if kept := sorted(_OURS & settings.keys()):
            raise InvalidInput(
                "pushjobs_settings", f"has {kept[0]}", "where the tests' installation is, it says itself: leave it out"
            )
        self._settings = dict(settings)
        self._templates = {
            key: keys if isinstance(keys, Mapping) else dict.fromkeys(keys, ()) for key, keys in templates.items()
        }
        self._said: dict[str, str] = {}
        self._closing = ExitStack()
        self._process: subprocess.Popen[str]
        self._errors: IO[str]

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self._errors = starting.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pushjobs.testing.process"],
                env=self._given(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                start_new_session=True,
            )
            starting.callback(self._stop)
            self._said = self._read()
            self._closing = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def start_workers(self) -> None:
        """Start workers, beat and the HTTP door, once; return when all are ready."""
        if self.has_workers:
            return
        assert self._process.stdin is not None  # noqa: S101 - it was opened as a pipe
        self._process.stdin.write("workers\n")
        self._process.stdin.flush()
        self._said |= self._read()
        made = self.runtime.clients.add("tests", rights=("read", "write", "operate"))
        self._said |= {"client_id": made.client.id, "client_key": made.key}

    @property
    def has_workers(self) -> bool:
        """Whether somebody sends."""
        return "http_url" in self._said

    @property
    def directory(self) -> Path:
        """What PUSHJOBS_DIRECTORY and every command's `--directory` take."""
        return Path(self._said["directory"])

    @property
    def database_url(self) -> str:
        """PostgreSQL's address in SQLAlchemy's spelling: what a `session=` must be bound to."""
        return self._said["database_url"]

    @property
    def broker_url(self) -> str:
        """The broker's address in Celery's spelling, for an application's own Celery."""
        return self.runtime.settings.require_broker_url

    @property
    def http_url(self) -> str:
        """The HTTP door's address; raises NotRunning without workers."""
        if not self.has_workers:
            raise NotRunning("there is no HTTP door without workers: ask for the fixture `push` or `sandbox`")
        return self._said["http_url"]

    @property
    def variables(self) -> dict[str, str]:
        """The variables by which an application's `connect()` finds it; and its `Client()`, once there are workers."""
        found = {f"{_PREFIX}{name}": value for name, value in self._settings.items()}
        found |= {f"{_PREFIX}{name.upper()}": value for name, value in self._said.items() if name.startswith("wechat_")}
        found[f"{_PREFIX}DIRECTORY"] = self._said["directory"]
        if self.has_workers:
            names = {"URL": "http_url", "CLIENT_ID": "client_id", "CLIENT_KEY": "client_key"}
            found |= {f"{_PREFIX}{name}": self._said[said] for name, said in names.items()}
        return found

    @cached_property
    def runtime(self) -> Runtime:
        """A runtime on it, which has the app's templates. The environment must have `variables` by then."""
        made = Runtime(settings.load())
        self._closing.callback(made.close)
        self._reset_sandbox()
        made.catalogue.sync()
        return made

    @property
    def push(self) -> Producer:
        """Application code's connection, the same for all tests."""
        return self.runtime.producer

    @cached_property
    def sandbox(self) -> Sandbox:
        """The WeChat of it."""
        return Sandbox(self._said["wechat_base_url"], is_settled=self.is_settled, counts=lambda: self.push.counts())  # noqa: PLW0108 - it connects only when it is asked

    def is_settled(self) -> bool:
        """Whether every job whose moment has come is closed."""
        with self.runtime.database.transaction() as connection:
            return stored.is_settled(connection)

    def accepted(self) -> Sequence[stored.Accepted]:
        """Return every job and what it says, in the order in which they were accepted."""
        with self.runtime.database.transaction() as connection:
            return stored.accepted(connection, self.runtime.sealer)

    def empty(self) -> None:
        """Delete all jobs, campaigns, consents, mappings and pauses, and put the sandbox back to its start.

        It waits for the calls that are out, so that nothing of the test before arrives in the next. Apps, clients and
        the catalogue stay.
        """
        if not wait_until(self._is_emptied, _EMPTY_SECONDS):
            raise NotRunning(f"calls of the test before are still out after {_EMPTY_SECONDS:.0f} s")
        self._reset_sandbox()

    def _is_emptied(self) -> bool:
        # A tick may hold what is to be deleted: its moment passes.
        with suppress(Unreachable), self.runtime.database.transaction() as connection:
            return stored.empty(connection)
        return False

    def _reset_sandbox(self) -> None:
        self.sandbox.reset()
        for template_id, keywords in self._templates.items():
            self.sandbox.add_template(template_id, keywords)
        if self.has_workers:
            url = f"{self.http_url}/callback/{self._said['wechat_appid']}"
            secrets = {name: self._said[name] for name in ("callback_token", "callback_aes_key")}
            self.sandbox.change_settings(callback_url=url, callback_mode="secure", **secrets)

    def _given(self) -> dict[str, str]:
        kept = {key: value for key, value in settings.environment().items() if not key.startswith(_PREFIX)}
        return kept | {f"{_PREFIX}{name}": value for name, value in self._settings.items()}

    def _read(self) -> dict[str, str]:
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        line = self._process.stdout.readline()
        answer: dict[str, str] = json.loads(line) if line else {"error": self._last_words()}
        if "error" in answer:
            raise NotRunning(f"the tests' pushjobs did not start: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        self._process.wait(_STOP_SECONDS)
        self._errors.seek(0)
        return self._errors.read()[-_TOLD:].strip() or f"it ended with status {self._process.returncode}"

    def _stop(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # What is still unsaid to a process that has ended is said to nobody.
                with suppress(BrokenPipeError):
                    pipe.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
