"""*Jobs*: found by what they have in common, a page at a time.

What is typed is posted and becomes an address without an open id in it: that is hashed here, and the hash is a name
that opens nothing.
"""

from typing import Any

from pushjobs.browsing import Sought
from pushjobs.domain.job import JobState, Reason
from pushjobs.errors import InvalidInput
from pushjobs.http.console.rendering import address
from pushjobs.http.console.visit import Answer, Moved, Page, Shown, Visit

__all__ = ["PAGES", "filter_values"]

_SHOWN_AT_ONCE = 50
_REASONS = sorted(Reason)


def _jobs(visit: Visit) -> Answer:
    sought, fault, page = Sought.of(visit.query), None, None
    try:
        page = visit.app.browsing.page(
            sought, visit.client.templates, after=visit.query.get("after"), limit=_SHOWN_AT_ONCE
        )
    except InvalidInput as refusal:
        fault = refusal
    values = {"page": page, "fault": fault, "is_first": "after" not in visit.query}
    return Shown(template="jobs.html", values=values | filter_values(visit, sought))


def _find(visit: Visit) -> Answer:
    """Turn what was typed into an address."""
    given = Sought.of({name: visit.field(name) for name in visit.form}).given()
    if number := visit.field("number"):
        return Moved(to=f"/console/jobs/{number}" if number.isascii() and number.isdecimal() else "/console/jobs")
    if touser := visit.field("touser"):
        try:
            given["recipient"] = visit.app.browsing.recipient(touser)
        except InvalidInput as refusal:
            shown = filter_values(visit, Sought.of(given))
            return Shown(template="jobs.html", values={"page": None, "fault": refusal, "is_first": True, **shown})
    return Moved(to=address("/console/jobs", **given))


def filter_values(visit: Visit, sought: Sought) -> dict[str, Any]:
    """Return what the form of the filter shows."""
    return {
        "sought": sought,
        "states": list(JobState),
        "reasons": _REASONS,
        "templates": {
            key: title for key, title in visit.app.browsing.templates().items() if visit.client.may(template_id=key)
        },
    }


PAGES = (
    Page(path="/console/jobs", view=_jobs, entry="jobs"),
    Page(path="/console/jobs/find", view=_find, method="POST", place="jobs"),
)
