"""A web site in the test's process, at any address of this machine: what feeds are fetched from."""

import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

__all__ = ["Asked", "Reply", "Site"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it came; header names in lower case."""

    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is answered. `drip` comes instead of a head and a body: bytes, a little later each, for ever if it does."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    drip: Iterable[bytes] | None = None


@dataclass
class Site:
    """`with Site(answer) as site:` listens at `site.url`; `asked` holds what came."""

    answer: Callable[[Asked], Reply]
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._server = _Server((self.host, 0), _Visit)
        self._server.site = self
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port it listens at."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http{'' if self.tls is None else 's'}://{self.host}:{self.port}/"


class _Visit(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        asked = Asked(path=self.path, headers={name.lower(): value for name, value in self.headers.items()})
        self.server.site.asked.append(asked)
        reply = self.server.site.answer(asked)
        if reply.drip is not None:
            self.close_connection = True
            self._drip(reply.drip)
            return
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _drip(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            try:
                self.wfile.write(piece)
            except OSError:  # the client went away
                return
            if self.server.site.ended.wait(0.05):
                return


class _Server(ThreadingHTTPServer):
    site: Site

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that went away."""
