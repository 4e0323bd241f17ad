"""The app's templates managed from here: added from WeChat's public library, deleted, kept up with each night.

What is bad is refused here, in our words and without a call, for WeChat allows few of them a day. Every method raises
CallRefused where WeChat refuses, Unreachable where it does not answer.

Refuses to be on the send path: there the catalogue answers, from memory.
"""

import re
from collections.abc import Callable, Sequence

from pushjobs.catalogue import Catalogue
from pushjobs.domain.events import CatalogueRead, CatalogueUnread
from pushjobs.domain.message import read_template_id
from pushjobs.errors import CallRefused, InvalidInput, Misconfigured, Unreachable
from pushjobs.telemetry import Emit
from pushjobs.wechat import templates
from pushjobs.wechat.authorised import AuthorisedClient
from pushjobs.wechat.fields import length
from pushjobs.wechat.loop import LoopThread
from pushjobs.wechat.templates import TITLES_AT_MOST, Added, Category, Keyword, TitlePage

__all__ = ["Templates"]

_KIDS_AT_LEAST, _KIDS_AT_MOST = 2, 5
_LONGEST_SCENE = 15
_TID = re.compile("[0-9]{1,12}")
_HIGHEST_NUMBER = 2**31 - 1


class Templates:
    """The templates of one app and the library they come from; safe to share between threads."""

    def __init__(self, catalogue: Catalogue, loop: LoopThread, wechat: AuthorisedClient, *, emit: Emit) -> None:
        self._catalogue = catalogue
        self._loop = loop
        self._wechat = wechat
        self._emit = emit

    def add(self, tid: str, kids: Sequence[int], *, scene: str = "") -> Added:
        """Make 2 to 5 keywords of a title, in this order, a template of the app's; one that exists is named.

        `scene` says in up to 15 characters what it is for. Where the catalogue was read before, it is read anew, so
        that the template can be sent at once; should that fail, it is found at the first use or the next night.
        """
        numbers = [_number("kid", kid, least=1) for kid in kids]
        if not _KIDS_AT_LEAST <= len(numbers) <= _KIDS_AT_MOST:
            raise InvalidInput("kid", f"is given {len(numbers)} times", "pick 2 to 5 keywords of the title")
        if len(set(numbers)) < len(numbers):
            raise InvalidInput("kid", "is given twice with the same number", "pick each keyword once")
        scene = _scene(scene)
        added = self._loop.run(templates.add_template(self._wechat, tid=_tid(tid), kids=numbers, scene=scene))
        if self._catalogue.app.is_synced:
            self._read(self._catalogue.sync)
        return added

    def delete(self, template_id: str) -> None:
        """Take a template from the app, at WeChat and here: from now on it is refused, its waiting jobs too."""
        self._loop.run(templates.delete_template(self._wechat, read_template_id({"template_id": template_id})))
        self._catalogue.forget(template_id)

    def categories(self) -> list[Category]:
        """Return the categories the app is registered for."""
        return self._loop.run(templates.list_categories(self._wechat))

    def library(self, categories: Sequence[int] = (), *, start: int = 0, limit: int = TITLES_AT_MOST) -> TitlePage:
        """Return titles of the library in these categories, or in all of the app's; at most 30, from `start` on."""
        wanted = [_number("category", each, least=0) for each in categories]
        _number("start", start, least=0)
        if not 1 <= _number("limit", limit, least=1) <= TITLES_AT_MOST:
            raise InvalidInput("limit", f"is {limit}", f"it is between 1 and {TITLES_AT_MOST}")
        if not wanted:
            wanted = [each.category_id for each in self.categories()]
        if not wanted:
            raise InvalidInput("category", "is missing, and the app has none", "register the app for a category")
        return self._loop.run(templates.list_titles(self._wechat, wanted, start=start, limit=limit))

    def keywords(self, tid: str) -> list[Keyword]:
        """Return the keywords that a title offers."""
        return self._loop.run(templates.list_keywords(self._wechat, _tid(tid)))

    def refresh(self) -> None:
        """Read the catalogue anew if its hour of the night has come; a failure is told and left for the next night."""
        self._read(self._catalogue.refresh)

    def _read(self, read: Callable[[], object]) -> None:
        appid = self._catalogue.app.appid
        try:
            if read():
                self._emit(CatalogueRead(appid=appid, templates=len(self._catalogue.titles())))
        except (CallRefused, Misconfigured, Unreachable) as fault:
            self._emit(CatalogueUnread(appid=appid, fault=str(fault)))


def _tid(value: object) -> str:
    if not isinstance(value, str) or not _TID.fullmatch(value):
        raise InvalidInput("tid", "is no number of a title", "see `pushjobs template library`")
    return value


def _scene(value: object) -> str:
    if not isinstance(value, str) or not (value == "" or value.isprintable()):
        raise InvalidInput("scene", "is no short text", f"give up to {_LONGEST_SCENE} printable characters")
    if length(value) > _LONGEST_SCENE:
        raise InvalidInput("scene", f"is {length(value)} characters long", f"it has up to {_LONGEST_SCENE}")
    return value


def _number(field: str, value: object, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _HIGHEST_NUMBER:
        raise InvalidInput(field, "is no whole number that WeChat gives", f"give a number from {least} on")
    return value
