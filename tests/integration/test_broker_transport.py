"""A worker whose Redis is gone lets go of it and waits: nothing that kombu does then may end the process."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu.connection import Connection
from redis import Redis

from pushjobs.local.directory import Installation
from pushjobs.local.valkey import ValkeyServer
from pushjobs.queue import BROKER_OPTIONS
from workers.transport import Transport

QUEUE = "tests.transport"


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey that a test may end."""
    with ValkeyServer(Installation(tmp_path)) as running:
        yield running


@pytest.fixture
def connection(valkey: ValkeyServer) -> Any:  # noqa: ANN401 - kombu says no types
    """A worker's connection to it."""
    url = f"redis+socket://{valkey.url.removeprefix('unix://')}"
    made: Any = Connection(url, transport_options=BROKER_OPTIONS)  # type: ignore[no-untyped-call]  # as it says
    made.transport_cls = Transport
    return made


def hold_a_message(connection: Any, channel: Any, queue: str) -> None:  # noqa: ANN401 - as above
    """Hold a message for later and wait for the next, as a worker does all day."""
    connection.SimpleQueue(queue, channel=channel).put({})
    held = threading.Event()
    channel.basic_consume(queue, no_ack=False, callback=lambda _: held.set(), consumer_tag=queue)
    while not held.is_set():
        connection.drain_events(timeout=5)
    if not channel._in_poll:
        channel._brpop_start()


def test_a_lost_connection_is_closed_twice_without_a_fault(valkey: ValkeyServer, connection: Any) -> None:  # noqa: ANN401 - as above
    """Celery collects a lost connection and closes it again: the first time fails on the socket, the second ends it."""
    held, other = connection.default_channel, connection.channel()
    hold_a_message(connection, held, f"{QUEUE}.held")
    hold_a_message(connection, other, f"{QUEUE}.other")
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGKILL)
    valkey.stop()

    connection.collect()
    assert not held.closed
    connection.close()
    assert held.closed
    other.close()  # or kombu does it when this process ends


def test_a_connection_that_is_there_puts_back_what_was_held(valkey: ValkeyServer, connection: Any) -> None:  # noqa: ANN401 - as above
    """A worker that stops leaves to others, at once, what it held for later."""
    hold_a_message(connection, connection.default_channel, QUEUE)
    connection.close()
    with Redis.from_url(valkey.url) as redis:
        assert redis.hlen("pushjobs:unacked") == 0
        assert redis.llen(QUEUE) == 1
