"""Who is slow, on purpose or not, has a process's connections for a while and no longer."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from pushjobs.http import connection as connections
from pushjobs.http.connection import HEAD_SECONDS
from pushjobs.settings import Settings
from tests.acceptance.installation import wait_for
from tests.integration.doors_process import DoorsProcess, key, served
from tests.integration.serving import doors

__all__ = ["key", "served"]


def trickle(port: int, first: bytes, then: bytes) -> tuple[float, bytes]:
    """Send the first part, then a byte every half second until the other side ends it; return when, and its words."""
    begun = time.monotonic()
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
        connection.sendall(first)
        while time.monotonic() - begun < 30:
            try:
                got = connection.recv(4096)
            except TimeoutError:
                got = None
            except ConnectionError:
                break
            if got == b"":
                break
            said += got or b""
            try:
                connection.sendall(then)
            except ConnectionError:
                break
    return time.monotonic() - begun, said


def test_who_is_slow_is_not_waited_for(served: tuple[DoorsProcess, httpx.Client]) -> None:
    """Heads that do not end are given up after 5 s and bodies after 10 s, at every door; others are served."""
    process, client = served
    secret = client.headers["Authorization"]
    body = f"host: x\r\nauthorization: {secret}\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n"
    heads = [(b"", b""), (b"GET /healthz", b"y"), (b"GET /healthz HTTP/1.1\r\nx: y", b"y"), (b"\r\n", b"\r\n")]
    # Answered before its body is there, after which the rest goes on coming.
    heads.append((b"POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 9999\r\n\r\n", b"x"))
    heads.append((b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /healthz HTTP/1.1\r\nx: y", b"y"))
    bodies = [(f"POST /v1/jobs HTTP/1.1\r\n{body}".encode(), b" ")]
    bodies.append((f"POST /cgi-bin/stable_token HTTP/1.1\r\n{body}".encode(), b" "))
    with ThreadPoolExecutor(20) as pool:
        slow_heads = [pool.submit(trickle, process.port, *each) for each in heads for _ in range(2)]
        slow_bodies = [pool.submit(trickle, process.port, *each) for each in bodies for _ in range(2)]
        while not all(each.done() for each in slow_heads):
            assert client.get("/healthz", timeout=2).status_code == 200
            time.sleep(0.1)  # paces the questions; what is waited for is that all have ended
        for each in slow_heads:
            assert HEAD_SECONDS - 1 < each.result()[0] < HEAD_SECONDS + 4
        assert slow_heads[4].result()[1].startswith(b"HTTP/1.1 408 ")
        for each in slow_bodies:
            seconds, said = each.result()
            assert 9 < seconds < 15
            assert said.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 200 "))


def test_who_does_not_read_is_left(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that asks again and again and takes no answer has its connection ended."""
    monkeypatch.setattr(connections, "_READING_SECONDS", 0.2)
    with doors(settings) as client, socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect((client.base_url.host, client.base_url.port))
        caller.sendall(b"GET /docs HTTP/1.1\r\nhost: x\r\n\r\n" * 400)

        def is_ended() -> bool:
            try:
                caller.send(b"\r\n")
            except ConnectionError:
                return True
            return False

        wait_for("its connection is ended", is_ended, 10)
        assert client.get("/healthz").status_code == 200
