"""Somebody on the way to a door who passes requests on, and loses answers: they were done, and nobody hears of it."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

__all__ = ["Relay", "relay"]


def _none(_: int) -> bool:
    return False


@dataclass
class Relay:
    """Loses the answers that `loses` says, by the number of the request from 1; `bodies`: what was asked, in order."""

    url: str = ""
    loses: Callable[[int], bool] = _none
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def relay(address: str, tls: ssl.SSLContext | None = None) -> Iterator[Relay]:
    """Listen on a free port, over TLS where it is given, and pass everything on to the door at `address`."""
    made = Relay()
    with httpx.Client(base_url=address, trust_env=False, timeout=10) as door:

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._pass_on()

            def do_POST(self) -> None:
                self._pass_on()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                made.bodies.append(body)
                number = len(made.bodies)
                kept = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
                answer = door.request(self.command, self.path, content=body, headers=kept)
                if made.loses(number):
                    self.close_connection = True
                    return
                self.send_response(answer.status_code)
                for name in ("Content-Type", "Retry-After"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Say nothing of whoever goes away in between."""

        server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            # Each handshake in the thread of its request: one that fails must not end the server's own.
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            # The tests' certificate is made out to that name.
            made.url = f"{'http://127.0.0.1' if tls is None else 'https://localhost'}:{server.server_address[1]}"
            yield made
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
