"""A whole installation in real processes, and a sandbox beside it that survives whatever happens to it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pushjobs import settings
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient, SandboxProcess
from tests.acceptance.installation import Up


@pytest.fixture
def wechat() -> Iterator[SandboxProcess]:
    """A sandbox of the test's own."""
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def up(tmp_path: Path, wechat: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
    """A running installation that calls the sandbox; nothing of it is left afterwards."""
    for name, value in {
        "PUSHJOBS_WECHAT_BASE_URL": wechat.base_url,
        "PUSHJOBS_WECHAT_APPID": "wxsandbox00000000",
        "PUSHJOBS_WECHAT_SECRET": "sandbox-secret",
        "PUSHJOBS_RATE_PER_SECOND": "500",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("PUSHJOBS_DATABASE_URL", "PUSHJOBS_REDIS_URL", "PUSHJOBS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    made = Up(tmp_path / "pushjobs", dict(os.environ))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def push(up: Up) -> Iterator[Runtime]:
    """A runtime of application code, connected to the installation."""
    made = Runtime(settings.load(up.directory))
    yield made
    made.close()


@pytest.fixture
def sandbox(wechat: SandboxProcess) -> SandboxClient:
    """Where everything is counted."""
    return wechat.client
