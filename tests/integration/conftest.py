"""What tests of the producer share: its verbs, questions to its tables, and sessions of an application's own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from pushjobs.producer import Producer
from pushjobs.queue import QueueName
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.settings import Settings


@pytest.fixture
def worker(sandbox: SandboxClient, runtime: Runtime) -> Runtime:
    """A runtime that calls the sandbox, whose address is among the settings by then."""
    assert sandbox is not None
    return runtime


@pytest.fixture
def producer(runtime: Runtime) -> Producer:
    """The verbs of application code; the catalogue was never read."""
    return runtime.producer


@pytest.fixture
def ask(runtime: Runtime) -> Callable[[str], list[tuple[Any, ...]]]:
    """Put a question in SQL."""

    def rows(sql: str) -> list[tuple[Any, ...]]:
        with runtime.database.transaction() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    return rows


@pytest.fixture
def published(settings: Settings) -> Iterator[Callable[[], int]]:
    """Count the messages that wait for workers."""
    with Redis.from_url(settings.require_redis_url) as redis:
        yield lambda: sum(redis.llen(queue) for queue in (QueueName.URGENT, QueueName.BULK))


@pytest.fixture
def open_session(settings: Settings) -> Iterator[sessionmaker[Session]]:
    """Sessions of an application's own, on our database."""
    engine = create_engine(settings.require_database_url)
    yield sessionmaker(engine)
    engine.dispose()
