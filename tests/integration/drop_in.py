"""What tests of the drop-in door share: a message of WeChat's form, and a program that speaks to the door."""

from collections.abc import Callable
from typing import Any

import httpx

from pushjobs.clients import NewKey
from pushjobs.sandbox import paths
from pushjobs.sandbox.catalogue import DAILY_NEWS, LEGACY_REFUND

__all__ = ["LATER", "LEGACY", "LEGACY_SEND", "MESSAGE", "SEND", "Post", "said", "token_call", "token_of"]

SEND, LEGACY_SEND = paths.SUBSCRIBE_SEND, paths.LEGACY_SEND
LATER = "2099-12-01 08:00:00"
MESSAGE: dict[str, Any] = {
    "touser": "oReader000001",
    "template_id": DAILY_NEWS,
    "page": "index",
    "data": {"thing1": {"value": "第1条"}, "thing2": {"value": "今日要闻"}, "date3": {"value": "2026年12月1日"}},
}
LEGACY: dict[str, Any] = {
    "touser": "OPENID",
    "template_id": LEGACY_REFUND,
    "form_id": "FORMID",
    "data": {f"keyword{number}": {"value": f"第{number}"} for number in range(1, 6)},
}

Post = Callable[..., dict[str, Any]]


def said(response: httpx.Response) -> dict[str, Any]:
    """What a door of WeChat's form answers: JSON, and always an HTTP 200."""
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/json")
    answer: dict[str, Any] = response.json()
    return answer


def token_call(door: httpx.Client, client_id: str, key: str) -> dict[str, Any]:
    """Ask for a token by the older of the two calls."""
    query = {"grant_type": "client_credential", "appid": client_id, "secret": key}
    return said(door.get(paths.TOKEN, params=query))


def token_of(door: httpx.Client, client: NewKey) -> str:
    """Exchange a client's id and key."""
    return str(token_call(door, client.client.id, client.key)["access_token"])
