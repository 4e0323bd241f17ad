"""Both embedded servers as one: started together, kept running, stopped together.

with EmbeddedServers(Installation(directory)) as servers:
    servers.database_url, servers.redis_url
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self

from pushjobs.errors import NotRunning
from pushjobs.local.daemon import Daemon
from pushjobs.local.directory import Installation
from pushjobs.local.postgres import PostgresServer
from pushjobs.local.processes import Ended
from pushjobs.local.valkey import ValkeyServer

__all__ = ["EmbeddedServers"]

_WATCH_SECONDS = 0.5


class EmbeddedServers:
    """PostgreSQL and Valkey of one installation; `settings` are PostgreSQL's, added to ours.

    Either is left out, and never started, where the caller has a server of his own.
    """

    def __init__(
        self,
        installation: Installation,
        settings: Mapping[str, str] | None = None,
        *,
        postgres: bool = True,
        valkey: bool = True,
    ) -> None:
        self.installation = installation
        self.postgres = PostgresServer(installation, settings)
        self.valkey = ValkeyServer(installation)
        chosen = ((self.postgres, postgres), (self.valkey, valkey))
        self._servers: list[Daemon] = [server for server, wanted in chosen if wanted]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def database_url(self) -> str:
        """PostgreSQL's address in SQLAlchemy's spelling."""
        return self.postgres.url

    @property
    def redis_url(self) -> str:
        """Valkey's address in redis-py's spelling."""
        return self.valkey.url

    def start(self) -> None:
        """Start both side by side; return when both accept connections."""
        # Made here once: two threads would make two.
        self.installation.sockets()
        self._together(Daemon.start)

    def stop(self) -> None:
        """Stop both side by side; return when their data is on disk."""
        self._together(Daemon.stop)
        self.installation.clear_sockets()

    @contextmanager
    def kept(self, report: Callable[[Ended], None]) -> Iterator[None]:
        """While the context lasts, start again whichever server dies; `report` hears of it, from another thread."""
        leaving = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(leaving, report), name="keep-servers", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            leaving.set()
            keeper.join()

    def _keep(self, leaving: threading.Event, report: Callable[[Ended], None]) -> None:
        # An adopted server is nobody's child, so its end cannot be waited for everywhere.
        while not leaving.wait(_WATCH_SECONDS):
            for server in self._servers:
                if not server.is_running:
                    report(Ended(name=server.name, status=None, delay=0.0))
                    try:
                        server.start()
                    except NotRunning:
                        continue  # reported again at the next look

    def _together(self, action: Callable[[Daemon], None]) -> None:
        with ThreadPoolExecutor(thread_name_prefix="servers") as pool:
            list(pool.map(action, self._servers))
