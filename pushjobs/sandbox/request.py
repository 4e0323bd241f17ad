"""One request as it was read, and what is read off it more than once.

A request is judged at the moment it had arrived in full: `arrived_at` is the only time that any rule of the sandbox
looks at, so that tests can move it.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import orjson

__all__ = ["Request", "Target", "read_target"]

_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)
_UNREAD = object()


class Target(NamedTuple):
    """A request's path and its query, percent signs decoded."""

    path: str
    query: MappingProxyType[str, str]


@lru_cache(maxsize=1024)
def read_target(raw: bytes) -> Target:
    """Split a request's target; senders repeat theirs a million times, hence the cache."""
    path, _, query = raw.decode("latin-1").partition("?")
    return Target(unquote(path), MappingProxyType(dict(parse_qsl(query, keep_blank_values=True))))


@dataclass(slots=True)
class Request:
    """One request, complete. `arrived_at` is Unix time in seconds."""

    method: str
    target: Target
    body: bytes
    arrived_at: float
    content_type: bytes = b""
    _json: Any = field(default=_UNREAD, repr=False)

    @property
    def path(self) -> str:
        """The path, without the query."""
        return self.target.path

    @property
    def query(self) -> MappingProxyType[str, str]:
        """The query's parameters."""
        return self.target.query

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body as JSON; None where it is none, which no door of WeChat accepts either."""
        if self._json is _UNREAD:
            try:
                self._json = orjson.loads(self.body)
            except orjson.JSONDecodeError:
                self._json = None
        return self._json

    @property
    def message(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is none."""
        return self.json if isinstance(self.json, dict) else {}

    @property
    def is_utf8(self) -> bool:
        """Whether both the header and the bytes say UTF-8."""
        if not _names_utf8(self.content_type):
            return False
        if self.json is not None:
            return True
        try:
            self.body.decode()
        except UnicodeDecodeError:
            return False
        return True


@lru_cache(maxsize=64)
def _names_utf8(content_type: bytes) -> bool:
    charset = _CHARSET.search(content_type)
    return charset is None or charset[1].lower() in {b"utf-8", b"utf8"}
