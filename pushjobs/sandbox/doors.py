"""WeChat's doors but the sends: path → method, what a wrong method is answered, and who answers.

A door asks for a token and counts the call for the app behind it; those that hand out tokens, clear the counters
without one, or log a user in ask for the app's secret.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from pushjobs.sandbox import account, content_check, legacy_templates, paths, templates
from pushjobs.sandbox.answers import OK, Refusal, refusal, refusal_content
from pushjobs.sandbox.options import Settings
from pushjobs.sandbox.request import Request
from pushjobs.sandbox.tokens import Grant
from pushjobs.sandbox.world import App, World

__all__ = ["answer"]

_NO_LIMITS = Settings()


_Answer = dict[str, Any] | Refusal


@dataclass(frozen=True, slots=True)
class _Door:
    method: str
    wrong_method: int
    answer: Callable[[World, App, Request], _Answer]


@dataclass(frozen=True, slots=True)
class _OpenDoor:
    """A door that asks for no token."""

    method: str
    wrong_method: int
    answer: Callable[[World, Request], _Answer]


def answer(world: World, request: Request) -> bytes:
    """Answer any of WeChat's calls that is not a send; an unknown path is answered 40066, as WeChat does."""
    given = _given(world, request)
    if isinstance(given, Refusal):
        return refusal_content(given, request.arrived_at)
    if given.get("errcode", 0) != OK["errcode"]:
        more = {name: value for name, value in given.items() if name not in OK}
        return refusal_content(Refusal(given["errcode"], given["errmsg"]), request.arrived_at, **more)
    return orjson.dumps(given)


def _given(world: World, request: Request) -> _Answer:
    door = _DOORS.get(request.path)
    if door is None:
        return refusal(40066)
    if request.method != door.method:
        return refusal(door.wrong_method)
    if isinstance(door, _OpenDoor):
        return _bad_body(door, request) or door.answer(world, request)
    app = world.app_of(request.query.get("access_token"), request.arrived_at)
    if isinstance(app, Refusal):
        return app
    app.meters[request.path].count(request.arrived_at, _NO_LIMITS)
    return _bad_body(door, request) or door.answer(world, app, request)


def _bad_body(door: _Door | _OpenDoor, request: Request) -> Refusal | None:
    if door.method != "POST" or isinstance(request.json, dict):
        return None
    return refusal(47001) if request.body else refusal(44002)


def _token(world: World, request: Request) -> _Answer:
    if request.query.get("grant_type") != "client_credential":
        return refusal(40002)
    app = world.app_with_secret(request.query.get("appid"), request.query.get("secret"))
    return app if isinstance(app, Refusal) else _granted(world.tokens.plain(app.appid, request.arrived_at), request)


def _stable_token(world: World, request: Request) -> _Answer:
    wanted = request.message
    if wanted.get("grant_type") != "client_credential":
        return refusal(40002)
    app = world.app_with_secret(wanted.get("appid"), wanted.get("secret"))
    if isinstance(app, Refusal):
        return app
    if wanted.get("force_refresh", False) is True:
        grant = world.tokens.forced(app.appid, request.arrived_at)
        return grant if isinstance(grant, Refusal) else _granted(grant, request)
    return _granted(world.tokens.stable(app.appid, request.arrived_at), request)


def _granted(grant: Grant, request: Request) -> dict[str, Any]:
    return {"access_token": grant.text, "expires_in": int(grant.expires_at - request.arrived_at)}


_GET_TEMPLATE_DOORS = {
    paths.TEMPLATES: templates.get_templates,
    paths.CATEGORY: templates.get_categories,
    paths.TITLES: templates.get_titles,
    paths.KEYWORDS: templates.get_keywords,
}
_POST_TEMPLATE_DOORS = {paths.ADD_TEMPLATE: templates.add_template, paths.DELETE_TEMPLATE: templates.delete_template}
_POST_DOORS = {
    paths.QUOTA: account.get_quota,
    paths.CLEAR_QUOTA: account.clear_quota,
    paths.PAST_REQUEST: account.get_past_request,
    paths.CONTENT_CHECK: content_check.check_content,
    paths.LEGACY_TITLES: legacy_templates.get_titles,
    paths.LEGACY_KEYWORDS: legacy_templates.get_keywords,
    paths.LEGACY_ADD: legacy_templates.add_template,
    paths.LEGACY_TEMPLATES: legacy_templates.get_templates,
    paths.LEGACY_DELETE: legacy_templates.delete_template,
    paths.UNIFORM_SEND: legacy_templates.send_uniform,
}
_DOORS: dict[str, _Door | _OpenDoor] = {
    **{path: _Door("GET", 404, answer) for path, answer in _GET_TEMPLATE_DOORS.items()},
    **{path: _Door("POST", 404, answer) for path, answer in _POST_TEMPLATE_DOORS.items()},
    **{path: _Door("POST", 43002, answer) for path, answer in _POST_DOORS.items()},
    paths.TOKEN: _OpenDoor("GET", 43001, _token),
    paths.STABLE_TOKEN: _OpenDoor("POST", 43002, _stable_token),
    paths.CLEAR_QUOTA_BY_SECRET: _OpenDoor("POST", 43002, account.clear_quota_by_secret),
    paths.LOGIN: _OpenDoor("GET", 43001, account.log_in),
}
