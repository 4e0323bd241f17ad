"""`pushjobs jobs`, `show`, `cancel`, `reschedule`: look at jobs, and change those that nobody has begun."""

from dataclasses import asdict
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from pushjobs.cli.options import AsJson, Directory, Reference, TemplateId, ToUser, opened
from pushjobs.cli.shown import local, outcome, show_history, show_jobs, show_json, show_pairs, show_table
from pushjobs.domain.job import Job, JobState
from pushjobs.errors import InvalidInput

__all__ = ["cancel", "jobs", "reschedule", "show"]

_JobNumber = Annotated[int, typer.Argument(metavar="JOB", help="The job's number.", min=1, show_default=False)]
_DueAfter = Annotated[str | None, typer.Option(help="Only jobs due at this moment or later.", show_default=False)]
_DueBefore = Annotated[
    str | None, typer.Option(help="Only jobs due before this moment, as in `send`.", show_default=False)
]


def jobs(  # noqa: PLR0913 - one argument an option
    *,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.", show_default=False)] = None,
    reference: Reference = None,
    touser: ToUser = None,
    template_id: TemplateId = None,
    due_after: _DueAfter = None,
    due_before: _DueBefore = None,
    limit: Annotated[int, typer.Option(help="The most to list.", min=1, max=1000)] = 100,
    summary: Annotated[bool, typer.Option("--summary", help="Count all jobs by state instead.")] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    with opened(directory) as runtime:
        if summary:
            counts = runtime.producer.counts()
            if as_json:
                show_json(counts)
            else:
                show_table(("state", "#jobs"), [(each, str(count)) for each, count in counts.items()])
            return
        found = runtime.producer.find(
            state=state,
            reference=reference,
            touser=touser,
            template_id=template_id,
            due_after=due_after,
            due_before=due_before,
            limit=limit,
        )
        if as_json:
            show_json(found)
        else:
            show_jobs(found, runtime.zone)


def show(job: _JobNumber, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show one job, and what happened to it."""
    with opened(directory) as runtime:
        zone, found, history = runtime.zone, runtime.producer.get(job), runtime.producer.history(job)
    if as_json:
        show_json({**asdict(found), "history": history})
        return
    moments = {name: getattr(found, name) for name in ("time", "due_at", "expires", "created_at")}
    moments |= {name: getattr(found, name) for name in ("called_at", "closed_at")}
    pairs = [
        ("job", str(found.id)),
        ("state", " ".join(filter(None, (found.state, outcome(found))))),
        ("app", found.appid),
        ("template", found.template_id),
        ("lane", found.lane),
        ("reference", found.reference or ""),
        ("client", found.client or ""),
        *((name.replace("_", " "), local(moment, zone)) for name, moment in moments.items()),
        ("attempts", str(found.attempts)),
        ("msgid", str(found.msgid or "")),
        ("receipt", _receipt(found, zone)),
    ]
    show_pairs([pair for pair in pairs if pair[1]])
    show_history(history, zone)


def cancel(  # noqa: PLR0913, PLR0917 - one argument an option
    job: Annotated[int | None, typer.Argument(metavar="[JOB]", help="The job's number.", show_default=False)] = None,
    reference: Reference = None,
    touser: ToUser = None,
    template_id: TemplateId = None,
    due_after: _DueAfter = None,
    due_before: _DueBefore = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Cancel one job by its number, or every job that matches.

    Jobs that were begun stay as they are.
    """
    if job is not None and (reference or touser or template_id or due_after or due_before):
        raise InvalidInput("JOB", "stands beside other options", "give a number, or what several jobs have in common")
    with opened(directory) as runtime:
        count = runtime.producer.cancel(
            job,
            reference=reference,
            touser=touser,
            template_id=template_id,
            due_after=due_after,
            due_before=due_before,
        )
    if as_json:
        show_json({"cancelled": count})
    else:
        typer.echo(f"cancelled {count} {'job' if count == 1 else 'jobs'}")


def reschedule(
    job: _JobNumber,
    *,
    time: Annotated[str, typer.Option(help="When to send it, as in `send`.", show_default=False)],
    expires: Annotated[str | None, typer.Option(help="Its new deadline.", show_default=False)] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Move a job that nobody has begun to another time.

    Its deadline moves along, unless --expires sets another.
    """
    with opened(directory) as runtime:
        zone, moved = runtime.zone, runtime.producer.reschedule(job, time=time, expires=expires)
    if as_json:
        show_json(moved)
    else:
        typer.echo(f"job {moved.id} is scheduled for {local(moved.time, zone)} ({zone.key})")


def _receipt(job: Job, zone: ZoneInfo) -> str:
    if job.receipt is None:
        return ""
    code = str(job.receipt.errcode) if job.receipt.errcode else ""
    return " ".join(filter(None, (job.receipt.state, code, job.receipt.status, local(job.receipt.at, zone))))
