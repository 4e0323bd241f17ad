"""`GET|POST /callback/{appid}`: WeChat's side door. It shakes hands by GET and pushes by POST.

Answered within a second, whatever happens behind: WeChat cuts the connection after 5 s and pushes again, three times in
all. 200 says that it is kept. 403: nothing proves that it is WeChat's. 400, 413: no push of WeChat's has that shape.
404: no app of ours, and no word more. 503: it could not be kept in time; if it was after all, the repeat is known.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response

from pushjobs.errors import InvalidCallback, NotFound, UnprovenCallback
from pushjobs.http.faults import Faults
from pushjobs.http.keeping import Keeping
from pushjobs.receipts import Door
from pushjobs.telemetry import Emit
from pushjobs.wechat.events import LARGEST_BODY, Callback

__all__ = ["Doors", "callback_door"]

_LONGEST_SECONDS = 1.0


class Doors:
    """Each app's door, and what keeps what is told there; used from one event loop. `door` raises NotFound."""

    def __init__(self, door: Callable[[str], Door], *, emit: Emit) -> None:
        self._door = door
        self._emit = emit
        self._keepings: dict[str, Keeping] = {}

    def find(self, appid: str) -> tuple[Door, Keeping]:
        """Return an app's door and its keeper; raises NotFound."""
        door = self._door(appid)
        if (keeping := self._keepings.get(appid)) is None:
            keeping = self._keepings[appid] = Keeping(door.keep, emit=self._emit)
        return door, keeping

    def close(self) -> None:
        """End what keeps, when it has kept what it has in hand."""
        for keeping in self._keepings.values():
            keeping.close()


def callback_door(doors: Doors, refusals: Faults) -> APIRouter:
    """Return the doors as routes."""
    router = APIRouter()

    @router.api_route("/callback/{appid}", methods=["GET", "POST"])
    async def callback(appid: str, request: Request) -> Response:
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                body = await _body(request)
                door, keeping = doors.find(appid)
                taking = door.read(appid, Callback(method=request.method, query=dict(request.query_params), body=body))
                is_kept = await keeping.keep(taking)
        except (NotFound, InvalidCallback) as refusal:
            refusals.tell(str(refusal))
            raise HTTPException(_status(refusal)) from None
        except (TimeoutError, ClientDisconnect):
            is_kept = False
        if not is_kept:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE)
        return PlainTextResponse(taking.answer)

    return router


async def _body(request: Request) -> bytes:
    """Read the body; not a byte further than a push may be long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            # The rest is on its way and would be taken for the next request.
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers={"Connection": "close"})
    return body


def _status(refusal: NotFound | InvalidCallback) -> HTTPStatus:
    match refusal:
        case NotFound():
            return HTTPStatus.NOT_FOUND
        case UnprovenCallback():
            return HTTPStatus.FORBIDDEN
        case _:
            return HTTPStatus.BAD_REQUEST
