"""WeChat's doors but the sends: path → method, what a wrong method is answered, and who answers.

A door either hands out tokens, or asks for one and counts the call for the app behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from pushjobs.sandbox import paths, templates
from pushjobs.sandbox.answers import OK, Refusal, refusal, refusal_content
from pushjobs.sandbox.options import Settings
from pushjobs.sandbox.request import Request
from pushjobs.sandbox.tokens import Grant
from pushjobs.sandbox.world import App, World

__all__ = ["answer"]

_NO_LIMITS = Settings()


@dataclass(frozen=True, slots=True)
class _Door:
    method: str
    wrong_method: int
    answer: Callable[[World, App, Request], dict[str, Any] | Refusal]


_GET_TEMPLATE_DOORS = {
    paths.TEMPLATES: templates.get_templates,
    paths.CATEGORY: templates.get_categories,
    paths.TITLES: templates.get_titles,
    paths.KEYWORDS: templates.get_keywords,
}
_POST_TEMPLATE_DOORS = {paths.ADD_TEMPLATE: templates.add_template, paths.DELETE_TEMPLATE: templates.delete_template}
_DOORS = {
    **{path: _Door("GET", 404, answer) for path, answer in _GET_TEMPLATE_DOORS.items()},
    **{path: _Door("POST", 404, answer) for path, answer in _POST_TEMPLATE_DOORS.items()},
    paths.QUOTA: _Door("POST", 43002, templates.get_quota),
}


def answer(world: World, request: Request) -> bytes:
    """Answer any of WeChat's calls that is not a send; an unknown path is answered 40066, as WeChat does."""
    if request.path == paths.TOKEN:
        given = _token(world, request)
    elif request.path == paths.STABLE_TOKEN:
        given = _stable_token(world, request)
    else:
        given = _with_token(world, request)
    if isinstance(given, Refusal):
        return refusal_content(given, request.arrived_at)
    if given.get("errcode", 0) != OK["errcode"]:
        more = {name: value for name, value in given.items() if name not in OK}
        return refusal_content(Refusal(given["errcode"], given["errmsg"]), request.arrived_at, **more)
    return orjson.dumps(given)


def _with_token(world: World, request: Request) -> dict[str, Any] | Refusal:
    door = _DOORS.get(request.path)
    if door is None:
        return refusal(40066)
    if request.method != door.method:
        return refusal(door.wrong_method)
    app = world.app_of(request.query.get("access_token"), request.arrived_at)
    if isinstance(app, Refusal):
        return app
    app.meters[request.path].count(request.arrived_at, _NO_LIMITS)
    if door.method == "POST" and not isinstance(request.json, dict):
        return refusal(47001) if request.body else refusal(44002)
    return door.answer(world, app, request)


def _token(world: World, request: Request) -> dict[str, Any] | Refusal:
    if request.method != "GET":
        return refusal(43001)
    if request.query.get("grant_type") != "client_credential":
        return refusal(40002)
    app = world.app_with_secret(request.query.get("appid"), request.query.get("secret"))
    return app if isinstance(app, Refusal) else _granted(world.tokens.plain(app.appid, request.arrived_at), request)


def _stable_token(world: World, request: Request) -> dict[str, Any] | Refusal:
    if request.method != "POST":
        return refusal(43002)
    if not isinstance(request.json, dict):
        return refusal(47001) if request.body else refusal(44002)
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
