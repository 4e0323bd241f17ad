"""One kept-alive connection for what the sandbox calls itself: a request out, a whole answer back.

Small on purpose: the sandbox must not share our transport, whose faults it is there to show.
"""

import asyncio
from urllib.parse import urlsplit

import httptools

__all__ = ["Outgoing"]

_CHUNK = 65536
_PORTS = {"http": 80, "https": 443}

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Outgoing:
    """Calls one address after the other; a new host closes the connection to the last."""

    def __init__(self) -> None:
        self._origin: tuple[str, str, int] | None = None
        self._streams: _Streams | None = None

    async def call(self, method: str, address: str, body: bytes, *, content_type: str) -> tuple[int, bytes]:
        """Make one call and return status and body; raise OSError, EOFError or HttpParserError."""
        parts = urlsplit(address)
        host = parts.hostname or ""
        origin = (parts.scheme, host, parts.port or _PORTS[parts.scheme])
        if origin != self._origin:
            self.close()
            self._origin = origin
        head = (
            f"{method} {parts.path or '/'}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"User-Agent: Mozilla/4.0\r\nAccept: */*\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        if (streams := self._streams) is not None:
            try:
                return await self._exchange(streams, request)
            except EOFError:
                # The other side had closed what stood idle: that is no answer to this request.
                self.close()
        self._streams = await self._open(origin)
        return await self._exchange(self._streams, request)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _open(self, origin: tuple[str, str, int]) -> _Streams:
        scheme, host, port = origin
        return await asyncio.open_connection(host, port, ssl=True if scheme == "https" else None)

    async def _exchange(self, streams: _Streams, request: bytes) -> tuple[int, bytes]:
        reader, writer = streams
        writer.write(request)
        answer = _Answer()
        answer.parser = parser = httptools.HttpResponseParser(answer)
        while not answer.is_whole:
            data = await reader.read(_CHUNK)
            if not data:
                raise EOFError
            parser.feed_data(data)
        if not answer.is_kept_alive:
            self.close()
        return parser.get_status_code(), bytes(answer.content)


class _Answer:
    """What the parser reads."""

    parser: httptools.HttpResponseParser

    def __init__(self) -> None:
        self.content = bytearray()
        self.is_whole = False
        self.is_kept_alive = False

    def on_body(self, data: bytes) -> None:
        """Take a part."""
        self.content += data

    def on_message_complete(self) -> None:
        """Note the end, and what comes after it: asked later, the parser says that nothing does."""
        self.is_whole = True
        self.is_kept_alive = self.parser.should_keep_alive()
