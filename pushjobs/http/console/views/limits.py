"""*Limits*: how fast an app calls, how many calls its day has, how many messages a user may get; the pace set anew."""

from http import HTTPStatus

from pushjobs.errors import InvalidInput
from pushjobs.http.console.views.now import shares
from pushjobs.http.console.visit import Answer, Moved, Notice, Page, Shown, Visit
from pushjobs.inspection import Quota
from pushjobs.overview import Overview

__all__ = ["PAGES"]

_PLACE = "limits"


def _limits(visit: Visit) -> Answer:
    return _shown(visit)


def _shown(visit: Visit, *, quota: Quota | None = None, fault: InvalidInput | None = None) -> Shown:
    now = Overview(visit.runtime).now(visit.seen, minutes_back=2)
    app = next(each for each in now.apps if each.appid == visit.appid)
    used, _ = shares(app, now)
    values = {
        "app": app,
        "setting": visit.app.app.settings,
        "stored": visit.app.inspection.pace(),
        "used": used,
        "calls": sum(lane.calls for lane in now.lanes if lane.appid == visit.appid),
        "may_set": visit.client.templates is None,
        "quota": quota,
        "fault": fault,
        "form": {"per_second": visit.field("per_second")},
    }
    status = HTTPStatus.OK if fault is None else HTTPStatus.UNPROCESSABLE_ENTITY
    return Shown(template="limits.html", values=values, status=status)


def _set_pace(visit: Visit) -> Answer:
    try:
        per_second = None if visit.field("default") else _number(visit.field("per_second"))
        with visit.noted("pace", per_second=per_second or "default"):
            visit.may.set_pace(visit.appid, per_second)
    except InvalidInput as refusal:
        return _shown(visit, fault=refusal)
    return Moved(to="/console/limits", notice=Notice(key="notice.pace"))


def _look_up(visit: Visit) -> Answer:
    """Show one user's day; who was looked up stands nowhere, not in an address and not in the audit log."""
    try:
        with visit.noted("look_at_quota"):
            quota = visit.may.quota(visit.appid, visit.field("touser"))
    except InvalidInput as refusal:
        return _shown(visit, fault=refusal)
    return _shown(visit, quota=quota)


def _number(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        raise InvalidInput("per_second", "is no number", "give calls a second, such as 50") from None


PAGES = (
    Page(path="/console/limits", view=_limits, entry=_PLACE),
    Page(path="/console/limits/pace", view=_set_pace, method="POST", place=_PLACE),
    Page(path="/console/limits/quota", view=_look_up, method="POST", place=_PLACE),
)
