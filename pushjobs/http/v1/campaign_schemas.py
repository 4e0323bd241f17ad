"""What bodies about campaigns may hold, for the document: a part of `schemas`. Nothing is checked by these."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pushjobs.domain.campaign import Missed
from pushjobs.domain.job import Lane, OnQuota

__all__ = ["BODIES"]


def _text(words: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a schema's keys
    return {"type": "string", "description": words, **more}


def _word(words: str, of: type[StrEnum]) -> dict[str, Any]:
    return _text(words, enum=[each.value for each in of])


_SPAN = '"90s", "30m", "2h" or "1d".'
_CONTENT: Mapping[str, Any] = {
    "type": "object",
    "description": "What it says; `{placeholders}` are filled from columns of the audience, or from a feed's entry.",
    "properties": {
        "data": {
            "type": "object",
            "description": "The template's keywords, each with its text.",
            "additionalProperties": {"type": ["string", "number"]},
        },
        "page": {"type": ["string", "null"], "description": "The page that the card opens, without a leading slash."},
        "miniprogram_state": _text("Which build the card opens."),
        "lang": _text("The language WeChat shows around the message."),
        "feed": {
            "type": ["object", "null"],
            "description": "An RSS, Atom or JSON feed whose newest entry fills it.",
            "properties": {
                "url": _text("Its address, which this installation reaches from outside."),
                "skip_if_nothing_new": {"type": "boolean", "description": "Whether an instant without news is none."},
            },
            "required": ["url"],
            "additionalProperties": False,
        },
        "shorten": {"type": "boolean", "description": "Whether texts that are too long are cut."},
    },
    "required": ["data"],
    "additionalProperties": False,
}
_ARGUMENTS: Mapping[str, Any] = {
    "name": _text("Its name, for people.", minLength=1, maxLength=100),
    "cron": _text("When: five fields, or `@daily` and the like.", maxLength=100),
    "zone": _text("The time zone of that, an IANA name; left out: the app's."),
    "appid": _text("The app; left out: the client's only or first one, or the installation's."),
    "template_id": _text("The id of one of the app's templates.", minLength=1, maxLength=128),
    "audience": {
        "type": "object",
        "description": "To whom: an audience that was uploaded, by its name. There is no other kind over HTTP.",
        "properties": {"stored": _text("Its name.")},
        "required": ["stored"],
        "additionalProperties": False,
    },
    "content": _CONTENT,
    "lane": _word("The lane; left out: bulk.", Lane),
    "spread": _text(f"Over how long its jobs are spread; left out: all are due at once. {_SPAN}"),
    "expires": _text(f"How long after its moment a message is worth sending; left out: 48 hours. {_SPAN}"),
    "on_quota": _word("What becomes of users who have had the day's messages; left out: refuse.", OnQuota),
    "missed": _word("Which instants that passed while nothing ran are made up for; left out: skip.", Missed),
    "grace": _text(f"How late an instant is still run, whatever `missed` says; left out: 10 minutes. {_SPAN}"),
    "openid": _text("A user for whom WeChat judges the texts, where the template's policy wants it; is not kept."),
}


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}], "description": schema["description"]}


BODIES: Mapping[str, Mapping[str, Any]] = {
    "NewCampaign": {
        "type": "object",
        "description": "One message, or one for each, to an audience, at the instants of an expression.",
        "properties": {
            "key": _text("What names it for good: up to 64 of a-z, 0-9, - and _.", minLength=1, maxLength=64),
            **_ARGUMENTS,
        },
        "required": ["key", "cron", "template_id", "audience", "content"],
        "additionalProperties": False,
    },
    "CampaignChanges": {
        "type": "object",
        "description": "What is to change; null is the default. A content is given as a whole.",
        "properties": {
            name: schema if name in {"cron", "template_id", "openid"} else _or_null(schema)
            for name, schema in _ARGUMENTS.items()
        },
        "additionalProperties": False,
    },
    "TestSend": {
        "type": "object",
        "description": "Who tries it.",
        "properties": {"touser": _text("The user's open id.", minLength=1, maxLength=128)},
        "required": ["touser"],
        "additionalProperties": False,
    },
    "AudienceRows": _text(
        "CSV: a header with a column `touser`, a row a user. JSON-lines: an open id, or an object with `touser`, a "
        "line. The other columns fill placeholders. UTF-8."
    ),
}
"""Every body about campaigns."""
