"""`pushjobs schedule`: what goes out when, and at one moment from what and whether anything holds it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from pushjobs import clock
from pushjobs.cli.options import AsJson, Directory, meant_appid, opened
from pushjobs.cli.shown import local, show_json, show_table, stderr
from pushjobs.schedule import Expected, GoesOut, Hold, HoldKind, Outline, Schedule, Stretch, read_when
from pushjobs.store.minutes import Seen

__all__ = ["schedule"]

_RUNS_SHOWN = 20
_HOLDS = {
    HoldKind.RUN_PAUSED: "its run is paused",
    HoldKind.CAMPAIGN_PAUSED: "its campaign is paused",
    HoldKind.RUN_STOPPED: "its run was stopped",
    HoldKind.QUIET_HOURS: "quiet hours",
}


def schedule(
    *,
    at: Annotated[
        str | None, typer.Option(help='A time of the day ("08:00") or a moment, as in `send`.', show_default=False)
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show what goes out when; with --at, what then, and what holds it."""
    appid = meant_appid.get()
    seen = Seen(apps=None if appid is None else [appid])
    with opened(directory) as runtime:
        zone, found = runtime.zone, Schedule(runtime)
        if at is None:
            outline = found.outline(seen, zone)
            show_json(outline) if as_json else _show_outline(outline, zone)
        else:
            goes_out = found.at(seen, read_when(at, zone, field="--at"), zone)
            show_json(goes_out) if as_json else _show_goes_out(goes_out, zone)


def _show_outline(outline: Outline, zone: ZoneInfo) -> None:
    _show_stretches("next hour", [each for each in outline.minutes if each.jobs or each.expected], zone)
    _show_stretches("next day", [each for each in outline.hours if each.jobs or each.expected], zone)
    _show_stretches("next days", outline.days, zone)
    _show_expected(outline.expected[:_RUNS_SHOWN], zone)
    if len(outline.expected) > _RUNS_SHOWN or outline.is_cut:
        typer.echo("and later runs: --json has them")
    if outline.due:
        typer.echo(f"{outline.due:,} were due already")
    _say_counted(outline.counted_at)


def _show_stretches(title: str, stretches: Sequence[Stretch], zone: ZoneInfo) -> None:
    if stretches:
        rows = [
            (local(each.since, zone)[:16], f"{each.jobs:,}", f"about {each.expected:,}" if each.expected else "")
            for each in stretches
        ]
        show_table((f"from ({zone.key})", "#jobs", "#runs to come"), rows, title=title)


def _show_goes_out(found: GoesOut, zone: ZoneInfo) -> None:
    stretch = found.stretch
    title = f"{local(stretch.since, zone)[:16]} to {local(stretch.until, zone)[11:16]} ({zone.key})"
    if found.lines:
        rows = [
            (
                f"{line.source.jobs:,}",
                line.source.appid,
                line.source.lane,
                " ".join(filter(None, (line.source.title, line.source.template_id))),
                line.source.key or "",
                "; ".join(_held(hold, zone) for hold in line.holds),
            )
            for line in found.lines
        ]
        show_table(("#jobs", "app", "lane", "template", "campaign", "held"), rows, title=title)
    _show_expected(found.expected, zone)
    if not found.lines and not found.expected:
        typer.echo(f"nothing goes out in the {found.grain} of {title}")
    if found.includes_due and found.lines:
        typer.echo("with what was due already")
    _say_counted(found.counted_at)


def _show_expected(expected: Sequence[Expected], zone: ZoneInfo) -> None:
    if not expected:
        return
    rows = [
        (
            local(each.at, zone)[:16],
            each.key,
            str(each.run_no or ""),
            "not known" if each.jobs is None else f"{'' if each.is_known else 'about '}{each.jobs:,}",
            "; ".join(_held(hold, zone) for hold in each.holds),
        )
        for each in expected
    ]
    show_table(
        (f"at ({zone.key})", "campaign", "#run", "#users", "held"), rows, title="runs whose jobs are not made yet"
    )


def _held(hold: Hold, zone: ZoneInfo) -> str:
    if hold.pause is not None:
        note = f": {hold.pause.note}" if hold.pause.note else ""
        words = f"paused ({hold.pause.reason}{note})"
    else:
        words = _HOLDS[hold.kind]
    return f"{words} until {local(hold.until, zone)[:16]}" if hold.until is not None else words


def _say_counted(counted_at: datetime | None) -> None:
    if counted_at is None:
        stderr().print(
            "What is scheduled was not counted yet: a tick does, within a minute of the start of the workers."
        )
    else:
        typer.echo(f"as counted {(clock.now() - counted_at).total_seconds():.0f} s ago")
