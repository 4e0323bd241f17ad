"""Callbacks passed on to the app's own door, raw and signed as WeChat signs, so that its code need not know of us.

The body is WeChat's to the byte; the signature is of this moment, because a door checks that it is. Whoever has the
same token (and, in secure mode, the same key) can prove and open it.

Refuses to: repeat a call (the store does), follow redirects, wait longer than WeChat waits.
"""

import secrets
from dataclasses import dataclass, field

import httpx

from pushjobs import clock
from pushjobs.wechat.crypto import signature
from pushjobs.wechat.transport import Transport

__all__ = ["Forward", "Onward"]

_CALL_SECONDS = 5.0  # what WeChat allows a door
_CONNECT_SECONDS = 3.0
_CONNECTIONS = 32
_JSON, _XML = "application/json", "text/xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Onward:
    """A push as it came; `encrypted` is what its signature must cover, None for one in plain."""

    body: str = field(repr=False)
    openid: str = field(repr=False)
    encrypted: str | None = field(repr=False)


class Forward:
    """Calls one door; made and used within one event loop."""

    def __init__(self, url: str, *, token: str) -> None:
        self._url = httpx.URL(url)
        self._token = token
        self._transport: httpx.AsyncBaseTransport = Transport(
            call_timeout=_CALL_SECONDS, connect_timeout=_CONNECT_SECONDS, max_connections=_CONNECTIONS, ssl_context=None
        )

    async def push(self, onward: Onward) -> str | None:
        """Push once; return None if the door took it (HTTP 2xx, whatever it says), else what was wrong."""
        request = httpx.Request(
            "POST",
            self._url.copy_with(params=self._query(onward)),
            headers={
                "Content-Type": _XML if onward.body.lstrip().startswith("<") else _JSON,
                "User-Agent": "pushjobs",
            },
            stream=httpx.ByteStream(onward.body.encode()),
        )
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.TransportError as fault:
            return str(fault)
        return None if response.is_success else f"HTTP {response.status_code}"

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    def _query(self, onward: Onward) -> dict[str, str]:
        timestamp, nonce = str(int(clock.now().timestamp())), str(secrets.randbelow(10**10))
        query = {"signature": signature(self._token, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
        if onward.openid:
            query["openid"] = onward.openid
        if onward.encrypted is not None:
            query["encrypt_type"] = "aes"
            query["msg_signature"] = signature(self._token, timestamp, nonce, onward.encrypted)
        return query
