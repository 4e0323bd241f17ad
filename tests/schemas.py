"""Values against JSON Schema, as far as our OpenAPI document uses it; a keyword that is not known here is an error."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

__all__ = ["faults"]

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_FORMATS: Mapping[str, Callable[[str], object]] = {"date-time": datetime.fromisoformat, "date": date.fromisoformat}
_SAID = {"title", "description", "default", "properties", "additionalProperties", "items", "format"}


def faults(value: Any, schema: Mapping[str, Any], components: Mapping[str, Any], at: str = "$") -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Yield everything that keeps a value from fitting a schema."""
    if "$ref" in schema:
        yield from faults(value, components[schema["$ref"].rpartition("/")[2]], components, at)
        return
    for keyword, wanted in schema.items():
        if not _holds(keyword, wanted, value, components):
            yield f"{at} is {value!r}, against {keyword}: {wanted}"
    if isinstance(value, dict):
        yield from _of_object(value, schema, components, at)
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from faults(each, schema.get("items", {}), components, f"{at}[{number}]")
    if isinstance(value, str) and "format" in schema:
        try:
            _FORMATS[schema["format"]](value)
        except ValueError:
            yield f"{at} is {value!r}, no {schema['format']}"


def _of_object(
    value: Mapping[str, Any], schema: Mapping[str, Any], components: Mapping[str, Any], at: str
) -> Iterator[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, each in value.items():
        if name in known:
            yield from faults(each, known[name], components, f"{at}.{name}")
        elif others is False:
            yield f"{at} has {name}"
        elif others is not True:
            yield from faults(each, others, components, f"{at}.{name}")


def _holds(keyword: str, wanted: Any, value: Any, components: Mapping[str, Any]) -> bool:  # noqa: ANN401, C901, PLR0911 - one arm a keyword
    match keyword:
        case "type":
            return any(_TYPES[each](value) for each in ([wanted] if isinstance(wanted, str) else wanted))
        case "enum":
            return value in wanted
        case "required":
            return not isinstance(value, dict) or set(wanted) <= set(value)
        case "minLength":
            return not isinstance(value, str) or len(value) >= wanted
        case "maxLength":
            return not isinstance(value, str) or len(value) <= wanted
        case "minimum":
            return not _TYPES["number"](value) or value >= wanted
        case "maximum":
            return not _TYPES["number"](value) or value <= wanted
        case "minItems":
            return not isinstance(value, list) or len(value) >= wanted
        case "maxItems":
            return not isinstance(value, list) or len(value) <= wanted
        case "anyOf":
            return any(not list(faults(value, each, components)) for each in wanted)
        case "oneOf":
            return sum(not list(faults(value, each, components)) for each in wanted) == 1
        case "pattern":
            return not isinstance(value, str) or re.search(wanted, value) is not None
    assert keyword in _SAID, f"{keyword} is not looked at"
    return True
