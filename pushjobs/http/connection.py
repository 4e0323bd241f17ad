"""One connection: uvicorn's, except that what is not handed on may not grow for ever.

The parser keeps a head, a chunk's own head or a trailer until it is whole, and sets no limit to any of them.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["LONGEST_HEAD", "Connection"]

LONGEST_HEAD = 16 * 1024
"""Bytes; more than any client of ours sends, and what proxies allow. A connection holds at most one read more."""

_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connection(HttpToolsProtocol):
    """Counts what the parser was given since it last handed something on."""

    def __init__(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - whatever uvicorn makes a connection of
        super().__init__(*arguments, **more)
        self._held = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse to go on with a head that does not end."""
        self._held += len(data)
        super().data_received(data)
        if self._held > LONGEST_HEAD and not self.transport.is_closing():
            # uvicorn's type does not say that there is none before the first request.
            if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]
                self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._held = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body on."""
        self._held = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Hand the request's end on."""
        self._held = 0
        super().on_message_complete()
