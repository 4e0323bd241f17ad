"""A body handed on as it comes: in the pieces that are asked for, up to a size and within a time."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.requests import Request

from pushjobs.http.v1.incoming import Incoming
from pushjobs.http.v1.problems import Refused


def request(chunks: Iterable[bytes], *, ends: bool = True) -> Request:
    """A request whose body comes in these chunks, and then ends, or never does."""
    parts = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]

    async def receive() -> dict[str, Any]:
        if parts:
            return parts.pop(0)
        if not ends:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    headers = [(b"content-type", b"Text/CSV; charset=utf-8")]
    return Request({"type": "http", "method": "PUT", "path": "/", "headers": headers}, receive)


async def test_pieces_are_as_long_as_asked_for() -> None:
    """However the chunks come: whole pieces until the last one, and nothing behind it."""
    incoming = Incoming(request([b"abc", b"", b"defgh", b"i"]))
    assert incoming.media_type == "text/csv"
    pieces = [await asyncio.to_thread(incoming.read, 4) for _ in range(5)]
    assert pieces == [b"abcd", b"efgh", b"i", b"", b""]


async def test_what_does_not_come_is_not_waited_for() -> None:
    """A piece that is not whole when its time is over ends the upload, and the connection."""
    incoming = Incoming(request([b"abc"], ends=False), piece_seconds=0.01)
    with pytest.raises(Refused) as refused:
        await asyncio.to_thread(incoming.read, 4)
    assert (refused.value.kind.status, refused.value.headers) == (408, {"Connection": "close"})


async def test_what_is_too_long_is_not_read_to_its_end() -> None:
    """A body that did not say how long it is, is refused with the first byte too many."""
    incoming = Incoming(request([b"abc", b"def"], ends=False), longest=5)
    assert await asyncio.to_thread(incoming.read, 3) == b"abc"
    with pytest.raises(Refused) as refused:
        await asyncio.to_thread(incoming.read, 3)
    assert refused.value.kind.status == 413
