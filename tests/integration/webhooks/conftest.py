"""A client and its own server, on an installation whose clients' webhooks may be on this machine."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pushjobs.domain.client import Client
from pushjobs.runtime import Runtime
from tests.integration.own_door import OwnDoor
from tests.integration.telling import TOKEN
from tests.integration.webhooks.hearing import Verify

HOW_TO = Path(__file__).parents[3] / "docs/how-to/use-the-api.md"


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """An installation whose clients' webhooks may be on this machine."""
    return environment | {"PUSHJOBS_PRIVATE_WEBHOOKS": "1", "PUSHJOBS_CALLBACK_TOKEN": TOKEN}


@pytest.fixture
def door() -> Iterator[OwnDoor]:
    """The client's own server."""
    with OwnDoor() as door:
        yield door


@pytest.fixture
def client(runtime: Runtime) -> Client:
    """A client, without a webhook as yet."""
    return runtime.clients.add("shop").client


@pytest.fixture
def secret(runtime: Runtime, client: Client, door: OwnDoor) -> str:
    """The secret of the client's webhook, at the door."""
    secret = runtime.webhooks.place(client.id, door.url).secret
    assert secret is not None
    return secret


@pytest.fixture
def verify() -> Verify:
    """The how-to's own code for whoever is told."""
    blocks = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    [shown] = [block for block in blocks if "import hmac" in block]
    names: dict[str, Any] = {}
    exec(shown, names)  # noqa: S102 - our own page
    found: Verify = names["verify"]
    return found
