"""The template calls of before 2020 (wxopen): the public library, and the app's own templates made from it.

WeChat withdrew them with the messages (45103); they are for other hosts, which still answer. Most lie below
`/cgi-bin/wxopen/template/`, without the `message` that the send's path has ([L2], [L3]). Every function raises
CallRefused or Unreachable.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from pushjobs.errors import Unreachable
from pushjobs.wechat.authorised import AuthorisedClient

__all__ = [
    "LegacyKeyword",
    "LegacyTemplate",
    "LegacyTitle",
    "add_template",
    "delete_template",
    "list_keywords",
    "list_templates",
    "list_titles",
]

_ROOT = "/cgi-bin/wxopen/template"
_PAGE = 20  # the most that one call lists


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyTitle:
    """A title of the legacy library, such as AT0002."""

    title_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyKeyword:
    """A keyword that a legacy title offers; those picked become keyword1, keyword2 and so on."""

    keyword_id: int
    name: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyTemplate:
    """A legacy template of the app's; `content` has a line for each keyword."""

    template_id: str
    title: str
    content: str
    example: str


async def list_titles(wechat: AuthorisedClient) -> list[LegacyTitle]:
    """Return every title of the legacy library."""
    listed = _listed(wechat, f"{_ROOT}/library/list")
    return [LegacyTitle(title_id=str(each["id"]), name=str(each["title"])) async for each in listed]


async def list_keywords(wechat: AuthorisedClient, title_id: str) -> list[LegacyKeyword]:
    """Return the keywords that a legacy title offers."""
    answer = await wechat.post(f"{_ROOT}/library/get", {"id": title_id})
    return [
        LegacyKeyword(keyword_id=int(each["keyword_id"]), name=str(each["name"]), example=str(each.get("example", "")))
        for each in answer.get("keyword_list") or ()
    ]


async def add_template(wechat: AuthorisedClient, title_id: str, keyword_ids: Sequence[int]) -> str:
    """Make up to ten keywords of a legacy title, in this order, a template of the app's; return its id."""
    answer = await wechat.post(f"{_ROOT}/add", {"id": title_id, "keyword_id_list": list(keyword_ids)})
    match answer.get("template_id"):
        case str(template_id) if template_id:
            return template_id
    raise Unreachable("WeChat answered that the template is there, but not under which id: list them")


async def list_templates(wechat: AuthorisedClient) -> list[LegacyTemplate]:
    """Return every legacy template the app has."""
    return [
        LegacyTemplate(
            template_id=str(each["template_id"]),
            title=str(each["title"]),
            content=str(each["content"]),
            example=str(each.get("example", "")),
        )
        async for each in _listed(wechat, f"{_ROOT}/list")
    ]


async def delete_template(wechat: AuthorisedClient, template_id: str) -> None:
    """Take a legacy template from the app."""
    await wechat.post(f"{_ROOT}/del", {"template_id": template_id})


async def _listed(wechat: AuthorisedClient, path: str) -> AsyncIterator[dict[str, Any]]:
    """Yield what a call lists, page after page; a page that is not full is the last."""
    offset, page = 0, None
    while page is None or len(page) == _PAGE:
        page = (await wechat.post(path, {"offset": offset, "count": _PAGE})).get("list") or []
        for each in page:
            yield each
        offset += _PAGE
