"""Which host of WeChat's is called: the first, or another one while no connection to the first can be made.

Only a connection that could not be made counts: then not a byte left, and another host may be called for the same
message. A host that may have read something stays the one to call.

Refuses to: stake a message on finding out whether the first host is back. A probe connects, and writes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx

__all__ = ["NOT_CONNECTED", "Fallback", "Hosts"]

NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout)
"""What tells that a host was not reached. A full pool or a missed slot says nothing about the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """The hosts to call while the first cannot be reached, in order.

    `probe_seconds`: between two looks whether the first is back. `moved` hears of each host that is called from now on.
    """

    urls: tuple[str, ...] = ()
    probe_seconds: float = 10.0
    moved: Callable[[str], None] = lambda _: None


class Hosts:
    """The host to call, `current`; used within the event loop of its client. `connect` makes a new connection."""

    def __init__(self, first: str, fallback: Fallback, *, connect: Callable[[str], Awaitable[None]]) -> None:
        self._urls = tuple(dict.fromkeys(url.rstrip("/") for url in (first, *fallback.urls)))
        self._fallback = fallback
        self._connect = connect
        self._probing: asyncio.Task[None] | None = None
        self.current = self._urls[0]

    def leave(self, url: str) -> str | None:
        """Note that this host cannot be reached; return the one to call in its place, None where there is none."""
        # Of calls that fail together the first one moves on, and the others follow it.
        if url == self.current and len(self._urls) > 1:
            self._move_to(self._urls[(self._urls.index(url) + 1) % len(self._urls)])
            if self._probing is None or self._probing.done():
                self._probing = asyncio.create_task(self._probe())
        return None if url == self.current else self.current

    def close(self) -> None:
        """Look no longer."""
        if self._probing is not None:
            self._probing.cancel()

    async def _probe(self) -> None:
        first = self._urls[0]
        while self.current != first:
            await asyncio.sleep(self._fallback.probe_seconds)
            with suppress(httpx.TransportError):
                await self._connect(first)
                if self.current != first:
                    self._move_to(first)

    def _move_to(self, url: str) -> None:
        self.current = url
        self._fallback.moved(url)
