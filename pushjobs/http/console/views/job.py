"""*Job*: where one job stands and why, how it came there, and what can be done about it.

What it says and to whom is shown when somebody asks for it who has the right to, and that they asked is written down
before it is opened.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pushjobs import clock
from pushjobs.domain.client import Right
from pushjobs.domain.job import Job, JobId
from pushjobs.domain.lifecycle import Transition, sources
from pushjobs.errors import InvalidInput, NotPermitted
from pushjobs.http.console.visit import Answer, Moved, Notice, Page, Shown, Visit
from pushjobs.inspection import Why
from pushjobs.operations import Resolution
from pushjobs.store.inspecting import MOST_COUNTED
from pushjobs.store.jobs import Happening
from pushjobs.wechat.errcodes import meaning

__all__ = ["PAGES"]

_PLACE = "jobs"
_COUNTED_AT_ONCE = 50_000
"""Jobs before one that are counted while somebody waits for its page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An entry of a job's timeline; `key` names it in the words. `is_ahead`: it is to come."""

    at: datetime
    key: str
    reason: str | None = None
    errcode: int | None = None
    is_ahead: bool = False


def _job(visit: Visit) -> Answer:
    if not visit.is_part:
        return _shown(visit, _why(visit))
    # A part of it may take its time: it comes when the page is there.
    return _shown(visit, _why(visit, most=MOST_COUNTED), "_job.html")


def _why(visit: Visit, *, most: int = _COUNTED_AT_ONCE) -> Why:
    job = visit.may.get(visit.job_id)
    return visit.runtime.app(job.appid).inspection.why(job.id, most=most)


def _shown(visit: Visit, why: Why, template: str = "job.html", *, fault: InvalidInput | None = None) -> Shown:
    job = why.job
    values = {
        "job": job,
        "why": why,
        **_counted(why, MOST_COUNTED if template == "_job.html" else _COUNTED_AT_ONCE),
        "meaning": None if job.errcode is None else meaning(job.errcode),
        "steps": sorted(_steps(job, why), key=lambda step: (step.is_ahead, step.at)),
        "title": visit.app.browsing.templates().get(job.template_id),
        "can": {each.value: job.state in sources(each) for each in _DONE_TO_ONE},
        "is_overdue": job.expires <= clock.now(),
        "may_see": visit.has(Right.CONTENTS),
        "fault": fault,
        "form": {name: visit.field(name) for name in ("time", "expires")},
    }
    return Shown(template=template, values=values)


def _counted(why: Why, most: int) -> dict[str, Any]:
    """Say whether counting who goes before it was cut off, and when the page looks again."""
    is_cut = why.place is not None and why.place > most
    is_many = why.place is not None and why.place > _COUNTED_AT_ONCE
    if is_cut and most < MOST_COUNTED:
        return {"most": most, "is_cut": True, "look_again": "load"}
    return {"most": most, "is_cut": is_cut, "look_again": "every 30s" if is_many else "every 5s"}


_DONE_TO_ONE = (Transition.CANCEL, Transition.RESCHEDULE, Transition.REPLAY, Transition.CONFIRM)


def _steps(job: Job, why: Why) -> Iterator[Step]:
    yield Step(at=job.created_at, key="accepted")
    told = {happening.transition for happening in why.history}
    for happening in why.history:
        yield _told(happening)
    # The happy path leaves no history: its times stand on the job.
    if job.called_at is not None:
        yield Step(at=job.called_at, key="called")
    if job.closed_at is not None and not told & _CLOSING:
        yield Step(at=job.closed_at, key=f"closed_{job.state}")
    if job.receipt is not None:
        yield Step(at=job.receipt.at, key=f"receipt_{job.receipt.state}", errcode=job.receipt.errcode)
    if not job.state.is_final:
        if why.when is not None:
            yield Step(at=why.when, key="next", is_ahead=True)
        yield Step(at=job.expires, key="deadline", is_ahead=True)


_CLOSING = {
    Transition.EXPIRE,
    Transition.REFUSE,
    Transition.REJECT,
    Transition.GIVE_UP,
    Transition.DOUBT,
    Transition.CANCEL,
    Transition.CONFIRM,
}


def _told(happening: Happening) -> Step:
    return Step(at=happening.at, key=happening.transition, reason=happening.reason, errcode=happening.errcode)


def _reschedule(visit: Visit) -> Answer:
    def move(job_id: JobId) -> None:
        visit.may.reschedule(job_id, time=visit.field("time") or None, expires=visit.deadline("expires"))

    return _change(visit, "reschedule", move, "notice.reschedule")


def _replay(visit: Visit) -> Answer:
    def replay(job_id: JobId) -> None:
        visit.may.replay(job_id, expires=visit.deadline("expires"))

    return _change(visit, "replay", replay, "notice.replay")


def _resolve(visit: Visit) -> Answer:
    as_ = visit.field("as")

    def resolve(job_id: JobId) -> None:
        expires = visit.deadline("expires") if as_ == Resolution.AGAIN else None
        visit.may.resolve(job_id, as_=as_, expires=expires)

    return _change(visit, "resolve", resolve, "notice.confirm" if as_ == Resolution.SENT else "notice.send_again")


def _change(visit: Visit, action: str, change: Callable[[JobId], None], said: str) -> Answer:
    """Do one thing to the job of the page; what cannot be read of the form is said there."""
    job_id = visit.may.get(visit.job_id).id
    written = {name: visit.field(name) for name in ("time", "expires", "as")}
    try:
        with visit.noted(action, job=job_id, **written):
            change(job_id)
    except InvalidInput as refusal:
        return _shown(visit, _why(visit), fault=refusal)
    return Moved(to=f"/console/jobs/{job_id}", notice=Notice(key=said, figures={"count": 1}))


def _content(visit: Visit) -> Answer:
    job = visit.may.get(visit.job_id)
    if not visit.has(Right.CONTENTS):
        raise NotPermitted("the client has no right to contents: whoever runs this installation gives it")
    with visit.noted("look_at_content", job=job.id):
        seen = visit.runtime.app(job.appid).browsing.open(job.id)
    return Shown(template="_content.html" if visit.is_part else "content.html", values={"job": job, "seen": seen})


PAGES = (
    Page(path="/console/jobs/{id}", view=_job, place=_PLACE),
    Page(path="/console/jobs/{id}/reschedule", view=_reschedule, method="POST", place=_PLACE),
    Page(path="/console/jobs/{id}/replay", view=_replay, method="POST", place=_PLACE),
    Page(path="/console/jobs/{id}/resolve", view=_resolve, method="POST", place=_PLACE),
    Page(path="/console/jobs/{id}/content", view=_content, method="POST", place=_PLACE),
)
