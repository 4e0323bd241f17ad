"""The client while the door's process is killed in mid-send, again and again: each job once, counted in SQL."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from pushjobs.client import AsyncClient, Client
from pushjobs.client.answers import Answer
from pushjobs.client.conversation import Lost, Request
from pushjobs.runtime import Runtime
from tests.acceptance.installation import wait_for
from tests.integration.pushes import TOMORROW, news
from tests.integration.test_http_process import COMMAND, is_healthy

FULL = os.environ.get("PUSHJOBS_TEST_FULL") == "1"
KILLS = 4 if FULL else 2
CALLERS, EACH, ROWS = (4, 200, 30_000) if FULL else (4, 60, 10_000)
TOGETHER = 500 if FULL else 200

Ask = Callable[[str], list[tuple[Any, ...]]]


@dataclass
class DoorProcess:
    """A process of the doors at a socket of ours: while it is started again, whoever calls waits for it."""

    environment: dict[str, str]
    listening: socket.socket
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return "http://{}:{}".format(*self.listening.getsockname())

    def start(self) -> None:
        """Start it."""
        number = self.listening.fileno()
        command = [*COMMAND, "--socket", str(number)]
        self.process = subprocess.Popen(command, env=self.environment, pass_fds=[number])

    def kill(self) -> None:
        """Kill it in the middle of whatever it does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def door_process(environment: dict[str, str]) -> Iterator[DoorProcess]:
    """Run the doors in a process of their own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        door = DoorProcess(environment, listening)
        try:
            wait_for("it answers", lambda: is_healthy(door.url))
            yield door
        finally:
            door.kill()


@pytest.fixture
def door(environment: dict[str, str]) -> Iterator[DoorProcess]:
    """A process of the doors."""
    with door_process(environment) as made:
        yield made


@pytest.fixture
def keys(runtime: Runtime) -> tuple[str, str]:
    """Id and key of a client."""
    made = runtime.clients.add("shop")
    return made.client.id, made.key


@dataclass
class Noted:
    """What requests came to."""

    answers: list[Answer] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)

    def note(self, said: Answer | Lost) -> Answer | Lost:
        """Note it, and say it again."""
        if isinstance(said, Lost):
            self.lost.append(said)
        else:
            self.answers.append(said)
        return said


class NotingClient(Client):
    """A client that notes what its requests come to."""

    noted: Noted

    def _perform(self, request: Request) -> Answer | Lost:
        return self.noted.note(super()._perform(request))


class NotingAsyncClient(AsyncClient):
    """The same in an event loop."""

    noted: Noted

    async def _perform(self, request: Request) -> Answer | Lost:
        return self.noted.note(await super()._perform(request))


def kill_in_transactions(door: DoorProcess, ask: Ask, noted: Noted, requests: int) -> None:
    """Kill the door as often as it is to be, each time when it is seen in a transaction, spread over the requests."""
    busy = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND state <> 'idle' AND backend_type = 'client backend'"
    )
    for kill in range(1, KILLS + 1):
        wait_for("some are answered", lambda: len(noted.answers) >= kill * requests // (KILLS + 2))  # noqa: B023 - within the turn
        wait_for("the door is in a transaction", lambda: bool(ask(busy)))
        door.kill()
        door.start()


def test_a_killed_door_makes_nothing_twice(door: DoorProcess, ask: Ask, keys: tuple[str, str]) -> None:
    """Four threads send one by one and a fifth in batches, the door is killed in between: all accepted, each once."""
    noted = Noted()
    with NotingClient(door.url, *keys) as push, ThreadPoolExecutor(CALLERS + 2) as pool:
        push.noted = noted

        def send(caller: int) -> list[int]:
            mine = range(caller * EACH, (caller + 1) * EACH)
            return [push.send(**news(number, time=TOMORROW, reference=f"one {number}")).id for number in mine]

        rows = (news(number, time=TOMORROW, reference=f"row {number}") for number in range(ROWS))
        killing = pool.submit(kill_in_transactions, door, ask, noted, CALLERS * EACH)
        batches = pool.submit(push.send_many, rows)
        ids = [each for several in pool.map(send, range(CALLERS)) for each in several]
        report = batches.result()
        killing.result()
    assert noted.lost
    assert (report.accepted, report.known, report.rejected.total) == (ROWS, 0, 0)
    assert len(set(ids)) == CALLERS * EACH
    jobs = CALLERS * EACH + ROWS
    assert ask("SELECT count(*), count(DISTINCT reference) FROM pushjobs.jobs") == [(jobs, jobs)]
    assert {row[0] for row in ask("SELECT id FROM pushjobs.jobs WHERE reference LIKE 'one %'")} == set(ids)


async def test_a_killed_door_in_an_event_loop(door: DoorProcess, ask: Ask, keys: tuple[str, str]) -> None:
    """Hundreds of sends at once over one pool, the door killed in between: each job once."""
    noted = Noted()
    async with NotingAsyncClient(door.url, *keys) as push:
        push.noted = noted
        killing = asyncio.create_task(asyncio.to_thread(kill_in_transactions, door, ask, noted, TOGETHER))
        sent = (push.send(**news(number, time=TOMORROW, reference=f"r{number}")) for number in range(TOGETHER))
        ids = {each.id for each in await asyncio.gather(*sent)}
        await killing
    assert noted.lost
    counted = await asyncio.to_thread(ask, "SELECT count(*), count(DISTINCT reference) FROM pushjobs.jobs")
    assert (len(ids), counted) == (TOGETHER, [(TOGETHER, TOGETHER)])
