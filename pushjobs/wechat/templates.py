"""The app's subscribe templates, and the public library they are made from, in our words.

Called rarely and never on the send path: WeChat allows few of these calls, some 300 a day (wechat-api.md 4.3, [S5],
[T9], [T11]). Every function raises CallRefused or Unreachable.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pushjobs.domain.template import Template, TemplateField, TemplateKind
from pushjobs.errors import Unreachable
from pushjobs.wechat.authorised import AuthorisedClient
from pushjobs.wechat.errcodes import TEMPLATE_EXISTS

__all__ = [
    "TITLES_AT_MOST",
    "Added",
    "Category",
    "Keyword",
    "Title",
    "TitlePage",
    "add_template",
    "delete_template",
    "list_categories",
    "list_keywords",
    "list_templates",
    "list_titles",
]

TITLES_AT_MOST = 30
"""How many titles one call lists at most."""

_ROOT = "/wxaapi/newtmpl"
# A line of a template's content: the name that users read, and the key that takes the text.
_LINE = re.compile(r"(?:([^\n{}]*?)[:：]?)?\{\{(\w+)\.DATA\}\}")
_KINDS = {2: TemplateKind.ONE_TIME, 3: TemplateKind.LONG_TERM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A template that is the app's now; `is_new` is False where it was before."""

    template_id: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category of services that the app is registered for."""

    category_id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A title of the public library, from which templates are made."""

    tid: str
    name: str
    kind: TemplateKind | None
    category_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TitlePage:
    """Some titles of the library, of `count` that there are."""

    count: int
    titles: Sequence[Title]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """A keyword that a title offers: `kid` picks it, `rule` is the value type of its key."""

    kid: int
    name: str
    example: str
    rule: str


async def list_templates(wechat: AuthorisedClient) -> list[tuple[str, Template]]:
    """Return title and template of each subscribe template the app has."""
    answer = await wechat.get(f"{_ROOT}/gettemplate")
    return [(str(listed["title"]), _template(listed)) for listed in answer.get("data") or ()]


async def add_template(wechat: AuthorisedClient, *, tid: str, kids: Sequence[int], scene: str) -> Added:
    """Make keywords of a title, in this order, a template of the app's; one that is there already is named."""
    body = {"tid": tid, "kidList": list(kids), "sceneDesc": scene}
    answer = await wechat.post(f"{_ROOT}/addtemplate", body, accepting={TEMPLATE_EXISTS})
    match answer.get("priTmplId"):
        case str(template_id) if template_id:
            return Added(template_id=template_id, is_new=answer.get("errcode") != TEMPLATE_EXISTS)
    raise Unreachable("WeChat answered that the template is there, but not under which id: see its console")


async def delete_template(wechat: AuthorisedClient, template_id: str) -> None:
    """Take a template from the app."""
    await wechat.post(f"{_ROOT}/deltemplate", {"priTmplId": template_id})


async def list_categories(wechat: AuthorisedClient) -> list[Category]:
    """Return the categories the app is registered for."""
    answer = await wechat.get(f"{_ROOT}/getcategory")
    return [Category(category_id=int(each["id"]), name=str(each["name"])) for each in answer.get("data") or ()]


async def list_titles(wechat: AuthorisedClient, categories: Sequence[int], *, start: int, limit: int) -> TitlePage:
    """Return titles of the library in these categories, from number `start` on, at most 30."""
    params = {"ids": ",".join(map(str, categories)), "start": str(start), "limit": str(limit)}
    answer = await wechat.get(f"{_ROOT}/getpubtemplatetitles", params)
    titles = [
        Title(
            tid=str(each["tid"]),
            name=str(each["title"]),
            kind=_KINDS.get(each.get("type", 0)),
            category_id=str(each["categoryId"]),
        )
        for each in answer.get("data") or ()
    ]
    return TitlePage(count=int(answer.get("count", len(titles))), titles=titles)


async def list_keywords(wechat: AuthorisedClient, tid: str) -> list[Keyword]:
    """Return the keywords that a title offers."""
    answer = await wechat.get(f"{_ROOT}/getpubtemplatekeywords", {"tid": tid})
    return [
        Keyword(
            kid=int(each["kid"]),
            name=str(each["name"]),
            example=str(each.get("example", "")),
            rule=str(each.get("rule", "")),
        )
        for each in answer.get("data") or ()
    ]


def _template(listed: dict[str, Any]) -> Template:
    allowed = {
        enum["keywordCode"].removesuffix(".DATA"): tuple(enum["enumValueList"])
        for enum in listed.get("keywordEnumValueList") or ()
    }
    names = {key: name.strip() for name, key in _LINE.findall(listed["content"])}
    fields = tuple(TemplateField(key=key, name=name, allowed=allowed.get(key, ())) for key, name in names.items())
    return Template(template_id=str(listed["priTmplId"]), fields=fields, kind=_KINDS.get(listed.get("type", 0)))
