"""The doors under `/sandbox/`, which WeChat does not have: read the log, arrange the world, order faults.

They answer HTTP 400 with `{"error": …}` where a request cannot be carried out, at once and without the latency of
WeChat's doors. They are not counted, and they never fail on order.
"""

from collections.abc import Callable
from typing import Any

from pushjobs.sandbox.callbacks import popup_or_change
from pushjobs.sandbox.catalogue import LONG_TERM, ONE_TIME, template_with
from pushjobs.sandbox.content_check import LABELS
from pushjobs.sandbox.faults import read_rule
from pushjobs.sandbox.request import Request
from pushjobs.sandbox.world import (
    FORM_ID_LIFE,
    LOGIN_CODE_LIFE,
    PREPAY_MESSAGES,
    App,
    CheckedWord,
    FormId,
    LoginCode,
    World,
)
from pushjobs.wechat import fields

__all__ = ["PREFIX", "control"]

PREFIX = "/sandbox/"

_LONGEST_PAGE = 10_000
_Json = dict[str, Any] | list[Any]


def control(world: World, request: Request) -> tuple[int, _Json]:
    """Carry out a control request; return the HTTP status and the JSON of the answer."""
    doors = _DOORS.get(request.path.removeprefix(PREFIX))
    if doors is None:
        return 404, {"error": f"no door {request.path}; there are {', '.join(sorted(_DOORS))}"}
    door = doors.get(request.method)
    if door is None:
        return 405, {"error": f"{request.path} takes {' and '.join(doors)}"}
    try:
        return 200, door(world, request)
    except (ValueError, TypeError) as error:
        return 400, {"error": str(error)}


def _read_log(world: World, request: Request) -> _Json:
    after = int(request.query.get("after", "0"))
    limit = min(int(request.query.get("limit", "1000")), _LONGEST_PAGE)
    if after < 0 or limit < 1:
        raise ValueError("after begins at 0, limit at 1")
    return world.received.page(after, limit)


def _read_summary(world: World, _request: Request) -> _Json:
    return world.received.summary()


def _read_pace(world: World, _request: Request) -> _Json:
    return world.received.pace()


def _read_settings(world: World, _request: Request) -> _Json:
    return world.settings.as_json()


def _change_settings(world: World, request: Request) -> _Json:
    world.settings = world.settings.changed(_object(request))
    return world.settings.as_json()


def _add_templates(world: World, request: Request) -> _Json:
    """Give an app a template of a chosen `template_id`, as WeChat's library has none: `keywords` are its keys.

    They map each key (`thing1`) to the texts it allows, an empty list meaning any of its type; `kind` is 2 (one-time,
    unless said) or 3 (long-term), `title` what it is called. One of that id is replaced.
    """
    wanted = _object(request)
    template_id, title, kind = (
        _text(wanted, "template_id"),
        wanted.get("title", "Template"),
        wanted.get("kind", ONE_TIME),
    )
    keywords = wanted.get("keywords")
    if not isinstance(keywords, dict) or not keywords or not all(map(_is_texts, keywords.values())):
        raise ValueError("keywords maps keys to lists of the texts they allow")
    if unknown := [key for key in keywords if fields.value_type(key) is None]:
        raise ValueError(f"{unknown[0]} is no key of a subscribe template, such as thing1")
    if kind not in {ONE_TIME, LONG_TERM} or not isinstance(title, str):
        raise ValueError("kind is 2 for one-time and 3 for long-term subscriptions, title a string")
    _app(world, wanted).templates[template_id] = template_with(keywords, template_id, title=title, kind=kind)
    return {}


def _grant_consents(world: World, request: Request) -> _Json:
    """Add `credits` (default 1; of a long-term template one stands) for `touser` (one or a list) and `template_id`."""
    wanted = _object(request)
    app, template_id, added = _app(world, wanted), _text(wanted, "template_id"), wanted.get("credits", 1)
    if template_id not in app.templates:
        raise ValueError(f"{app.appid} has no template {template_id}")
    if type(added) is not int:
        raise ValueError("credits must be a whole number; a negative one takes away")
    for touser in _users(wanted):
        key = (touser, template_id)
        app.credits[key] = max(0, app.credits.get(key, 0) + added)
    return {}


def _add_form_ids(world: World, request: Request) -> _Json:
    """Make known a `form_id` of `touser`; `kind` is form or prepay, `age_seconds` how long ago the user acted."""
    wanted = _object(request)
    kind, age = wanted.get("kind", "form"), wanted.get("age_seconds", 0)
    if kind not in {"form", "prepay"} or not isinstance(age, (int, float)):
        raise ValueError("kind is form or prepay, age_seconds a number")
    left = PREPAY_MESSAGES if kind == "prepay" else 1
    form = FormId(_text(wanted, "touser"), left, request.arrived_at - age + FORM_ID_LIFE)
    _app(world, wanted).form_ids[_text(wanted, "form_id")] = form
    return {}


def _add_login_codes(world: World, request: Request) -> _Json:
    """Make known a `code` of `wx.login` for `touser`, made `age_seconds` ago; `unionid` if the user has one."""
    wanted = _object(request)
    age, unionid = wanted.get("age_seconds", 0), wanted.get("unionid")
    if not isinstance(age, (int, float)) or not isinstance(unionid, (str, type(None))):
        raise TypeError("age_seconds is a number, unionid a string")
    expires_at = request.arrived_at - age + LOGIN_CODE_LIFE
    login = LoginCode(touser=_text(wanted, "touser"), unionid=unionid, expires_at=expires_at)
    _app(world, wanted).login_codes[_text(wanted, "code")] = login
    return {}


def _mark_users(world: World, request: Request) -> _Json:
    """Say what open ids are: `touser` (one or a list), `are` known, refusing (43101) or invalid (40003)."""
    wanted = _object(request)
    app, users, mark = _app(world, wanted), set(_users(wanted)), wanted.get("are")
    marked = {"known": app.known, "refusing": app.refusing, "invalid": app.invalid}
    if mark not in marked:
        raise ValueError(f"are takes {', '.join(marked)}")
    for marks in marked.values():
        marks.difference_update(users)
    marked[mark].update(users)
    if mark == "refusing":
        app.known.update(users)
    return {}


def _note_visits(world: World, request: Request) -> _Json:
    """Say that `touser` (one or a list) opened the Mini Program `age_seconds` ago, as the content check asks."""
    wanted = _object(request)
    app, age = _app(world, wanted), wanted.get("age_seconds", 0)
    if not isinstance(age, (int, float)):
        raise TypeError("age_seconds is a number")
    for touser in _users(wanted):
        app.known.add(touser)
        app.seen_at[touser] = request.arrived_at - age
    return {}


def _mind_words(world: World, request: Request) -> _Json:
    """Have the content check find texts with `word` risky, or for review: `suggest`; `label` says what it is about."""
    wanted = _object(request)
    suggest, label = wanted.get("suggest", "risky"), wanted.get("label", 21000)
    if suggest not in {"risky", "review"} or label not in LABELS:
        raise ValueError(f"suggest is risky or review, label one of {', '.join(map(str, LABELS))}")
    word = _text(wanted, "word")
    _app(world, wanted).checked_words[word] = CheckedWord(word=word, suggest=suggest, label=label)
    return {}


def _tell_event(world: World, request: Request) -> _Json:
    """Let `touser` answer a dialog (`event` popup) or change a mind (change): `answers`, template → accept or reject.

    A yes adds a credit and a no takes all away, as it does at WeChat; the event is pushed where callbacks go to.
    """
    wanted = _object(request)
    app, name, answers = _app(world, wanted), wanted.get("event"), wanted.get("answers")
    if world.settings.callback_url is None:
        raise ValueError("no callback_url is set: there is nobody to push to")
    if name not in {"popup", "change"}:
        raise ValueError("event takes popup and change")
    if not isinstance(answers, dict) or not answers or not set(answers.values()) <= {"accept", "reject"}:
        raise ValueError("answers maps template ids to accept or reject")
    for touser in _users(wanted):
        for template_id, answer in answers.items():
            key = (touser, template_id)
            app.credits[key] = app.credits.get(key, 0) + 1 if answer == "accept" else 0
        world.callbacks.push(popup_or_change(app.appid, touser, name, answers), world.settings)
    return {}


def _read_callbacks(world: World, _request: Request) -> _Json:
    return dict(world.callbacks.counts())


def _list_faults(world: World, _request: Request) -> _Json:
    return [rule.as_json() for rule in world.faults.rules]


def _order_fault(world: World, request: Request) -> _Json:
    rule = read_rule(_object(request))
    world.faults.add(rule)
    return rule.as_json()


def _clear_faults(world: World, _request: Request) -> _Json:
    world.faults.rules.clear()
    return {}


def _reset(world: World, _request: Request) -> _Json:
    world.reset()
    return {}


def _object(request: Request) -> dict[str, Any]:
    if not isinstance(request.json, dict):
        raise TypeError("the body must be a JSON object")
    return request.message


def _app(world: World, wanted: dict[str, Any]) -> App:
    if "appid" not in wanted:
        return world.first_app()
    app = world.apps.get(wanted["appid"])
    if app is None:
        raise ValueError(f"no app {wanted['appid']}")
    return app


def _text(wanted: dict[str, Any], name: str) -> str:
    value = wanted.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a string that is not empty")
    return value


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)


def _users(wanted: dict[str, Any]) -> list[str]:
    users = wanted.get("touser")
    listed = users if isinstance(users, list) else [users]
    strings = [user for user in listed if isinstance(user, str) and user]
    if not strings or len(strings) < len(listed):
        raise ValueError("touser must be an open id or a list of them")
    return strings


_DOORS: dict[str, dict[str, Callable[[World, Request], _Json]]] = {
    "log": {"GET": _read_log},
    "summary": {"GET": _read_summary},
    "pace": {"GET": _read_pace},
    "settings": {"GET": _read_settings, "POST": _change_settings},
    "templates": {"POST": _add_templates},
    "consents": {"POST": _grant_consents},
    "form_ids": {"POST": _add_form_ids},
    "login_codes": {"POST": _add_login_codes},
    "users": {"POST": _mark_users},
    "events": {"POST": _tell_event},
    "visits": {"POST": _note_visits},
    "words": {"POST": _mind_words},
    "callbacks": {"GET": _read_callbacks},
    "faults": {"GET": _list_faults, "POST": _order_fault, "DELETE": _clear_faults},
    "reset": {"POST": _reset},
}
