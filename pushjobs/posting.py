"""One POST to an address that a client chose, signed, and to nowhere within our own network.

Signed as Standard Webhooks says (version 1): an id that is the same at every attempt, the moment of this one, and
HMAC-SHA-256 over both and the body. As with feeds, a name is resolved here, every address it has is judged, and the
connection goes to the very address that was judged.

Refuses to: repeat a call (the store does), follow redirects, read more of an answer than its first 16 KiB, keep a
connection for another name.
"""

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

import httpx

from pushjobs.campaigns.fetching import IPAddress, Reach

__all__ = ["SECRET_PREFIX", "Answer", "Post", "headers"]

SECRET_PREFIX = "whsec_"  # noqa: S105 - what every such secret begins with

_ADDRESSES_TRIED = 3
_SHORT = 16 * 1024


def headers(secret: str, message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """Return what proves that a body is ours; `secret` as its client has it, `timestamp` in whole seconds."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered: its status, and its first 16 KiB."""

    status: int
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Whether its status says that it was taken."""
        return 200 <= self.status < 300  # noqa: PLR2004 - what HTTP calls a success


class Post:
    """Posts to addresses of somebody's choice; made and used within one event loop."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._client = httpx.AsyncClient(
            trust_env=False,
            verify=reach.ssl_context or ssl.create_default_context(),
            timeout=httpx.Timeout(None, connect=reach.seconds / _ADDRESSES_TRIED),
            # A connection belongs to the name its certificate was proven for; httpx would keep it for the address.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def post(self, url: str, body: bytes, signed: Mapping[str, str]) -> str | None:
        """Post once; return None if it was taken (HTTP 2xx), else what was wrong, without the address."""
        answer = await self.ask(url, body, signed)
        if isinstance(answer, str):
            return answer
        return None if answer.is_success else f"HTTP {answer.status}"

    async def ask(self, url: str, body: bytes, signed: Mapping[str, str]) -> Answer | str:
        """Post once; return what was answered, or what was wrong, without the address."""
        try:
            async with asyncio.timeout(self._reach.seconds):
                return await self._post(httpx.URL(url), body, signed)
        except TimeoutError:
            return f"no answer within {self._reach.seconds:g} seconds"
        except httpx.HTTPError as error:
            return f"the connection broke off ({type(error).__name__})"

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _post(self, url: httpx.URL, body: bytes, signed: Mapping[str, str]) -> Answer | str:
        addresses = await self._addresses(url)
        if isinstance(addresses, str):
            return addresses
        ours = {
            **signed,
            "Host": url.netloc.decode("ascii"),
            "Content-Type": "application/json",
            "User-Agent": "pushjobs",
            "Connection": "close",
        }
        # The certificate is proven against the name, though the connection is made to the address.
        extensions = {"sni_hostname": url.raw_host.decode("ascii")}
        fault = "the name has no address"
        for address in addresses[:_ADDRESSES_TRIED]:
            request = self._client.build_request(
                "POST", url.copy_with(host=str(address)), content=body, headers=ours, extensions=extensions
            )
            try:
                response = await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                # Nothing was written: another address may be tried within this attempt.
                fault = "no connection can be made, or no TLS"
                continue
            return Answer(status=response.status_code, body=await _beginning(response))
        return fault

    async def _addresses(self, url: httpx.URL) -> list[IPAddress] | str:
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = dict.fromkeys(map(ip_address, await self._reach.resolve(url.raw_host.decode("ascii"), port)))
        except (OSError, UnicodeError):
            return "the name cannot be resolved"
        if not all(map(self._reach.may_connect, found)):
            return "a private address: set PUSHJOBS_PRIVATE_WEBHOOKS if webhooks may be within"
        return list(found)


async def _beginning(response: httpx.Response) -> bytes:
    """Read an answer's beginning; a short one comes to its end, or its server would see the connection reset."""
    body = bytearray()
    # One that breaks off was answered: it is for the caller to judge how far it came.
    with suppress(httpx.HTTPError):
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > _SHORT:
                break
    await response.aclose()
    return bytes(body[:_SHORT])
