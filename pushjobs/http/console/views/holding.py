"""Holding back and letting go, from whatever page: a template, a lane, an app."""

from contextlib import AbstractContextManager
from typing import Any

from pushjobs.http.console.visit import Answer, Moved, Notice, Page, Visit

__all__ = ["PAGES", "back"]

_PLACE = "templates"


def back(visit: Visit, otherwise: str) -> str:
    """Return the page that a form was on."""
    given = visit.field("back")
    return given if given.startswith("/console/") else otherwise


def _pause(visit: Visit) -> Answer:
    """Hold something back; what cannot be read is said on a page of its own, and nothing is held."""
    appid, narrowed = visit.field("app") or visit.appid, _narrowed(visit)
    note, until = visit.field("note") or None, visit.field("until") or None
    with _noted(visit, "pause", appid, narrowed, until=until):
        visit.may.pause(appid, narrowed, note=note, until=until)
    return Moved(to=back(visit, "/console/now"), notice=Notice(key="notice.pause"))


def _resume(visit: Visit) -> Answer:
    appid, narrowed = visit.field("app") or visit.appid, _narrowed(visit)
    with _noted(visit, "resume", appid, narrowed) as outcome:
        outcome["lifted"] = visit.may.resume(appid, narrowed)
    return Moved(to=back(visit, "/console/now"), notice=Notice(key="notice.resume"))


def _noted(
    visit: Visit, action: str, appid: str, narrowed: dict[str, str | None], **more: str | None
) -> AbstractContextManager[dict[str, Any]]:
    named = {"template": narrowed["template_id"], "lane": narrowed["lane"]}
    return visit.runtime.audit_log.line(visit.client, action, app=appid, **named, **more)


def _narrowed(visit: Visit) -> dict[str, str | None]:
    return {"template_id": visit.field("template") or None, "lane": visit.field("lane") or None}


PAGES = (
    Page(path="/console/pause", view=_pause, method="POST", place=_PLACE),
    Page(path="/console/resume", view=_resume, method="POST", place=_PLACE),
)
