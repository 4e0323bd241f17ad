"""One connection: uvicorn's, except that what is not handed on may not grow for ever, nor wait for ever.

The parser keeps a head, a chunk's own head or a trailer until it is whole, and sets no limit to any of them. uvicorn
waits without end for a head that has begun, or never begins, and for a caller that does not read its answer: whoever
opens connections and does no more (a slow loris) would have all there are. A body's time is its door's affair.
"""

from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HEAD_SECONDS", "LONGEST_HEAD", "Connection"]

LONGEST_HEAD = 16 * 1024
"""Bytes; more than any client of ours sends, and what proxies allow. A connection holds at most one read more."""

HEAD_SECONDS = 5.0
"""For a head to come whole: from the connection's beginning, or from its first byte after an answer."""

_READING_SECONDS = 30.0
"""For a caller to take what waits for it in the buffers."""

_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connection(HttpToolsProtocol):
    """Counts what the parser was given since it last handed something on, and has a clock for what it waits for."""

    def __init__(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - whatever uvicorn makes a connection of
        super().__init__(*arguments, **more)
        self._held = 0
        self._head_is_due: TimerHandle | None = None
        self._reading_is_due: TimerHandle | None = None
        self._answering: Any = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's type is narrower than asyncio's
        """Wait for the first head."""
        super().connection_made(transport)
        self._head_is_due = self.loop.call_later(HEAD_SECONDS, self._give_up_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._head_has_come()
        if self._answering is not None:
            # uvicorn tells the request that came last; of several in a row another one may be in work.
            self._answering.disconnected = True
            self._answering.message_event.set()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse to go on with a head that does not end."""
        self._held += len(data)
        super().data_received(data)
        if self._held > LONGEST_HEAD and not self.transport.is_closing():
            if self._is_idle:
                self.transport.write(_TOO_LONG)
            self.transport.close()
        if self._is_idle and self._head_is_due is None and not self.transport.is_closing():
            # A head has begun; or the rest of a body that was answered already goes on coming.
            self._head_is_due = self.loop.call_later(HEAD_SECONDS, self._give_up_head)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._held = 0
        self._head_has_come()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body on."""
        self._held = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Hand the request's end on."""
        self._held = 0
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Have the answer wait for its reader, for a while."""
        super().pause_writing()
        self._reading_is_due = self.loop.call_later(_READING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        if self._reading_is_due is not None:
            self._reading_is_due.cancel()
            self._reading_is_due = None

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:  # noqa: ANN401 - uvicorn's own
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def _is_idle(self) -> bool:
        """Whether no request waits for its answer."""
        # uvicorn's type does not say that there is none before the first request.
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]

    def _give_up_head(self) -> None:
        self._head_is_due = None
        if self._held:
            self.transport.write(_TOO_SLOW)
        self.transport.close()

    def _head_has_come(self) -> None:
        if self._head_is_due is not None:
            self._head_is_due.cancel()
            self._head_is_due = None
