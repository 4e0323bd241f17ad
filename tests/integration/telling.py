"""WeChat's voice, in the test's own process: events pushed to the callback door and applied, without a server."""

import itertools
import json
from datetime import datetime
from typing import Any

from pushjobs import clock
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.wechat.crypto import Cipher, signature
from pushjobs.wechat.events import Callback
from tests.conftest import APPID
from tests.integration.hands import ask

__all__ = [
    "AES_KEY",
    "READER",
    "TOKEN",
    "apply",
    "event_states",
    "popup",
    "pushed",
    "receipt",
    "retry_all",
    "take",
    "tell",
]

TOKEN, AES_KEY = "sandboxtoken", "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR"
READER = "oReader000000"
"""The first user that `hands.schedule` schedules for."""

_nonces = itertools.count(1_000_000)


def take(runtime: Runtime, body: str, *, is_secure: bool = False, appid: str = APPID) -> str:
    """Push a body to the door, signed now; return the answer."""
    return runtime.callbacks.take(appid, pushed(body, is_secure=is_secure))


def pushed(body: str, *, is_secure: bool = False) -> Callback:
    """Sign a body now, as WeChat does."""
    timestamp, nonce = str(int(clock.now().timestamp())), str(next(_nonces))
    query = {"signature": signature(TOKEN, timestamp, nonce), "timestamp": timestamp, "nonce": nonce, "openid": READER}
    if is_secure:
        encrypted = Cipher(AES_KEY, APPID).encrypt(body.encode())
        query |= {"encrypt_type": "aes", "msg_signature": signature(TOKEN, timestamp, nonce, encrypted)}
        body = json.dumps({"ToUserName": "gh_1", "Encrypt": encrypted})
    return Callback(method="POST", query=query, body=body.encode())


def tell(runtime: Runtime, event: str, *items: dict[str, Any], at: datetime | None = None, user: str = READER) -> None:
    """Push an event of these items that happened at a moment, now unless one is given."""
    moment = at or clock.now()
    head = {"ToUserName": "gh_1", "FromUserName": user, "CreateTime": int(moment.timestamp()), "MsgType": "event"}
    body = head | {"Event": f"subscribe_msg_{event}_event", "List": items[0] if len(items) == 1 else list(items)}
    assert take(runtime, json.dumps(body)) == "success"


def receipt(msgid: int | None, *, code: int = 0, template_id: str = DAILY_NEWS) -> dict[str, Any]:
    """The item of a sent event."""
    item: dict[str, Any] = {"TemplateId": template_id, "ErrorCode": str(code)}
    item["ErrorStatus"] = "failed: system failed" if code else "success"
    return item if msgid is None else item | {"MsgID": str(msgid)}


def popup(status: str, *, template_id: str = DAILY_NEWS) -> dict[str, Any]:
    """The item of a popup or a change event."""
    return {"TemplateId": template_id, "SubscribeStatusString": status}


def apply(runtime: Runtime) -> int:
    """Apply what waits, as the tick does."""
    return runtime.receipts.apply()


def retry_all(runtime: Runtime, *, aged: str = "0 s") -> None:
    """Let every event that waits be tried now; `aged`: as if it had come so long ago."""
    ask(
        runtime,
        "UPDATE pushjobs.events SET try_at = now(), received_at = received_at - CAST(:aged AS interval)"
        " WHERE state = 'waiting'",
        aged=aged,
    )


def event_states(runtime: Runtime) -> list[str]:
    """Return where the events stand, in the order they came."""
    return [str(row[0]) for row in ask(runtime, "SELECT state FROM pushjobs.events ORDER BY event_no")]
