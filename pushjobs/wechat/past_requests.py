"""What WeChat remembers of one request, by the `rid` at the end of its error text (wechat-api.md 7.1, [Q5]).

Kept for seven days, told to the same account only. A request's body holds an open id and a content.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pushjobs.wechat.authorised import AuthorisedClient

__all__ = ["PastRequest", "look_up"]

_PATH = "/cgi-bin/openapi/rid/get"
_TOKEN = re.compile(r"(?<=access_token=)[^&\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRequest:
    """A request as WeChat saw it; the access token in its address is left out."""

    invoked_at: datetime
    cost_in_ms: int
    url: str
    client_ip: str
    request_body: str = field(repr=False)
    response_body: str = field(repr=False)


async def look_up(wechat: AuthorisedClient, rid: str) -> PastRequest:
    """Return what WeChat remembers of a request; raises CallRefused or Unreachable."""
    answer = await wechat.post(_PATH, {"rid": rid})
    seen: dict[str, Any] = answer.get("request") or {}
    return PastRequest(
        invoked_at=datetime.fromtimestamp(int(seen.get("invoke_time", 0)), UTC),
        cost_in_ms=int(seen.get("cost_in_ms", 0)),
        url=_TOKEN.sub("…", str(seen.get("request_url", ""))),
        client_ip=str(seen.get("client_ip", "")),
        request_body=str(seen.get("request_body", "")),
        response_body=str(seen.get("response_body", "")),
    )
