"""What a campaign is defined with: read and checked as a whole when it is made, the same from every side.

The arguments are the same in code (`beat_schedule.CAMPAIGNS`), in Python, on the command line and over HTTP. What can
be known to fail is refused here: an expression that never fires, a file that is not there, a query without the columns
that the content asks for, a template's rule that is broken.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from pushjobs.campaigns.parts import Opened, Parts, read_parts
from pushjobs.domain.campaign import Missed, Policies
from pushjobs.domain.instants import Cron, read_cron
from pushjobs.domain.job import Lane, OnQuota
from pushjobs.domain.message import read_template_id
from pushjobs.domain.moment import read_span, read_zone
from pushjobs.errors import InvalidInput
from pushjobs.store.campaigns import NewCampaign, StoredCampaign
from pushjobs.store.envelope import seal_campaign
from pushjobs.store.sealing import Lookup, Sealer

__all__ = ["CampaignArguments", "Definition", "read_definition", "read_key", "stored_arguments"]


class CampaignArguments(TypedDict, total=False):
    """Everything a campaign can be defined with; `cron`, `template_id`, `audience` and `content` are needed.

    `spread`, `expires` and `grace` are spans: a `timedelta`, or a text such as "30m", "2h" or "1d".
    """

    name: str
    """What people call it, up to 100 characters; the key unless given."""
    cron: str
    """When: five fields (`"0 8 * * 1-5"`) or a nickname (`"@daily"`)."""
    zone: str
    """The IANA name of the zone that `cron` is read in; the app's unless given."""
    appid: str
    """The app to send for; None: the one that is meant."""
    template_id: str
    """WeChat's id of the template."""
    audience: Mapping[str, Any]
    """To whom: `{"file": …}`, `{"sql": …, "url": …}`, `{"iterable": "module:name"}` or `{"stored": NAME}`."""
    content: Mapping[str, Any]
    """What it says: `data`, `page`, `lang`, `miniprogram_state`; `feed`, `shorten`."""
    lane: str | Lane
    """`bulk` unless given."""
    spread: str | timedelta
    """Over how long its jobs are spread from the instant on, up to a day; none unless given."""
    expires: str | timedelta
    """How long after its moment a job is still worth sending, up to 30 days; 48 hours unless given."""
    on_quota: str | OnQuota
    """What is done about a user who had the day's messages: `refuse` unless given."""
    missed: str | Missed
    """What becomes of instants that passed while nothing ran: `skip` unless given."""
    grace: str | timedelta
    """How late an instant is still run, up to 7 days; 10 minutes unless given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A campaign that can be run."""

    key: str
    name: str
    cron: Cron
    app_no: int
    appid: str
    template_id: str
    template_no: int
    policies: Policies
    opened: Opened
    record: Mapping[str, Any] = field(repr=False)

    def as_row(self, *, now: datetime, is_declared: bool, sealer: Sealer, lookup: Lookup) -> NewCampaign:
        """Return it as it is stored; its first instant lies behind `now`."""
        first = next(iter(self.cron.after(now)), None)
        policies = self.policies.as_record()
        all_of_it = [
            self.key,
            self.name,
            self.cron.expression,
            self.cron.zone.key,
            self.template_id,
            policies,
            self.record,
        ]
        return NewCampaign(
            app_no=self.app_no,
            key=self.key,
            name=self.name,
            is_declared=is_declared,
            template_no=self.template_no,
            cron=self.cron.expression,
            zone=self.cron.zone.key,
            policies=self.policies,
            sealed=seal_campaign(sealer, self.record, appid=self.appid, key=self.key),
            fingerprint=lookup.body([*all_of_it, self.appid, is_declared]),
            next_at=None if first is None else first.moment,
        )


_Word = TypeVar("_Word", bound=StrEnum)

_KEY = re.compile(r"(?=.*[a-z])[a-z0-9][a-z0-9_-]{0,62}[a-z0-9]|[a-z]")
_LONGEST_NAME = 100
_NAMES = CampaignArguments.__annotations__.keys()
_REQUIRED = ("cron", "template_id", "audience", "content")
_LONGEST_SPREAD = timedelta(days=1)
_LONGEST_GRACE = timedelta(days=7)
_LONGEST_LIFE = timedelta(days=30)
_NONE = timedelta()


def read_key(value: object) -> str:
    """Read a campaign's key, which names it for good; raises InvalidInput. It is no number: those are runs'."""
    if isinstance(value, str) and _KEY.fullmatch(value):
        return value
    rule = "up to 64 of a-z, 0-9, - and _, with a letter in it, such as daily-news"
    raise InvalidInput("key", "is no key of a campaign", rule)


def read_definition(key: str, arguments: Mapping[str, Any], parts: Parts) -> Definition:
    """Read and check a campaign's arguments; raises InvalidInput naming field, fault and rule."""
    for name in arguments:
        if name not in _NAMES:
            raise InvalidInput(str(name)[:_LONGEST_NAME], "is no argument", f"there are {', '.join(_NAMES)}")
    for name in _REQUIRED:
        if arguments.get(name) is None:
            raise InvalidInput(name, "is missing", f"a campaign needs {', '.join(_REQUIRED)}")
    zone = parts.terms.zone if arguments.get("zone") is None else read_zone(arguments["zone"], "zone")
    template_id = read_template_id(arguments)
    found = parts.terms.catalogue.find(template_id)
    record = {"audience": _located(arguments["audience"]), "content": arguments["content"]}
    read = read_parts(record, parts, template_id=template_id, zone=zone)
    read.audience.check(read.recipe.columns)
    return Definition(
        key=read_key(key),
        name=_name(arguments.get("name"), key),
        cron=read_cron(arguments["cron"], zone),
        app_no=parts.app_no,
        appid=parts.terms.appid,
        template_id=template_id,
        template_no=found.template_no,
        policies=_policies(arguments),
        opened=read,
        record={"audience": dict(read.audience.definition), "content": read.recipe.as_record()},
    )


def stored_arguments(stored: StoredCampaign, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that a stored campaign was defined with; `record` is what it seals."""
    policies = stored.policies
    return {
        "name": stored.name,
        "cron": stored.cron,
        "zone": stored.zone,
        "appid": stored.appid,
        "template_id": stored.template_id,
        "audience": record["audience"],
        "content": record["content"],
        "lane": policies.lane,
        "spread": policies.spread,
        "expires": policies.life,
        "on_quota": policies.on_quota,
        "missed": policies.missed,
        "grace": policies.grace,
    }


def _policies(arguments: Mapping[str, Any]) -> Policies:
    default = Policies()
    return Policies(
        lane=_word(arguments, "lane", default.lane),
        spread=_span(arguments, "spread", default.spread, _NONE, _LONGEST_SPREAD),
        life=_span(arguments, "expires", default.life, timedelta(seconds=1), _LONGEST_LIFE),
        on_quota=_word(arguments, "on_quota", default.on_quota),
        missed=_word(arguments, "missed", default.missed),
        grace=_span(arguments, "grace", default.grace, _NONE, _LONGEST_GRACE),
    )


def _span(
    arguments: Mapping[str, Any], name: str, default: timedelta, shortest: timedelta, longest: timedelta
) -> timedelta:
    value = arguments.get(name)
    return default if value is None else read_span(value, name, shortest=shortest, longest=longest)


def _word(arguments: Mapping[str, Any], name: str, default: _Word) -> _Word:
    value = arguments.get(name)
    if value is None:
        return default
    try:
        return type(default)(value)
    except ValueError:
        raise InvalidInput(name, "is not one of its values", f"use {' or '.join(type(default))}") from None


def _name(value: object, key: str) -> str:
    if value is None:
        return key
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= _LONGEST_NAME:
        raise InvalidInput("name", "is no short text", f"give 1 to {_LONGEST_NAME} printable characters")
    return value


def _located(audience: object) -> object:
    """Write a file's path in full: who reads it later works in another directory."""
    if isinstance(audience, Mapping) and isinstance(path := audience.get("file"), str | Path) and str(path):
        return {**audience, "file": str(Path(path).absolute())}
    return audience
