"""One kept-alive connection: a request goes out in one write, and its answer comes back, parsed by llhttp.

The write is a plain function call, so whoever calls `exchange` knows the moment from which a request may have been
read: before it nothing was sent, after it anything may have been. Refuses to: write a second request before the first
one's answer is there, take for an answer what came while nothing was asked, repeat anything.
"""

import asyncio
import select
from dataclasses import dataclass
from typing import cast

import httptools
import httpx

__all__ = ["Answer", "Connection"]

_LONGEST_ANSWER = 1 << 20
_HUNG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)  # macOS says POLLHUP
_SUCCESS = 200  # answers below are interim ones, before the answer proper


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer: its status and its content. `is_last`: the connection serves no other request."""

    status: int
    content: bytes
    is_last: bool


class Connection(asyncio.Protocol):
    """The client's end of one connection, made by a loop's `create_connection`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.idle_since = 0.0
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._is_lost = self._has_served = False
        self._poll = select.poll()
        self._asked: asyncio.Future[Answer] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._begin_answer()

    def exchange(self, request: bytes, timeout: float) -> asyncio.Future[Answer]:
        """Write a whole request now; return what will be its answer, or an `httpx.TransportError` after a write.

        `timeout` (seconds) runs to the answer's last byte, so that one that drips ends too.
        """
        assert self._transport is not None and self._asked is None  # noqa: S101, PT018 - the pool's promise
        self._asked = self._loop.create_future()
        self._limit = self._loop.call_later(timeout, self._time_out, timeout)
        if not self._has_served:
            # From now on whatever waits to be read while nothing is asked is a farewell or an answer to nothing; on a
            # fresh connection it may be TLS session tickets.
            self._has_served = True
            self._poll.modify(self._transport.get_extra_info("socket").fileno(), select.POLLIN | _HUNG_UP)
        self._transport.write(request)
        return self._asked

    def is_usable(self) -> bool:
        """Whether the server still listens and has said nothing. The kernel knows before the event loop does."""
        return not (self._is_lost or self._transport is None or self._transport.is_closing() or self._poll.poll(0))

    def close(self) -> None:
        """Hang up; a request under way fails."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour, not by name
        self._poll.register(transport.get_extra_info("socket").fileno(), _HUNG_UP)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._asked is None:
            self.close()
            return
        self._has_begun = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # What follows a whole answer ends here too: that answer stands, the connection does not.
            self._fail(httpx.RemoteProtocolError("the answer is not HTTP"))

    def connection_lost(self, fault: Exception | None) -> None:
        """End; an answer without a length ends with its connection."""
        self._is_lost = True
        if self._ends_with_connection and fault is None:
            self._complete(is_last=True)
        elif self._has_begun:
            self._fail(httpx.ReadError("the connection was lost within the answer"))
        elif fault is None:
            self._fail(httpx.RemoteProtocolError("the connection was closed without an answer"))
        else:
            self._fail(httpx.ReadError("the connection was lost before the answer"))

    # What the parser tells us.

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request."""
        if self._asked is None or self._asked.done():
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Look for what decides how the answer ends, and whether it can be read."""
        match name.lower():
            case b"content-encoding" if value.lower() != b"identity":
                self._fail(httpx.RemoteProtocolError("the answer is compressed, which was not offered"))
            case b"content-length" | b"transfer-encoding":
                self._has_length = True

    def on_headers_complete(self) -> None:
        """Note an answer that will end with its connection."""
        self._ends_with_connection = not self._has_length

    def on_body(self, content: bytes) -> None:
        """Collect the answer."""
        self._content += content
        if len(self._content) > _LONGEST_ANSWER:
            self._fail(httpx.RemoteProtocolError("the answer is longer than a mebibyte"))

    def on_message_complete(self) -> None:
        """Hand over the answer, unless it is an interim one."""
        if self._parser.get_status_code() >= _SUCCESS:
            self._complete(is_last=not self._parser.should_keep_alive())
        self._begin_answer()

    def _begin_answer(self) -> None:
        self._content = b""
        self._has_begun = self._has_length = self._ends_with_connection = False

    def _complete(self, *, is_last: bool) -> None:
        answer = Answer(status=self._parser.get_status_code(), content=self._content, is_last=is_last)
        if (asked := self._end()) is not None:
            asked.set_result(answer)

    def _time_out(self, timeout: float) -> None:
        self._fail(httpx.ReadTimeout(f"no answer within {timeout:g} s"))

    def _fail(self, fault: httpx.TransportError) -> None:
        self.close()
        if (asked := self._end()) is not None:
            asked.set_exception(fault)

    def _end(self) -> asyncio.Future[Answer] | None:
        """Return whoever waits for the answer, once."""
        asked, self._asked = self._asked, None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        return None if asked is None or asked.done() else asked
