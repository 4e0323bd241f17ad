"""`/docs`: the document as a page of our own, and `/openapi.json`, the document itself.

No viewer is loaded from elsewhere, and none is shipped: Swagger's is 1.4 MB of script for a list of some twenty routes.
A page without a script reads anywhere, prints, is searched by the browser, and needs no exception in any policy.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from pushjobs.http.v1.document import document
from pushjobs.http.v1.routes import Route

__all__ = ["pages"]

_POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222;
  background: #fff }
code, pre { font: 14px/1.45 ui-monospace, monospace }
pre { background: #f4f4f4; padding: .75rem 1rem; overflow-x: auto }
h2 { margin-top: 3rem; border-bottom: 1px solid #ccc }
h3 code { background: #eef; padding: .1rem .4rem }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #eee }
summary { cursor: pointer; margin: .5rem 0 }
nav a { display: block }
"""


def pages(routes: Sequence[Route]) -> APIRouter:
    """Return the two, written once."""
    found = document(routes)
    router = APIRouter()
    router.add_route("/openapi.json", _served(orjson.dumps(found), "application/json"), include_in_schema=False)
    router.add_route("/docs", _served("".join(_page(found)).encode(), HTMLResponse.media_type), include_in_schema=False)
    return router


def _served(body: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(_: Request) -> Response:
        return Response(body, headers=_POLICY, media_type=media_type)

    return serve


def _page(found: Mapping[str, Any]) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><title>pushjobs: the API</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style><h1>pushjobs: the API</h1>'
    yield f'<p>{_marked(found["info"]["description"])}</p><p>The same for machines: <a href="/openapi.json">'
    yield "openapi.json</a>.</p>"
    operations = [
        (method.upper(), path, operation)
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    ]
    yield "<nav>"
    for method, path, operation in operations:
        name = operation["operationId"]
        yield f'<a href="#{name}"><code>{method} {escape(path)}</code> {escape(operation["summary"])}</a>'
    yield "</nav>"
    for tag in found["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2><p>{_marked(tag['description'])}</p>"
        for method, path, operation in operations:
            if tag["name"] in operation["tags"]:
                yield from _operation(method, path, operation)
    yield "<h2>schemas</h2>"
    for name, schema in sorted(found["components"]["schemas"].items()):
        yield from _schema(name, schema)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="{operation["operationId"]}"><code>{method} {escape(path)}</code></h3>'
    yield f"<p><b>{escape(operation['summary'])}.</b> {_marked(operation['description'])}</p>"
    if operation["parameters"]:
        rows = [
            (f"<code>{escape(each['name'])}</code>", each["in"], _kind(each["schema"]), _marked(each["description"]))
            for each in operation["parameters"]
        ]
        yield from _table(("parameter", "in", "", ""), rows)
    if "requestBody" in operation:
        yield from _content("Body", operation["requestBody"]["content"])
    for status, response in operation["responses"].items():
        yield from _content(f"<b>{status}</b> {_marked(response['description'])}", response.get("content", {}))


def _content(words: str, content: Mapping[str, Any]) -> Iterator[str]:
    yield f"<details><summary>{words}</summary>"
    for media_type, what in content.items():
        yield f"<p><code>{media_type}</code>: {_kind(what['schema'])}</p>"
        for name, example in what["examples"].items():
            text = orjson.dumps(example["value"], option=orjson.OPT_INDENT_2).decode()
            yield f"<p>{escape(name)}</p><pre>{escape(text)}</pre>"
    yield "</details>"


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="schema-{escape(name)}"><code>{escape(name)}</code></h3><p>{_words(schema)}</p>'
    if "enum" in schema:
        yield f"<p>{_kind(schema)}</p>"
    required = schema.get("required", ())
    rows = [
        (f"<code>{escape(key)}</code>", "" if key in required else "optional", _kind(each), _words(each))
        for key, each in schema.get("properties", {}).items()
    ]
    if rows:
        yield from _table(("field", "", "", ""), rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "<table><tr>" + "".join(f"<th>{column}</th>" for column in columns) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</table>"


def _kind(schema: Mapping[str, Any]) -> str:
    """Say in few words what a schema takes; where it is a component, lead there."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if "enum" in schema:
        return " · ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    if several := schema.get("oneOf") or schema.get("anyOf"):
        return " or ".join(filter(None, map(_kind, several)))
    kind = schema.get("type", "")
    if kind == "array":
        return f"array of {_kind(schema['items'])}"
    return escape(str(schema.get("format") or (" or ".join(kind) if isinstance(kind, list) else kind)))


def _words(schema: Mapping[str, Any]) -> str:
    return _marked(schema.get("description", ""))


def _marked(text: str) -> str:
    """Write prose as HTML; what stands between backticks is code."""
    parts = escape(text, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
