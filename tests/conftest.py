"""What tests share: real servers, an empty migrated database each, and the environment to start processes with."""

import base64
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from xdist.remote import Producer

from docs.redis_keys import is_known
from pushjobs.local.directory import Installation
from pushjobs.local.servers import EmbeddedServers
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient, SandboxProcess
from pushjobs.settings import Settings
from tests.databases import Databases
from tests.scheduling import Together

APPID = "wxsandbox00000000"
SECRET = "sandbox-secret"
PACES = b"pushjobs:pace:"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    """Distribute by what tests share, whatever `--dist` says."""
    return Together(config, log)


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """A PostgreSQL and a Valkey of this test process."""
    with (
        tempfile.TemporaryDirectory(prefix="pushjobs-tests-") as directory,
        # Durability is what the crash tests test, on servers of their own; here it would only cost time.
        EmbeddedServers(Installation(Path(directory)), {"fsync": "off", "synchronous_commit": "off"}) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def databases(servers: EmbeddedServers) -> Iterator[Databases]:
    """Databases with our tables."""
    with closing(Databases(servers)) as made:
        yield made


@pytest.fixture
def environment(servers: EmbeddedServers, databases: Databases) -> Iterator[dict[str, str]]:
    """The environment of a process on an empty database and a Redis that holds paces at most."""
    _empty(servers)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PUSHJOBS_")}
    with databases.empty() as database_url:
        yield kept | {
            "PUSHJOBS_DIRECTORY": str(servers.installation.path),
            "PUSHJOBS_DATABASE_URL": database_url,
            "PUSHJOBS_REDIS_URL": servers.redis_url,
            "PUSHJOBS_WECHAT_APPID": APPID,
            "PUSHJOBS_WECHAT_SECRET": SECRET,
            # Nobody listens there: a test that calls WeChat says where it is.
            "PUSHJOBS_WECHAT_BASE_URL": "http://127.0.0.1:9",
            "PUSHJOBS_ENCRYPTION_KEYS": base64.b64encode(b"e" * 32).decode(),
            "PUSHJOBS_LOOKUP_KEY": base64.b64encode(b"l" * 32).decode(),
        }
    with Redis.from_url(servers.redis_url) as redis:
        foreign = [key for key in redis.scan_iter(count=1000) if not is_known(key.decode())]
    assert not foreign, "keys that docs/reference/redis.md does not name"


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """The settings that such a process would read."""
    ours = {key: value for key, value in environment.items() if key.startswith("PUSHJOBS_")}
    return Settings.model_validate({key.removeprefix("PUSHJOBS_").lower(): value for key, value in ours.items()})


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    """A runtime in this process."""
    made = Runtime(settings)
    yield made
    made.close()


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxProcess]:
    """A WeChat sandbox of this test process."""
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess, environment: dict[str, str]) -> SandboxClient:
    """The sandbox, put back to its start; processes of `environment` and `settings` call it."""
    sandbox_process.client.reset()
    environment["PUSHJOBS_WECHAT_BASE_URL"] = sandbox_process.base_url
    return sandbox_process.client


def _empty(servers: EmbeddedServers) -> None:
    """Empty Redis of all but the paces: a flush would have each test wait until a cold pace gives slots.

    Nobody has seen the new database, though its lineage is that of the one before.
    """
    (servers.installation.path / "witness.json").unlink(missing_ok=True)
    with Redis.from_url(servers.redis_url) as redis:
        others = [key for key in redis.scan_iter(count=1000) if not key.startswith(PACES)]
        if others:
            redis.delete(*others)
