"""WeChat's answers in WeChat's words: an HTTP 200 whose JSON says what went wrong, with a request id at its end.

The texts are those seen from the live service where a source shows them. Nothing here decides; it only words.
"""

import secrets
from typing import Any, NamedTuple

import orjson

from pushjobs.wechat import errcodes

__all__ = ["OK", "Refusal", "refusal", "refusal_content"]

OK: dict[str, Any] = {"errcode": 0, "errmsg": "ok"}

_ERRMSGS = {
    404: "not found",
    20002: "invalid args",
    40029: "invalid code",
    40001: (
        "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, "
        "more details at https://mmbizurl.cn/s/JtxxFh33r"
    ),
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40033: "invalid charset. please check your request, if include \\uxxxx will create fail!",
    40037: "invalid template_id",
    40066: "invalid url",
    40097: "invalid args",
    40129: "invalid scene",
    40125: "invalid appsecret",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41028: "invalid form id",
    41029: "form id used count reach limit",
    41030: "invalid page",
    42001: "access_token expired",
    43001: "require GET method",
    43002: "require POST method",
    43101: "user refuse to accept the msg",
    43108: "Cannot make concurrent calls to the same OpenID",
    44002: "empty post data",
    44991: "reach max api minute frequence limit",
    44990: "reach max api second frequence limit",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45014: "template size out of limit",
    45026: "template num exceeds limit",
    45100: "keyword_id_list size error",
    45103: "This API has been unsupported",
    45109: "This API has been unsupported",
    47001: "data format error",
    48006: "forbid to clear quota because of reaching the limit",
    61010: "user's access record is timeout",
    76001: "rid not found",
    76002: "invalid rid",
    76004: "rid is expired",
    76003: "invalid args",
    76021: "cgi_path not found, please check",
    76022: "could not use this cgi_path, no permission",
    200014: "invalid tid",
    200016: "invalid start",
    200017: "invalid limit",
    200018: "ids missing",
    200019: "invalid ids",
    200020: "invalid kidList",
    200021: "invalid sceneDesc",
    200022: "template already exists",
}


class Refusal(NamedTuple):
    """A call that WeChat turns down: its code and its words, the request id not yet added."""

    errcode: int
    errmsg: str


def refusal(errcode: int, hint: str = "") -> Refusal:
    """Return WeChat's refusal under this code; `hint` is set behind it as WeChat does."""
    text = _ERRMSGS.get(errcode) or errcodes.meaning(errcode)
    return Refusal(errcode, f"{text} hint: [{hint}]" if hint else text)


def refusal_content(refused: Refusal, arrived_at: float, **more: str) -> bytes:
    """Return a refusal as the body of an answer, with a request id of WeChat's form; `arrived_at`: Unix seconds."""
    rid = f"{int(arrived_at):08x}-{secrets.randbits(32):08x}-{secrets.randbits(32):08x}"
    return orjson.dumps({"errcode": refused.errcode, "errmsg": f"{refused.errmsg} rid: {rid}", **more})
