"""Every way a call can fail, done by a real server: the outcome, and how many requests the server had read."""

import asyncio
import socket
import ssl
import traceback

import pytest

from pushjobs.domain.outcome import Fatal, Outcome, Sent, SlowDown, Unknown
from pushjobs.errors import Unreachable
from tests.integration.wechat.misbehaving import (
    MESSAGE,
    NEVER_LEFT,
    TOKEN,
    Behaviour,
    Wire,
    answer,
    calling,
    keep_answering,
    serving,
)


async def send_once(behave: Behaviour, *, call_timeout: float = 5.0) -> tuple[Outcome, int]:
    """Send one message to a server that behaves like this; return the outcome and the number of requests it read."""
    async with serving(behave) as server, calling(server.url, call_timeout=call_timeout) as client:
        return await client.send(MESSAGE, TOKEN), len(server.requests)


# Surely not sent


async def test_connection_refused() -> None:
    """Where nobody listens, the message surely never left."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with calling(f"http://127.0.0.1:{unused.getsockname()[1]}") as client:
            assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT


async def test_unknown_host() -> None:
    """A name that does not resolve means that the message surely never left."""
    async with calling("http://no-such-host.invalid") as client:
        assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT


async def test_no_tls_at_the_other_end() -> None:
    """A TLS handshake that fails leaves the request unread, and the message surely never left."""

    async def speak_first(wire: Wire) -> None:
        await wire.write(answer(status="400 Bad Request"))
        await wire.read()

    async with serving(speak_first) as server, calling(server.url.replace("http:", "https:")) as client:
        assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT
        assert len(server.requests) == 0


async def test_untrusted_certificate(server_tls: ssl.SSLContext) -> None:
    """A certificate nobody we trust has signed stops the request before it is written."""
    async with serving(keep_answering, server_tls) as server:
        async with calling(server.url.replace("127.0.0.1", "localhost")) as client:
            assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT
        assert len(server.requests) == 0


async def test_silent_handshake() -> None:
    """A server that accepts and then says nothing uses up the time to connect, not the time to answer."""

    async def say_nothing(wire: Wire) -> None:
        await wire.wait()

    async with serving(say_nothing) as server:
        async with calling(server.url.replace("http:", "https:"), connect_timeout=0.1) as client:
            assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT
        assert len(server.requests) == 0


async def test_pool_is_full() -> None:
    """A message that waits in vain for a connection surely never left; the one before it is not disturbed."""
    reads, may_answer = asyncio.Event(), asyncio.Event()

    async def answer_late(wire: Wire) -> None:
        await wire.read()
        reads.set()
        await may_answer.wait()
        await wire.write(answer())

    async with serving(answer_late) as server, calling(server.url, max_connections=1, connect_timeout=0.1) as client:
        first = asyncio.create_task(client.send(MESSAGE, TOKEN))
        await reads.wait()
        assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT
        assert len(server.requests) == 1
        may_answer.set()
        assert await first == Sent(msgid=7)


# Maybe sent


async def test_slow_answer() -> None:
    """An answer that does not come in time leaves the outcome unknown."""

    async def never_answer(wire: Wire) -> None:
        await wire.read()
        await wire.wait()

    assert await send_once(never_answer, call_timeout=0.1) == (Unknown(what="no answer within 0.1 s"), 1)


async def test_closed_after_the_request() -> None:
    """12.4 A connection closed after the request was read leaves the outcome unknown, and nothing is repeated."""
    assert await send_once(Wire.read) == (Unknown(what="the connection was closed without an answer"), 1)


async def test_reset_after_the_request() -> None:
    """A connection reset after the request was read leaves the outcome unknown."""

    async def reset(wire: Wire) -> None:
        await wire.read()
        wire.reset()

    assert await send_once(reset) == (Unknown(what="the connection was lost before the answer"), 1)


async def test_half_an_answer() -> None:
    """An answer that stops in the middle leaves the outcome unknown."""

    async def stop_halfway(wire: Wire) -> None:
        await wire.read()
        await wire.write(answer()[:-10])

    assert await send_once(stop_halfway) == (Unknown(what="the connection was lost within the answer"), 1)


async def test_reset_within_the_answer() -> None:
    """A connection reset within the answer's body leaves the outcome unknown."""

    async def reset_halfway(wire: Wire) -> None:
        await wire.read()
        await wire.write(answer()[:-10])
        wire.reset()

    outcome, requests = await send_once(reset_halfway)
    assert isinstance(outcome, Unknown)
    assert requests == 1


async def test_dripping_answer() -> None:
    """An answer that drips is given up when its time is over, though each byte comes soon after the last."""

    async def drip(wire: Wire) -> None:
        await wire.read()
        await wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await wire.write(b" ")
            await asyncio.sleep(0.01)

    assert await send_once(drip, call_timeout=0.2) == (Unknown(what="no answer within 0.2 s"), 1)


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Unknown(what="the answer is not HTTP")),
        (answer(b"<html>busy</html>"), Unknown(what="the answer is not a JSON object")),
        (answer(b" " * ((1 << 20) + 1)), Unknown(what="the answer is longer than a mebibyte")),
        (
            answer(headers="Content-Encoding: gzip\r\n"),
            Unknown(what="the answer is compressed, which was not offered"),
        ),
        (answer(status="502 Bad Gateway"), Unknown(what="HTTP 502")),
        (answer(status="429 Too Many Requests"), SlowDown()),
        (answer(status="302 Found", headers="Location: /elsewhere\r\n"), Fatal()),
        (answer(status="307 Temporary Redirect", headers="Location: /elsewhere\r\n"), Fatal()),
    ],
)
async def test_strange_answers(raw: bytes, outcome: Outcome) -> None:
    """A strange answer is judged by its status, and nothing is followed or repeated."""

    async def answer_strangely(wire: Wire) -> None:
        while True:
            await wire.read()
            await wire.write(raw)

    assert await send_once(answer_strangely) == (outcome, 1)


async def test_lost_question_is_not_repeated() -> None:
    """A GET whose connection is lost after it was read is not repeated behind our back, kept-alive or not."""

    async def answer_one(wire: Wire) -> None:
        await wire.read()
        await wire.write(answer())
        await wire.read()

    async with serving(answer_one) as server, calling(server.url) as client:
        await client.ask("GET", "/wxaapi/newtmpl/gettemplate", access_token=TOKEN)
        with pytest.raises(Unreachable, match="closed without an answer"):
            await client.ask("GET", "/wxaapi/newtmpl/gettemplate", access_token=TOKEN)
        assert len(server.requests) == 2


async def test_no_token_in_the_traceback() -> None:
    """What is raised for a lost call shows the access token nowhere, not even in a context."""
    async with serving(Wire.read) as server, calling(server.url) as client:
        with pytest.raises(Unreachable, match=server.url) as caught:
            await client.ask("GET", "/wxaapi/newtmpl/gettemplate", access_token=TOKEN)
    assert caught.value.__context__ is None
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
