"""Arguments as Python has them, written as JSON: a body for the door.

Moments become ISO 8601 with an offset. What JSON cannot carry is refused here, in the readers' words and before
anything is sent: a moment without a zone, which the door would take for the app's; a value that is none of JSON's.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from pushjobs import clock
from pushjobs.errors import InvalidInput, InvalidMessage, InvalidMoment

__all__ = ["MESSAGE_FIELDS", "MOMENTS", "written", "written_job", "written_move"]

MOMENTS = frozenset({"time", "expires", "due_after", "due_before"})
MESSAGE_FIELDS = frozenset(
    {"touser", "template_id", "data", "page", "miniprogram_state", "lang", "form_id", "form_id_kind"}
    | {"emphasis_keyword", "content"}
)
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def written_job(arguments: Mapping[str, Any], key: str) -> bytes:
    """Write a job; `key` is its idempotency key where it has none of its own. Raises InvalidInput."""
    if not isinstance(arguments, Mapping):
        raise InvalidInput("row", f"is no mapping ({type(arguments).__name__})", "give the arguments of `send`")
    if arguments.get("content") is not None:
        raise InvalidMessage("content", "is stored in a database", "give template_id, data and page")
    has_key = arguments.get("idempotency_key") is not None
    given = dict(arguments) if has_key else {**arguments, "idempotency_key": key}
    return written(_with_deadline(given, is_keyed=has_key))


def written_move(time: object, expires: object) -> bytes:
    """Write to when a job is moved; raises InvalidMoment."""
    return written(_with_deadline({"time": time, "expires": expires}, is_keyed=False))


def written(given: Mapping[str, Any]) -> bytes:
    """Write an object, its moments with their offsets; raises InvalidInput for what is none of JSON's."""
    values = {name: _moment(name, value) if name in MOMENTS else value for name, value in given.items()}
    try:
        return orjson.dumps(values, option=_OPTIONS)
    except TypeError:
        raise _unwritten(values) from None


def _with_deadline(given: dict[str, Any], *, is_keyed: bool) -> dict[str, Any]:
    """Make a deadline of a span of time: JSON has none."""
    span = given.get("expires")
    if not isinstance(span, timedelta):
        return given
    begin = _begin(given.get("time"))
    if begin is None and is_keyed:
        # The same key with a later "now" would be another body.
        raise InvalidMoment("expires", "is a timedelta from an unnamed moment", "give time, or expires as a moment")
    # As `send` has it: a moment in the past is due now.
    now = clock.now()
    counted = begin if begin is not None and is_keyed else max(begin or now, now)
    try:
        return {**given, "expires": counted + span}
    except OverflowError:
        raise InvalidMoment("expires", "lies too far away", "give a nearer moment") from None


def _begin(time: object) -> datetime | None:
    if time is None:
        return None
    begin = time
    if isinstance(time, str):
        try:
            begin = datetime.fromisoformat(time)
        except ValueError:
            begin = None
    if not isinstance(begin, datetime) or begin.utcoffset() is None:
        fault = "is a timedelta beside a time whose offset is not known here"
        raise InvalidMoment("expires", fault, "give time with its offset, or expires as a moment")
    return begin


def _moment(name: str, value: object) -> object:
    if not isinstance(value, datetime):
        return value
    if value.utcoffset() is None:
        raise InvalidMoment(name, "is a datetime without a time zone", "give it one, such as tzinfo=UTC")
    return value.astimezone(UTC).isoformat()


def _unwritten(values: Mapping[str, Any]) -> InvalidInput:
    """Say which field it is that cannot be written, without what it holds."""
    for name, value in values.items():
        try:
            orjson.dumps({name: value}, option=_OPTIONS)
        except TypeError:
            if name in MOMENTS:
                rule = "write ISO 8601 with an offset, or give an aware datetime"
                return InvalidMoment(name, f"is neither a text nor a datetime ({type(value).__name__})", rule)
            kind = InvalidMessage if name in MESSAGE_FIELDS else InvalidInput
            return kind(str(name)[:40], "holds what JSON does not", "give texts, and numbers of up to 64 bits")
    return InvalidInput("row", "holds what JSON does not", "give texts, and numbers of up to 64 bits")
