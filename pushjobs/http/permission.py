"""Which client asks: proven by its id and key, from memory; only somebody unknown makes the door look into SQL."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from pushjobs.clients import SEE_SECONDS, Clients
from pushjobs.domain.client import Client
from pushjobs.errors import TokenExpired, UnknownClient
from pushjobs.telemetry.asking import ASKING

__all__ = ["Permission"]

_APART_SECONDS = 0.05


class Permission:
    """Knows the clients of one process's doors; used from one event loop.

    Who is unknown is looked for once more, so that a client is known from the moment it was added on. All who are
    unknown at a time share one look, and looks keep a distance: whoever guesses costs the database nothing.
    """

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None

    async def authenticate(self, client_id: str, key: str) -> Client:
        """Return the client of that id and key; raises UnknownClient."""
        return await self.look_again(lambda: self.clients.authenticate(client_id, key))

    async def look_again(self, find: Callable[[], Client]) -> Client:
        """Return who is found among the clients; where that raises UnknownClient, see them anew and find again."""
        try:
            return _noted(find())
        except TokenExpired:
            raise
        except UnknownClient:
            pass
        if self._next is None:
            self._next = asyncio.create_task(self._look())
        await asyncio.shield(self._next)
        return _noted(find())

    async def keep_seeing(self) -> None:
        """See the clients as they stand in SQL, again and again, until cancelled."""
        while True:
            await self._see()
            await asyncio.sleep(SEE_SECONDS)

    async def _look(self) -> None:
        await asyncio.sleep(_APART_SECONDS)
        async with self._turn:
            # Who asks from here on may have been added after what this look sees.
            self._next = None
            await self._see()

    async def _see(self) -> None:
        # Whatever went wrong, without the database say: they stay who they were, and the next look may succeed.
        with suppress(Exception):
            await asyncio.to_thread(self.clients.refresh)


def _noted(client: Client) -> Client:
    """Have the request's line in the log say who made it."""
    if (asking := ASKING.get()) is not None:
        asking.client = client.name
    return client
