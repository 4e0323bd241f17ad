"""Kept-alive connections and slots: when a message may use a connection, and that it is never sent twice for it."""

import asyncio
import ssl
from pathlib import Path

import pytest

from pushjobs.domain.outcome import Sent
from pushjobs.wechat.client import Client
from pushjobs.wechat.connection import Connection
from pushjobs.wechat.loop import LoopThread
from pushjobs.wechat.transport import Transport
from tests.integration.wechat.misbehaving import (
    MESSAGE,
    NEVER_LEFT,
    TOKEN,
    Server,
    Wire,
    answer,
    calling,
    keep_answering,
    serving,
)

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("tls", [False, True])
async def test_connections_are_reused(tls: bool, authority: Path, server_tls: ssl.SSLContext) -> None:
    """Messages one after the other share a connection, with TLS and without, and no cookie sticks."""

    async def set_cookies(wire: Wire) -> None:
        while True:
            await wire.read()
            await wire.write(answer(headers="Set-Cookie: a=b\r\n"))

    trust = ssl.create_default_context(cafile=authority)
    async with serving(set_cookies, server_tls if tls else None) as server:
        async with calling(server.url.replace("127.0.0.1", "localhost"), ssl_context=trust) as client:
            for _ in range(3):
                assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
        assert (server.connections, len(server.requests)) == (1, 3)
        assert not any(b"cookie" in request.lower() for request in server.requests)


@pytest.mark.parametrize("tls", [False, True])
async def test_stale_connections(tls: bool, authority: Path, server_tls: ssl.SSLContext, elsewhere: LoopThread) -> None:
    """Connections that the server closed while idle are replaced, also when our loop had no time to notice."""
    may_close = asyncio.Event()

    async def answer_one(wire: Wire) -> None:
        await wire.read()
        await wire.write(answer())
        await may_close.wait()

    async def hang_up(server: Server) -> None:
        may_close.set()
        await server.has_closed.wait()

    trust = ssl.create_default_context(cafile=authority)
    stack = serving(answer_one, server_tls if tls else None)
    server = elsewhere.run(stack.__aenter__())
    async with calling(server.url.replace("127.0.0.1", "localhost"), ssl_context=trust) as client:
        assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
        elsewhere.run(hang_up(server))  # blocks our loop: only the kernel knows that the connection is gone
        assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
    assert (server.connections, len(server.requests)) == (2, 2)
    elsewhere.run(stack.__aexit__(None, None, None))


@pytest.mark.parametrize("is_noticed", [False, True])
async def test_answer_nobody_asked_for(is_noticed: bool, elsewhere: LoopThread) -> None:
    """An answer that came while nothing was asked is not taken for the next message's, read by our loop or not."""
    may_chatter, has_chattered = asyncio.Event(), asyncio.Event()

    async def chatter(wire: Wire) -> None:
        await wire.read()
        await wire.write(answer())
        await may_chatter.wait()
        if wire.is_first:
            await wire.write(answer(b'{"errcode":43101}'))
            has_chattered.set()
        await keep_answering(wire)

    async def provoke() -> None:
        may_chatter.set()
        await has_chattered.wait()

    stack = serving(chatter)
    server = elsewhere.run(stack.__aenter__())
    async with calling(server.url) as client:
        assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
        elsewhere.run(provoke())
        while is_noticed and not _idle(client)._is_lost:  # noqa: ASYNC110 - the loop tells nobody else
            await asyncio.sleep(0)
        assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
    assert len(server.requests) == 2
    elsewhere.run(stack.__aexit__(None, None, None))


@pytest.mark.parametrize("has_served", [False, True])
async def test_kernel_is_asked_first(has_served: bool, elsewhere: LoopThread) -> None:
    """A connection closed by the server is found unusable before our event loop has read a thing."""
    may_close = asyncio.Event()

    async def wait_and_close(wire: Wire) -> None:
        if has_served:
            await wire.read()
            await wire.write(answer())
        await may_close.wait()

    async def hang_up(server: Server) -> None:
        may_close.set()
        await server.has_closed.wait()

    stack = serving(wait_and_close)
    server = elsewhere.run(stack.__aenter__())
    connection = await connect(server)
    if has_served:
        assert (await connection.exchange(REQUEST, 5.0)).status == 200
    assert connection.is_usable()
    elsewhere.run(hang_up(server))
    assert not connection.is_usable()
    connection.close()
    elsewhere.run(stack.__aexit__(None, None, None))


@pytest.mark.parametrize("has_served", [False, True])
async def test_unread_bytes_count_after_the_first_answer(has_served: bool, elsewhere: LoopThread) -> None:
    """Bytes that wait on a fresh connection may be TLS session tickets; on one that has served they spoil it."""
    may_speak, has_spoken = asyncio.Event(), asyncio.Event()

    async def speak(wire: Wire) -> None:
        if has_served:
            await wire.read()
            await wire.write(answer())
        await may_speak.wait()
        await wire.write(answer())
        has_spoken.set()
        await wire.wait()

    async def provoke() -> None:
        may_speak.set()
        await has_spoken.wait()

    stack = serving(speak)
    server = elsewhere.run(stack.__aenter__())
    connection = await connect(server)
    if has_served:
        assert (await connection.exchange(REQUEST, 5.0)).status == 200
    elsewhere.run(provoke())
    assert connection.is_usable() is not has_served
    connection.close()
    elsewhere.run(stack.__aexit__(None, None, None))


async def test_answers_that_end_in_their_own_ways() -> None:
    """An interim answer is passed over, chunks are joined, and one without a length ends with its connection."""
    body = b'{"errcode":0,"errmsg":"ok","msgid":7}'
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    raws = [b"HTTP/1.1 100 Continue\r\n\r\n" + answer(), chunked, b"HTTP/1.1 200 OK\r\n\r\n" + body]
    for raw in raws:

        async def answer_so(wire: Wire, raw: bytes = raw) -> None:
            await wire.read()
            await wire.write(raw)

        async with serving(answer_so) as server, calling(server.url) as client:
            assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)


async def test_two_answers_to_one_request() -> None:
    """The first of two answers counts, and the connection that brought them serves no more."""

    async def answer_twice(wire: Wire) -> None:
        await wire.read()
        await wire.write(answer() + answer(b'{"errcode":43101}'))
        await wire.wait()

    async with serving(answer_twice) as server, calling(server.url) as client:
        for _ in range(2):
            assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
        assert (server.connections, len(server.requests)) == (2, 2)


async def test_old_connections_are_closed() -> None:
    """Connections that a busier hour needed are closed once they have been idle for long."""
    async with serving(keep_answering) as server, calling(server.url) as client:
        assert isinstance(client._transport, Transport)
        await asyncio.gather(*(client.send(MESSAGE, TOKEN) for _ in range(5)))
        [idle] = client._transport._idle.values()
        assert len(idle) == server.connections == 5
        for connection in idle:
            connection.idle_since -= 60
        assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
        assert len(idle) == 1


# Slots


async def test_slot_is_awaited_with_the_connection_there() -> None:
    """The slot is awaited with the connection there, longer than connecting may take, before anything is written."""
    seen: list[tuple[int, int]] = []

    async with serving(keep_answering) as server, calling(server.url, connect_timeout=0.1) as client:

        async def slot() -> bool:
            await asyncio.sleep(0.2)
            seen.append((server.connections, len(server.requests)))
            return True

        assert await client.send(MESSAGE, TOKEN, slot=slot) == Sent(msgid=7)
    assert seen == [(1, 0)]


async def test_slot_has_passed() -> None:
    """A message whose slot has passed is not written."""

    async def passed() -> bool:
        return False

    async with serving(keep_answering) as server, calling(server.url) as client:
        assert await client.send(MESSAGE, TOKEN, slot=passed) == NEVER_LEFT
        assert (server.connections, len(server.requests)) == (1, 0)


async def test_server_that_only_closes() -> None:
    """A server that accepts only to close is tried a few times, and the message surely never left."""

    async def close(wire: Wire) -> None:
        server.has_closed.clear()
        await wire.close()

    async with serving(close) as server, calling(server.url) as client:

        async def until_closed() -> bool:
            return await server.has_closed.wait()

        assert await client.send(MESSAGE, TOKEN, slot=until_closed) == NEVER_LEFT
        assert (server.connections, len(server.requests)) == (3, 0)


async def connect(server: Server) -> Connection:
    """Open a connection of the kind that the transport pools."""
    loop = asyncio.get_running_loop()
    port = int(server.url.rpartition(":")[2])
    _, connection = await loop.create_connection(lambda: Connection(loop), "127.0.0.1", port)
    return connection


def _idle(client: Client) -> Connection:
    """Return the pool's one connection."""
    assert isinstance(client._transport, Transport)
    [[connection]] = client._transport._idle.values()
    return connection
