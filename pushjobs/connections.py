"""What one process connects to, whichever app it works for: PostgreSQL, the broker, Redis, WeChat, and its key ring.

Made after fork, closed at exit. Each is made when it is first asked for, so that a producer opens no connection to
WeChat and a tick no event loop.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cached_property

from redis import Redis as SyncRedis
from redis.asyncio import Redis

from pushjobs.delivery.settler import most_out
from pushjobs.domain.events import CallsMoved
from pushjobs.keyfile import renewal
from pushjobs.queue import Publisher
from pushjobs.settings import Settings
from pushjobs.store.database import Database
from pushjobs.store.sealing import Lookup, Sealer
from pushjobs.telemetry import emit
from pushjobs.wechat.client import Client
from pushjobs.wechat.hosts import Fallback
from pushjobs.wechat.loop import LoopThread
from pushjobs.witness import InFile, InRedis, Witness

__all__ = ["Connections"]

_MOST_CONNECTIONS = 800
"""To WeChat, of one process: it may have 1,024 open files on most systems."""


class Connections:
    """The connections of one process, as its settings name them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._closing: list[Callable[[], Awaitable[None]]] = []

    @cached_property
    def database(self) -> Database:
        """PostgreSQL."""
        settings = self.settings
        return Database(
            settings.require_database_url,
            pool_size=settings.database_pool_size,
            statement_timeout_seconds=settings.statement_timeout_seconds,
        )

    @cached_property
    def sealer(self) -> Sealer:
        """The key ring."""
        keys = self.settings.require_encryption_keys
        return Sealer(keys, renewed=renewal(self.settings.directory, keys))

    @cached_property
    def lookup(self) -> Lookup:
        """The blind index."""
        return Lookup(self.settings.require_lookup_key)

    @cached_property
    def publisher(self) -> Publisher:
        """The broker, for publishing."""
        return Publisher(self.settings.require_broker_url)

    @cached_property
    def witness(self) -> Witness:
        """What was last seen of the database, kept outside it."""
        places = (InRedis(self.slots), InFile(self.settings.directory / "witness.json"))
        return Witness(self.database, places, emit=emit)

    @cached_property
    def slots(self) -> SyncRedis:
        """Redis, for the pace: asked from any thread, and given up on soon."""
        return SyncRedis.from_url(self.settings.require_redis_url, socket_timeout=1.0, socket_connect_timeout=1.0)

    @cached_property
    def redis(self) -> Redis:
        """Redis, for what runs in the loop."""
        redis = Redis.from_url(self.settings.require_redis_url, socket_timeout=2.0, socket_connect_timeout=2.0)
        self.close_with(redis.aclose)
        return redis

    @cached_property
    def loop(self) -> LoopThread:
        """The event loop in which all calls are made."""
        loop = LoopThread()
        loop.start()
        return loop

    @cached_property
    def client(self) -> Client:
        """WeChat."""
        base_url, timeout = self.settings.wechat_base_url, self.settings.call_timeout_seconds
        fallback = Fallback(urls=self.settings.fallback_urls, moved=lambda host: emit(CallsMoved(host=host)))

        async def make() -> Client:
            # One for each call of an app that may be out: with fewer, a slow WeChat is called as slowly as it answers.
            most = min(most_out(self.settings.slice_size), _MOST_CONNECTIONS)
            return Client(base_url, fallback=fallback, call_timeout=timeout, max_connections=most)

        client = self.loop.run(make())
        self.close_with(client.aclose)
        return client

    def close_with(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have this called, on the loop, when what uses it has ended."""
        self._closing.append(close)

    def close(self) -> None:
        """Close what was opened; in this order, so that nothing is asked of something closed."""
        opened = vars(self)
        if "loop" in opened:
            self.loop.calm()
            with suppress(Exception):  # closing is a courtesy: the process ends, and nothing hangs on the answer
                self.loop.run(self._close_calling())
            self.loop.close()
        if "publisher" in opened:
            self.publisher.close()
        if "database" in opened:
            self.database.close()

    async def _close_calling(self) -> None:
        for close in self._closing:
            await close()
