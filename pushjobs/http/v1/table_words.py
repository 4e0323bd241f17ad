"""What the tables of routes are written with."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pushjobs.http.v1.routes import Gives, Parameter, Takes
from pushjobs.http.v1.schemas import FIELDS

__all__ = ["APPID", "UNLESS", "gives", "queries", "takes"]

UNLESS = Parameter(
    name="If-None-Match",
    place="header",
    words="The `ETag` of an earlier answer: if nothing has changed since, 304 and no body.",
    schema={"type": "string"},
)


def queries(*names: str) -> tuple[Parameter, ...]:
    """Return the parameters of a query with the words that their fields have everywhere."""
    schemas = {name: dict(FIELDS[name]) for name in names}
    return tuple(
        Parameter(name=name, place="query", words=schema.pop("description"), schema=schema)
        for name, schema in schemas.items()
    )


APPID = queries("appid")


def gives(words: str, schema: str, example: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Gives:
    """Return an answer of one schema with one example."""
    return Gives(status=status, words=words, schemas=(schema,), examples={"usual": example})


def takes(schema: str, example: Mapping[str, Any], *, is_required: bool = True) -> Takes:
    """Return a body of one schema with one example."""
    return Takes(schemas=(schema,), examples={"usual": example}, is_required=is_required)
