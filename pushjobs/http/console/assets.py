"""Styles and scripts as files of ours: each at an address that changes with its content, and is kept for a year."""

import hashlib
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["Assets"]

_STATIC = Path(__file__).parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes = field(repr=False)
    media_type: str
    version: str


class Assets:
    """The files, read once."""

    path = "/console/static/{version}/{name}"

    def __init__(self) -> None:
        self._files = {path.name: _read(path) for path in sorted(_STATIC.iterdir()) if path.suffix in _TYPES}

    def address(self, name: str) -> str:
        """Return where a file is; raises KeyError where there is none of that name."""
        return f"/console/static/{self._files[name].version}/{name}"

    async def serve(self, request: Request) -> Response:
        """Answer with a file. One of another version is not there: a page of before may not get a script of now."""
        found = self._files.get(request.path_params["name"])
        if found is None or found.version != request.path_params["version"]:
            return Response(None, HTTPStatus.NOT_FOUND)
        return Response(found.body, headers=_HEADERS, media_type=found.media_type)


def _read(path: Path) -> _File:
    body = path.read_bytes()
    return _File(body, _TYPES[path.suffix], hashlib.blake2b(body, digest_size=6).hexdigest())
