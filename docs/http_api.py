"""What docs/reference/http.md says of our own API, read off its table of routes and its schemas.

The document that machines read is `/openapi.json`, the same for people `/docs`; this page is the list without a server.
"""  # noqa: INP001 - a script's part, as docs/generate.py

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pushjobs.http.v1.document import ROOMS, problems_of
from pushjobs.http.v1.problems import KINDS
from pushjobs.http.v1.routes import Route
from pushjobs.http.v1.schemas import components
from pushjobs.http.v1.table import ROUTES

__all__ = ["lines"]

_COLUMNS = ("route", "does", "right", "takes", "gives", "refuses besides")


def lines(table: Callable[[Sequence[str], Iterable[Sequence[str]]], list[str]]) -> Iterator[str]:
    """Yield the page below its title; `table` writes a table of columns and rows."""
    yield "`/v1` at the HTTP doors; how to use it is told in [use the API](../how-to/use-the-api.md). A running"
    yield "installation has the same at `/docs`, with examples, and as OpenAPI at `/openapi.json`. A `?` marks what may"
    yield "be left out."
    for room, words in ROOMS.items():
        yield from ("", f"## {room}", "", words, "", *table(_COLUMNS, _routes(room)))
    yield from ("", "## Problems", "", "Each is `urn:pushjobs:problem:NAME`. Any route may answer those that are no")
    yield from ("route's own.", "", *table(("status", "name", "title", "Retry-After"), _problems()), "", "## Schemas")
    for name, words, rows in _schemas():
        yield from ("", f"### {name}", "", words, "", *table(("field", "holds", "is"), rows))


def _routes(room: str) -> Iterator[tuple[str, ...]]:
    """Yield a room's routes: address, what it does, the right it needs, what it takes and gives, its own refusals."""
    for route in ROUTES:
        if route.room == room:
            yield (
                f"`{route.method} {route.path}`",
                f"{route.summary}. {route.words}",
                route.right,
                _listed([*_query(route), *(route.takes.schemas if route.takes else ())]),
                _listed(f"{each.status.value} {name}" for each in route.gives for name in each.schemas),
                _listed(kind.name for kind in problems_of(route) if kind in route.refuses),
            )


def _problems() -> Iterator[tuple[str, ...]]:
    """Yield every kind of problem: status, name, title, and after how long to ask again."""
    for kind in KINDS:
        wait = "" if kind.retry_after is None else f"{kind.retry_after} s"
        yield str(kind.status.value), f"`{kind.name}`", kind.title, wait


def _schemas() -> Iterator[tuple[str, str, list[tuple[str, ...]]]]:
    """Yield each component with its words and its fields."""
    for name, schema in sorted(components().items()):
        required = schema.get("required", ())
        fields = [
            (f"`{key}`" + ("" if key in required else "?"), _kind(each), _line(each.get("description", "")))
            for key, each in schema.get("properties", {}).items()
        ]
        yield name, _line(schema.get("description", "")), fields or [(_kind(schema), "", "")]


def _query(route: Route) -> list[str]:
    return [f"{each.name}=" for each in route.parameters if each.place == "query"]


def _listed(words: Sequence[str] | Iterator[str]) -> str:
    return ", ".join(f"`{word}`" for word in dict.fromkeys(words))


def _line(text: str) -> str:
    return " ".join(text.split())


def _kind(schema: dict[str, Any]) -> str:
    """Say in few words what a schema takes."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(filter(None, map(_kind, several))))
    kind = schema.get("type", "")
    if kind == "array":
        return f"array of {_kind(schema['items'])}"
    return str(schema.get("format") or (" or ".join(kind) if isinstance(kind, list) else kind))
