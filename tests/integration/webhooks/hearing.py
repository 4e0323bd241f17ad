"""A client that is told of its jobs' ends: how tests have jobs close, and read what came."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pushjobs.domain.client import Client
from pushjobs.domain.events import Event
from pushjobs.runtime import Runtime
from tests.integration.hands import ask
from tests.integration.own_door import OwnDoor
from tests.integration.pushes import news

__all__ = ["FAR", "Verify", "close", "hear", "ids", "let_try", "told", "waiting"]

FAR: dict[str, Any] = {"time": "2099-01-01 08:00:00"}

Verify = Callable[[str, Mapping[str, str], bytes], bool]
"""The how-to's own code for whoever is told: by secret, headers and body."""


def told(door: OwnDoor) -> list[dict[str, Any]]:
    """Return every outcome that came, in the order in which it did."""
    return [job for taken in door.taken for job in json.loads(taken.callback.body)["data"]["jobs"]]


def ids(door: OwnDoor) -> list[str]:
    """Return the POSTs' ids."""
    return [taken.headers["webhook-id"] for taken in door.taken]


def close(runtime: Runtime, client: Client, count: int = 1) -> list[int]:
    """Have so many jobs of a client's closed; return their numbers."""
    push = runtime.producer.on_behalf_of(client)
    push.send_many([news(number, **FAR, reference="visit") for number in range(count)])
    numbers = [int(job.id) for job in push.find(reference="visit", state="scheduled", limit=1000)]
    assert push.cancel(reference="visit") == count
    return numbers


def waiting(runtime: Runtime) -> int:
    """Return how many outcomes nobody has taken."""
    [(count,)] = ask(runtime, "SELECT count(*) FROM pushjobs.outcomes")
    return int(count)


def let_try(runtime: Runtime) -> None:
    """Let whatever waits be told now."""
    ask(runtime, "UPDATE pushjobs.webhooks SET try_at = now()")


def hear(runtime: Runtime) -> list[Event]:
    """Note what is told to operators from now on."""
    heard: list[Event] = []
    runtime.telling._emit = heard.append
    return heard
