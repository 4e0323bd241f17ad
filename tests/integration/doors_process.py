"""The HTTP doors as the process that people run, on a free port; what it writes to its log can be looked at."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from pushjobs.clients import NewKey
from pushjobs.runtime import Runtime
from tests.acceptance.installation import wait_for

__all__ = ["DoorsProcess", "doors_process", "key", "served"]


@dataclass(frozen=True)
class DoorsProcess:
    """A running process of the doors: where it listens, and every line it has written so far."""

    port: int
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def answered(self, request_id: str) -> dict[str, Any]:
        """Return the access log's line of a request, as soon as it is there."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            told = [json.loads(line) for line in self.lines]
            found[:] = [each for each in told if each["event"] == "request_answered"]
            found[:] = [each for each in found if each["request_id"] == request_id]
            return bool(found)

        wait_for(f"the log has a line of {request_id}", is_there)
        [line] = found
        return line


@contextmanager
def doors_process(
    environment: Mapping[str, str],
    *,
    scheme: str = "http",
    verify: Any = True,  # noqa: ANN401 - as httpx takes it
) -> Iterator[tuple[DoorsProcess, httpx.Client]]:
    """Start one with this environment; give it, when it answers, and a client to call it with."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, number = listening.getsockname()[1], listening.fileno()
        command = [sys.executable, "-m", "pushjobs.http", "--socket", str(number)]
        process = subprocess.Popen(command, env=environment, pass_fds=[number], stderr=subprocess.PIPE, text=True)
    made = DoorsProcess(port, process)

    def read() -> None:
        assert process.stderr is not None
        made.lines.extend(process.stderr)

    reading = threading.Thread(target=read)
    reading.start()
    client = httpx.Client(base_url=f"{scheme}://127.0.0.1:{port}", timeout=30, trust_env=False, verify=verify)
    try:
        wait_for("it answers", lambda: _is_healthy(client))
        yield made, client
    finally:
        client.close()
        process.terminate()
        process.wait(timeout=10)
        reading.join()
        assert process.stderr is not None
        process.stderr.close()


def _is_healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def key(runtime: Runtime) -> NewKey:
    """A client with every right."""
    return runtime.clients.add("shop", rights=("read", "write", "operate"))


@pytest.fixture
def served(environment: dict[str, str], key: NewKey) -> Iterator[tuple[DoorsProcess, httpx.Client]]:
    """A process of the doors, and that client calling it."""
    with doors_process(environment) as (process, client):
        client.headers["Authorization"] = f"Bearer {key.client.id}.{key.key}"
        yield process, client
