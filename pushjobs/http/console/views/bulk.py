"""Many jobs at once, or one that cannot be had back: shown with their number before anything is done, then done.

What is confirmed are these very jobs, by their numbers, and not whatever matches a filter by then.
"""

from collections.abc import Sequence
from http import HTTPStatus

from pushjobs.browsing import Choice, Sought
from pushjobs.domain.job import JobId
from pushjobs.errors import InvalidInput
from pushjobs.http.console.visit import Answer, Moved, Notice, Page, Shown, Visit
from pushjobs.operations import Act

__all__ = ["PAGES"]

_DIGITS = 16
_CALLS = {Act.REPLAY, Act.SEND_AGAIN}


def _choose(visit: Visit) -> Answer:
    """Show what would be done, and to how many."""
    act, sought = _act(visit), None
    if visit.field("all"):
        sought = Sought.of({name: visit.field(name) for name in visit.form})
    ids = _ids(visit.form.get("id", ()))
    if sought is None and not ids:
        return Moved(to=_back(visit), notice=Notice(key="notice.none_chosen"))
    return _confirmation(visit, act, visit.app.browsing.choose(act, visit.client.templates, ids=ids, sought=sought))


def _do(visit: Visit) -> Answer:
    """Do what was confirmed."""
    act, ids = _act(visit), _ids(visit.field("ids").split(","))
    choice = visit.app.browsing.choose(act, visit.client.templates, ids=ids)
    try:
        with visit.noted(act.value, jobs=len(choice.ids), ids=choice.ids, expires=visit.field("expires")) as outcome:
            expires = visit.deadline("expires")
            outcome["changed"] = changed = visit.app.operations.change(
                act, choice.ids, expires=expires if act in _CALLS else None
            )
    except InvalidInput as refusal:
        return _confirmation(visit, act, choice, fault=refusal)
    figures = {"count": changed, "left": len(ids) - changed}
    key = f"notice.{act.value}" if changed == len(ids) else f"notice.{act.value}_some"
    return Moved(to=_back(visit), notice=Notice(key=key, figures=figures))


def _confirmation(visit: Visit, act: Act, choice: Choice, *, fault: InvalidInput | None = None) -> Answer:
    values = {
        "act": act,
        "choice": choice,
        "calls": act in _CALLS,
        "ids": ",".join(map(str, choice.ids)),
        "back": _back(visit),
        "fault": fault,
        "expires": visit.field("expires"),
    }
    status = HTTPStatus.OK if fault is None else HTTPStatus.UNPROCESSABLE_ENTITY
    return Shown(template="bulk.html", values=values, status=status)


def _act(visit: Visit) -> Act:
    try:
        return Act(visit.field("act"))
    except ValueError:
        raise InvalidInput("act", "is none of ours", f"use {', '.join(Act)}") from None


def _ids(written: Sequence[str]) -> list[JobId]:
    return [
        JobId(int(each))
        for each in dict.fromkeys(written)
        if each.isascii() and each.isdecimal() and len(each) <= _DIGITS
    ]


def _back(visit: Visit) -> str:
    back = visit.field("back")
    return back if back.startswith("/console/") else "/console/jobs"


PAGES = (
    Page(path="/console/choose", view=_choose, method="POST", place="jobs"),
    Page(path="/console/do", view=_do, method="POST", place="jobs"),
)
