"""The OpenAPI document, written from the table of routes: nothing is said of the API that is not served."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pushjobs.http.v1.problems import (
    BROKEN,
    FORBIDDEN,
    INVALID,
    MEDIA_TYPE,
    NO_JSON,
    OVERLOADED,
    TOO_FAST,
    TOO_LARGE,
    TOO_SLOW,
    UNAUTHORISED,
    UNREACHABLE,
    UNREADABLE,
    Kind,
)
from pushjobs.http.v1.routes import Gives, Parameter, Route, Takes
from pushjobs.http.v1.schemas import REF, components

__all__ = ["ROOMS", "document", "problems_of"]

ROOMS: Mapping[str, str] = {
    "jobs": "One push to one user at one time: accepted, found, looked at, changed.",
    "templates": "The app's templates, and the legacy ones that are translated into them.",
    "consents": "What users said yes to.",
    "campaigns": "One message, or one for each, to an audience, again and again; and each run of it.",
    "audiences": "To whom campaigns go: open ids, and what is said to each.",
    "quotas": "How many messages, and how many calls, a day has left.",
    "pauses": "What is held back.",
    "apps": "The Mini Programs that are sent for.",
}
"""What the routes are about, by the first word of their paths."""

_WORDS = (
    "Scheduled push for WeChat Mini Programs. A client sends `Authorization: Bearer ID.KEY`, which `pushjobs client "
    "add` has told. Each route needs a right: read, write or operate. What is of another client's apps or templates "
    "is not there. Refusals are problem+json (RFC 9457), with field, fault and rule where fields are wrong. Moments "
    "are in UTC. Unknown names in a body or a query are refused, never passed over. Every GET has an `ETag`, and "
    "answers 304 to `If-None-Match`."
)
_ALWAYS = (UNAUTHORISED, FORBIDDEN, INVALID, TOO_FAST, BROKEN, OVERLOADED, UNREACHABLE)
_WITH_BODY = (UNREADABLE, TOO_SLOW, TOO_LARGE, NO_JSON)
_JSON = "application/json"


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Write the document."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "pushjobs", "version": version("pushjobs"), "description": _WORDS},
        "security": [{"client": []}],
        "tags": [{"name": name, "description": words} for name, words in ROOMS.items()],
        "paths": dict(paths),
        "components": {
            "schemas": components(),
            "securitySchemes": {
                "client": {"type": "http", "scheme": "bearer", "description": "A client's id and key, `ID.KEY`."}
            },
        },
    }


def problems_of(route: Route) -> list[Kind]:
    """Return every kind of problem that a route may answer with, by status."""
    with_body = _WITH_BODY if route.takes else ()
    return sorted({*_ALWAYS, *with_body, *route.refuses}, key=lambda kind: (kind.status, kind.name))


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.room],
        "summary": route.summary,
        "description": f"{route.words} Needs the right to {route.right}.",
        "parameters": [_parameter(each) for each in route.parameters],
        "responses": _responses(route),
    }
    if (takes := route.takes) is not None:
        operation["requestBody"] = {
            "required": takes.is_required,
            "content": {
                media_type: {"schema": _schema(takes.schemas), "examples": _examples(examples)}
                for media_type, examples in _by_media_type(takes)
            },
        }
    return operation


def _by_media_type(takes: Takes) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield each media type with its examples: all of them where there is one, else those that are named by it."""
    if len(takes.media_types) == 1:
        return [(takes.media_types[0], takes.examples)]
    return [(each, {"usual": takes.examples[each]}) for each in takes.media_types]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.words,
        "required": parameter.place == "path",
        "schema": parameter.schema,
    }
    return found if parameter.example is None else {**found, "example": parameter.example}


def _responses(route: Route) -> dict[str, Any]:
    responses = {str(each.status.value): _given(route, each) for each in route.gives}
    if route.method == "GET":
        responses["304"] = {"description": "Nothing has changed since.", "headers": {"ETag": _header("As it was.")}}
    by_status: dict[HTTPStatus, list[Kind]] = defaultdict(list)
    for kind in problems_of(route):
        by_status[kind.status].append(kind)
    return responses | {str(status.value): _refused(kinds) for status, kinds in by_status.items()}


def _given(route: Route, gives: Gives) -> dict[str, Any]:
    content = {"schema": _schema(gives.schemas), "examples": _examples(gives.examples)}
    response: dict[str, Any] = {"description": gives.words, "content": {_JSON: content}}
    if route.method == "GET":
        response["headers"] = {"ETag": _header("Another one whenever anything in the answer is another.")}
    elif gives.status is HTTPStatus.CREATED:
        response["headers"] = {"Location": _header("The address of what was made.")}
    return response


def _refused(kinds: Iterable[Kind]) -> dict[str, Any]:
    kinds = list(kinds)
    examples = {
        kind.name: {"value": {"type": kind.type, "title": kind.title, "status": kind.status.value, "detail": "…"}}
        for kind in kinds
    }
    response: dict[str, Any] = {
        "description": ", or: ".join(dict.fromkeys(kind.title for kind in kinds)) + ".",
        "content": {MEDIA_TYPE: {"schema": _schema(("Problem",)), "examples": examples}},
    }
    if any(kind.retry_after is not None for kind in kinds):
        response["headers"] = {"Retry-After": _header("Seconds after which to ask again.", kind="integer")}
    if UNAUTHORISED in kinds:
        response["headers"] = {"WWW-Authenticate": _header("How to say who asks.")}
    return response


def _schema(names: Sequence[str]) -> dict[str, Any]:
    references = [{"$ref": REF.format(model=name)} for name in names]
    return references[0] if len(references) == 1 else {"oneOf": references}


def _examples(examples: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"value": value} for name, value in examples.items()}


def _header(words: str, *, kind: str = "string") -> dict[str, Any]:
    return {"description": words, "schema": {"type": kind}}
