"""The client has the producer's verbs: the same parameters, and the same values returned."""

import inspect
import subprocess
import sys
import typing
from collections.abc import Mapping
from typing import Any

import pytest

from pushjobs import request
from pushjobs.client import AsyncClient, Client
from pushjobs.inspection import Why
from pushjobs.producer import Producer

VERBS = ("send", "send_many", "get", "find", "cancel", "reschedule", "why")
NOT_OVER_HTTP = {
    "session": "commits with the caller's own transaction, in the database that the two share",
    "template_ids": "is how a door keeps a client to its templates",
}
NAMES: Mapping[str, Any] = {"JobArguments": request.JobArguments, "Unpack": typing.Unpack, "Why": Why}


def signature(owner: type, verb: str) -> tuple[list[tuple[Any, ...]], Any]:
    """Return a verb's parameters, with their kinds, defaults and types, and what it returns."""
    method = getattr(owner, verb)
    types = typing.get_type_hints(method, localns=dict(NAMES))
    parameters = [
        (each.name, each.kind, each.default, types.get(each.name))
        for each in inspect.signature(method).parameters.values()
        if each.name not in NOT_OVER_HTTP
    ]
    return parameters, types["return"]


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_the_producer_s_parameters(client: type, verb: str) -> None:
    """Names, kinds, order, defaults, types and results are the same, but for what needs the database."""
    assert signature(client, verb) == signature(Producer, verb)
    assert inspect.iscoroutinefunction(getattr(client, verb)) is (client is AsyncClient)


def test_what_is_not_over_http_is_there_beside_the_database() -> None:
    """The exceptions are parameters that the producer has."""
    found = {each for verb in VERBS for each in inspect.signature(getattr(Producer, verb)).parameters}
    assert NOT_OVER_HTTP.keys() <= found


def test_it_is_imported_without_what_the_database_needs() -> None:
    """Whoever imports the client loads neither SQLAlchemy nor Celery nor Redis nor the web framework."""
    program = "import sys, pushjobs.client; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert "httpx" in loaded
    assert loaded & {"sqlalchemy", "psycopg", "celery", "kombu", "redis", "fastapi", "uvicorn"} == set()
