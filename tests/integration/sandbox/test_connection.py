"""Many requests at a time: order of answers, users in flight, latency, and bytes that arrive in pieces."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from pushjobs.sandbox import SandboxClient, SandboxProcess

SEND = "/cgi-bin/message/subscribe/send"


@pytest.fixture
def connection(sandbox_process: SandboxProcess, control: SandboxClient) -> Iterator[socket.socket]:
    """A bare connection."""
    del control  # it resets
    address = urlsplit(sandbox_process.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        yield connection


def test_pipelined_answers_keep_their_order(
    connection: socket.socket, token: str, message: dict[str, Any], control: SandboxClient
) -> None:
    """An answer that is ready waits for the slow one before it."""
    control.order_fault("slow", {"touser": "o0"}, seconds=0.1)
    connection.sendall(b"".join(_request(token, message | {"touser": f"o{number}"}) for number in range(3)))
    numbers = [answer["msgid"] for answer in _answers(connection, 3)]
    assert numbers == [received.msgid for received in control.log()]


def test_two_sends_to_one_user_collide(
    connection: socket.socket, token: str, message: dict[str, Any], control: SandboxClient
) -> None:
    """While a user's send is unanswered the next one is refused with 43108; once answered, the user is free again."""
    control.change_settings(latency_ms=50)
    connection.sendall(_request(token, message) * 2)
    assert [answer["errcode"] for answer in _answers(connection, 2)] == [0, 43108]
    connection.sendall(_request(token, message))
    assert [answer["errcode"] for answer in _answers(connection, 1)] == [0]


def test_latency_is_waited_for(
    connection: socket.socket, token: str, message: dict[str, Any], control: SandboxClient
) -> None:
    """An answer comes no sooner than the latency; twenty at once take hardly longer than one."""
    control.change_settings(latency_ms=200, jitter_ms=50)
    began = time.monotonic()
    connection.sendall(b"".join(_request(token, message | {"touser": f"o{number}"}) for number in range(20)))
    _answers(connection, 20)
    assert 0.2 <= time.monotonic() - began < 2


def test_reads_a_request_byte_by_byte(connection: socket.socket, token: str, message: dict[str, Any]) -> None:
    """A request may arrive in any pieces."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in _request(token, message):
        connection.send(bytes([byte]))
    assert _answers(connection, 1)[0]["errcode"] == 0


def test_accepts_although_the_caller_left(
    connection: socket.socket, token: str, message: dict[str, Any], control: SandboxClient
) -> None:
    """A send that was read counts, its caller there for the answer or not; its user does not stay in flight."""
    control.change_settings(latency_ms=50)
    connection.sendall(_request(token, message))
    while not control.summary().received:  # each turn is a call: the sandbox has time to read
        pass
    connection.close()
    assert control.summary().accepted == 1
    control.change_settings(latency_ms=0)
    with _another(control) as second:
        codes = {43108}
        while codes == {43108}:
            second.sendall(_request(token, message))
            codes = {answer["errcode"] for answer in _answers(second, 1)}
    assert codes == {0}


def test_closes_when_asked(connection: socket.socket, token: str, message: dict[str, Any]) -> None:
    """With `Connection: close` the connection ends behind the answer."""
    connection.sendall(_request(token, message, "Connection: close\r\n"))
    assert _answers(connection, 1)[0]["errcode"] == 0
    assert connection.recv(1) == b""


def test_refuses_what_is_no_http(connection: socket.socket) -> None:
    """Bytes that are no HTTP are answered 400, and the connection ends."""
    connection.sendall(b"hello\r\n\r\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert connection.recv(1) == b""


def _another(control: SandboxClient) -> socket.socket:
    return socket.create_connection((control._host, control._port), timeout=10)


def _request(token: str, message: dict[str, Any], headers: str = "") -> bytes:
    body = json.dumps(message, ensure_ascii=False).encode()
    head = f"POST {SEND}?access_token={token} HTTP/1.1\r\nHost: sandbox\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _answers(connection: socket.socket, count: int) -> list[dict[str, Any]]:
    read = b""
    while read.count(b"}") < count:
        part = connection.recv(65536)
        assert part, "the connection ended before all answers were there"
        read += part
    return [json.loads(part[part.index(b"{") :] + b"}") for part in read.split(b"}")[:count]]
