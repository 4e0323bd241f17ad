"""What a refusal looks like: problem+json (RFC 9457), from our exceptions, in one table.

A problem says what the caller can mend: field, fault and rule as the readers said them, with the field's path in the
body. Of what is wrong on our side it says nothing but that it is: addresses and settings are for the log.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from pushjobs.errors import (
    AudienceUnread,
    CallRefused,
    ContentRefused,
    ContentUnchecked,
    ContentUnfetched,
    InvalidInput,
    KeyReused,
    NotFound,
    NotPermitted,
    NotPossible,
    NotReady,
    Overloaded,
    PushJobsError,
    UnknownTemplate,
    Unreachable,
)
from pushjobs.telemetry.asking import ASKING

__all__ = ["KINDS", "MEDIA_TYPE", "Kind", "Refused", "is_ours", "kind_of", "problem", "refusal"]

MEDIA_TYPE = "application/problem+json"
_SOON, _LATER = 1, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of problem: its name, which ends its `type`; what it means; and after how many seconds to try again."""

    name: str
    status: HTTPStatus
    title: str
    retry_after: int | None = None

    @property
    def type(self) -> str:
        """The URI that names it."""
        return f"urn:pushjobs:problem:{self.name}"


UNREADABLE = Kind(name="unreadable", status=HTTPStatus.BAD_REQUEST, title="The request cannot be read")
UNAUTHORISED = Kind(name="unauthorised", status=HTTPStatus.UNAUTHORIZED, title="No client, or not its key")
FORBIDDEN = Kind(name="forbidden", status=HTTPStatus.FORBIDDEN, title="The client may not do that")
NOT_FOUND = Kind(name="not-found", status=HTTPStatus.NOT_FOUND, title="There is no such thing")
NOT_A_METHOD = Kind(name="not-a-method", status=HTTPStatus.METHOD_NOT_ALLOWED, title="That address has other methods")
TOO_SLOW = Kind(name="too-slow", status=HTTPStatus.REQUEST_TIMEOUT, title="The body took too long to come")
NOT_POSSIBLE = Kind(name="not-possible", status=HTTPStatus.CONFLICT, title="Its state does not allow that")
TOO_LARGE = Kind(name="too-large", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, title="The body is too large")
NO_JSON = Kind(name="no-json", status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, title="The body is not said to be JSON")
NO_ROWS = Kind(
    name="no-rows", status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, title="The body is not said to be CSV or JSON-lines"
)
INVALID = Kind(name="invalid", status=HTTPStatus.UNPROCESSABLE_ENTITY, title="The request cannot succeed")
UNKNOWN_TEMPLATE = Kind(name="unknown-template", status=HTTPStatus.UNPROCESSABLE_ENTITY, title="No such template")
KEY_REUSED = Kind(
    name="key-reused", status=HTTPStatus.UNPROCESSABLE_ENTITY, title="The idempotency key stands for another body"
)
CONTENT_REFUSED = Kind(
    name="content-refused", status=HTTPStatus.UNPROCESSABLE_ENTITY, title="WeChat's content check refuses the message"
)
TOO_FAST = Kind(
    name="too-fast", status=HTTPStatus.TOO_MANY_REQUESTS, title="The client asks more often than it may", retry_after=1
)
BROKEN = Kind(name="broken", status=HTTPStatus.INTERNAL_SERVER_ERROR, title="A fault of ours")
WECHAT_REFUSED = Kind(name="wechat-refused", status=HTTPStatus.BAD_GATEWAY, title="WeChat refused what that needs")
UNFETCHED = Kind(name="content-unfetched", status=HTTPStatus.BAD_GATEWAY, title="The feed gives no content")
OVERLOADED = Kind(
    name="overloaded", status=HTTPStatus.SERVICE_UNAVAILABLE, title="Too much is being asked", retry_after=_SOON
)
UNREACHABLE = Kind(
    name="unreachable", status=HTTPStatus.SERVICE_UNAVAILABLE, title="What that needs is away", retry_after=_SOON
)
UNCHECKED = Kind(
    name="content-unchecked",
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title="WeChat's content check gives no word",
    retry_after=_LATER,
)

KINDS = (
    *(UNREADABLE, UNAUTHORISED, FORBIDDEN, NOT_FOUND, NOT_A_METHOD, TOO_SLOW, NOT_POSSIBLE, TOO_LARGE, NO_JSON),
    NO_ROWS,
    *(INVALID, UNKNOWN_TEMPLATE, KEY_REUSED, CONTENT_REFUSED, TOO_FAST, BROKEN, WECHAT_REFUSED),
    *(UNFETCHED, OVERLOADED),
    *(UNREACHABLE, UNCHECKED),
)
"""Every kind there is, by status."""

# The nearest class counts: a refusal that has no row of its own is its parent's.
_BY_ERROR: dict[type[BaseException], Kind] = {
    PushJobsError: BROKEN,
    InvalidInput: INVALID,
    UnknownTemplate: UNKNOWN_TEMPLATE,
    KeyReused: KEY_REUSED,
    ContentRefused: CONTENT_REFUSED,
    ContentUnchecked: UNCHECKED,
    NotPermitted: FORBIDDEN,
    NotFound: NOT_FOUND,
    NotPossible: NOT_POSSIBLE,
    AudienceUnread: NOT_POSSIBLE,
    ContentUnfetched: UNFETCHED,
    Overloaded: OVERLOADED,
    CallRefused: WECHAT_REFUSED,
    NotReady: UNREACHABLE,
    Unreachable: UNREACHABLE,
}


class Refused(Exception):
    """A request was refused by the door itself."""

    def __init__(self, kind: Kind, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})


def kind_of(error: PushJobsError) -> Kind:
    """Return which kind of problem an exception of ours is."""
    return next(_BY_ERROR[each] for each in type(error).__mro__ if each in _BY_ERROR)


def is_ours(error: PushJobsError) -> bool:
    """Whether nobody who asks can mend it."""
    return kind_of(error) in _UNTOLD


def refusal(error: PushJobsError, *, headers: Mapping[str, str] | None = None) -> Response:
    """Word an exception of ours."""
    kind = kind_of(error)
    errors = (
        [{"field": error.field, "fault": error.fault, "rule": error.rule}] if isinstance(error, InvalidInput) else ()
    )
    return problem(kind, _UNTOLD.get(kind) or str(error), errors=errors, headers=headers)


def problem(
    kind: Kind, detail: str, *, errors: Iterable[Mapping[str, str]] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """Return a problem as an answer."""
    body: dict[str, Any] = {"type": kind.type, "title": kind.title, "status": kind.status.value, "detail": detail}
    if (asking := ASKING.get()) is not None:
        body["request_id"] = asking.request_id
    if told := list(errors):
        body["errors"] = told
    more = {} if kind.retry_after is None else {"Retry-After": str(kind.retry_after)}
    return Response(orjson.dumps(body), kind.status, {**more, **(headers or {})}, MEDIA_TYPE)


# What their exceptions say is for the log: it holds addresses and the names of settings.
_UNTOLD = {
    BROKEN: "it was noted, and is for whoever runs this installation",
    UNREACHABLE: "nothing is known to have been done: ask again, a new job with its idempotency key",
}
