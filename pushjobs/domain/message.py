"""A message: what is sent to whom, and every check that needs no server.

The names are WeChat's own (`touser`, `template_id`, `page`, `data` …), so that a caller's error speaks of what the
caller wrote. A `Content` is what many jobs may share; a `Message` adds the one recipient. How long a keyword's text
may be is WeChat's affair and comes in as a function; who may send which template is the producer's.

Invariants: a message that stands here can be written as UTF-8 and judged by WeChat field by field; its recipient and
texts are in no repr and in no error; equal contents are equal values, in whatever order their keywords were given.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from pushjobs.domain.hot_value import hot_value
from pushjobs.domain.template import Template
from pushjobs.errors import InvalidInput, InvalidMessage, gathered

__all__ = [
    "FORM_ID_LIFE",
    "Content",
    "FormIdKind",
    "KeywordFault",
    "Lang",
    "Message",
    "MiniProgramState",
    "can_be_stored",
    "find_faults",
    "has_form_of_touser",
    "is_storable",
    "read_content",
    "read_message",
    "read_page",
    "read_template_id",
    "read_texts",
    "read_touser",
]

KeywordFault = Callable[[str, str, Sequence[str]], tuple[str, str] | None]
"""Judges (key, text, the template's values for it): None, or the fault and the rule it breaks."""


class MiniProgramState(StrEnum):
    """Which build of the Mini Program the card opens: the published one, the trial version, the developers'."""

    FORMAL = "formal"
    TRIAL = "trial"
    DEVELOPER = "developer"


class Lang(StrEnum):
    """The language WeChat shows around the message."""

    ZH_CN = "zh_CN"
    EN_US = "en_US"
    ZH_HK = "zh_HK"
    ZH_TW = "zh_TW"


class FormIdKind(StrEnum):
    """Where a legacy form id comes from: a form's submission (one message) or a payment (three)."""

    FORM = "form"
    PREPAY = "prepay"

    @property
    def messages(self) -> int:
        """How many messages one serves (wechat-api.md section 2)."""
        return 3 if self is FormIdKind.PREPAY else 1


FORM_ID_LIFE = timedelta(days=7)
"""How long a legacy form id serves: "7 days from the user's action" (wechat-api.md section 2)."""


@hot_value
class Content:
    """What a message says, to whomever. `data` holds (key, text), sorted by key; without `page` the card opens nothing.

    `emphasis_keyword` ("keyword1.DATA") is legacy: the keyword to be shown large.
    """

    template_id: str
    data: tuple[tuple[str, str], ...] = field(repr=False)
    page: str | None = field(default=None, repr=False)
    miniprogram_state: MiniProgramState = MiniProgramState.FORMAL
    lang: Lang = Lang.ZH_CN
    emphasis_keyword: str | None = None

    def as_record(self) -> dict[str, object]:
        """Return the content as plain values that JSON can carry."""
        return {
            "template_id": self.template_id,
            "data": dict(self.data),
            "page": self.page,
            "miniprogram_state": self.miniprogram_state.value,
            "lang": self.lang.value,
            "emphasis_keyword": self.emphasis_keyword,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Content":
        """Build the content again from what `as_record` returned."""
        return cls(
            template_id=record["template_id"],
            data=tuple(record["data"].items()),
            page=record["page"],
            miniprogram_state=MiniProgramState(record["miniprogram_state"]),
            lang=Lang(record["lang"]),
            emphasis_keyword=record["emphasis_keyword"],
        )


@hot_value
class Message:
    """A content and its one recipient. With a `form_id` it is a legacy template message, else a subscribe message."""

    touser: str = field(repr=False)
    content: Content
    form_id: str | None = field(default=None, repr=False)
    form_id_kind: FormIdKind = FormIdKind.FORM

    @property
    def is_legacy(self) -> bool:
        """Whether this goes out as a template message of before 2020, on a form id."""
        return self.form_id is not None


_IDENTIFIER_LENGTH = 128  # an openid has 28 characters, a template id 43; no page sets a limit, this one is ours
_FORM_ID_LENGTH = 256  # ours as well; a prepay_id has 36
_PAGE_LENGTH = 1024
_KEY_LENGTH = 64
_MOST_KEYWORDS = 20  # today's templates have 2 to 5, those of before 2020 had up to 10; this one is ours

_KEY = re.compile("[a-z_]+[0-9]+")
# Neither can be stored: PostgreSQL's text takes no NUL, UTF-8 no half of a surrogate pair.
_NOT_STORED = re.compile(r"[\x00\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

has_form_of_touser: Callable[[str], object] = re.compile(f"[!-~]{{1,{_IDENTIFIER_LENGTH}}}").fullmatch
"""Whether `read_touser` would take this text, something true or None: a quicker look at a million of them."""

_Choice = TypeVar("_Choice", FormIdKind, Lang, MiniProgramState)


def read_message(arguments: Mapping[str, object], *, template: Template | None, keyword_fault: KeywordFault) -> Message:
    """Read a message from the caller's arguments, or refuse it with `InvalidMessage` naming field, fault and rule.

    `data` maps keywords to {"value": text} or to the bare text; numbers become text, WeChat's `color` is dropped, and a
    trailing `.DATA` of a keyword is taken off. Without a template (the app's catalogue was never synced) each text is
    judged by the type in its key alone. Arguments of other names are not looked at.
    """
    form_id = _form_id(arguments)
    return Message(
        touser=read_touser(arguments),
        content=_content(arguments, template, keyword_fault, is_legacy=form_id is not None),
        form_id=form_id,
        form_id_kind=_form_id_kind(arguments),
    )


def read_content(arguments: Mapping[str, object], *, template: Template | None, keyword_fault: KeywordFault) -> Content:
    """Read a content that many jobs share, by the same rules as `read_message`; it is never a legacy one."""
    return _content(arguments, template, keyword_fault, is_legacy=False)


def find_faults(
    arguments: Mapping[str, object], *, template: Template | None, keyword_fault: KeywordFault
) -> list[InvalidInput]:
    """Return everything for which `read_message` would refuse these arguments; nothing if it would take them.

    `read_message` stops at the first fault. This is for whoever mends a file, and wants to hear of all of them.
    """
    found: list[InvalidInput] = []
    for read in (read_touser, read_template_id, _page, _state, _lang, _form_id, _form_id_kind):
        with gathered(found):
            read(arguments)
    is_legacy = arguments.get("form_id") is not None
    texts: dict[str, str] = {}
    with gathered(found):
        found += _data_faults(arguments.get("data"), template, keyword_fault, texts=texts, may_be_empty=is_legacy)
        _emphasis(arguments, texts, is_legacy=is_legacy)
    return found


def read_texts(data: object) -> dict[str, str]:
    """Read the texts of `data` by keyword, whatever template they are for, or refuse it with `InvalidMessage`."""
    texts: dict[str, str] = {}
    if refusal := next(_form_faults(data, texts, may_be_empty=False), None):
        raise refusal
    return texts


def read_page(arguments: Mapping[str, object]) -> str | None:
    """Read which page the message opens, None for none, or refuse it with `InvalidMessage`."""
    return _page(arguments)


def can_be_stored(text: str) -> bool:
    """Say whether a text can be written as UTF-8 and kept: it holds no NUL and no half of a surrogate pair."""
    return _NOT_STORED.search(text) is None


def read_template_id(arguments: Mapping[str, object]) -> str:
    """Read which template is meant, before anything is known of it, or refuse it with `InvalidMessage`."""
    return _identifier(arguments, "template_id", "the id of one of the app's templates")


def read_touser(arguments: Mapping[str, object]) -> str:
    """Read which user is meant, or refuse it with `InvalidMessage`."""
    return _identifier(arguments, "touser", "the user's openid")


def is_storable(value: str) -> bool:
    """Whether a text can be stored and sent at all: it holds no NUL and no half of a surrogate pair."""
    # What is printable holds neither, and that is asked in half the time.
    return value.isprintable() or _NOT_STORED.search(value) is None


def _content(
    arguments: Mapping[str, object], template: Template | None, keyword_fault: KeywordFault, *, is_legacy: bool
) -> Content:
    template_id = read_template_id(arguments)
    texts: dict[str, str] = {}
    data = arguments.get("data")
    if refusal := next(_data_faults(data, template, keyword_fault, texts=texts, may_be_empty=is_legacy), None):
        raise refusal
    return Content(
        template_id=template_id,
        data=tuple(sorted(texts.items())),
        page=_page(arguments),
        miniprogram_state=_state(arguments),
        lang=_lang(arguments),
        emphasis_keyword=_emphasis(arguments, texts, is_legacy=is_legacy),
    )


def _identifier(arguments: Mapping[str, object], name: str, what: str) -> str:
    value = arguments.get(name)
    if value is None or value == "":
        raise InvalidMessage(name, "is missing", f"give {what}")
    if not isinstance(value, str):
        raise InvalidMessage(name, f"is no text ({type(value).__name__})", f"give {what}")
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise InvalidMessage(name, "holds a blank or a character beyond ASCII", f"give {what}")
    if len(value) > _IDENTIFIER_LENGTH:
        raise InvalidMessage(name, f"is {len(value)} characters long", f"it has up to {_IDENTIFIER_LENGTH}")
    return value


def _optional_text(arguments: Mapping[str, object], name: str, longest: int) -> str | None:
    value = arguments.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        fault = "is empty" if value == "" else f"is no text ({type(value).__name__})"
        raise InvalidMessage(name, fault, f"give a text of up to {longest} characters, or leave it out")
    if len(value) > longest:
        raise InvalidMessage(name, f"is {len(value)} characters long", f"it has up to {longest}")
    # What is printable holds neither: asked first, because nearly every text is.
    if not value.isprintable() and (_CONTROL.search(value) or not is_storable(value)):
        raise InvalidMessage(name, "holds a control character or half a surrogate pair", "give plain text")
    return value


def _page(arguments: Mapping[str, object]) -> str | None:
    if arguments.get("page") == "":  # WeChat: an empty page means no jump
        return None
    page = _optional_text(arguments, "page", _PAGE_LENGTH)
    if page is not None and page.startswith("/"):
        raise InvalidMessage("page", "begins with a slash", "WeChat takes pages without one (index?order=1)")
    return page


def _form_id(arguments: Mapping[str, object]) -> str | None:
    return _optional_text(arguments, "form_id", _FORM_ID_LENGTH)


def _form_id_kind(arguments: Mapping[str, object]) -> FormIdKind:
    return _choice(arguments, "form_id_kind", FormIdKind.FORM)


def _state(arguments: Mapping[str, object]) -> MiniProgramState:
    return _choice(arguments, "miniprogram_state", MiniProgramState.FORMAL)


def _lang(arguments: Mapping[str, object]) -> Lang:
    return _choice(arguments, "lang", Lang.ZH_CN)


def _choice(arguments: Mapping[str, object], name: str, default: _Choice) -> _Choice:
    value = arguments.get(name)
    if value is None:
        return default
    kind = type(default)
    if isinstance(value, str):
        with suppress(ValueError):
            return kind(value)
    raise InvalidMessage(name, "is not one of its values", f"use {', '.join(kind)}")


def _emphasis(arguments: Mapping[str, object], texts: Mapping[str, str], *, is_legacy: bool) -> str | None:
    emphasis = arguments.get("emphasis_keyword")
    if emphasis is None or emphasis == "":
        return None
    if not is_legacy:
        raise InvalidMessage("emphasis_keyword", "is not for subscribe messages", "leave it out, or give a form_id")
    if not isinstance(emphasis, str) or emphasis.removesuffix(".DATA") not in texts or not emphasis.endswith(".DATA"):
        raise InvalidMessage("emphasis_keyword", "names no keyword of data", "write it as keyword1.DATA")
    return emphasis


def _data_faults(
    data: object,
    template: Template | None,
    keyword_fault: KeywordFault,
    *,
    texts: dict[str, str],
    may_be_empty: bool,
) -> Iterator[InvalidMessage]:
    """Yield what is wrong with `data`, its form first; run to its end, it has put what can be read into `texts`."""
    refused: list[str] = []
    for refusal in _form_faults(data, texts, may_be_empty=may_be_empty):
        refused.append(refusal.field.removeprefix("data."))
        yield refusal
    allowed = {each.key: each.allowed for each in template.fields} if template else {}
    if template is not None and texts.keys() != allowed.keys() and isinstance(data, dict) and data:
        yield from _match([*texts, *refused], list(allowed))
    for key, text in texts.items():
        if fault := keyword_fault(key, text, allowed.get(key, ())):
            yield InvalidMessage(f"data.{key}", *fault)


def _form_faults(data: object, texts: dict[str, str], *, may_be_empty: bool) -> Iterator[InvalidMessage]:
    """Yield each entry that is no keyword with a text; put the others into `texts`."""
    if data is None:
        data = {}
    if not isinstance(data, dict) or not (data or may_be_empty):
        fault = "is missing or empty" if isinstance(data, dict) else f"is no object ({type(data).__name__})"
        yield InvalidMessage("data", fault, 'give an object such as {"thing1": {"value": "text"}}')
        return
    if len(data) > _MOST_KEYWORDS:
        yield InvalidMessage("data", f"has {len(data)} keywords", f"a message has up to {_MOST_KEYWORDS}")
        return
    for number, (written, value) in enumerate(data.items(), start=1):
        key = _key(written) if isinstance(written, str) and len(written) <= _KEY_LENGTH + len(".DATA") else None
        if key is None:
            rule = "a key is a type and a number, such as thing1"
            yield InvalidMessage("data", f"has a key of the wrong form (key number {number})", rule)
        elif key in texts:
            yield InvalidMessage(f"data.{key}", "is given twice", "give it once, without .DATA")
        else:
            try:
                texts[key] = _text(f"data.{key}", value)
            except InvalidMessage as refusal:
                yield refusal


@lru_cache(maxsize=1024)
def _key(written: str) -> str | None:
    """Return a keyword's key, None for what is none; the same few come again and again."""
    key = written.removesuffix(".DATA")
    return key if len(key) <= _KEY_LENGTH and _KEY.fullmatch(key) else None


def _text(name: str, value: object) -> str:
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _digits(name, value)
    if value is None:
        raise InvalidMessage(name, "has no value", 'write {"value": "text"} or "text"')
    if not isinstance(value, str):
        raise InvalidMessage(name, f"is no text ({type(value).__name__})", 'write {"value": "text"} or "text"')
    if not is_storable(value):
        raise InvalidMessage(name, "holds a NUL or half a surrogate pair", "give text that UTF-8 can write")
    return value


def _digits(name: str, value: float) -> str:
    # Asked this way round, the question refuses nan too; and Python writes out no int of more than 4,300 digits.
    if not abs(value) < 10**32:
        raise InvalidMessage(name, "is not a number of up to 32 digits", "give a smaller number, or a text")
    return str(int(value)) if isinstance(value, int) else format(Decimal(repr(float(value))), "f")


def _match(given: Collection[str], needed: Collection[str]) -> Iterator[InvalidMessage]:
    for key in given:
        if key not in needed and key != "data":  # an entry whose key is of no form is told as `data` itself
            yield InvalidMessage(f"data.{key}", "is no keyword of the template", f"it has {', '.join(needed)}")
    for key in needed:
        if key not in given:
            yield InvalidMessage(f"data.{key}", "is missing", f"the template needs {', '.join(needed)}")
