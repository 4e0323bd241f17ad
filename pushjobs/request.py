"""What a caller asks for, read and checked; nothing is stored here.

The argument names are WeChat's own plus ours, the same on every door: Python, Celery, command line, HTTP.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypedDict, TypeVar
from zoneinfo import ZoneInfo

from pushjobs import clock
from pushjobs.catalogue import Catalogue
from pushjobs.domain.job import Lane, OnQuota
from pushjobs.domain.message import (
    FORM_ID_LIFE,
    Content,
    FormIdKind,
    KeywordFault,
    Lang,
    Message,
    MiniProgramState,
    read_content,
    read_message,
    read_template_id,
)
from pushjobs.domain.message import (
    find_faults as find_message_faults,
)
from pushjobs.domain.moment import read_deadline, read_moment
from pushjobs.domain.translation import Translated, translate
from pushjobs.domain.words import refusing
from pushjobs.errors import InvalidInput, InvalidMessage, InvalidMoment, LegacyWithdrawn, UnknownTemplate, gathered
from pushjobs.wechat.fields import keyword_fault, shortened

__all__ = [
    "ContentArguments",
    "JobArguments",
    "Request",
    "StoredContent",
    "Terms",
    "find_faults",
    "named_app",
    "read_name",
    "read_request",
    "read_shared",
]

_LONGEST_NAME = 200


class ContentArguments(TypedDict, total=False):
    """What a message says, in WeChat's words; what is None counts as left out."""

    template_id: str
    """WeChat's id of the template. Needed, unless `content` is given."""
    data: Mapping[str, Any]
    """Every keyword of the template and no other: `{"thing1": "text"}`, or `{"thing1": {"value": "text"}}`."""
    page: str | None
    """Where the message leads, within the Mini Program, such as `pages/order?id=1`; without a leading slash."""
    miniprogram_state: str | MiniProgramState
    """Which build the message opens: `formal` (the default), `trial`, `developer`."""
    lang: str | Lang
    """The language of what WeChat writes around the message: `zh_CN` (the default), `en_US`, `zh_HK`, `zh_TW`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContent:
    """A content stored once, to be named by many jobs of its app as `content=`; what it holds is ours to know.

    `appid`: that app; `content_no` and `template_no`: our numbers of the content and its template; `content`: what it
    says, as it was read.
    """

    appid: str
    content_no: int
    template_no: int
    content: Content


class JobArguments(ContentArguments, total=False):
    """Everything a job can be asked for with; what is None counts as left out."""

    touser: str
    """The user's open id. Needed."""
    content: StoredContent
    """What `store_content` returned, in place of `template_id`, `data`, `page`, `miniprogram_state` and `lang`."""
    form_id: str
    """Legacy: the form or prepay id that the message uses up; it serves for 7 days."""
    form_id_kind: str | FormIdKind
    """Legacy: `form` (the default; one message) or `prepay` (three)."""
    emphasis_keyword: str
    """Legacy: the keyword that is shown large, such as `keyword1.DATA`."""
    time: Any
    """`"2026-12-01 08:00:00"` in the app's zone, ISO 8601 with an offset, or an aware `datetime`; None: now."""
    expires: Any
    """The deadline, a moment or a `timedelta` after `time`; None: 48 hours."""
    lane: str | Lane
    """`urgent`, which is the default of `send`, or `bulk`, which is that of `send_many`."""
    idempotency_key: str
    """1 to 200 printable characters; with the same arguments it makes one job, until 30 days after its deadline."""
    reference: str
    """The caller's own, 1 to 200 printable characters, to find, cancel and move jobs by; not encrypted."""
    on_quota: str | OnQuota
    """What is done when the user has had the day's messages: `defer` (the default) or `refuse`."""
    appid: str
    """The app to send for; None: the one that is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What requests are read against: the app, its templates and zone, and whether legacy messages can be sent."""

    appid: str
    catalogue: Catalogue
    zone: ZoneInfo
    takes_legacy: bool


_NAMES = JobArguments.__annotations__.keys()
_SHARED_NAMES = ContentArguments.__annotations__.keys()
_NOT_BESIDE_CONTENT = _SHARED_NAMES | {"form_id", "form_id_kind", "emphasis_keyword"}

_Choice = TypeVar("_Choice", Lane, OnQuota)


class Request(NamedTuple):
    """A request that can be stored. `content` is set if the content is shared.

    `asked_at`: its moment as given, None for now; `planned_at`: never past; `is_due`: its moment is now or past. A
    tuple because ten thousand are made for a batch.
    """

    message: Message
    template_no: int
    content: StoredContent | None
    asked_at: datetime | None
    planned_at: datetime
    expires_at: datetime
    is_due: bool
    lane: Lane
    on_quota: OnQuota
    reference: str | None
    idempotency_key: str | None

    def body(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Return what an idempotency key stands for: everything that makes this job differ from another."""
        return {
            "touser": self.message.touser,
            "form_id": self.message.form_id,
            "form_id_kind": self.message.form_id_kind,
            "content": self.message.content.as_record(),
            # As given, not as it worked out: a repeat a second later has another "now".
            "time": self.asked_at,
            "expires": _as_given(arguments.get("expires"), self.expires_at),
            "lane": self.lane,
            "on_quota": self.on_quota,
            "reference": self.reference,
        }


def read_request(arguments: Mapping[str, object], terms: Terms, *, lane: Lane) -> Request:
    """Read a job's keyword arguments; raises InvalidInput naming field, fault and rule. `lane` is the default."""
    if not isinstance(arguments, Mapping):
        raise _no_mapping(arguments)
    _refuse_unknown(arguments, _NAMES)
    message, template_no, shared = _message(arguments, terms)
    now = clock.now()
    asked_at = _asked_at(arguments, terms)
    planned_at = _planned_at(asked_at, now, is_legacy=message.is_legacy)
    return Request(
        message=message,
        template_no=template_no,
        content=shared,
        asked_at=asked_at,
        planned_at=planned_at,
        expires_at=read_deadline(arguments.get("expires"), planned_at, terms.zone),
        is_due=planned_at == now,
        lane=_choice(arguments, "lane", lane),
        on_quota=_choice(arguments, "on_quota", OnQuota.DEFER),
        reference=read_name(arguments, "reference"),
        idempotency_key=read_name(arguments, "idempotency_key"),
    )


def named_app(arguments: object) -> object:
    """Return the appid that a row names, None where it names none."""
    return arguments.get("appid") if isinstance(arguments, Mapping) else None


def find_faults(arguments: object, terms: Terms) -> list[InvalidInput]:
    """Return everything for which `read_request` would refuse these arguments, nothing if it would take them.

    Stores nothing. What only the database can tell, an idempotency key that stands for another body, it does not say.
    """
    if not isinstance(arguments, Mapping):
        return [_no_mapping(arguments)]
    found: list[InvalidInput] = []
    with gathered(found):
        found += [_unknown(name, _NAMES) for name in arguments if name not in _NAMES]
        # Only what can be told apart can be looked at one by one: past here no fault hides another.
        _gather_faults(arguments, terms, found)
    return found


def _gather_faults(arguments: Mapping[str, object], terms: Terms, found: list[InvalidInput]) -> None:
    faults, is_legacy = _message_faults(arguments, terms)
    found += faults
    now = planned_at = clock.now()
    with gathered(found):
        planned_at = _planned_at(_asked_at(arguments, terms), now, is_legacy=is_legacy)
    with gathered(found):
        read_deadline(arguments.get("expires"), planned_at, terms.zone)
    with gathered(found):
        _choice(arguments, "lane", Lane.BULK)
    with gathered(found):
        _choice(arguments, "on_quota", OnQuota.DEFER)
    for name in ("reference", "idempotency_key"):
        with gathered(found):
            read_name(arguments, name)


def _message_faults(arguments: Mapping[str, object], terms: Terms) -> tuple[list[InvalidInput], bool]:
    """Return what is wrong with the message, and whether it is one that goes out as a legacy message."""
    found: list[InvalidInput] = []
    if arguments.get("content") is not None:
        with gathered(found):
            _message(arguments, terms)
        return found, False
    template = None
    judge: KeywordFault = keyword_fault
    with gathered(found):
        template_id = read_template_id(arguments)
        judge = _judge(template_id, terms.catalogue)
        if (translated := _translated(template_id, arguments, terms.catalogue)) is not None:
            # The translation has judged the texts, by the names the caller gave them.
            others = find_message_faults(translated.arguments, template=None, keyword_fault=keyword_fault)
            return translated.faults + [each for each in others if not each.field.startswith("data")], False
        if _is_legacy(arguments):
            _refuse_legacy(terms)
        else:
            template = terms.catalogue.look_up(template_id)
    # An id that cannot be read is a fault of the template's lookup and of the message: it is told once.
    told = {(each.field, each.fault) for each in found}
    faults = find_message_faults(arguments, template=template, keyword_fault=judge)
    return found + [each for each in faults if (each.field, each.fault) not in told], _is_legacy(arguments)


def read_shared(arguments: Mapping[str, object], *, catalogue: Catalogue) -> tuple[Content, int]:
    """Read a content that many jobs will share, and our number for its template; raises InvalidInput."""
    _refuse_unknown(arguments, _SHARED_NAMES)
    template_id = read_template_id(arguments)
    if (translated := _translated(template_id, arguments, catalogue)) is not None:
        arguments, template_id = _sound(translated)
    found = catalogue.find(template_id)
    judge = _judge(template_id, catalogue)
    return read_content(arguments, template=found.template, keyword_fault=judge), found.template_no


def _message(arguments: Mapping[str, object], terms: Terms) -> tuple[Message, int, StoredContent | None]:
    shared = arguments.get("content")
    if shared is None:
        template_id = read_template_id(arguments)
        if (translated := _translated(template_id, arguments, terms.catalogue)) is not None:
            arguments, template_id = _sound(translated)
        if is_legacy := _is_legacy(arguments):
            _refuse_legacy(terms)
        found = (terms.catalogue.legacy if is_legacy else terms.catalogue.find)(template_id)
        judge = _judge(template_id, terms.catalogue)
        return read_message(arguments, template=found.template, keyword_fault=judge), found.template_no, None
    if not isinstance(shared, StoredContent):
        raise InvalidMessage("content", "is no stored content", "give what `store_content` returned")
    if shared.appid != terms.appid:
        raise InvalidMessage("content", "is another app's", f"store it with `push.app({terms.appid!r}).store_content`")
    if both := sorted(_NOT_BESIDE_CONTENT & {name for name, value in arguments.items() if value is not None}):
        raise InvalidMessage(both[0], "is given beside a stored content", "leave it out: the content says all")
    own = {**shared.content.as_record(), "touser": arguments.get("touser")}
    recipient = read_message(own, template=None, keyword_fault=lambda *_: None)
    message = Message(touser=recipient.touser, content=shared.content)
    return message, shared.template_no, shared


def _translated(template_id: str, arguments: Mapping[str, object], catalogue: Catalogue) -> Translated | None:
    """Translate a message whose template is mapped to another; None for one that goes out as it is."""
    if (translation := catalogue.translation(template_id)) is None:
        return None
    try:
        template = catalogue.look_up(translation.template_id)
    except UnknownTemplate:
        rule = "map it anew: `pushjobs template map`"
        raise UnknownTemplate("template_id", "is mapped to a template that is gone", rule) from None
    judge = _judge(translation.template_id, catalogue)
    return translate(arguments, translation, template=template, keyword_fault=judge, shorten=shortened)


def _judge(template_id: str, catalogue: Catalogue) -> KeywordFault:
    """Judge texts by their types, and by the words that the template's messages must not hold."""
    return refusing(catalogue.forbidden(template_id), keyword_fault)


def _sound(translated: Translated) -> tuple[Mapping[str, object], str]:
    if translated.faults:
        raise translated.faults[0]
    return translated.arguments, read_template_id(translated.arguments)


def _is_legacy(arguments: Mapping[str, object]) -> bool:
    return arguments.get("form_id") is not None


def _refuse_legacy(terms: Terms) -> None:
    if not terms.takes_legacy:
        raise LegacyWithdrawn(
            "form_id",
            "asks for a legacy template message",
            "WeChat withdrew them in 2020 (45103); use a subscribe template",
        )


def _refuse_unknown(arguments: Mapping[str, object], names: Collection[str]) -> None:
    for name in arguments:
        if name not in names:
            raise _unknown(name, names)


def _unknown(name: object, names: Collection[str]) -> InvalidInput:
    return InvalidInput(str(name)[:_LONGEST_NAME], "is no argument", f"there are {', '.join(sorted(names))}")


def _no_mapping(arguments: object) -> InvalidInput:
    return InvalidInput("row", f"is no mapping ({type(arguments).__name__})", "give the arguments of `send`")


def _asked_at(arguments: Mapping[str, object], terms: Terms) -> datetime | None:
    asked = arguments.get("time")
    return None if asked is None else read_moment(asked, terms.zone)


def _planned_at(asked_at: datetime | None, now: datetime, *, is_legacy: bool) -> datetime:
    # A moment in the past is due now: lateness and deadline count from when we heard of it.
    planned_at = now if asked_at is None else max(asked_at, now)
    if is_legacy and planned_at - now > FORM_ID_LIFE:
        raise InvalidMoment(
            "time",
            "lies beyond the life of its form_id",
            "a form id serves for 7 days from the user's action, whether of a form or of a payment",
        )
    return planned_at


def _as_given(expires: object, expires_at: datetime) -> datetime | float | None:
    if expires is None:
        return None
    return expires.total_seconds() if isinstance(expires, timedelta) else expires_at


def _choice(arguments: Mapping[str, object], name: str, default: _Choice) -> _Choice:
    value = arguments.get(name)
    if value is None:
        return default
    words: list[StrEnum] = list(type(default))
    for word in words:
        if value == word:
            return type(default)(word)
    raise InvalidInput(name, "is not one of its values", f"use {' or '.join(words)}")


def read_name(arguments: Mapping[str, object], field: str) -> str | None:
    """Read a short text such as a reference, None where it is not given; raises InvalidInput."""
    value = arguments.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= _LONGEST_NAME:
        raise InvalidInput(field, "is no short text", f"give 1 to {_LONGEST_NAME} printable characters")
    return value
