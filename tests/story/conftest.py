"""What the story plays on: `pushjobs up --sandbox` in a process of its own, and the sandbox's log to look into.

Each test speaks to made-up users of its own, so that one installation serves them all, in any order.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import pushjobs
from pushjobs import settings
from pushjobs.sandbox import SandboxClient
from tests.acceptance.installation import wait_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An installation: its directory, and the addresses that `up` shows, by name."""

    directory: Path
    addresses: Mapping[str, str]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running installation, as `pushjobs up --sandbox --directory …` makes one."""
    chosen = tmp_path_factory.mktemp("story") / "pushjobs"
    program = str(Path(sys.executable).with_name("pushjobs"))
    command = [program, "up", "--sandbox", "--http", "0", "--no-flower", "--workers", "1", "--json"]
    with pytest.MonkeyPatch.context() as patch:
        # What happens to be set here must not lead the story to anyone's servers.
        for name in [name for name in os.environ if name.startswith("PUSHJOBS_")]:
            patch.delenv(name)
        with subprocess.Popen(
            [*command, "--directory", str(chosen)], stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as up:
            try:
                assert up.stdout is not None
                # It ends with the line that closes the object.
                said = "".join(iter(up.stdout.readline, "}\n")) + "}"
                assert said != "}", "`pushjobs up` ended"
                yield Running(directory=chosen, addresses=json.loads(said))
            finally:
                up.send_signal(signal.SIGTERM)
                up.communicate(timeout=60)


@pytest.fixture(scope="session")
def directory(running: Running) -> Path:
    """The installation's directory."""
    return running.directory


@pytest.fixture(scope="session")
def push(directory: Path) -> Iterator[pushjobs.Producer]:
    """Application code's connection."""
    made = pushjobs.connect(directory)
    yield made
    made._database.close()


class Phones:
    """What users have on their phones: the sends that the sandbox accepted, with when they arrived."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self._sandbox = sandbox

    def received_by(self, touser: str) -> list[dict[str, Any]]:
        """Return the messages a user has, as WeChat's own bodies, each with its `arrived_at` in Unix time."""
        return [
            {**send.body, "arrived_at": send.arrived_at}
            for send in self._sandbox.all_received()
            if send.touser == touser and send.errcode == 0
        ]

    def wait_for(self, touser: str) -> dict[str, Any]:
        """Return the one message a user gets, once it is there."""
        wait_for("the message arrives", lambda: bool(self.received_by(touser)))
        [message] = self.received_by(touser)
        return message


@pytest.fixture(scope="session")
def phones(directory: Path) -> Phones:
    """Where to look whether something arrived."""
    return Phones(SandboxClient(settings.load(directory).wechat_base_url))


@pytest.fixture
def user() -> str:
    """The open id of a user nobody else in the story speaks to."""
    return f"oStory{uuid4().hex[:22]}"
