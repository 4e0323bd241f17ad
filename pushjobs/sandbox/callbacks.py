"""What WeChat pushes to a Mini Program's own server, as it does: signed, encrypted, cut after 5 s, tried three times.

A sent event follows every accepted subscribe message, at once: it may overtake the answer, as WeChat's may. An address
must shake hands before it gets anything. An answer counts as taken if it is HTTP 200 with `success` or nothing.
Everything is counted.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import httptools
import orjson

from pushjobs import clock
from pushjobs.sandbox.options import CallbackFormat, CallbackMode, Settings
from pushjobs.sandbox.outgoing import Outgoing
from pushjobs.wechat.crypto import Cipher, signature

__all__ = ["Callbacks", "Item", "popup_or_change", "sent"]

_TRIES = 3
_CUT_SECONDS = 5.0
_AT_ONCE = 16
_TAKEN = frozenset({b"", b"success"})
_WRAPPERS = {
    "subscribe_msg_popup_event": "SubscribeMsgPopupEvent",
    "subscribe_msg_change_event": "SubscribeMsgChangeEvent",
    "subscribe_msg_sent_event": "SubscribeMsgSentEvent",
}
_ACCOUNT = "gh_5a6d9b0c0001"
_FAILED = "failed: system failed"

Item = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event about one user; `items` as WeChat lists them."""

    appid: str
    touser: str
    name: str
    items: Sequence[Item]
    at: int


def sent(appid: str, touser: str, template_id: str, msgid: int, errcode: int) -> Event:
    """Return the event that tells what became of a message; `errcode` 0: delivered."""
    status = _FAILED if errcode else "success"
    item = {"TemplateId": template_id, "MsgID": str(msgid), "ErrorCode": str(errcode), "ErrorStatus": status}
    return _event(appid, touser, "subscribe_msg_sent_event", [item])


def popup_or_change(appid: str, touser: str, name: str, answers: Mapping[str, str]) -> Event:
    """Return the event of a user's answers, `accept` or `reject`, by template."""
    scene = {"PopupScene": "0"} if name == "popup" else {}
    items = [
        {"TemplateId": template_id, "SubscribeStatusString": answer, **scene} for template_id, answer in answers.items()
    ]
    return _event(appid, touser, f"subscribe_msg_{name}_event", items)


def _event(appid: str, touser: str, name: str, items: Sequence[Item]) -> Event:
    return Event(appid=appid, touser=touser, name=name, items=items, at=int(clock.now().timestamp()))


class Callbacks:
    """Events on their way, and what became of them. `run` pushes for as long as it runs."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[Event, Settings]] = asyncio.Queue()
        self._counted: Counter[str] = Counter()
        self._greeted: tuple[str | None, str] | None = None
        self._greeting = asyncio.Lock()

    def push(self, event: Event, settings: Settings) -> None:
        """Have an event pushed by these settings; without an address there is nobody to push to."""
        if settings.callback_url is not None:
            self._counted["told"] += 1
            self._queue.put_nowait((event, settings))

    def counts(self) -> dict[str, int]:
        """Return events `told`, `taken` and `given_up`, `tries` made, `handshakes` that succeeded, events `waiting`."""
        names = ("told", "tries", "taken", "given_up", "handshakes")
        counted = {name: self._counted[name] for name in names}
        return counted | {"waiting": counted["told"] - counted["taken"] - counted["given_up"]}

    def reset(self) -> None:
        """Forget what waits and what was counted; what is under way ends uncounted."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._counted = Counter()
        self._greeted = None

    async def run(self) -> None:
        """Push until cancelled, several at once, over kept-alive connections."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._push_on())

    async def _push_on(self) -> None:
        outgoing = Outgoing()
        while True:
            event, settings = await self._queue.get()
            counted = self._counted  # a reset begins another count
            is_taken = await self._greet(outgoing, settings, counted) and await self._try(
                outgoing, event, settings, counted
            )
            counted["taken" if is_taken else "given_up"] += 1

    async def _greet(self, outgoing: Outgoing, settings: Settings, counted: Counter[str]) -> bool:
        """Ask a new address, once, whether it is the app's: it must answer with the echo and nothing else."""
        address = (settings.callback_url, settings.callback_token)
        async with self._greeting:
            if self._greeted == address:
                return True
            echo = str(secrets.randbits(62))
            answer = await _call(outgoing, "GET", settings, {**_signed(settings), "echostr": echo})
            if answer != (200, echo.encode()):
                return False
            self._greeted = address
            counted["handshakes"] += 1
            return True

    async def _try(self, outgoing: Outgoing, event: Event, settings: Settings, counted: Counter[str]) -> bool:
        for _ in range(_TRIES):
            counted["tries"] += 1
            query, body = _written(event, settings)
            status, content = await _call(outgoing, "POST", settings, query, body)
            if status == 200 and content in _TAKEN:  # noqa: PLR2004 - the one status WeChat takes
                return True
        return False


async def _call(
    outgoing: Outgoing, method: str, settings: Settings, query: Mapping[str, str], body: bytes = b""
) -> tuple[int, bytes]:
    """Call the address; status 0 where it does not answer in time, or not at all."""
    kind = "text/xml" if settings.callback_format is CallbackFormat.XML else "application/json"
    address = f"{settings.callback_url}?{urlencode(query)}"
    try:
        async with asyncio.timeout(_CUT_SECONDS):
            return await outgoing.call(method, address, body, content_type=kind)
    except (OSError, TimeoutError, EOFError, httptools.HttpParserError):
        outgoing.close()
        return 0, b""


def _signed(settings: Settings, *encrypted: str) -> dict[str, str]:
    timestamp, nonce = str(int(clock.now().timestamp())), str(secrets.randbelow(10**10))
    query = {"signature": signature(settings.callback_token, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
    if encrypted:
        query["encrypt_type"] = "aes"
        query["msg_signature"] = signature(settings.callback_token, timestamp, nonce, *encrypted)
    return query


def _written(event: Event, settings: Settings) -> tuple[dict[str, str], bytes]:
    """Write an event as the query and the body of one try; each try is signed and encrypted anew, as WeChat's are."""
    form = _xml if settings.callback_format is CallbackFormat.XML else _json
    head = {"ToUserName": _ACCOUNT, "FromUserName": event.touser, "CreateTime": event.at, "MsgType": "event"}
    message = {**head, "Event": event.name}
    if settings.callback_mode is CallbackMode.PLAIN:
        return {**_signed(settings), "openid": event.touser}, form(message, event)
    encrypted = Cipher(settings.callback_aes_key, event.appid).encrypt(form(message, event))
    query = {**_signed(settings, encrypted), "openid": event.touser}
    if settings.callback_mode is CallbackMode.COMPATIBLE:
        return query, form({**message, "Encrypt": encrypted}, event)
    return query, form({"ToUserName": _ACCOUNT, "Encrypt": encrypted}, None)


def _json(message: Mapping[str, Any], event: Event | None) -> bytes:
    """Write JSON as WeChat does: the items at the top, one as an object, several as an array."""
    listed = {} if event is None else {"List": event.items[0] if len(event.items) == 1 else list(event.items)}
    return orjson.dumps({**message, **listed})


def _xml(message: Mapping[str, Any], event: Event | None) -> bytes:
    """Write XML as WeChat does: the items in a wrapper of the event's name."""
    listed = ""
    if event is not None:
        items = "".join(f"<List>{_elements(item)}</List>" for item in event.items)
        listed = f"<{_WRAPPERS[event.name]}>{items}</{_WRAPPERS[event.name]}>"
    return f"<xml>{_elements(message)}{listed}</xml>".encode()


def _elements(values: Mapping[str, Any]) -> str:
    return "".join(f"<{name}>{_text(value)}</{name}>" for name, value in values.items())


def _text(value: object) -> str:
    # A CDATA section cannot hold its own end.
    text = str(value)
    return f"<![CDATA[{text}]]>" if isinstance(value, str) and "]]>" not in text else escape(text)
