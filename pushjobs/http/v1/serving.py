"""From a request to its answer, the same for every route: who asks, may it, is there room, read, act, word.

The order is the point: nothing of a body is read, and nothing is asked of SQL, before the client is known; nothing of a
body is parsed for a client without the right.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from pushjobs.domain.client import Client
from pushjobs.errors import InvalidInput, PushJobsError, UnknownClient
from pushjobs.http.faults import Faults
from pushjobs.http.gathering import Gathering
from pushjobs.http.permission import Permission
from pushjobs.http.v1.asked import CLOSE, LARGE_BODY, SMALL_BODY, Asked, is_large, only, parse, read_body
from pushjobs.http.v1.capacity import Capacity
from pushjobs.http.v1.incoming import Incoming
from pushjobs.http.v1.problems import TOO_FAST, UNAUTHORISED, Refused, is_ours, problem, refusal
from pushjobs.http.v1.routes import Answer, Route
from pushjobs.permitted import Permitted
from pushjobs.runtime import Runtime

__all__ = ["Serving"]

_JSON = "application/json"
_OPTIONS = orjson.OPT_UTC_Z
_BEARER = "bearer "
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="pushjobs"'}
_ETAG_BYTES = 12


class Serving:
    """Serves routes over one Runtime; used from one event loop."""

    def __init__(
        self, runtime: Runtime, permission: Permission, gathering: Gathering, capacity: Capacity, faults: Faults
    ) -> None:
        self._runtime = runtime
        self._permission = permission
        self._gathering = gathering
        self._capacity = capacity
        self._faults = faults

    def door(self, routes: Sequence[Route]) -> APIRouter:
        """Return the routes, to be found in their order."""
        router = APIRouter()
        for route in routes:
            router.add_route(route.path, self._endpoint(route), methods=[route.method], include_in_schema=False)
        return router

    def _endpoint(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                answer = await self._answer(route, request)
            except Refused as refused:
                return problem(refused.kind, refused.detail, headers=refused.headers | _ending(request))
            except PushJobsError as error:
                if is_ours(error):
                    self._faults.tell(str(error))
                return refusal(error, headers=_ending(request))
            return answer

        return endpoint

    async def _answer(self, route: Route, request: Request) -> Response:
        client = await self._client(request)
        if (wait := self._permission.clients.hold_up(client)) > 0:
            raise Refused(TOO_FAST, "the client's rate is used up", headers={"Retry-After": str(_whole_seconds(wait))})
        permitted = Permitted(self._runtime, client)
        permitted.require(route.right)
        with ExitStack() as places:
            places.enter_context(self._capacity.place())
            if route.is_long:
                places.enter_context(self._capacity.long_place())
            if route.is_streamed:
                incoming = Incoming(request)
                return await self._capacity.run(partial(_act, route, permitted, request, incoming), is_long=True)
            may_be_large = route.is_large and is_large(request)
            if may_be_large:
                places.enter_context(self._capacity.large_place())
            # A route that takes no body reads none.
            body = await read_body(request, LARGE_BODY if may_be_large else SMALL_BODY) if route.takes else b""
            if route.together is not None and not may_be_large:
                accepted = route.together.asks(permitted, _asked(route, request, body))
                if accepted is not None:
                    return _worded(route.together.words(await self._gathering.accept(accepted)), request)
            work = partial(_act, route, permitted, request, body)
            return await self._capacity.run(work, is_large=may_be_large, is_long=route.is_long)

    async def _client(self, request: Request) -> Client:
        given = request.headers.get("authorization", "")
        client_id, _, key = given[len(_BEARER) :].strip().partition(".")
        try:
            if given[: len(_BEARER)].lower() == _BEARER:
                return await self._permission.authenticate(client_id, key)
        except UnknownClient:
            pass
        raise Refused(UNAUTHORISED, "send `Authorization: Bearer ID.KEY` of a client", headers=_CHALLENGE)


def _act(route: Route, permitted: Permitted, request: Request, body: bytes | Incoming) -> Response:
    """Parse, act and word; in a thread, because each of them may take its time."""
    return _worded(route.act(permitted, _asked(route, request, body)), request)


def _asked(route: Route, request: Request, body: bytes | Incoming) -> Asked:
    only(request.query_params.keys(), route.queries)
    for name in request.query_params:
        if len(request.query_params.getlist(name)) > 1:
            raise InvalidInput(name, "is given more than once", "give it once")
    return Asked(
        path=request.path_params,
        query=dict(request.query_params),
        body=body if isinstance(body, Incoming) else parse(body, request.headers.get("content-type", "")),
        headers=request.headers,
    )


def _worded(answer: Answer, request: Request) -> Response:
    headers = dict(answer.headers)
    body = orjson.dumps(answer.value, option=_OPTIONS)
    if request.method in {"GET", "HEAD"}:
        headers["ETag"] = tag = f'"{hashlib.blake2b(body, digest_size=_ETAG_BYTES).hexdigest()}"'
        given = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
        if given & {tag, "*"}:
            return Response(None, HTTPStatus.NOT_MODIFIED, headers)
    return Response(body, answer.status, headers, _JSON)


def _ending(request: Request) -> dict[str, str]:
    """End the connection behind a refusal while a large body may still be coming: nobody is to send it for nothing."""
    return CLOSE if is_large(request) else {}


def _whole_seconds(wait: float) -> int:
    return max(1, int(-(-wait // 1)))
