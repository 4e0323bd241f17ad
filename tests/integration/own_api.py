"""Clients of our own API, as tests have them: a running door, and whoever calls it with a key.

Every answer that any of them gets is compared with the OpenAPI document: its status, its type and all that it holds.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pushjobs.http.v1.document import document
from pushjobs.http.v1.table import ROUTES
from pushjobs.runtime import Runtime
from pushjobs.settings import Settings
from tests.integration.pushes import news
from tests.integration.serving import doors
from tests.schemas import faults

__all__ = ["MakeClient", "api", "client", "door", "order", "problem"]

MakeClient = Callable[..., httpx.Client]


@pytest.fixture
def door(settings: Settings) -> Iterator[httpx.Client]:
    """The doors, called by nobody in particular."""
    with doors(settings) as made:
        made.event_hooks = {"response": [is_as_documented]}
        yield made


@pytest.fixture
def client(door: httpx.Client, runtime: Runtime) -> Iterator[MakeClient]:
    """Make clients that call the doors; without a word about it they have every right."""
    made: list[httpx.Client] = []

    def make(name: str = "shop", **more: Any) -> httpx.Client:  # noqa: ANN401 - arguments of `Clients.add`
        key = runtime.clients.add(name, **{"rights": ("read", "write", "operate"), **more})
        headers = {"Authorization": f"Bearer {key.client.id}.{key.key}"}
        hooks = {"response": [is_as_documented]}
        address = door.base_url
        made.append(httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False, event_hooks=hooks))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def api(client: MakeClient) -> httpx.Client:
    """A client with every right."""
    return client()


def is_as_documented(response: httpx.Response) -> None:
    """Compare an answer with what the document says of it; an address that is no route's has nothing said of it."""
    response.read()
    for path, methods in DOCUMENT["paths"].items():
        operation = methods.get(response.request.method.lower())
        if operation is None or not re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), response.request.url.path):
            continue
        said = operation["responses"].get(str(response.status_code))
        assert said is not None, f"{operation['operationId']} answered {response.status_code}: {response.text}"
        assert {name.lower() for name in said.get("headers", {})} <= set(response.headers)
        for media_type, content in said.get("content", {}).items():
            assert response.headers["content-type"] == media_type
            components = DOCUMENT["components"]["schemas"]
            assert list(faults(response.json(), content["schema"], components)) == []
        return


DOCUMENT = document(ROUTES)


def order(number: int = 1, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a body's fields
    """The body of a push for tomorrow and later."""
    return news(number, time="2100-12-01 08:00:00", **more)


def problem(response: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """Return the problem that a response is, having looked that it is that one."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    found: dict[str, Any] = response.json()
    assert (found["status"], found["type"]) == (status, f"urn:pushjobs:problem:{name}")
    assert found["title"]
    assert found["detail"]
    return found
