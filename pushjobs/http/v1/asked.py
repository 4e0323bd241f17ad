"""What a request asks, read as far as HTTP goes: its body up to a size and within a time, its query, its headers.

Which names there are is said here, because a misspelt filter that is passed over means every job; what their values may
be is the verbs' affair, and their words come back.
"""

import asyncio
import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from pushjobs.domain.job import JobId
from pushjobs.errors import InvalidInput, NotFound
from pushjobs.http.v1.problems import NO_JSON, TOO_LARGE, TOO_SLOW, UNREADABLE, Refused

__all__ = [
    "CLOSE",
    "LARGE_BODY",
    "SMALL_BODY",
    "Asked",
    "cursor_after",
    "is_large",
    "only",
    "parse",
    "read_body",
    "read_cursor",
]

SMALL_BODY = 64 * 1024
"""Bytes that any body may have; only a batch of jobs is longer."""
LARGE_BODY = 16 * 1024 * 1024
_BODY_SECONDS = 10.0
_DIGITS = 16
_LONGEST_NAME = 40
CLOSE = {"Connection": "close"}
"""What was not read is on its way, and would be taken for the next request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a route was asked: the names in its path, its query, its body (None: there was none), and its headers."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]

    @property
    def job_id(self) -> JobId:
        """The job in the path; raises NotFound where that is no number."""
        return read_id(self.path["id"])

    def fields(self, names: Collection[str]) -> dict[str, Any]:
        """Return the body, which is an object of these names at most; an absent one is empty. Raises InvalidInput."""
        body = {} if self.body is None else self.body
        if not isinstance(body, dict):
            raise InvalidInput("body", f"is no object ({kind(body)})", "send a JSON object")
        only(body, names)
        return {name: value for name, value in body.items() if value is not None}


def only(given: Collection[str], names: Collection[str]) -> None:
    """Refuse names not among these, with InvalidInput: a filter passed over would mean more than was meant."""
    for name in given:
        if name not in names:
            raise InvalidInput(
                name[:_LONGEST_NAME], "is no argument", f"there are {', '.join(sorted(names)) or 'none'}"
            )


def kind(value: object) -> str:
    """Name what a JSON value is, in JSON's words."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def read_id(written: str) -> JobId:
    """Read a job's number; raises NotFound for what is none: no such job is there."""
    if not (written.isascii() and written.isdecimal() and len(written) <= _DIGITS):
        raise NotFound("there is no such job")
    return JobId(int(written))


def cursor_after(last: JobId) -> str:
    """Return where the next page begins, for a caller to give back."""
    return base64.urlsafe_b64encode(b"before:%d" % last).decode().rstrip("=")


def read_cursor(given: object) -> JobId | None:
    """Read a cursor that was given; raises InvalidInput for one that never was."""
    if given is None:
        return None
    try:
        written = str(given)
        name, _, number = base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)).partition(b":")
        if name == b"before" and number.isdigit() and len(number) <= _DIGITS:
            return JobId(int(number))
    except (ValueError, binascii.Error):
        pass
    raise InvalidInput("cursor", "is none of ours", "give the `next` of the page before, or none for the first page")


def is_large(request: Request) -> bool:
    """Whether a body is said to be larger than any but a batch's, or not said how large."""
    length = request.headers.get("content-length", "0")
    return "transfer-encoding" in request.headers or not length.isdecimal() or int(length) > SMALL_BODY


async def read_body(request: Request, longest: int, *, seconds: float = _BODY_SECONDS) -> bytes:
    """Read a body of at most so many bytes, within a time; raises Refused when it is longer, slow, or cut off."""
    said = request.headers.get("content-length", "0")
    if said.isdecimal() and int(said) > longest:
        raise _too_large(longest)
    chunks: list[bytes] = []
    held = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                held += len(chunk)
                if held > longest:
                    raise _too_large(longest)
                chunks.append(chunk)
    except TimeoutError:
        raise Refused(TOO_SLOW, f"a body is waited for {seconds:g} s at most", headers=CLOSE) from None
    except ClientDisconnect:
        raise Refused(UNREADABLE, "the body was cut off", headers=CLOSE) from None
    return b"".join(chunks)


def parse(body: bytes, media_type: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Parse a body; none is None. Raises Refused when it is not said to be JSON, or is none; InvalidInput for null."""
    if not body:
        return None
    if media_type.partition(";")[0].strip().lower() != "application/json":
        raise Refused(NO_JSON, "send it as `Content-Type: application/json`")
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # Its own words may quote what stands there.
        raise Refused(UNREADABLE, f"the body is no JSON from line {error.lineno}, column {error.colno} on") from None
    if said is None:
        # Taken for no body it would mean everything: a pause of the whole app.
        raise InvalidInput("body", "is null", "send a JSON object, or no body where none is needed")
    return said


def _too_large(longest: int) -> Refused:
    return Refused(TOO_LARGE, f"a body has at most {longest:,} bytes here", headers=CLOSE)
