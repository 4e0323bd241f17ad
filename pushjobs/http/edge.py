"""What is the same for every request, whichever door it comes to: its id, its answer's headers, its line in the log.

A line says who asked for which route, and what became of it. It has the route as it is documented, never the address:
queries hold tokens and signatures, and paths of WeChat's may hold whatever a caller writes.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pushjobs import clock
from pushjobs.domain.events import RequestAnswered
from pushjobs.telemetry import Emit
from pushjobs.telemetry.asking import ASKING, Asking

__all__ = ["Edge"]

_REQUEST_ID = re.compile(rb"[\w.-]{1,64}", re.ASCII)
"""What is taken for the caller's own id: it goes into a header and into the log, so it is a word and short."""

_HEADERS = (
    # What a door answers is for whoever asked; no browser nor cache is to keep it.
    (b"cache-control", b"no-store"),
    # For a browser that is led here: nothing is guessed to be a page, framed, loaded or told of.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class Edge:
    """Wraps the doors. `paths`: of their endpoints. `emit`: told of each request that is over; None: no such lines."""

    def __init__(self, doors: ASGIApp, paths: Mapping[Callable[..., Any], str], *, emit: Emit | None) -> None:
        self._doors = doors
        self._paths = paths
        self._emit = emit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the doors answer; and whatever is not HTTP, such as the process's end, go to them as it is."""
        if scope["type"] != "http":
            await self._doors(scope, receive, send)
            return
        asking = Asking(request_id=_request_id(scope), traceparent=_traceparent(scope))
        ASKING.set(asking)  # for this request's task alone
        begun = clock.monotonic()
        status = 0

        async def finish(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                has = {name for name, _ in headers}
                headers += [each for each in _HEADERS if each[0] not in has]
                message["headers"] = [*headers, (b"x-request-id", asking.request_id.encode())]
            await send(message)

        try:
            await self._doors(scope, receive, finish)
        finally:
            if self._emit is not None:
                self._emit(self._answered(scope, asking, status, clock.monotonic() - begun))

    def _answered(self, scope: Scope, asking: Asking, status: int, seconds: float) -> RequestAnswered:
        address = scope.get("client")
        return RequestAnswered(
            method=scope["method"],
            # What is set by FastAPI itself is not what is included in it; the endpoint is.
            route=self._paths.get(scope["endpoint"]) if "endpoint" in scope else None,
            status=status,
            milliseconds=round(seconds * 1000, 1),
            client=asking.client,
            address=address[0] if address else None,
            scheme=scope["scheme"],
            request_id=asking.request_id,
        )


def _traceparent(scope: Scope) -> str | None:
    given = _given(scope, b"traceparent")
    return str(given[0], "latin-1") if len(given) == 1 else None


def _request_id(scope: Scope) -> str:
    given = _given(scope, b"x-request-id")
    if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]):
        return str(given[0], "ascii")
    return secrets.token_hex(8)


def _given(scope: Scope, header: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == header]
