"""WeChat's own paths at our door: an SDK whose API host is set to us gains a clock, quotas and pacing.

Methods, bodies, answers and codes are WeChat's, and every answer is an HTTP 200. In place of appid and secret a client
gives its own id and key. Beyond WeChat's fields a send takes `time`, `expires`, `lane`, `idempotency_key`, `reference`
and `on_quota`; the `msgid` of its answer is the job's number. It is laxer than WeChat in three things: escaped
characters in a body are taken (40033 there), tokens do not void each other, and a body may hold 64 KiB.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pushjobs.acceptance import Asked
from pushjobs.access import AccessToken, AccessTokens
from pushjobs.domain.client import Client, Right
from pushjobs.domain.events import RequestsNotAccepted
from pushjobs.errors import CallRefused, NotPermitted, Overloaded, PushJobsError, UnknownClient
from pushjobs.http.gathering import Gathering
from pushjobs.http.permission import Permission
from pushjobs.http.refusals import Refused, answer, refusal
from pushjobs.relaying import LOGIN_PATH, Relay
from pushjobs.telemetry import Emit

__all__ = ["Gateway"]

_LARGEST_BODY = 64 * 1024
_BODY_SECONDS = 10.0
_RELAYED_AT_ONCE = 4
_MOST_RELAYED = 64

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_PREFIXES = ("/cgi-bin", "/wxa", "/wxaapi", "/sns")

_OURS = frozenset({"time", "expires", "lane", "idempotency_key", "reference", "on_quota", "appid"})
_MESSAGE = frozenset({"touser", "template_id", "page", "data"})
_SUBSCRIBE = _MESSAGE | _OURS | {"miniprogram_state", "lang"}
_LEGACY = _MESSAGE | _OURS | {"form_id", "form_id_kind", "emphasis_keyword", "color"}
_EMPTY_IS_NONE = ("miniprogram_state", "lang", *_OURS)

_Made = TypeVar("_Made")
_Said = dict[str, object]


class _TooLong(Exception):
    """A body does not end where one has to."""


class Gateway:
    """The drop-in door of one process. `relay`: an app's, by its appid, None for the one that is meant."""

    def __init__(
        self,
        permission: Permission,
        tokens: Callable[[], AccessTokens],
        gathering: Gathering,
        relay: Callable[[str | None], Relay],
        *,
        emit: Emit,
    ) -> None:
        self._permission = permission
        self._tokens = tokens
        self._gathering = gathering
        self._relay = relay
        self._emit = emit
        self._threads = ThreadPoolExecutor(_RELAYED_AT_ONCE, thread_name_prefix="relay")
        self._relayed = 0

    def door(self, passed_on: Iterable[str] = ()) -> APIRouter:
        """Return the door as routes; what is none of the others may be passed on, or is not granted.

        `passed_on`: paths of the setting's, which may lie where nothing else of WeChat's that we know does.
        """
        router = APIRouter(redirect_slashes=False)
        doors = {
            "/cgi-bin/token": self._token,
            "/cgi-bin/stable_token": self._stable_token,
            "/cgi-bin/message/subscribe/send": self._send,
            "/cgi-bin/message/wxopen/template/send": self._send_legacy,
            "/cgi-bin/message/wxopen/template/uniform_send": self._send_uniform,
            LOGIN_PATH: self._log_in,
            **dict.fromkeys((f"{prefix}/{{rest:path}}" for prefix in _PREFIXES), self._pass_on),
        }
        doors |= {path: self._pass_on for path in passed_on if not path.startswith(_PREFIXES)}
        for path, door in doors.items():
            router.add_route(path, self._answering(door), methods=_METHODS)
        return router

    def close(self) -> None:
        """End the threads, when WeChat has answered what is out."""
        self._threads.shutdown(cancel_futures=True)

    def _answering(self, door: Callable[[Request], Awaitable[_Said]]) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            try:
                return answer(await door(request))
            except (PushJobsError, Refused) as fault:
                return answer(refusal(fault))
            except (TimeoutError, ClientDisconnect, _TooLong) as fault:
                # The rest of the body is on its way and would be taken for the next request.
                cut = answer(refusal(Refused(45014 if isinstance(fault, _TooLong) else 44002)))
                cut.headers["Connection"] = "close"
                return cut
            except Exception as fault:  # noqa: BLE001 - WeChat's callers know no other answer than an HTTP 200
                self._emit(RequestsNotAccepted(requests=1, fault=type(fault).__name__))
                return answer(refusal(fault))

        return respond

    async def _token(self, request: Request) -> _Said:
        if request.method != "GET":
            raise Refused(43001)
        client = await self._proven(request.query_params)
        return _granted(self._tokens().make(client))

    async def _stable_token(self, request: Request) -> _Said:
        body = await _body(request)
        client = await self._proven(body)
        is_forced = body.get("force_refresh") is True
        return _granted(self._tokens().make(client) if is_forced else self._tokens().stable(client))

    async def _proven(self, given: Mapping[str, Any]) -> Client:
        """Return the client whose id and key stand in place of appid and secret."""
        if given.get("grant_type") != "client_credential":
            raise Refused(40002)
        return await self._authenticated(given)

    async def _authenticated(self, given: Mapping[str, Any]) -> Client:
        client_id, key = given.get("appid"), given.get("secret")
        if not client_id:
            raise Refused(41002)
        if not key:
            raise Refused(41004)
        try:
            return await self._permission.authenticate(str(client_id), str(key))
        except UnknownClient:
            # The same for an id that is none, one that is revoked and a wrong key.
            raise Refused(40125) from None

    async def _send(self, request: Request) -> _Said:
        return await self._accept(request, _SUBSCRIBE)

    async def _send_legacy(self, request: Request) -> _Said:
        return await self._accept(request, _LEGACY)

    async def _send_uniform(self, _: Request) -> _Said:
        raise Refused(45109)

    async def _accept(self, request: Request, fields: frozenset[str]) -> _Said:
        if request.method != "POST":
            raise Refused(43002)
        client = await self._bearer(request)
        arguments = await _body(request)
        for name in arguments:
            if name not in fields:
                raise Refused(47001, f"{name[:64]} is no field of this call: there are {', '.join(sorted(fields))}")
        for name in _EMPTY_IS_NONE:
            # SDKs in languages without a missing value write all fields; WeChat takes the empty ones for its defaults.
            if arguments.get(name) == "":
                del arguments[name]
        if fields is _LEGACY:
            arguments.pop("color", None)
            # Without one it is no subscribe message either: it is translated, or its form id is missing.
            arguments.setdefault("form_id", "")
        arguments["appid"] = appid = _meant(client, arguments.get("appid"))
        if not client.may(Right.WRITE, appid=appid, template_id=str(arguments.get("template_id"))):
            raise NotPermitted("the client may not write, or not with that app or template")
        job, _ = await self._gathering.accept(Asked(arguments=arguments, client=client))
        return {"errcode": 0, "errmsg": "ok", "msgid": job.id}

    async def _log_in(self, request: Request) -> _Said:
        if request.method != "GET":
            raise Refused(43001)
        given = request.query_params
        client = await self._authenticated(given)
        self._hold_up(client)
        appid, code = _meant(client, None), given.get("js_code", "")
        try:
            return await self._threaded(lambda: self._relay(appid).log_in(client, code))
        except CallRefused as refused:
            return {"errcode": refused.errcode, "errmsg": refused.meaning}

    async def _pass_on(self, request: Request) -> _Said:
        client = await self._bearer(request)
        method, path = request.method, request.url.path
        body = None if method == "GET" else await _body(request)
        params = {name: value for name, value in request.query_params.items() if name != "access_token"}
        appid = _meant(client, None)
        return await self._threaded(lambda: self._relay(appid).call(client, method, path, params=params, body=body))

    async def _bearer(self, request: Request) -> Client:
        """Return the client whose access token it is, unless it is to wait."""
        text = request.query_params.get("access_token")
        if not text:
            raise Refused(41001)
        client = await self._permission.look_again(lambda: self._tokens().read(text))
        self._hold_up(client)
        return client

    def _hold_up(self, client: Client) -> None:
        if self._permission.clients.hold_up(client):
            raise Refused(45011, f"the client may make {client.per_second:g} requests a second")

    async def _threaded(self, call: Callable[[], _Made]) -> _Made:
        """Have something done that waits for WeChat; a few at a time, and a bounded number behind them."""
        if self._relayed >= _MOST_RELAYED:
            raise Overloaded("too many requests wait for WeChat here: ask again later")
        self._relayed += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, call)
        finally:
            self._relayed -= 1


def _meant(client: Client, appid: Any) -> Any:  # noqa: ANN401 - whatever a body says, to be judged where it is read
    """Return the app that is meant: the one that is named, else the client's usual one, else the installation's."""
    return appid if appid is not None or client.apps is None else client.apps[0]


def _granted(token: AccessToken) -> _Said:
    return {"access_token": token.text, "expires_in": token.seconds}


async def _body(request: Request) -> dict[str, Any]:
    """Read a POST's JSON object; not a byte further than one may be long."""
    if request.method != "POST":
        raise Refused(43002)
    body = b""
    async with asyncio.timeout(_BODY_SECONDS):
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_BODY:
                raise _TooLong
    if not body:
        raise Refused(44002)
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(47001, "the body is no JSON, or no UTF-8") from None
    if not isinstance(said, dict):
        raise Refused(47001, "the body is no JSON object")
    return said
