"""What bodies may hold, for the document: names, kinds and words. Nothing is checked by these; the readers check.

A field has the same words wherever it stands.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from pushjobs.domain.job import JobState, Lane, OnQuota
from pushjobs.domain.message import FormIdKind, Lang, MiniProgramState
from pushjobs.http.v1 import campaign_answers
from pushjobs.http.v1.answers import RECORDS
from pushjobs.http.v1.campaign_schemas import BODIES as CAMPAIGN_BODIES
from pushjobs.operations import Resolution

__all__ = ["FIELDS", "REF", "components"]

REF = "#/components/schemas/{model}"
_MODE: JsonSchemaMode = "serialization"


def _text(words: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a schema's keys
    return {"type": "string", "description": words, **more}


def _word(words: str, of: type[StrEnum]) -> dict[str, Any]:
    return _text(words, enum=[each.value for each in of])


_MOMENT = '`"2026-12-01 08:00:00"` is that time in the app\'s zone; ISO 8601 with an offset is itself.'

FIELDS: Mapping[str, Mapping[str, Any]] = {
    "touser": _text("The user's open id.", minLength=1, maxLength=128),
    "template_id": _text("The id of one of the app's templates.", minLength=1, maxLength=128),
    "data": {
        "type": "object",
        "description": 'The template\'s keywords, each with its text, or as WeChat has it with `{"value": text}`.',
        "additionalProperties": {
            "anyOf": [
                {"type": "string"},
                {"type": "number"},
                {"type": "object", "properties": {"value": {"type": ["string", "number"]}}, "required": ["value"]},
            ]
        },
    },
    "page": _text("The page of the Mini Program that the card opens, without a leading slash."),
    "miniprogram_state": _word("Which build the card opens.", MiniProgramState),
    "lang": _word("The language WeChat shows around the message.", Lang),
    "form_id": _text("Legacy: the id of a form's submission or of a payment."),
    "form_id_kind": _word("Legacy: which of the two.", FormIdKind),
    "emphasis_keyword": _text("Legacy: the keyword shown large."),
    "time": _text(f"When to send it; left out or past: now. {_MOMENT}"),
    "expires": _text(f"The moment from which it is worthless and is not sent; left out: 48 hours later. {_MOMENT}"),
    "lane": _word("`urgent` does not wait behind `bulk`. Left out: urgent for one job, bulk in a batch.", Lane),
    "idempotency_key": _text(
        "The same key makes no second job: the one it made is answered. Kept for 30 days after the job's deadline.",
        minLength=1,
        maxLength=200,
    ),
    "reference": _text(
        "A number of your own, to find, cancel and move by; need not be unique.", minLength=1, maxLength=200
    ),
    "on_quota": _word("What becomes of it when its user has had the day's messages.", OnQuota),
    "appid": _text("The app; left out: the client's only or first one, or the installation's."),
    "state": _word("Where the jobs stand.", JobState),
    "due_after": _text(f"Tried next, or last, at this moment or later. {_MOMENT}"),
    "due_before": _text(f"Tried next, or last, before this moment. {_MOMENT}"),
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "description": "How many at most; 100 if left out."},
    "cursor": _text("The `next` of the page before; left out: the first page."),
    "as": _word("`sent`: it arrived. `again`: send it again, in a minute, at the risk of a repeat.", Resolution),
    "credits": {
        "type": "integer",
        "minimum": 1,
        "maximum": 1000,
        "description": "For how many messages; 1 if left out.",
    },
    "standing": {"type": "boolean", "description": "Whether for every message of the template, now and later."},
    "note": _text("Why, for whoever looks.", minLength=1, maxLength=200),
    "until": _text(f"When the pause ends by itself; left out: when it is resumed. {_MOMENT}"),
}
"""Every field that a body or a query has."""

_NEW_JOB = (
    *("touser", "template_id", "data", "page", "miniprogram_state", "lang", "time", "expires", "lane", "reference"),
    *("idempotency_key", "on_quota", "appid", "form_id", "form_id_kind", "emphasis_keyword"),
)
_FILTERS = ("appid", "reference", "touser", "template_id", "due_after", "due_before")


def _object(words: str, names: Sequence[str], required: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "description": words,
        "properties": {name: FIELDS[name] for name in names},
        "required": list(required),
        "additionalProperties": False,
    }


_BODIES: Mapping[str, Mapping[str, Any]] = {
    "NewJob": _object("One push to one user, in WeChat's words and ours.", _NEW_JOB, ("touser", "template_id", "data")),
    "Batch": {
        "type": "object",
        "description": "Up to 10,000 jobs; `appid` is that of those which name none.",
        "properties": {
            "jobs": {
                "type": "array",
                "minItems": 1,
                "maxItems": 10_000,
                # What a row may be is judged row by row: a bad one is reported, and hinders no other.
                "items": {
                    "anyOf": [{"$ref": REF.format(model="NewJob")}, {"description": "What is none is reported."}]
                },
            },
            "appid": FIELDS["appid"],
        },
        "required": ["jobs"],
        "additionalProperties": False,
    },
    "Filter": _object("Which jobs: those that match everything given.", (*_FILTERS, "state", "limit", "cursor")),
    "Cancellation": {
        **_object("Which jobs: those that match everything given, at least one filter.", _FILTERS),
        "anyOf": [{"required": [name]} for name in _FILTERS if name != "appid"],
    },
    "Rescheduling": _object(
        "When to send it instead; without `expires` its deadline moves along.", ("time", "expires"), ("time",)
    ),
    "Replaying": _object("Another deadline, where the job's own has passed.", ("expires",)),
    "Resolving": _object(
        "What became of it, and another deadline, where its own has passed.", ("as", "expires"), ("as",)
    ),
    "Which": _object("Which app.", ("appid",)),
    "User": _object("Which user.", ("touser", "appid"), ("touser",)),
    "Granting": _object(
        "A user's yes to a template's messages.",
        ("touser", "template_id", "credits", "standing", "appid"),
        ("touser", "template_id"),
    ),
    "Revoking": _object(
        "A user's no to a template's messages.", ("touser", "template_id", "appid"), ("touser", "template_id")
    ),
    "Pausing": _object(
        "What to hold back: a template's jobs, a lane's, a template's of a lane; neither: all of the app's.",
        ("template_id", "lane", "note", "until", "appid"),
    ),
    "Resuming": _object("What goes on: exactly what is paused.", ("template_id", "lane", "appid")),
}


def components() -> dict[str, Any]:
    """Return every schema by its name: of bodies, as they stand here, and of answers, as their records say."""
    adapters = [(record, _MODE, TypeAdapter(record)) for record in (*RECORDS, *campaign_answers.RECORDS)]
    _, found = TypeAdapter.json_schemas(adapters, ref_template=REF)
    return {**_BODIES, **CAMPAIGN_BODIES, **found["$defs"]}
