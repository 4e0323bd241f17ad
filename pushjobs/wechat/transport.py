"""HTTP over aiohttp, every failure sorted into surely not sent and maybe sent.

What surely never left may be sent again; what may have been read must not be. Exception classes do not tell the two
apart: aiohttp raises the same ones before and after the write, and the ready-made httpx transport over it reports
"closed after reading the request" as a connect time-out. So the request's body notes the moment itself: aiohttp holds
the headers back until the body's first chunk, and asks the body to write it. A fault before that moment is raised as
`ConnectError`, `ConnectTimeout` or `PoolTimeout`, any later one as another `httpx.TransportError`.

Refuses to: follow redirects, keep cookies, read the environment, repeat a request of which a byte was written, read
more than a mebibyte, accept an answer to a request that was not yet written. The exceptions hold no address: the
query string carries the access token.
"""

import asyncio
import math
import select
import ssl
from collections.abc import Awaitable, Callable
from weakref import WeakSet

import aiohttp
import httpx
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from yarl import URL

__all__ = ["Slot", "Transport"]

Slot = Callable[[], Awaitable[bool]]
"""Awaited once the connection is there, right before the first byte: whether the request may leave.

Travels in a request's extensions, as `slot`. It must not raise. False costs the connection: one that comes too late
for its moment does better to await another.
"""

_KEEP_IDLE_SECONDS = 15  # below the idle time-outs of common servers (nginx 75 s, load balancers 60 s)
_KEEP_ADDRESS_SECONDS = 60
_LONGEST_ANSWER = 1 << 20
_CONNECTIONS_TRIED = 3
_HUNG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)  # macOS says POLLHUP


class Transport(httpx.AsyncBaseTransport):
    """One pool of kept-alive connections, used within the event loop it was made in.

    `connect_timeout` (seconds) bounds everything before the first byte: waiting for a place in the pool, DNS, TCP,
    TLS. `call_timeout` runs from that byte to the last one of the answer, so that an answer that drips ends too.
    Between the two lies the wait for the request's `Slot`, where it has one, without a bound of ours.
    """

    def __init__(
        self, *, call_timeout: float, connect_timeout: float, max_connections: int, ssl_context: ssl.SSLContext | None
    ) -> None:
        self._call_timeout = call_timeout
        self._connect_timeout = connect_timeout
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=max_connections,
                keepalive_timeout=_KEEP_IDLE_SECONDS,
                ttl_dns_cache=_KEEP_ADDRESS_SECONDS,
                ssl=ssl_context or True,
            ),
            # Ours are exact and include the pool; aiohttp's round up to the next full second above 5 s.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None, ceil_threshold=math.inf),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        self._served: WeakSet[ResponseHandler] = WeakSet()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one request and return its whole answer; raise `httpx.TransportError` sorted as the module says."""
        content = await request.aread()
        slot: Slot | None = request.extensions.get("slot")
        # A connection may be lost between the pool and the first byte; another one is taken then, as nothing was
        # written. Bounded, for a server that accepts only to close.
        for _ in range(_CONNECTIONS_TRIED):
            try:
                async with asyncio.timeout(self._connect_timeout) as limit:
                    body = _Body(content, slot, limit, self._call_timeout, self._served)
                    return await self._exchange(request, body)
            except Exception as fault:  # noqa: BLE001 - no class is trusted: the body knows what was written
                if body.is_begun:
                    error = self._maybe_sent(fault)
                    break
                error = self._surely_not_sent(fault, body)
                if body.is_late or isinstance(fault, TimeoutError | aiohttp.ClientConnectorError):
                    break
        # Raised out here so that aiohttp's exception, which quotes the address and its token, is not its context.
        raise error

    async def aclose(self) -> None:
        """Close every connection; what is under way fails."""
        await self._session.close()

    async def _exchange(self, request: httpx.Request, body: "_Body") -> httpx.Response:
        async with self._session.request(
            request.method,
            URL(str(request.url), encoded=True),
            headers=request.headers.multi_items(),
            data=body,
            allow_redirects=False,
        ) as answer:
            if not body.is_begun:
                raise aiohttp.ClientConnectionError("an answer to no request of ours")
            content = await _read(answer)
        return httpx.Response(answer.status, headers=list(answer.raw_headers), content=content)

    def _surely_not_sent(self, fault: Exception, body: "_Body") -> httpx.TransportError:
        match fault:
            case _ if body.is_late:
                return httpx.PoolTimeout("the slot had passed")
            case TimeoutError():
                return httpx.ConnectTimeout(f"no connection within {self._connect_timeout:g} s")
            case aiohttp.ClientConnectorDNSError():
                return httpx.ConnectError("the host's name does not resolve")
            case aiohttp.ClientSSLError():
                return httpx.ConnectError("the TLS handshake failed")
            case aiohttp.ClientConnectorError():
                return httpx.ConnectError("the connection failed")
        return httpx.ConnectError("the connection was lost before it was used")

    def _maybe_sent(self, fault: Exception) -> httpx.TransportError:
        match fault:
            case httpx.TransportError():
                return fault
            case TimeoutError():
                return httpx.ReadTimeout(f"no answer within {self._call_timeout:g} s")
            case aiohttp.ServerDisconnectedError():
                return httpx.RemoteProtocolError("the connection was closed without an answer")
            case aiohttp.ClientPayloadError():
                return httpx.ReadError("the connection was lost within the answer")
            case OSError():
                return httpx.ReadError("the connection was lost before the answer")
        return httpx.RemoteProtocolError("the answer is not HTTP")


class _Body(aiohttp.BytesPayload):
    """A request's body that notes when its writing begins, and starts the answer's time-out then."""

    def __init__(
        self,
        content: bytes,
        slot: Slot | None,
        limit: asyncio.Timeout,
        call_timeout: float,
        served: WeakSet[ResponseHandler],
    ) -> None:
        super().__init__(content)
        self._slot = slot
        self._limit = limit
        self._call_timeout = call_timeout
        self._served = served
        self.is_begun = False
        self.is_late = False

    @property
    def consumed(self) -> bool:
        """Whether aiohttp must not repeat the request: it would, for a GET whose connection was lost."""
        return self.is_begun

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the body, and with its first chunk the headers: the first bytes of the request."""
        if self._slot is not None:
            self._limit.reschedule(None)
            self.is_late = not await self._slot()
        connection = None if writer.transport is None else writer.transport.get_protocol()
        if self.is_late or not isinstance(connection, ResponseHandler) or not _is_usable(connection, self._served):
            raise ConnectionResetError
        # From the check above to the first byte there is no await: nothing can happen in between.
        self._limit.reschedule(asyncio.get_running_loop().time() + self._call_timeout)
        self._served.add(connection)
        self.is_begun = True
        await super().write_with_length(writer, content_length)


def _is_usable(connection: ResponseHandler, served: WeakSet[ResponseHandler]) -> bool:
    """Tell whether the server still listens, and has said nothing that aiohttp would take for the answer.

    The kernel knows before the event loop does. On a connection that has served before, whatever waits to be read is
    a farewell or an answer to nothing; on a fresh one it may be TLS session tickets, and only a hang-up counts.
    """
    transport = connection.transport
    if transport is None or transport.is_closing() or connection.should_close:
        return False
    poll = select.poll()
    poll.register(
        transport.get_extra_info("socket").fileno(), select.POLLIN | _HUNG_UP if connection in served else _HUNG_UP
    )
    return not poll.poll(0)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise httpx.RemoteProtocolError("the answer is compressed, which was not offered")
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > _LONGEST_ANSWER:
            raise httpx.RemoteProtocolError("the answer is longer than a mebibyte")
    return bytes(content)
