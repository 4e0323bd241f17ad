"""A real server that misbehaves on demand, and what the tests send to it."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from pushjobs.domain.message import Content, Message
from pushjobs.domain.outcome import Retry
from pushjobs.wechat.client import Client

MESSAGE = Message(touser="OPENID", content=Content(template_id="TPL", data=(("thing1", "订单已发货"),)))
NEVER_LEFT = Retry(never_left=True)
TOKEN = "the-token"


class Server:
    """A server that counts connections and requests, and behaves as each test wants."""

    def __init__(self, behave: "Behaviour") -> None:
        self.url = ""
        self.connections = 0
        self.requests: list[bytes] = []
        self.has_closed = asyncio.Event()
        self._behave = behave

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, and close it when the behaviour ends."""
        self.connections += 1
        try:
            await self._behave(Wire(self, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone
        finally:
            writer.close()
            self.has_closed.set()


class Wire:
    """The server's end of one connection."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.is_first = server.connections == 1
        self._requests = server.requests
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """Read one whole request; return its body."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:"))
        body = await self._reader.readexactly(length)
        self._requests.append(head + body)
        return body

    async def write(self, raw: bytes) -> None:
        """Write these bytes."""
        self._writer.write(raw)
        await self._writer.drain()

    async def wait(self) -> None:
        """Say nothing until the client is gone."""
        await self._reader.read()

    async def close(self) -> None:
        """Close, and come back when the client's kernel knows."""
        self._writer.close()
        await self._writer.wait_closed()

    def reset(self) -> None:
        """Close so that the client sees a reset."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Behaviour = Callable[[Wire], Awaitable[object]]


def answer(body: bytes = b'{"errcode":0,"errmsg":"ok","msgid":7}', status: str = "200 OK", headers: str = "") -> bytes:
    """Write out a whole answer."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def keep_answering(wire: Wire) -> None:
    """Behave well."""
    while True:
        await wire.read()
        await wire.write(answer())


@asynccontextmanager
async def serving(behave: Behaviour, tls: ssl.SSLContext | None = None, *, port: int = 0) -> AsyncIterator[Server]:
    """Run a server that behaves like this, on a free port or on this one."""
    server = Server(behave)
    listener = await asyncio.start_server(server.accept, "127.0.0.1", port, ssl=tls)
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()


@asynccontextmanager
async def calling(
    url: str,
    *,
    call_timeout: float = 5.0,
    connect_timeout: float = 3.0,
    max_connections: int = 100,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[Client]:
    """Make a client and close it."""
    client = Client(
        url,
        call_timeout=call_timeout,
        connect_timeout=connect_timeout,
        max_connections=max_connections,
        ssl_context=ssl_context,
    )
    try:
        yield client
    finally:
        await client.aclose()
