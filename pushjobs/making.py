"""A request made a job: sealed for the store, described for the caller, named to whoever follows it."""

from pushjobs import clock
from pushjobs.domain.client import Client
from pushjobs.domain.job import Job, JobId, JobState
from pushjobs.domain.steps import JobsAccepted
from pushjobs.domain.steps import NewJob as Followed
from pushjobs.request import Request, Terms
from pushjobs.store import envelope
from pushjobs.store.accepting import NewJob
from pushjobs.store.sealing import Lookup, Sealer

__all__ = ["accepted", "described", "new_job"]


def new_job(  # noqa: PLR0913 - what a row is made of
    job_id: JobId,
    request: Request,
    terms: Terms,
    *,
    sealer: Sealer,
    lookup: Lookup,
    released: bool,
    client: Client | None = None,
) -> NewJob:
    """Return the row of a job; `released`: it goes straight to a worker, `client`: who asks for it."""
    shared = request.content
    recipient = lookup.recipient(terms.appid, request.message.touser)
    return NewJob(
        id=job_id,
        app_no=terms.catalogue.app.app_no,
        template_no=request.template_no,
        content_no=None if shared is None else shared.content_no,
        lane=request.lane,
        on_quota=request.on_quota,
        planned_at=request.planned_at,
        expires_at=request.expires_at,
        recipient=recipient,
        sealed=envelope.seal_message(
            sealer, request.message, appid=terms.appid, recipient=recipient, is_shared=shared is not None
        ),
        reference=request.reference,
        released=released,
        client_no=None if client is None else client.client_no,
    )


def described(job_id: JobId, request: Request, terms: Terms, *, client: Client | None = None) -> Job:
    """Describe a job just stored, without asking for it."""
    return Job(
        id=job_id,
        appid=terms.appid,
        template_id=request.message.content.template_id,
        state=JobState.SCHEDULED,
        lane=request.lane,
        time=request.planned_at,
        due_at=request.planned_at,
        expires=request.expires_at,
        attempts=0,
        reason=None,
        errcode=None,
        msgid=None,
        reference=request.reference,
        created_at=clock.now(),
        called_at=None,
        closed_at=None,
        client=None if client is None else client.name,
    )


def accepted(job: Job, *, since: float) -> JobsAccepted:
    """Say that a job is stored which was asked for at `since`, on the process's monotonic clock."""
    followed = Followed(job.id, job.lane, job.template_id, job.time)
    return JobsAccepted(appid=job.appid, jobs=[followed], since=since, at=clock.monotonic())
