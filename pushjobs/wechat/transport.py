"""HTTP/1.1 for httpx, every failure sorted into surely not sent and maybe sent.

What surely never left may be sent again; what may have been read must not be. Client libraries do not tell the two
apart (the ready-made transports report "closed after reading the request" as a connect time-out), so the write is our
own: a fault before it is raised as `ConnectError`, `ConnectTimeout` or `PoolTimeout`, any later one as another
`httpx.TransportError`.

Refuses to: follow redirects, keep cookies, read the environment, repeat a request of which a byte was written, read
more than a mebibyte, accept an answer to a request that was not yet written. The exceptions hold no address: the
query string carries the access token.
"""

import asyncio
import socket
import ssl
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from functools import cached_property

import httpx

from pushjobs.wechat.connection import Answer, Connection

__all__ = ["Slot", "Transport"]

Slot = Callable[[], Awaitable[bool]]
"""Awaited once the connection is there, right before the first byte: whether the request may leave.

Travels in a request's extensions, as `slot`. It must not raise.
"""

_KEEP_IDLE_SECONDS = 15  # below the idle time-outs of common servers (nginx 75 s, load balancers 60 s)
_CONNECTIONS_TRIED = 3

_OURS = frozenset({b"host", b"content-length", b"transfer-encoding", b"accept-encoding"})

_Origin = tuple[str, str, int]
"""Scheme, host, port."""


class Transport(httpx.AsyncBaseTransport):
    """A pool of kept-alive connections, used within the event loop it was made in.

    `connect_timeout` (seconds) bounds the wait for a place in the pool, and then DNS, TCP and TLS together.
    `call_timeout` runs from the first byte of a request to the last one of its answer. Between the two lies the wait
    for the request's `Slot`, where it has one, without a bound of ours.
    """

    def __init__(
        self, *, call_timeout: float, connect_timeout: float, max_connections: int, ssl_context: ssl.SSLContext | None
    ) -> None:
        self._call_timeout = call_timeout
        self._connect_timeout = connect_timeout
        self._given_context = ssl_context
        self._places = asyncio.Semaphore(max_connections)
        # The one used last is used next: those that a quieter hour does not need grow old and are closed.
        self._idle: defaultdict[_Origin, deque[Connection]] = defaultdict(deque)
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one request and return its whole answer; raise `httpx.TransportError` sorted as the module says."""
        origin = _origin(request.url)
        written = _write(request, await request.aread())
        await self._take_place()
        try:
            answer = await self._exchange(origin, written, request.extensions.get("slot"))
        finally:
            self._places.release()
        return httpx.Response(answer.status, stream=httpx.ByteStream(answer.content))

    async def warm_up(self, url: str) -> None:
        """Have an idle connection to this host, made now if there is none; raise what `_open` does."""
        if not self._idle[_origin(httpx.URL(url))]:
            await self.connect(url)

    async def connect(self, url: str) -> None:
        """Make another connection to this host, and keep it; raise what `_open` does."""
        origin = _origin(httpx.URL(url))
        self._keep(origin, await self._open(origin))

    async def aclose(self) -> None:
        """Close every connection; a request under way keeps its own until it is answered."""
        self._is_closed = True
        for connections in self._idle.values():
            while connections:
                connections.pop().close()

    async def _take_place(self) -> None:
        if not self._places.locked():  # the usual case needs no timer
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout(f"no connection was free within {self._connect_timeout:g} s") from None

    async def _exchange(self, origin: _Origin, written: bytes, slot: Slot | None) -> Answer:
        # A connection may be lost while its slot is awaited; another one is taken then, as nothing was written.
        # Bounded, for a server that accepts only to close.
        for _ in range(_CONNECTIONS_TRIED):
            connection = self._take_idle(origin) or await self._open(origin)
            try:
                may_leave = slot is None or await slot()
                if may_leave and not connection.is_usable():
                    connection.close()
                    continue
                # From the check above to the write there is no await: nothing can happen in between.
                answer = await connection.exchange(written, self._call_timeout) if may_leave else None
            except BaseException:
                connection.close()
                raise
            if answer is not None and answer.is_last:
                connection.close()
            else:
                self._keep(origin, connection)
            if answer is None:
                raise httpx.PoolTimeout("the slot had passed")
            return answer
        raise httpx.ConnectError("the connection was lost before it was used")

    def _take_idle(self, origin: _Origin) -> Connection | None:
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if connection.is_usable():
                return connection
            connection.close()
        return None

    def _keep(self, origin: _Origin, connection: Connection) -> None:
        if self._is_closed:
            connection.close()
            return
        idle, now = self._idle[origin], asyncio.get_running_loop().time()
        connection.idle_since = now
        idle.append(connection)
        while now - idle[0].idle_since > _KEEP_IDLE_SECONDS:
            idle.popleft().close()

    async def _open(self, origin: _Origin) -> Connection:
        scheme, host, port = origin
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop), host, port, ssl=self._context if scheme == "https" else None
                )
        except TimeoutError:
            fault: httpx.TransportError = httpx.ConnectTimeout(f"no connection within {self._connect_timeout:g} s")
        except socket.gaierror:
            fault = httpx.ConnectError("the host's name does not resolve")
        except ssl.SSLError:
            fault = httpx.ConnectError("the TLS handshake failed")
        except OSError:
            fault = httpx.ConnectError("the connection failed")
        else:
            return connection
        raise fault

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return self._given_context or ssl.create_default_context()


def _origin(url: httpx.URL) -> _Origin:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _write(request: httpx.Request, content: bytes) -> bytes:
    """Write a request out whole, with the headers that follow from it."""
    lines = [
        request.method.encode() + b" " + request.url.raw_path + b" HTTP/1.1",
        b"Host: " + request.url.netloc,
        b"Content-Length: %d" % len(content),
        b"Accept-Encoding: identity",
        *(name + b": " + value for name, value in request.headers.raw if name.lower() not in _OURS),
        b"",
        content,
    ]
    return b"\r\n".join(lines)
