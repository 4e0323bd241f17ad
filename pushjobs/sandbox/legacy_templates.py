"""The template calls of before 2020, below `/cgi-bin/wxopen/template/`; withdrawn with the messages (45103).

No page lists the codes of bad arguments here; 40097 is the general one.
"""

import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any

from pushjobs.sandbox.answers import OK, Refusal, refusal
from pushjobs.sandbox.catalogue import LEGACY_KEYWORDS, LEGACY_LIBRARY, legacy_template
from pushjobs.sandbox.options import Behave
from pushjobs.sandbox.request import Request
from pushjobs.sandbox.world import App, World

__all__ = ["add_template", "delete_template", "get_keywords", "get_templates", "get_titles", "send_uniform"]

_PAGE_AT_MOST = 20
_KEYWORDS_AT_MOST = 10
_TEMPLATES_AT_MOST = 25

Answer = dict[str, Any] | Refusal
_Door = Callable[[World, App, Request], Answer]


def _until_2020(answer: _Door) -> _Door:
    """Answer as today when told to behave like today."""

    @wraps(answer)
    def answered(world: World, app: App, request: Request) -> Answer:
        return refusal(45103) if world.settings.behave is Behave.TODAY else answer(world, app, request)

    return answered


@_until_2020
def get_titles(_world: World, _app: App, request: Request) -> Answer:
    """Answer `POST library/list`: a page of the library's titles."""
    listed = [{"id": number, "title": name} for number, name in LEGACY_LIBRARY.items()]
    return _page(listed, request, total=len(listed))


@_until_2020
def get_keywords(_world: World, _app: App, request: Request) -> Answer:
    """Answer `POST library/get`: the keywords of a title."""
    title = _title(request)
    if isinstance(title, Refusal):
        return title
    listed = [
        {"keyword_id": number, "name": name, "example": example} for number, (name, example) in LEGACY_KEYWORDS.items()
    ]
    return {**OK, "id": request.message["id"], "title": title, "keyword_list": listed}


@_until_2020
def add_template(_world: World, app: App, request: Request) -> Answer:
    """Answer `POST add`: a title's keywords, in the caller's order, become keyword1, keyword2 and so on."""
    title, numbers = _title(request), request.message.get("keyword_id_list")
    if isinstance(title, Refusal):
        return title
    if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
        return refusal(47001)
    if not 1 <= len(numbers) <= _KEYWORDS_AT_MOST:
        return refusal(45100)
    if not LEGACY_KEYWORDS.keys() >= set(numbers):
        return refusal(40097)
    if len(app.legacy_templates) >= _TEMPLATES_AT_MOST:
        return refusal(45026)
    template = legacy_template(title, numbers, secrets.token_urlsafe(32))
    app.legacy_templates[template.id] = template
    return {**OK, "template_id": template.id}


@_until_2020
def get_templates(_world: World, app: App, request: Request) -> Answer:
    """Answer `POST list`: a page of the app's own legacy templates."""
    listed = [
        {"template_id": each.id, "title": each.title, "content": each.content, "example": each.example}
        for each in app.legacy_templates.values()
    ]
    return _page(listed, request)


@_until_2020
def delete_template(_world: World, app: App, request: Request) -> Answer:
    """Answer `POST del`."""
    template_id = request.message.get("template_id")
    if not isinstance(template_id, str) or app.legacy_templates.pop(template_id, None) is None:
        return refusal(40037)
    return OK


def send_uniform(_world: World, _app: App, _request: Request) -> Answer:
    """Answer `POST uniform_send`, withdrawn in 2023 and never ours to call."""
    return refusal(45109)


def _title(request: Request) -> str | Refusal:
    number = request.message.get("id")
    return refusal(47001) if not isinstance(number, str) else LEGACY_LIBRARY.get(number) or refusal(40097)


def _page(listed: list[dict[str, Any]], request: Request, **more: int) -> Answer:
    offset, count = request.message.get("offset"), request.message.get("count")
    if type(offset) is not int or type(count) is not int:
        return refusal(47001)
    if offset < 0 or not 1 <= count <= _PAGE_AT_MOST:
        return refusal(40097)
    return {**OK, "list": listed[offset : offset + count], **{f"{name}_count": number for name, number in more.items()}}
