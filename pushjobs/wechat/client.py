"""Calls to WeChat: one attempt is one request, and its answer one of our words.

Two ways to call. `send` is the hot path: it never raises for what WeChat or the network does, because every ending of
an attempt is an outcome that the job has to live with. `ask` serves the rare calls around it (tokens, templates),
where a failure is an exception.

Refuses to: repeat a call, refresh a token, wait, decide what becomes of a job. An outcome other than `Unknown` needs
proof: that no byte of the request was written, or HTTP 200 with an integer `errcode`. A host to which no connection
could be made was not called: the call goes to the next one (`hosts`), once.
"""

import re
import ssl
from collections.abc import Callable, Container, Mapping
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
from pushjobs.wechat.hosts import NOT_CONNECTED, Fallback, Hosts
from pushjobs.wechat.transport import Slot, Transport

__all__ = ["SUBSCRIBE_PATH", "Client"]

SUBSCRIBE_PATH = "/cgi-bin/message/subscribe/send"
_LEGACY_PATH = "/cgi-bin/message/wxopen/template/send"
_HEADERS = httpx.Headers({"Accept": "*/*", "Content-Type": "application/json", "User-Agent": "pushjobs"})
_DIGITS = re.compile("[0-9]{1,19}")
_RID = re.compile("rid: ([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})")
_ADDRESS = re.compile(r"invalid ip ([0-9a-fA-F.:]{2,45})(?![\w.:])")
_SURELY_NOT_SENT = (*NOT_CONNECTED, httpx.PoolTimeout)


class Client:
    """Calls WeChat over a pool of kept-alive connections; made and used within one event loop.

    While no connection to `base_url` can be made, the hosts of `fallback` are called instead. `call_timeout` (seconds)
    runs from a request's first byte to its answer's last; `connect_timeout` bounds the wait for one of
    `max_connections`, and then the making of a connection. `ssl_context` is for tests and private authorities.
    """

    def __init__(
        self,
        base_url: str,
        *,
        fallback: Fallback = Fallback(),  # noqa: B008 - frozen
        call_timeout: float,
        connect_timeout: float = 3.0,
        max_connections: int = 100,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._pool = Transport(
            call_timeout=call_timeout,
            connect_timeout=connect_timeout,
            max_connections=max_connections,
            ssl_context=ssl_context,
        )
        self._transport: httpx.AsyncBaseTransport = self._pool
        self._hosts = Hosts(base_url, fallback, connect=self._pool.connect)

    @property
    def base_url(self) -> str:
        """The host that is called at present."""
        return self._hosts.current

    async def warm_up(self) -> None:
        """Make a connection, unless one is idle, for a message that will leave soon; a failure is that message's."""
        with suppress(httpx.TransportError):
            await self._pool.warm_up(self.base_url)

    async def send(self, message: Message, access_token: str, *, slot: Slot | None = None) -> Outcome:
        """Send a message with exactly one request, and say what became of it.

        `slot` is awaited once the connection is there, right before the first byte; when it answers False nothing is
        written, and the outcome is a retry that never left. Meanwhile the connection is held: do not call long before.
        """
        path, body = _LEGACY_PATH if message.is_legacy else SUBSCRIBE_PATH, httpx.ByteStream(_body(message))

        def request(base_url: str) -> httpx.Request:
            address = _address(base_url, path, access_token)
            return httpx.Request("POST", address, headers=_HEADERS, stream=body, extensions={"slot": slot})

        try:
            response = await self._request(request)
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
        accepting: Container[int] = (),
    ) -> dict[str, Any]:
        """Make one call and return the JSON object it answers.

        Raises `CallRefused` for a non-zero `errcode` but those that are `accepting` as an answer, `Unreachable` when no
        such answer comes, whether or not the call was read.
        """
        query = dict(params or {})
        if access_token is not None:
            query["access_token"] = access_token
        content = httpx.ByteStream(b"" if body is None else orjson.dumps(body))

        def request(base_url: str) -> httpx.Request:
            return httpx.Request(method, httpx.URL(base_url + path, params=query), headers=_HEADERS, stream=content)

        try:
            response = await self._request(request)
        except httpx.TransportError as fault:
            what = str(fault)
        else:
            answer = _json(await _content(response))
            if response.status_code == HTTPStatus.OK and isinstance(answer, dict):
                errcode = answer.get("errcode", 0)
                if errcode and errcode not in accepting:
                    raise errors.CallRefused(errcode, _meaning(errcode, answer), _rid(answer))
                return answer
            what = f"HTTP {response.status_code} without a JSON object"
        # Outside the except block: the exception below has no context, whose traceback could show the token.
        raise errors.Unreachable(f"WeChat does not answer at {self.base_url} ({method} {path}: {what})")

    async def aclose(self) -> None:
        """Close every connection."""
        self._hosts.close()
        await self._transport.aclose()

    async def _request(self, to: Callable[[str], httpx.Request]) -> httpx.Response:
        """Make one request of the present host; where no connection to it can be made, of the next one."""
        url = self.base_url
        try:
            return await self._transport.handle_async_request(to(url))
        except NOT_CONNECTED:
            other = self._hosts.leave(url)
            if other is None:
                raise
        return await self._transport.handle_async_request(to(other))


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


def _meaning(errcode: int, answer: Mapping[str, Any]) -> str:
    """Say what a refusal means; and with an address that is not on the allow-list, which: WeChat's text has it."""
    found = _ADDRESS.search(str(answer.get("errmsg", "")))
    return errcodes.meaning(errcode) + (f": {found[1]}" if found else "")


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
