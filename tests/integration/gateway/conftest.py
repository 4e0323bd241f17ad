"""A client of the drop-in door, and a program that speaks to it as an SDK does."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pushjobs.clients import NewKey
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.settings import Settings
from tests.integration.drop_in import Post, said, token_of
from tests.integration.serving import doors


@pytest.fixture
def door(sandbox: SandboxClient, settings: Settings) -> Iterator[httpx.Client]:
    """Our door, over a sandbox."""
    assert sandbox is not None
    with doors(settings) as made:
        yield made


@pytest.fixture
def shop(worker: Runtime) -> NewKey:
    """A client that may read and write everywhere."""
    return worker.clients.add("shop")


@pytest.fixture
def post(door: httpx.Client, shop: NewKey) -> Post:
    """Call our door as the shop does."""
    token = token_of(door, shop)

    def call(path: str, body: object, *, token: str = token) -> dict[str, Any]:
        return said(door.post(path, params={"access_token": token}, json=body))

    return call
