"""What the sandbox's tests speak to: one sandbox in its own process, put back to its start before each test."""

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from pushjobs.sandbox import SandboxClient, SandboxProcess
from pushjobs.sandbox.catalogue import ORDER_SHIPPED

APPID, SECRET = "wxsandbox00000000", "sandbox-secret"
SEND = "/cgi-bin/message/subscribe/send"


@pytest.fixture
def control(sandbox_process: SandboxProcess) -> SandboxClient:
    """The sandbox's control doors; everything is as at its start."""
    sandbox_process.client.reset()
    return sandbox_process.client


@pytest.fixture
def call(sandbox_process: SandboxProcess, control: SandboxClient) -> Callable[..., Any]:
    """Call the sandbox: `call(method, path, body)` answers the JSON of an HTTP 200; bytes are sent as they are."""
    del control  # it resets

    def call(method: str, path: str, body: object = None, content_type: str = "application/json") -> dict[str, Any]:
        connection = http.client.HTTPConnection(urlsplit(sandbox_process.base_url).netloc, timeout=10)
        try:
            raw = body if isinstance(body, bytes) or body is None else json.dumps(body, ensure_ascii=False).encode()
            connection.request(method, path, raw, {"Content-Type": content_type})
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise http.client.HTTPException(response.status)
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        return answer

    return call


@pytest.fixture
def token(call: Callable[..., Any]) -> str:
    """A token of the first app."""
    query = f"grant_type=client_credential&appid={APPID}&secret={SECRET}"
    return str(call("GET", f"/cgi-bin/token?{query}")["access_token"])


@pytest.fixture
def send(call: Callable[..., Any], token: str) -> Callable[..., Any]:
    """Send a good message, some of its fields changed: `send(touser="o2")`; None takes a field out."""

    def send(**changes: object) -> dict[str, Any]:
        message = good_message() | changes
        body = {name: value for name, value in message.items() if value is not None}
        answer: dict[str, Any] = call("POST", f"{SEND}?access_token={token}", body)
        return answer

    return send


def good_message() -> dict[str, Any]:
    """Return a message that nothing is wrong with."""
    values = {"thing1": "高山乌龙茶", "character_string2": "OD1", "thing3": "顺丰速运", "time5": "2026年11月23日 15:01"}
    return {
        "touser": "oUser1",
        "template_id": ORDER_SHIPPED,
        "page": "pages/order/index?from=push",
        "data": {key: {"value": value} for key, value in values.items()},
        "miniprogram_state": "formal",
        "lang": "zh_CN",
    }


@pytest.fixture
def message() -> dict[str, Any]:
    """A message that nothing is wrong with."""
    return good_message()
