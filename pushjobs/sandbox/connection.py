"""One connection: bytes in, requests judged in the order they come, answers out in the same order.

Pipelining is safe: an answer that is ready waits for those before it. A request is judged when its last byte has been
read, whatever becomes of the connection after that, as a real server would. A user stays in flight until the answer is
written, or would have been.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import httptools

from pushjobs import clock
from pushjobs.sandbox.request import Request, read_target

__all__ = ["Connection", "Reply", "whole_answer"]

# No message comes near it: a list of a million open ids for a control door does.
_LARGEST_REQUEST = 64 * 1024 * 1024
_REASONS = {int(status): status.phrase for status in HTTPStatus}
_JSON = b"application/json; encoding=utf-8"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"


def whole_answer(content: bytes, *, status: int = 200, content_type: bytes = _JSON) -> bytes:
    """Return an HTTP answer with its head."""
    answer = _HEAD % (content_type, len(content), content)
    if status == HTTPStatus.OK:
        return answer
    reason = _REASONS.get(status, "Unknown")
    return answer.replace(b"200 OK", b"%d %b" % (status, reason.encode()), 1)


@dataclass(slots=True, kw_only=True)
class Reply:
    """What goes back: `data` after `delay` seconds. `closes`: the connection ends with it.

    `holds` is the set of users in flight that `touser` leaves once this is written.
    """

    data: bytes
    delay: float = 0.0
    closes: bool = False
    holds: set[str] | None = None
    touser: str = ""
    is_ripe: bool = False


class Connection(asyncio.Protocol):
    """Reads requests with httptools and hands each to `judge`."""

    def __init__(self, judge: Callable[[Request], Reply], loop: asyncio.AbstractEventLoop) -> None:
        self._judge = judge
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Reply] = deque()
        self._transport: asyncio.Transport
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is none by name

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls back below."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise  # a fault of ours: it must be seen, not answered as the caller's
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.write(whole_answer(b"", status=400))
            self._transport.close()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url = self._body = self._content_type = b""
        self._parts: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Take the target, or a part of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the one header that matters."""
        if name.lower() == b"content-type":
            self._content_type = value

    def on_body(self, body: bytes) -> None:
        """Take the body, or a part of it."""
        self._size += len(body)
        if self._size > _LARGEST_REQUEST:
            self._transport.abort()
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """Have the request judged, and write the answer now or in its time and turn."""
        if self._transport.is_closing():
            return
        reply = self._judge(
            Request(
                method=self._parser.get_method().decode(),
                target=read_target(self._url),
                body=b"".join(self._parts),
                arrived_at=clock.now().timestamp(),
                content_type=self._content_type,
            )
        )
        reply.closes = reply.closes or not self._parser.should_keep_alive()
        if reply.delay == 0 and not self._waiting:
            self._write(reply)
            return
        self._waiting.append(reply)
        if reply.delay:
            self._loop.call_later(reply.delay, self._ripen, reply)
        else:
            reply.is_ripe = True

    def _ripen(self, reply: Reply) -> None:
        reply.is_ripe = True
        while self._waiting and self._waiting[0].is_ripe:
            self._write(self._waiting.popleft())

    def _write(self, reply: Reply) -> None:
        if reply.holds is not None:
            reply.holds.discard(reply.touser)
        if self._transport.is_closing():
            return
        if reply.data:
            self._transport.write(reply.data)
        if reply.closes:
            self._transport.close()
