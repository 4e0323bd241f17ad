"""A small HTTP server in the test's process: whoever WeChat's callbacks are for, ours or the app's own door."""

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from pushjobs.wechat.events import Callback

__all__ = ["Answer", "OwnDoor", "Taken"]

Answer = tuple[int, str]


@dataclass(frozen=True)
class Taken:
    """A request as it came, the kind of body it said it has, and the port it was called from."""

    callback: Callback
    content_type: str
    peer: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """By names in lower case."""


def _success(_: Callback) -> Answer:
    return 200, "success"


@dataclass
class OwnDoor:
    """`with OwnDoor() as door:` listens at `door.url`; `answer` says what each callback is answered."""

    answer: Callable[[Callback], Answer] = _success
    tls: ssl.SSLContext | None = None
    taken: list[Taken] = field(default_factory=list)

    def __enter__(self) -> Self:
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body leave in two writes: without this the second waits for the other side's delayed word.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                query = dict(parse_qsl(urlsplit(self.path).query))
                callback = Callback(method=self.command, query=query, body=body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                door.taken.append(Taken(callback, headers.get("content-type", ""), self.client_address[1], headers))
                status, text = door.answer(callback)
                content = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port it listens at."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/wechat"
