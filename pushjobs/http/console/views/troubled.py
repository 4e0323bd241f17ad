"""*In doubt* and *Dead*: what waits for somebody, by template and reason, with what can be done to each group."""

from functools import partial

from pushjobs.domain.job import JobState
from pushjobs.http.console.visit import Answer, Page, Shown, Visit
from pushjobs.store.browsing import LOOKED_AT
from pushjobs.wechat.errcodes import meaning

__all__ = ["PAGES"]


def _groups(visit: Visit, *, state: JobState, place: str) -> Answer:
    groups = visit.app.browsing.groups(state, visit.client.templates)
    total = sum(group.jobs for group in groups)
    values = {
        "state": state,
        "entry": place,
        "groups": groups,
        "total": total,
        "last_hour": sum(group.last_hour for group in groups),
        "last_day": sum(group.last_day for group in groups),
        "oldest": min((group.oldest for group in groups), default=None),
        "is_more": total >= LOOKED_AT,
        "meanings": {group.errcode: meaning(group.errcode) for group in groups if group.errcode is not None},
    }
    return Shown(template="troubled.html", values=values)


PAGES = (
    Page(
        path="/console/in-doubt",
        view=partial(_groups, state=JobState.IN_DOUBT, place="in_doubt"),
        entry="in_doubt",
    ),
    Page(path="/console/dead", view=partial(_groups, state=JobState.DEAD, place="dead"), entry="dead"),
)
