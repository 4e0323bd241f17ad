"""`pushjobs up`: everything on this machine, started in order, kept running, stopped in order.

The servers come first and go last, the tables are brought up to date between them and the application, and one lock
keeps a second `up` off the directory. It reads no environment and prints nothing: the caller passes the one and does
the other. A signal only asks to stop; the order is kept even when it comes during the start.
"""

import http.client
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Self

from pushjobs.errors import NotPossible, NotRunning
from pushjobs.local import applications
from pushjobs.local.daemon import wait_until
from pushjobs.local.directory import Installation
from pushjobs.local.processes import Application, Ended, Supervisor
from pushjobs.local.servers import EmbeddedServers
from pushjobs.store import migrate

__all__ = ["Up", "UpOptions"]

_READY_SECONDS = 60.0
_BACKLOG = 2048
_SECRETS = ("callback_token", "callback_aes_key")
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What to run, and where. A port of 0 is replaced by a free one."""

    directory: Path
    environment: Mapping[str, str]
    """What the application's processes get, before ours is added."""
    database_url: str | None = None
    """A PostgreSQL of the caller's own; None: the embedded one."""
    redis_url: str | None = None
    """A Redis of the caller's own; None: the embedded one."""
    workers: int = 2
    http: int | None = 8080
    flower: int | None = 5555
    flower_password: str | None = None
    """Flower's; None: one that is made up, and kept in the directory."""
    sandbox: bool = False


class Up:
    """A running installation, as a context: inside it everything runs, after it everything has stopped in order."""

    def __init__(self, options: UpOptions, report: Callable[[Ended], None]) -> None:
        self.options = options
        self.installation = Installation(options.directory)
        self.environment: dict[str, str] = {}
        """What the application's processes were given."""
        self.addresses: dict[str, str] = {}
        """The pages and servers of this installation by name, none of them with a password."""
        self.supervisor = Supervisor((), report)
        """The application's processes; none before the start."""
        self._report = report
        self._ports: dict[str, int] = {}
        self._listening: socket.socket | None = None
        self._stop_requests: SimpleQueue[None] = SimpleQueue()  # unlike an Event, safe to use in a signal handler
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.enter_context(self._signals())
            starting.enter_context(self.installation.lock())
            self.installation.ensure_keys()
            self._listen(starting)
            self._start_servers(starting)
            self._start_applications(starting)
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ready(self) -> None:
        """Return when every worker consumes and every door is open, or when a stop was asked for.

        Raises NotRunning with the log of the first that is not there after a minute.
        """
        for node in applications.NODES:
            self._await(node, (self.installation.run / f"{node}.ready").exists)
        for name, port in self._ports.items():
            self._await(name, partial(_answers, port))
        if self._listening is not None:
            self._await("http", partial(_is_healthy, self._listening.getsockname()[1]))

    @property
    def is_stop_asked(self) -> bool:
        """Whether SIGINT, SIGTERM or SIGHUP came."""
        return not self._stop_requests.empty()

    def wait(self) -> None:
        """Return when SIGINT, SIGTERM or SIGHUP asks to stop."""
        self._stop_requests.get()

    def stop(self) -> None:
        """Stop beat, the doors, the workers after their drain, and the servers last. May be repeated."""
        self._running.close()

    def _listen(self, stack: ExitStack) -> None:
        """Open the HTTP doors' socket, before anything is started: a port that is taken ends it all.

        It is ours, and the process that answers inherits it: what comes while that one is started again waits.
        """
        if self.options.http is None:
            return
        try:
            self._listening = socket.create_server(("127.0.0.1", self.options.http), backlog=_BACKLOG)
        except OSError as error:
            raise NotPossible(
                f"nothing can listen at port {self.options.http} ({error.strerror}): choose another for --http, "
                "or 0 for a free one"
            ) from None
        stack.callback(self._listening.close)
        self.addresses["http"] = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.addresses["console"] = f"{self.addresses['http']}/console/"

    def _start_servers(self, stack: ExitStack) -> None:
        options = self.options
        servers = EmbeddedServers(
            self.installation, postgres=options.database_url is None, valkey=options.redis_url is None
        )
        stack.enter_context(servers)
        embedded = {}
        if options.database_url is None:
            embedded["database_url"] = servers.database_url
        if options.redis_url is None:
            embedded["redis_url"] = servers.redis_url
        self.addresses.update(embedded)
        stack.enter_context(servers.kept(self._report))
        stack.callback(self.installation.withdraw)
        self.installation.publish(embedded | self._sandbox_settings())
        migrate.upgrade(options.database_url or servers.database_url)

    def _start_applications(self, stack: ExitStack) -> None:
        for left in self.installation.run.glob("*.ready"):
            left.unlink()
        self.supervisor = Supervisor(self._applications(), self._report)
        stack.callback(self.supervisor.stop)
        if self._listening is not None:
            # First of all: with the process that answers gone, nobody is to wait for an answer.
            stack.callback(self._listening.close)
        self.supervisor.start()

    def _applications(self) -> list[Application]:
        options, installation = self.options, self.installation
        self.environment = {**options.environment, "PUSHJOBS_DIRECTORY": str(installation.path)}
        for name, url in (("DATABASE", options.database_url), ("REDIS", options.redis_url)):
            if url is not None:
                self.environment[f"PUSHJOBS_{name}_URL"] = url
        chosen = []
        if options.sandbox:
            behaviour = self._callback_settings()
            ours = self._sandbox_settings() | {name: value for name, value in behaviour.items() if name in _SECRETS}
            self.environment |= {f"PUSHJOBS_{name.upper()}": value for name, value in ours.items()}
            chosen.append(
                applications.sandbox(installation, self.environment, port=self._ports["sandbox"], behaviour=behaviour)
            )
        if self._listening is not None:
            chosen.append(applications.http(installation, self.environment, listening=self._listening.fileno()))
        if options.flower is not None:
            self._open("flower", options.flower)
            port, password = self._ports["flower"], options.flower_password
            chosen.append(applications.flower(installation, self.environment, port=port, password=password))
        chosen.extend(applications.workers(installation, self.environment, bulk=options.workers))
        chosen.append(applications.beat(installation, self.environment))
        return chosen

    def _sandbox_settings(self) -> dict[str, str]:
        """Return what leads every process of this installation to its sandbox; empty without one."""
        if not self.options.sandbox:
            return {}
        appid, secret = applications.SANDBOX_CREDENTIALS
        address = self.addresses.get("sandbox") or self._open("sandbox", 0)
        # With a sandbox nothing may lead to a real host, whatever is set for it.
        return {
            "wechat_base_url": address,
            "wechat_fallback_urls": "none",
            "wechat_appid": appid,
            "wechat_secret": secret,
        }

    def _callback_settings(self) -> dict[str, str]:
        """Return what has the sandbox push its callbacks to our door; empty without a door.

        With a token of the caller's own it is that which is used, and else one that is made up.
        """
        if self._listening is None:
            return {}
        own = {name: self.options.environment.get(f"PUSHJOBS_{name.upper()}", "") for name in _SECRETS}
        if not own["callback_token"]:
            own = {f"callback_{name}": value for name, value in self.installation.callback_secrets().items()}
        appid, _ = applications.SANDBOX_CREDENTIALS
        url = f"{self.addresses['http']}/callback/{appid}"
        return own | {"callback_url": url, "callback_mode": "secure" if own["callback_aes_key"] else "plain"}

    def _open(self, name: str, port: int) -> str:
        """Note the port of a page, a free one for 0, and return its address."""
        # Chosen here, not by the process: it must come back at the same address after it died.
        self._ports[name] = port or _free_port()
        self.addresses[name] = f"http://127.0.0.1:{self._ports[name]}"
        return self.addresses[name]

    def _await(self, name: str, condition: Callable[[], bool]) -> None:
        if not wait_until(lambda: condition() or self.is_stop_asked, _READY_SECONDS):
            raise NotRunning(
                f"{name} is not ready after {_READY_SECONDS:.0f} s: {self.installation.log(name)} says why"
            )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        previous = {}
        # Python sets handlers in the main thread only; elsewhere whoever waits there decides. `nohup` is respected.
        if threading.current_thread() is threading.main_thread():
            for number in _STOP_SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    previous[number] = signal.signal(number, lambda *_: self._stop_requests.put(None))
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
