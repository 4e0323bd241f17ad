"""From a request to the callback door to our words: proven first, then read (wechat-api.md 5, [P1], [S2]).

WeChat pushes plain, encrypted (secure), or both at once (compatible), as JSON or XML; `List` is an object or an array,
wrapped or not; numbers are strings or numbers. All of that ends here. What is no news for us (a customer's message,
an event of another feature) is a push that tells nothing, for the app's own handler may be waiting for it.

Refuses to: read what it has not proven, accept a plain push where the app has a key (the plain signature does not cover
the body), expand entities, repeat a content or an open id in a refusal.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import orjson
from defusedxml import ElementTree

from pushjobs.domain.receipt import ConsentGiven, ConsentWithdrawn, Receipt, Told
from pushjobs.errors import InvalidCallback, UnprovenCallback
from pushjobs.wechat.crypto import Cipher, is_signed

__all__ = ["LARGEST_BODY", "WINDOW_SECONDS", "Callback", "Callbacks", "Handshake", "Push"]

LARGEST_BODY = 64 * 1024
"""Bytes; ours, no page names a limit. A door need not read on behind it."""

WINDOW_SECONDS = 300
"""How far a callback's timestamp may be from our clock. What is repeated within it is known by its key."""

_DEEPEST = 4
_LATEST = 2**33  # a second of the 23rd century: what a timestamp may be and a datetime can hold
_IDENTIFIER = re.compile(r"[!-~]{1,128}")
_STATUS = re.compile(r"[ -~]{1,64}")
_INTEGER = re.compile(r"-?[0-9]{1,19}")

_WRAPPERS = {
    "subscribe_msg_popup_event": "SubscribeMsgPopupEvent",
    "subscribe_msg_change_event": "SubscribeMsgChangeEvent",
    "subscribe_msg_sent_event": "SubscribeMsgSentEvent",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A request as it came to the door, whatever server took it."""

    method: str
    query: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """WeChat asks whether the address is ours; `echo` is the answer."""

    echo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What WeChat pushed: the `message`, decrypted, and what it tells us.

    `unread`: items of a known event that have a shape nobody has seen. `encrypted`: the message as it was encrypted.
    """

    message: str = field(repr=False)
    told: tuple[Told, ...]
    unread: int
    encrypted: str | None = field(repr=False)


class Callbacks:
    """Proves and reads one app's callbacks; `aes_key` None: the app pushes in plain."""

    def __init__(self, appid: str, *, token: str, aes_key: str | None) -> None:
        self._token = token
        self._cipher = None if aes_key is None else Cipher(aes_key, appid)

    def read(self, callback: Callback, *, now: datetime) -> Handshake | Push:
        """Read a callback; raise UnprovenCallback if nothing proves it, InvalidCallback if it cannot be read."""
        if callback.method == "GET":
            self._prove(callback, now)
            return Handshake(echo=_required(callback.query, "echostr"))
        if callback.method != "POST":
            raise InvalidCallback("method", "is neither GET nor POST", "WeChat shakes hands by GET and pushes by POST")
        if len(callback.body) > LARGEST_BODY:
            raise InvalidCallback("body", f"has {len(callback.body):,} bytes", f"a push has at most {LARGEST_BODY:,}")
        return self._push(callback, now) if self._cipher is None else self._secure_push(callback, now, self._cipher)

    def _push(self, callback: Callback, now: datetime) -> Push:
        self._prove(callback, now)
        text = _text(callback.body, "body")
        message = _parsed(text, "body")
        if message.keys() <= {"ToUserName", "Encrypt"}:
            raise InvalidCallback("body", "is encrypted", "set PUSHJOBS_CALLBACK_AES_KEY to the app's EncodingAESKey")
        return _read(text, message, _string(message.get("Encrypt")))

    def _secure_push(self, callback: Callback, now: datetime, cipher: Cipher) -> Push:
        encrypted = _string(_parsed(_text(callback.body, "body"), "body").get("Encrypt"))
        if encrypted is None:
            raise UnprovenCallback("Encrypt", "is missing", "an app with an EncodingAESKey pushes nothing in plain")
        self._prove(callback, now, encrypted)
        try:
            text = _text(cipher.decrypt(encrypted), "Encrypt")
        except ValueError as fault:
            raise UnprovenCallback("Encrypt", str(fault), "compare EncodingAESKey and appid with WeChat's") from None
        return _read(text, _parsed(text, "Encrypt"), encrypted)

    def _prove(self, callback: Callback, now: datetime, *encrypted: str) -> None:
        """Check that whoever signed this knows the token, and did it just now."""
        query, name = callback.query, "msg_signature" if encrypted else "signature"
        timestamp, nonce = _required(query, "timestamp"), _required(query, "nonce")
        if not is_signed(_required(query, name), self._token, timestamp, nonce, *encrypted):
            raise UnprovenCallback(name, "is not what the token gives", "compare PUSHJOBS_CALLBACK_TOKEN with WeChat's")
        signed_at = _moment(timestamp)
        if signed_at is None or abs((now - signed_at).total_seconds()) > WINDOW_SECONDS:
            raise UnprovenCallback("timestamp", "is not of now", f"within {WINDOW_SECONDS} s of the clock: check it")


def _required(query: Mapping[str, str], name: str) -> str:
    value = query.get(name)
    if not value:
        raise UnprovenCallback(name, "is missing", "WeChat signs its callbacks in the query")
    # The echo goes back as it came: nothing but what a browser shows as text.
    if not _IDENTIFIER.fullmatch(value):
        raise UnprovenCallback(name, "is no short printable text", "WeChat's are digits and letters")
    return value


def _text(body: bytes, field: str) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise InvalidCallback(field, "is not UTF-8", "WeChat pushes UTF-8") from None


def _parsed(text: str, field: str) -> dict[str, Any]:
    """Return a JSON object, or an XML element's children by their names; one that comes several times as a list."""
    value: object
    try:
        value = (
            _children(ElementTree.fromstring(text, forbid_dtd=True))
            if text.lstrip().startswith("<")
            else orjson.loads(text)
        )
    except (ParseError, ValueError) as fault:  # ValueError: no JSON, or XML that declares entities
        what = "is neither JSON nor XML" if isinstance(fault, ParseError | orjson.JSONDecodeError) else "has a DTD"
        raise InvalidCallback(field, what, "WeChat pushes one JSON object, or XML without a DTD") from None
    if not isinstance(value, dict):
        raise InvalidCallback(field, "is no object", "WeChat pushes one JSON object, or XML")
    return value


def _children(element: Element, depth: int = 0) -> Any:  # noqa: ANN401 - as deep as JSON
    """Read XML as WeChat's JSON says the same; nothing of ours lies deeper than the limit."""
    if not len(element) or depth == _DEEPEST:
        return element.text or ""
    values: dict[str, Any] = {}
    for child in element:
        value = _children(child, depth + 1)
        if child.tag in values:
            before = values[child.tag]
            values[child.tag] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            values[child.tag] = value
    return values


def _read(text: str, message: dict[str, Any], encrypted: str | None) -> Push:
    event = _string(message.get("Event"))
    if message.get("MsgType") != "event" or event not in _WRAPPERS:
        return Push(message=text, told=(), unread=0, encrypted=encrypted)
    items = list(_items(message, _WRAPPERS[event]))
    told = [one for item in items if (one := _told(event, message, item)) is not None]
    # An event without a single item is as unheard of as an item without a template.
    unread = len(items) - len(told) or int(not items)
    return Push(message=text, told=tuple(told), unread=unread, encrypted=encrypted)


def _items(message: Mapping[str, Any], wrapper: str) -> Iterator[object]:
    inner = message.get(wrapper, message)
    for part in inner if isinstance(inner, list) else [inner]:
        listed = part.get("List", ()) if isinstance(part, dict) else ()
        yield from listed if isinstance(listed, list | tuple) else [listed]


def _told(event: str, message: Mapping[str, Any], item: object) -> Told | None:
    """Return what one item tells; None for one of a shape or a word that no page knows."""
    if not isinstance(item, dict):
        return None
    touser, template_id = _identifier(message.get("FromUserName")), _identifier(item.get("TemplateId"))
    at = _moment(message.get("CreateTime"))
    if touser is None or template_id is None or at is None:
        return None
    match event, item.get("SubscribeStatusString"):
        case "subscribe_msg_sent_event", _:
            return _receipt(item, touser, template_id, at)
        case "subscribe_msg_popup_event", "accept":
            return ConsentGiven(touser=touser, template_id=template_id, at=at)
        case _, "reject":
            return ConsentWithdrawn(touser=touser, template_id=template_id, at=at)
    return None


def _receipt(item: Mapping[str, Any], touser: str, template_id: str, at: datetime) -> Receipt | None:
    msgid, errcode = _integer(item.get("MsgID"), bits=63), _integer(item.get("ErrorCode"), bits=31)
    if "ErrorCode" not in item:
        return None
    status = item.get("ErrorStatus")
    return Receipt(
        touser=touser,
        template_id=template_id,
        at=at,
        msgid=msgid if msgid and msgid > 0 else None,
        errcode=errcode,
        status=status if isinstance(status, str) and _STATUS.fullmatch(status) else None,
    )


def _moment(value: object) -> datetime | None:
    second = _integer(value, bits=63)
    return datetime.fromtimestamp(second, UTC) if second is not None and 0 < second < _LATEST else None


def _integer(value: object, *, bits: int) -> int | None:
    """Read a number that WeChat writes as a number or as a string; None for anything that the database cannot hold."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= bits:
        return value
    return None


def _identifier(value: object) -> str | None:
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
