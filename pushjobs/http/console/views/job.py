"""*Job*: where one job stands and why, how it came there, and what can be done about it.

What it says and to whom is shown when somebody asks for it who has the right to, and that they asked is written down
before it is opened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pushjobs import clock
from pushjobs.domain.client import Right
from pushjobs.domain.job import Job
from pushjobs.domain.lifecycle import Transition, sources
from pushjobs.errors import InvalidInput, NotPermitted
from pushjobs.http.console.visit import Answer, Moved, Notice, Page, Shown, Visit
from pushjobs.inspection import Why
from pushjobs.operations import Resolution
from pushjobs.store.jobs import Happening
from pushjobs.wechat.errcodes import meaning

__all__ = ["PAGES"]

_PLACE = "jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An entry of a job's timeline; `key` names it in the words. `is_ahead`: it is to come."""

    at: datetime
    key: str
    reason: str | None = None
    errcode: int | None = None
    is_ahead: bool = False


def _job(visit: Visit) -> Answer:
    why = visit.may.why(visit.job_id)
    return _shown(visit, why, "_job.html" if visit.is_part else "job.html")


def _shown(visit: Visit, why: Why, template: str = "job.html", *, fault: InvalidInput | None = None) -> Shown:
    job = why.job
    values = {
        "job": job,
        "why": why,
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


def _cancel(visit: Visit) -> Answer:
    visit.may.get(visit.job_id)
    with visit.noted("cancel", job=visit.job_id):
        visit.may.cancel(visit.job_id)
    return _done(visit, "notice.cancel")


def _reschedule(visit: Visit) -> Answer:
    visit.may.get(visit.job_id)
    time, expires = visit.field("time"), visit.field("expires") or None
    try:
        with visit.noted("reschedule", job=visit.job_id, time=time, expires=expires):
            visit.may.reschedule(visit.job_id, time=time or None, expires=expires)
    except InvalidInput as refusal:
        return _shown(visit, visit.may.why(visit.job_id), fault=refusal)
    return _done(visit, "notice.reschedule")


def _replay(visit: Visit) -> Answer:
    visit.may.get(visit.job_id)
    expires = visit.field("expires") or None
    try:
        with visit.noted("replay", job=visit.job_id, expires=expires):
            visit.may.replay(visit.job_id, expires=expires)
    except InvalidInput as refusal:
        return _shown(visit, visit.may.why(visit.job_id), fault=refusal)
    return _done(visit, "notice.replay")


def _resolve(visit: Visit) -> Answer:
    visit.may.get(visit.job_id)
    as_, expires = visit.field("as"), visit.field("expires") or None
    try:
        with visit.noted("resolve", job=visit.job_id, as_=as_, expires=expires):
            visit.may.resolve(visit.job_id, as_=as_, expires=expires if as_ == Resolution.AGAIN else None)
    except InvalidInput as refusal:
        return _shown(visit, visit.may.why(visit.job_id), fault=refusal)
    return _done(visit, "notice.confirm" if as_ == Resolution.SENT else "notice.send_again")


def _content(visit: Visit) -> Answer:
    job = visit.may.get(visit.job_id)
    if not visit.has(Right.CONTENTS):
        raise NotPermitted("the client has no right to contents: whoever runs this installation gives it")
    with visit.noted("look_at_content", job=job.id):
        seen = visit.runtime.app(job.appid).browsing.open(job.id)
    return Shown(template="_content.html" if visit.is_part else "content.html", values={"job": job, "seen": seen})


def _done(visit: Visit, key: str) -> Answer:
    return Moved(to=f"/console/jobs/{visit.job_id}", notice=Notice(key=key, figures={"count": 1}))


PAGES = (
    Page(path="/console/jobs/{id}", view=_job, place=_PLACE),
    Page(path="/console/jobs/{id}/cancel", view=_cancel, method="POST", place=_PLACE),
    Page(path="/console/jobs/{id}/reschedule", view=_reschedule, method="POST", place=_PLACE),
    Page(path="/console/jobs/{id}/replay", view=_replay, method="POST", place=_PLACE),
    Page(path="/console/jobs/{id}/resolve", view=_resolve, method="POST", place=_PLACE),
    Page(path="/console/jobs/{id}/content", view=_content, method="POST", place=_PLACE),
)
