"""`pushjobs replay`, `resolve`, `pause`, `resume`, `pauses`, `pace`: what operators do."""

from typing import Annotated

import typer

from pushjobs.cli.options import AsJson, Directory, Reference, TemplateId, ToUser, opened
from pushjobs.cli.shown import local, show_json, show_table
from pushjobs.domain.job import Lane
from pushjobs.domain.pause import Pause
from pushjobs.errors import InvalidInput
from pushjobs.operations import Reopened, Resolution

__all__ = ["pace", "pause", "pauses", "replay", "resolve", "resume"]

_JobNumbers = Annotated[
    list[int] | None, typer.Argument(metavar="[JOB]...", help="The jobs' numbers.", show_default=False)
]
_Expires = Annotated[str | None, typer.Option(help="Another deadline, as in `send`.", show_default=False)]
_OnlyLane = Annotated[Lane | None, typer.Option(help="Only this lane; else both.", show_default=False)]
_OnlyTemplate = Annotated[
    str | None, typer.Option("--template-id", help="Only this template; else all.", show_default=False)
]


def replay(  # noqa: PLR0913 - one argument an option
    job: _JobNumbers = None,
    *,
    reference: Reference = None,
    touser: ToUser = None,
    template_id: TemplateId = None,
    expires: _Expires = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Try dead jobs once more.

    Those of these numbers, or every one that matches. A job whose deadline has passed needs another one.
    """
    with opened(directory) as runtime:
        done = runtime.operations.replay(
            job or (), expires=expires, reference=reference, touser=touser, template_id=template_id
        )
    _show_reopened("replayed", done, as_json=as_json)


def resolve(  # noqa: PLR0913 - one argument an option
    job: _JobNumbers = None,
    *,
    as_: Annotated[Resolution, typer.Option("--as", help="They arrived; or send them again.", show_default=False)],
    reference: Reference = None,
    touser: ToUser = None,
    template_id: TemplateId = None,
    expires: _Expires = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Say what became of jobs in doubt.

    Those of these numbers, or every one that matches. Again means in a minute, for an answer may still come; a job
    whose deadline comes before that needs another one.
    """
    with opened(directory) as runtime:
        done = runtime.operations.resolve(
            job or (), as_=as_, expires=expires, reference=reference, touser=touser, template_id=template_id
        )
    _show_reopened("resolved", done, as_json=as_json)


def pause(
    *,
    template_id: _OnlyTemplate = None,
    lane: _OnlyLane = None,
    until: Annotated[
        str | None, typer.Option(help="When it ends by itself, as in `send`; else resume it.", show_default=False)
    ] = None,
    note: Annotated[str | None, typer.Option(help="Why, for whoever looks.", show_default=False)] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Hold back the app's jobs, a lane's, or a template's.

    Takes hold within 2 s.
    """
    with opened(directory) as runtime:
        zone = runtime.zone
        made = runtime.operations.pause(template_id=template_id, lane=lane, note=note, until=until)
    if as_json:
        show_json(made)
    else:
        end = "until it is resumed" if made.until is None else f"until {local(made.until, zone)} ({zone.key})"
        typer.echo(f"paused {_what(made)} {end}")


def resume(
    *,
    template_id: _OnlyTemplate = None,
    lane: _OnlyLane = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Lift every pause on exactly this, whoever set it."""
    with opened(directory) as runtime:
        count = runtime.operations.resume(template_id=template_id, lane=lane)
    if as_json:
        show_json({"lifted": count})
    else:
        typer.echo(f"lifted {count} {'pause' if count == 1 else 'pauses'}")


def pauses(directory: Directory = None, as_json: AsJson = False) -> None:
    """List what is paused, why and until when."""
    with opened(directory) as runtime:
        zone, found = runtime.zone, runtime.operations.pauses()
    if as_json:
        show_json(found)
        return
    rows = [
        (
            _what(each),
            each.reason,
            str(each.errcode or ""),
            local(each.since, zone),
            local(each.until, zone) or "resumed",
            each.note or "",
        )
        for each in found
    ]
    show_table(("@paused", "why", "#code", f"since ({zone.key})", "until", "note"), rows)


def pace(
    *,
    per_second: Annotated[float | None, typer.Option(help="Calls a second from now on.", show_default=False)] = None,
    default: Annotated[bool, typer.Option("--default", help="Go back to the setting.")] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show how many calls a second the app may make, or set it.

    Takes hold within a second.
    """
    if per_second is not None and default:
        raise InvalidInput("--default", "stands beside --per-second", "give one of the two")
    with opened(directory) as runtime:
        if per_second is not None or default:
            runtime.operations.set_pace(per_second)
        limit = runtime.inspection.limit()
    if as_json:
        show_json({"per_second": limit.per_second, "urgent_share": limit.urgent_share})
    else:
        typer.echo(f"{limit.per_second:g} calls a second, {limit.urgent_share:.0%} of them kept for urgent jobs")


def _show_reopened(verb: str, done: Reopened, *, as_json: bool) -> None:
    if as_json:
        show_json({verb: done.jobs, "overdue": done.overdue})
        return
    left = f"; {done.overdue:,} past their deadline stay: give --expires" if done.overdue else ""
    typer.echo(f"{verb} {done.jobs:,} {'job' if done.jobs == 1 else 'jobs'}{left}")


def _what(pause: Pause) -> str:
    parts = [f"template {pause.template_id}" if pause.template_id else "", f"lane {pause.lane}" if pause.lane else ""]
    return ", ".join(filter(None, parts)) or "the app"
