"""What the tests of the pace share: an app nobody used before on the common Valkey, and a Valkey to end and restart."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pushjobs.local.directory import Installation
from pushjobs.local.servers import EmbeddedServers
from pushjobs.local.valkey import ValkeyServer


@pytest.fixture
def appid() -> str:
    return f"wx{uuid4().hex}"


@pytest.fixture
def redis(servers: EmbeddedServers) -> Iterator[Redis]:
    """The common Valkey, over a connection as the workers have it."""
    with connect(servers.redis_url) as connection:
        yield connection


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A Valkey of the test's own."""
    with tempfile.TemporaryDirectory(prefix="pushjobs-pace-") as directory:
        installation = Installation(Path(directory))
        with ValkeyServer(installation) as server:
            yield server
        installation.clear_sockets()


@pytest.fixture
def own_redis(own_valkey: ValkeyServer) -> Iterator[Redis]:
    """A connection to it."""
    with connect(own_valkey.url) as connection:
        yield connection


def connect(url: str) -> Redis:
    """Connect as the workers do: with a time-out, and one more try for a connection that was closed meanwhile."""
    return Redis.from_url(url, socket_timeout=2, retry=Retry(NoBackoff(), 1))
