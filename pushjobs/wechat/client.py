"""Calls to WeChat: one attempt is one request, and its answer one of our words.

Two ways to call. `send` is the hot path: it never raises for what WeChat or the network does, because every ending of
an attempt is an outcome that the job has to live with. `ask` serves the rare calls around it (tokens, templates),
where a failure is an exception.

Refuses to: repeat a call, refresh a token, wait, decide what becomes of a job. An outcome other than `Unknown` needs
proof: that no byte of the request was written, or HTTP 200 with an integer `errcode`.
"""

import re
import ssl
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import lru_cache
from http import HTTPStatus
from typing import Any, TypeGuard
from urllib.parse import quote

import httpx
import orjson

from pushjobs import errors
from pushjobs.domain.message import Message
from pushjobs.domain.outcome import Fatal, Outcome, Retry, Sent, SlowDown, Unknown
from pushjobs.wechat import errcodes
from pushjobs.wechat.transport import Slot, Transport

__all__ = ["SUBSCRIBE_PATH", "Client"]

SUBSCRIBE_PATH = "/cgi-bin/message/subscribe/send"
_LEGACY_PATH = "/cgi-bin/message/wxopen/template/send"
_HEADERS = httpx.Headers({"Accept": "*/*", "Content-Type": "application/json", "User-Agent": "pushjobs"})
_DIGITS = re.compile("[0-9]{1,19}")
_RID = re.compile("rid: ([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})")
_SURELY_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Client:
    """Calls one WeChat host over a pool of kept-alive connections; made and used within one event loop.

    `call_timeout` (seconds) runs from a request's first byte to its answer's last; `connect_timeout` bounds the wait
    for one of `max_connections`, and then the making of a connection. `ssl_context` is for tests and private
    authorities.
    """

    def __init__(
        self,
        base_url: str,
        *,
        call_timeout: float,
        connect_timeout: float = 3.0,
        max_connections: int = 100,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._pool = Transport(
            call_timeout=call_timeout,
            connect_timeout=connect_timeout,
            max_connections=max_connections,
            ssl_context=ssl_context,
        )
        self._transport: httpx.AsyncBaseTransport = self._pool

    async def warm_up(self) -> None:
        """Make a connection, unless one is idle, for a message that will leave soon; a failure is that message's."""
        with suppress(httpx.TransportError):
            await self._pool.warm_up(httpx.URL(self.base_url))

    async def send(self, message: Message, access_token: str, *, slot: Slot | None = None) -> Outcome:
        """Send a message with exactly one request, and say what became of it.

        `slot` is awaited once the connection is there, right before the first byte; when it answers False nothing is
        written, and the outcome is a retry that never left. Meanwhile the connection is held: do not call long before.
        """
        request = httpx.Request(
            "POST",
            _address(self.base_url, _LEGACY_PATH if message.is_legacy else SUBSCRIBE_PATH, access_token),
            headers=_HEADERS,
            stream=httpx.ByteStream(_body(message)),
            extensions={"slot": slot},
        )
        try:
            response = await self._transport.handle_async_request(request)
        except _SURELY_NOT_SENT:
            return Retry(never_left=True)
        except httpx.TransportError as fault:
            return Unknown(what=str(fault))
        return _outcome(response.status_code, await _content(response))

    async def ask(
        self,
        method: str,
        path: str,
        *,
        access_token: str | None = None,
        params: Mapping[str, str] | None = None,
        body: object = None,
        accepting: Collection[int] = (),
    ) -> dict[str, Any]:
        """Make one call and return the JSON object it answers.

        Raises `CallRefused` for a non-zero `errcode` but those that are `accepting` as an answer, `Unreachable` when no
        such answer comes, whether or not the call was read.
        """
        query = dict(params or {})
        if access_token is not None:
            query["access_token"] = access_token
        request = httpx.Request(
            method,
            httpx.URL(self.base_url + path, params=query),
            headers=_HEADERS,
            stream=httpx.ByteStream(b"" if body is None else orjson.dumps(body)),
        )
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.TransportError as fault:
            what = str(fault)
        else:
            answer = _json(await _content(response))
            if response.status_code == HTTPStatus.OK and isinstance(answer, dict):
                errcode = answer.get("errcode", 0)
                if errcode and errcode not in accepting:
                    raise errors.CallRefused(errcode, errcodes.meaning(errcode), _rid(answer))
                return answer
            what = f"HTTP {response.status_code} without a JSON object"
        # Outside the except block: the exception below has no context, whose traceback could show the token.
        raise errors.Unreachable(f"WeChat does not answer at {self.base_url} ({method} {path}: {what})")

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


@lru_cache(maxsize=16)
def _address(base_url: str, path: str, access_token: str) -> httpx.URL:
    """Parse an address once: a token serves two hours of messages."""
    return httpx.URL(f"{base_url}{path}?access_token={quote(access_token, safe='')}")


def _body(message: Message) -> bytes:
    """Write a message as WeChat reads it: raw UTF-8, as its codes 40033 and 47002 refuse escaped characters."""
    content = message.content
    body: dict[str, object] = {"touser": message.touser, "template_id": content.template_id}
    if content.page is not None:
        body["page"] = content.page
    if message.is_legacy:
        body["form_id"] = message.form_id
        if content.emphasis_keyword is not None:
            body["emphasis_keyword"] = content.emphasis_keyword
    else:
        body["miniprogram_state"] = content.miniprogram_state
        body["lang"] = content.lang
    body["data"] = {key: {"value": value} for key, value in content.data}
    return orjson.dumps(body)


async def _content(response: httpx.Response) -> bytes:
    """Read the answer from its stream: what httpx does besides costs more than the whole exchange."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - an asynchronous transport's
    return b"".join([part async for part in response.stream])


def _outcome(status: int, content: bytes) -> Outcome:
    if status == HTTPStatus.OK:
        return _verdict(_json(content))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return SlowDown()
    # A request that timed out, and anything a server or a proxy in between got wrong, may have been carried out.
    is_refusal = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if is_refusal and status != HTTPStatus.REQUEST_TIMEOUT:
        return Fatal()
    return Unknown(what=f"HTTP {status}")


def _verdict(answer: object) -> Outcome:
    if not isinstance(answer, dict):
        return Unknown(what="the answer is not a JSON object")
    errcode = answer.get("errcode")
    if not _is_number(errcode, bits=31):
        return Unknown(what="the answer has no errcode")
    return errcodes.read(errcode) if errcode else Sent(msgid=_msgid(answer.get("msgid")))


def _msgid(value: object) -> int | None:
    """Read the message's number, which some answers give as a string and some leave out."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    return value if _is_number(value, bits=63) else None


def _is_number(value: object, *, bits: int) -> TypeGuard[int]:
    """Tell whether this is a number that the database can hold: one answer must not spoil the settling of a slice."""
    return isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= bits


def _rid(answer: Mapping[str, Any]) -> str | None:
    """Read WeChat's number of a request off the end of its refusal; all else in that text may be ours, and secret."""
    found = _RID.search(str(answer.get("errmsg", "")))
    return found[1] if found else None


def _json(content: bytes) -> object:
    """Return the answer's JSON value; None when it is not JSON."""
    try:
        answer: object = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return answer
