"""What went wrong, in WeChat's codes and words: for programs that know no others.

A request that cannot succeed gets the code that WeChat has for the same fault; its text says field, fault and rule.
What is no fault of the request is `system busy` (-1), which SDKs repeat later. No text holds an open id or a content,
and none tells whether an id exists that the client may not use.
"""

from http import HTTPStatus

import orjson
from starlette.responses import Response

from pushjobs.errors import (
    ContentRefused,
    ContentUnchecked,
    FormIdUsedUp,
    InvalidInput,
    LegacyWithdrawn,
    NotPermitted,
    Overloaded,
    PushJobsError,
    TokenExpired,
    UnknownClient,
)
from pushjobs.wechat import errcodes

__all__ = ["Refused", "answer", "refusal"]

_WORDS = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40033: "invalid charset",
    40037: "invalid template_id",
    40097: "invalid args",
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
    44002: "empty post data",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45014: "template size out of limit",
    45103: "This API has been unsupported",
    45109: "This API has been unsupported",
    47001: "data format error",
    47003: "argument invalid!",
    48001: "api unauthorized",
    87014: "risky content",
}

_BY_ERROR: tuple[tuple[type[PushJobsError], int], ...] = (
    (TokenExpired, 42001),
    (UnknownClient, 40001),
    (NotPermitted, 48001),
    (Overloaded, 45011),
    (LegacyWithdrawn, 45103),
    (FormIdUsedUp, 41029),
    (ContentRefused, 87014),
    (ContentUnchecked, -1),
)
_BY_FIELD = {
    "touser": 40003,
    "template_id": 40037,
    "page": 41030,
    "form_id": 41028,
    "appid": 40013,
    **dict.fromkeys(("data", "miniprogram_state", "lang", "emphasis_keyword"), 47003),
    **dict.fromkeys(("time", "expires", "lane", "idempotency_key", "reference", "on_quota", "form_id_kind"), 40097),
}
_UNREADABLE = 47001


class Refused(Exception):
    """A request is answered with this code of WeChat's, before anything of ours was asked."""

    def __init__(self, errcode: int, more: str = "") -> None:
        super().__init__(errcode)
        self.errcode = errcode
        self.more = more


def refusal(fault: Exception) -> dict[str, object]:
    """Return what an exception is answered as."""
    match fault:
        case Refused(errcode=errcode, more=more):
            return _worded(errcode, more)
        case InvalidInput():
            by_field = _BY_FIELD.get(fault.field.partition(".")[0], _UNREADABLE)
            return _worded(_by_error(fault) or by_field, str(fault))
        case _:
            return _worded(_by_error(fault) or -1, "")


def answer(said: dict[str, object]) -> Response:
    """Return a JSON answer: HTTP 200 whatever it says, as WeChat does."""
    return Response(orjson.dumps(said), HTTPStatus.OK, media_type="application/json")


def _by_error(fault: Exception) -> int | None:
    return next((errcode for error, errcode in _BY_ERROR if isinstance(fault, error)), None)


def _worded(errcode: int, more: str) -> dict[str, object]:
    words = _WORDS.get(errcode) or errcodes.meaning(errcode)
    return {"errcode": errcode, "errmsg": f"{words} hint: [{more}]" if more else words}
