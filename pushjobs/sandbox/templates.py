"""The template calls of `/wxaapi/newtmpl/`.

Bodies are JSON here, as the current pages have it; WeChat takes forms too, we never send them.
"""

import secrets
from typing import Any

from pushjobs.sandbox.answers import OK, Refusal, refusal
from pushjobs.sandbox.catalogue import CATEGORIES, LIBRARY, Template, Title, template_of
from pushjobs.sandbox.request import Request
from pushjobs.sandbox.world import App, World

__all__ = [
    "add_template",
    "delete_template",
    "get_categories",
    "get_keywords",
    "get_templates",
    "get_titles",
]

_KEYWORDS_AT_LEAST, _KEYWORDS_AT_MOST = 2, 5
_LONGEST_SCENE = 15
_TEMPLATES_AT_MOST = 50  # WeChat's own figure is not published
_TITLES_AT_MOST = 30

Answer = dict[str, Any] | Refusal


def get_templates(_world: World, app: App, _request: Request) -> Answer:
    """Answer `GET gettemplate`: the app's own templates."""
    return {**OK, "data": [template.as_json() for template in app.templates.values()]}


def add_template(_world: World, app: App, request: Request) -> Answer:
    """Answer `POST addtemplate`: a title's keywords, in the caller's order, become a template."""
    wanted = request.message
    tid, numbers, scene = wanted.get("tid"), wanted.get("kidList"), wanted.get("sceneDesc", "")
    title = LIBRARY.get(int(tid)) if isinstance(tid, str) and tid.isdecimal() else None
    if title is None:
        return refusal(200014)
    picked = _picked(title, numbers)
    if picked is None:
        return refusal(200020)
    if not isinstance(scene, str) or len(scene) > _LONGEST_SCENE:
        return refusal(200021)
    template = template_of(title, picked, secrets.token_urlsafe(32))
    if existing := _same(app, template):
        return {**refusal(200022)._asdict(), "priTmplId": existing.id}
    if len(app.templates) >= _TEMPLATES_AT_MOST:
        return refusal(200012)
    app.templates[template.id] = template
    return {**OK, "priTmplId": template.id}


def _picked(title: Title, numbers: object) -> list[int] | None:
    if not isinstance(numbers, list) or not _KEYWORDS_AT_LEAST <= len(numbers) <= _KEYWORDS_AT_MOST:
        return None
    if any(type(number) is not int for number in numbers) or len(set(numbers)) < len(numbers):
        return None
    return numbers if {keyword.number for keyword in title.keywords}.issuperset(numbers) else None


def _same(app: App, wanted: Template) -> Template | None:
    both = (wanted.title, wanted.content)
    return next((each for each in app.templates.values() if (each.title, each.content) == both), None)


def delete_template(_world: World, app: App, request: Request) -> Answer:
    """Answer `POST deltemplate`."""
    template_id = request.message.get("priTmplId")
    if not isinstance(template_id, str) or app.templates.pop(template_id, None) is None:
        return refusal(20002)
    return OK


def get_categories(_world: World, _app: App, _request: Request) -> Answer:
    """Answer `GET getcategory`."""
    return {**OK, "data": [{"id": number, "name": name} for number, name in CATEGORIES.items()]}


def get_titles(_world: World, _app: App, request: Request) -> Answer:
    """Answer `GET getpubtemplatetitles`: the library's titles of some categories, a page of them."""
    ids = request.query.get("ids", "")
    if not ids:
        return refusal(200018)
    if not all(part.isdecimal() and int(part) in CATEGORIES for part in ids.split(",")):
        return refusal(200019)
    start, limit = request.query.get("start", ""), request.query.get("limit", "")
    if not start.isdecimal():
        return refusal(200016)
    if not limit.isdecimal() or not 1 <= int(limit) <= _TITLES_AT_MOST:
        return refusal(200017)
    categories = {int(part) for part in ids.split(",")}
    titles = [title for title in LIBRARY.values() if title.category in categories]
    page = titles[int(start) : int(start) + int(limit)]
    listed = [
        {"tid": each.number, "title": each.name, "type": each.kind, "categoryId": str(each.category)} for each in page
    ]
    return {**OK, "count": len(titles), "data": listed}


def get_keywords(_world: World, _app: App, request: Request) -> Answer:
    """Answer `GET getpubtemplatekeywords`: what a title's templates may be made of."""
    tid = request.query.get("tid", "")
    title = LIBRARY.get(int(tid)) if tid.isdecimal() else None
    if title is None:
        return refusal(200014)
    listed = [
        {"kid": each.number, "name": each.name, "example": each.example, "rule": each.rule} for each in title.keywords
    ]
    return {**OK, "count": len(listed), "data": listed}
