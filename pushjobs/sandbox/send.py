"""The two send calls: what WeChat checks, in which order, and what an accepted message changes.

The order is one tuple for each call. Consent comes before content, as callers have seen it (a refused user with a wrong
date got 43101). Stricter than WeChat on purpose, unless lenient: fields it does not know are refused, ours among them,
because one that reaches WeChat would mean that we forgot to take it out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pushjobs.sandbox.answers import Refusal, refusal, refusal_content
from pushjobs.sandbox.catalogue import Template
from pushjobs.sandbox.options import Behave, Consents, Users
from pushjobs.sandbox.received import Verdict
from pushjobs.sandbox.request import Request
from pushjobs.sandbox.world import FORM_ID_LIFE, PREPAY_MESSAGES, App, FormId, World
from pushjobs.wechat import fields

__all__ = ["judge_legacy_send", "judge_subscribe_send", "set_aside"]

# Campaigns repeat their values a million times.
_fault = lru_cache(maxsize=4096)(fields.keyword_fault)

_LARGEST_BODY = 16 * 1024
_ESCAPED = re.compile(rb"(?<!\\)(?:\\\\)*\\u[0-9a-fA-F]{4}")
_CUT = 48  # WeChat cuts the text of a 47003 about here, before the request id

_STATES = frozenset({"developer", "trial", "formal"})
_LANGUAGES = frozenset({"zh_CN", "en_US", "zh_HK", "zh_TW"})
_SUBSCRIBE_FIELDS = frozenset({"touser", "template_id", "page", "data", "miniprogram_state", "lang"})
_LEGACY_FIELDS = frozenset({"touser", "template_id", "page", "form_id", "data", "emphasis_keyword", "color"})


@dataclass(slots=True)
class _Call:
    """A send on its way through the checks, which fill in what they find."""

    world: World
    request: Request
    message: dict[str, Any]
    app: App
    touser: str = ""
    template: Template | None = None
    holds: set[str] | None = None


_Check = Callable[[_Call], Refusal | None]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two calls: its checks in their order, what an accepted one spends, and whether it has a msgid."""

    checks: tuple[_Check, ...]
    spend: Callable[[_Call], None]
    has_msgid: bool


def judge_subscribe_send(world: World, request: Request) -> Verdict:
    """Judge `POST /cgi-bin/message/subscribe/send`."""
    return _judge(world, request, _SUBSCRIBE)


def judge_legacy_send(world: World, request: Request) -> Verdict:
    """Judge `POST /cgi-bin/message/wxopen/template/send`, withdrawn by WeChat in January 2020."""
    if world.settings.behave is Behave.TODAY:
        return set_aside(request, "", refusal(45103))
    return _judge(world, request, _LEGACY)


def set_aside(request: Request, appid: str, refused: Refusal | None) -> Verdict:
    """Return the verdict on a send that a fault keeps from being judged: refused, or read and left at that."""
    touser, template_id = (request.message.get(name) for name in ("touser", "template_id"))
    return Verdict(
        errcode=refused.errcode if refused else None,
        content=refusal_content(refused, request.arrived_at) if refused else b"",
        appid=appid,
        touser=touser if isinstance(touser, str) else "",
        template_id=template_id if isinstance(template_id, str) else "",
    )


def _judge(world: World, request: Request, kind: _Kind) -> Verdict:
    if request.method != "POST":
        return set_aside(request, "", refusal(43002))
    app = world.app_of(request.query.get("access_token"), request.arrived_at)
    if isinstance(app, Refusal):
        return set_aside(request, "", app)
    call = _Call(world, request, request.message, app)
    for check in kind.checks:
        refused = check(call)
        if refused is not None:
            verdict = set_aside(request, app.appid, refused)
            verdict.holds = call.holds
            return verdict
    kind.spend(call)
    return _accepted(call, next(world.msgids) if kind.has_msgid else 0)


def _accepted(call: _Call, msgid: int) -> Verdict:
    told = msgid and call.world.settings.msgid
    return Verdict(
        errcode=0,
        content=b'{"errcode":0,"errmsg":"ok","msgid":%d}' % msgid if told else b'{"errcode":0,"errmsg":"ok"}',
        appid=call.app.appid,
        touser=call.touser,
        template_id=call.message["template_id"],
        msgid=msgid,
        holds=call.holds,
    )


def _limits(call: _Call) -> Refusal | None:
    return call.app.meters[call.request.path].count(call.request.arrived_at, call.world.settings)


def _body(call: _Call) -> Refusal | None:
    body = call.request.body
    if not body:
        return refusal(44002)
    if len(body) > _LARGEST_BODY:
        return refusal(45014)
    if not call.request.is_utf8 or (b"\\u" in body and _ESCAPED.search(body)):
        return refusal(40033)
    return None if isinstance(call.request.json, dict) else refusal(47001)


def _fields_of(known: frozenset[str]) -> _Check:
    def check(call: _Call) -> Refusal | None:
        message = call.message
        if not message.keys() <= known and not call.world.settings.lenient:
            return refusal(47001, f"unknown field {min(message.keys() - known)}")
        for name, value in message.items():
            if name in known and name != "data" and not isinstance(value, str):
                return refusal(47001, f"{name} is no string")
        return None

    return check


def _recipient(call: _Call) -> Refusal | None:
    touser, app = call.message.get("touser"), call.app
    if not touser or touser in app.invalid:
        return refusal(40003)
    if call.world.settings.users is Users.STRICT and touser not in app.known:
        return refusal(40003)
    call.touser = touser
    return None


def _template(call: _Call) -> Refusal | None:
    call.template = call.app.templates.get(call.message.get("template_id", ""))
    return None if call.template else refusal(40037)


def _legacy_template(call: _Call) -> Refusal | None:
    call.template = call.app.legacy_templates.get(call.message.get("template_id", ""))
    return None if call.template else refusal(40037)


def _not_in_flight(call: _Call) -> Refusal | None:
    in_flight = call.app.in_flight
    if call.touser in in_flight:
        return refusal(43108)
    in_flight.add(call.touser)
    call.holds = in_flight
    return None


def _page(call: _Call) -> Refusal | None:
    return refusal(41030) if call.message.get("page", "").startswith("/") else None


def _kinds(call: _Call) -> Refusal | None:
    if call.message.get("miniprogram_state", "formal") not in _STATES:
        return _invalid("miniprogram_state invalid")
    return None if call.message.get("lang", "zh_CN") in _LANGUAGES else _invalid("lang invalid")


def _consent(call: _Call) -> Refusal | None:
    app, template_id = call.app, call.message["template_id"]
    if call.touser in app.refusing:
        return refusal(43101)
    needed = call.world.settings.consents is Consents.LEDGER
    return refusal(43101) if needed and app.credits.get((call.touser, template_id), 0) < 1 else None


def _content(call: _Call) -> Refusal | None:
    data = call.message.get("data")
    if not isinstance(data, dict):
        data = {}
    keywords = call.template.keywords if call.template else {}
    lenient = call.world.settings.lenient
    for key, allowed in keywords.items():
        entry = data.get(key)
        if not isinstance(entry, dict) or entry.get("value", "") == "":
            return _invalid(f"data.{key}.value is empty")
        value = entry["value"]
        if not isinstance(value, str) or _fault(key, value, allowed) or not (lenient or len(entry) == 1):
            return _invalid(f"data.{key}.value invalid")
    if len(data) != len(keywords) and not lenient:
        return _invalid(f"data.{min(data.keys() - keywords.keys())}.value invalid")
    return None


def _legacy_content(call: _Call) -> Refusal | None:
    data = call.message.get("data") or {}
    keywords = call.template.keywords if call.template else {}
    if not isinstance(data, dict):
        return _invalid("data invalid")
    for key, entry in data.items():
        value = entry.get("value") if isinstance(entry, dict) else None
        if key not in keywords or not isinstance(value, str) or (value and _fault(key, value)):
            return _invalid(f"data.{key}.value invalid")
    emphasis = call.message.get("emphasis_keyword")
    if emphasis and emphasis.removesuffix(".DATA") not in keywords:
        return _invalid("emphasis_keyword invalid")
    return None


def _form_id(call: _Call) -> Refusal | None:
    form = call.message.get("form_id", "")
    known = call.app.form_ids.get(form)
    if known is None and form and call.world.settings.consents is Consents.ALWAYS:
        # Nobody told us of it: whoever is sent to is its owner. The prepay_id of a payment begins with wx.
        left = PREPAY_MESSAGES if form.startswith("wx") else 1
        known = call.app.form_ids[form] = FormId(call.touser, left, call.request.arrived_at + FORM_ID_LIFE)
    if known is None or known.touser != call.touser or call.request.arrived_at >= known.expires_at:
        return refusal(41028)
    if call.touser in call.app.refusing:
        return refusal(43101)
    return refusal(41029) if known.left < 1 else None


def _spend_credit(call: _Call) -> None:
    if call.template:
        call.app.spend_credit(call.touser, call.template)


def _spend_form_id(call: _Call) -> None:
    call.app.form_ids[call.message["form_id"]].left -= 1


def _invalid(what: str) -> Refusal:
    return Refusal(47003, f"argument invalid! {what}"[:_CUT])


_SUBSCRIBE = _Kind(
    checks=(
        _limits,
        _body,
        _fields_of(_SUBSCRIBE_FIELDS),
        _recipient,
        _template,
        _not_in_flight,
        _page,
        _consent,
        _kinds,
        _content,
    ),
    spend=_spend_credit,
    has_msgid=True,
)
_LEGACY = _Kind(
    checks=(
        _limits,
        _body,
        _fields_of(_LEGACY_FIELDS),
        _recipient,
        _legacy_template,
        _not_in_flight,
        _page,
        _form_id,
        _legacy_content,
    ),
    spend=_spend_form_id,
    has_msgid=False,
)
