"""Another host is called for what surely never left the first, and for nothing else; counted at real servers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import pytest

from pushjobs.domain.outcome import Sent, Unknown
from pushjobs.errors import Unreachable
from pushjobs.wechat.client import Client
from pushjobs.wechat.hosts import Fallback
from tests.integration.wechat.misbehaving import (
    MESSAGE,
    NEVER_LEFT,
    TOKEN,
    Wire,
    keep_answering,
    serving,
)


@contextmanager
def nobody() -> Iterator[tuple[str, int]]:
    """Give an address at which nobody listens, and its port."""
    with socket.socket() as unused:
        unused.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        yield f"http://127.0.0.1:{port}", port


class Calls:
    """A client with its spare hosts, and a count of the moves from host to host."""

    def __init__(self, urls: Sequence[str], *, max_connections: int = 100) -> None:
        self.moves: list[str] = []
        self.has_moved = asyncio.Event()
        fallback = Fallback(urls=tuple(urls[1:]), probe_seconds=0.01, moved=self._note)
        self.client = Client(
            urls[0], fallback=fallback, call_timeout=5, connect_timeout=0.1, max_connections=max_connections
        )

    def _note(self, url: str) -> None:
        self.moves.append(url)
        self.has_moved.set()


@asynccontextmanager
async def calls(*urls: str, max_connections: int = 100) -> AsyncIterator[Calls]:
    """Make such a client and close it."""
    made = Calls(urls, max_connections=max_connections)
    try:
        yield made
    finally:
        await made.client.aclose()


async def test_refused_connection() -> None:
    """12.13 A message for a host that refuses the connection reaches the next one exactly once, in the same attempt."""
    with nobody() as (gone, _):
        async with serving(keep_answering) as spare, calls(gone, spare.url) as made:
            assert await made.client.send(MESSAGE, TOKEN) == Sent(msgid=7)
            assert len(spare.requests) == 1
            assert f"Host: {spare.url.removeprefix('http://')}".encode() in spare.requests[0]
            assert made.moves == [spare.url]


async def test_many_at_once() -> None:
    """Messages that fail together at the first host move on together: each arrives once, and one move is told."""
    with nobody() as (gone, _):
        async with serving(keep_answering) as spare, calls(gone, spare.url) as made:
            outcomes = await asyncio.gather(*(made.client.send(MESSAGE, TOKEN) for _ in range(50)))
            assert (set(outcomes), len(spare.requests), made.moves) == ({Sent(msgid=7)}, 50, [spare.url])


async def test_silent_host() -> None:
    """A host that takes too long to connect to is left like one that refuses; the one after it gets the message."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # fills the backlog: further connections hang
            async with serving(keep_answering) as spare, calls(f"http://127.0.0.1:{port}", spare.url) as made:
                assert await made.client.send(MESSAGE, TOKEN) == Sent(msgid=7)
                assert len(spare.requests) == 1


async def test_hung_up_after_reading() -> None:
    """12.13 A message that the first host has read goes to nobody else, and its outcome stays unknown."""

    async def read_and_hang_up(wire: Wire) -> None:
        await wire.read()

    async with (
        serving(read_and_hang_up) as first,
        serving(keep_answering) as spare,
        calls(first.url, spare.url) as made,
    ):
        assert isinstance(await made.client.send(MESSAGE, TOKEN), Unknown)
        with pytest.raises(Unreachable):
            await made.client.ask("POST", "/cgi-bin/stable_token", body={})
        assert (len(first.requests), len(spare.requests), made.moves) == (2, 0, [])


async def test_missed_slot() -> None:
    """A message whose slot has passed says nothing about the host, and goes to no other."""

    async def missed() -> bool:
        return False

    async with (
        serving(keep_answering) as first,
        serving(keep_answering) as spare,
        calls(first.url, spare.url) as made,
    ):
        assert await made.client.send(MESSAGE, TOKEN, slot=missed) == NEVER_LEFT
        assert (len(first.requests), len(spare.requests), made.moves) == (0, 0, [])


async def test_full_pool() -> None:
    """A message that waits in vain for a free connection goes to no other host."""
    has_read, may_answer = asyncio.Event(), asyncio.Event()

    async def answer_late(wire: Wire) -> None:
        await wire.read()
        has_read.set()
        await may_answer.wait()

    async with (
        serving(answer_late) as first,
        serving(keep_answering) as spare,
        calls(first.url, spare.url, max_connections=1) as made,
    ):
        under_way = asyncio.create_task(made.client.send(MESSAGE, TOKEN))
        await has_read.wait()
        assert await made.client.send(MESSAGE, TOKEN) == NEVER_LEFT
        may_answer.set()
        await under_way
        assert (len(spare.requests), made.moves) == (0, [])


async def test_slot_is_asked_at_the_host_that_is_called() -> None:
    """The slot is awaited once, when the connection to the second host is there."""
    asked = 0

    async def slot() -> bool:
        nonlocal asked
        asked += 1
        return True

    with nobody() as (gone, _):
        async with serving(keep_answering) as spare, calls(gone, spare.url) as made:
            assert await made.client.send(MESSAGE, TOKEN, slot=slot) == Sent(msgid=7)
            assert asked == 1


async def test_back_to_the_first() -> None:
    """12.13 The first host is called again once it can be reached; finding that out costs no message."""
    with nobody() as (gone, port):
        async with serving(keep_answering) as spare, calls(gone, spare.url) as made:
            assert await made.client.send(MESSAGE, TOKEN) == Sent(msgid=7)
            assert await made.client.send(MESSAGE, TOKEN) == Sent(msgid=7)
            made.has_moved.clear()
            async with serving(keep_answering, port=port) as first:
                await asyncio.wait_for(made.has_moved.wait(), 10)
                assert first.requests == []
                assert await made.client.send(MESSAGE, TOKEN) == Sent(msgid=7)
                assert (len(first.requests), len(spare.requests)) == (1, 2)
                assert made.moves == [spare.url, gone]


async def test_all_are_gone() -> None:
    """With no host to be reached a message surely never left, and the next one begins at another host."""
    with nobody() as (one, _), nobody() as (two, _), nobody() as (three, _):
        async with calls(one, two, three) as made:
            assert await made.client.send(MESSAGE, TOKEN) == NEVER_LEFT
            assert await made.client.send(MESSAGE, TOKEN) == NEVER_LEFT
            assert made.moves == [two, three]


async def test_the_same_host_twice() -> None:
    """A host that stands among its own spare hosts is no other host."""
    with nobody() as (gone, _):
        async with calls(gone, f"{gone}/") as made:
            assert await made.client.send(MESSAGE, TOKEN) == NEVER_LEFT
            assert made.moves == []


async def test_other_calls() -> None:
    """A call for a token or a template that never left is made at the next host too; without one it is Unreachable."""
    with nobody() as (gone, _):
        async with serving(keep_answering) as spare, calls(gone, spare.url) as made:
            assert (await made.client.ask("GET", "/wxaapi/newtmpl/gettemplate"))["msgid"] == 7
            assert len(spare.requests) == 1
        async with calls(gone) as made:
            with pytest.raises(Unreachable, match=gone):
                await made.client.ask("GET", "/wxaapi/newtmpl/gettemplate")
