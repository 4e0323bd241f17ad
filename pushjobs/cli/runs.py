"""`pushjobs campaign`, of its runs: looked at, held, cancelled, watched, rehearsed; who was not reached."""

import csv
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Annotated, TextIO
from zoneinfo import ZoneInfo

import typer

from pushjobs import clock
from pushjobs.campaigns.campaigns import Campaigns, Progress
from pushjobs.campaigns.rehearsal import Rehearsal
from pushjobs.cli.options import AsJson, Directory, Yes, confirm, opened
from pushjobs.cli.shown import local, progress, show_json, show_json_line, show_pairs, show_table, stdout
from pushjobs.domain.job import JobState
from pushjobs.errors import NotFound
from pushjobs.store.runs import Run

__all__ = ["Named", "read_named", "register", "show_rehearsal", "show_run", "show_runs", "watched"]

_LOOK_SECONDS = 0.5
_TOLD = (JobState.SENT, JobState.REFUSED)
_LOOK_SHARE = 10
"""Counting may take a tenth of the time that it is watched."""

_Key = Annotated[str, typer.Argument(metavar="KEY", help="The campaign's key.", show_default=False)]
Named = Annotated[
    str, typer.Argument(metavar="KEY|RUN", help="The campaign's key, or a run's number.", show_default=False)
]
_RunNumber = Annotated[int, typer.Argument(metavar="RUN", help="The run's number.", min=1, show_default=False)]


def register(campaign: typer.Typer) -> None:
    """Add the commands of runs to those of campaigns."""
    for command in (runs, pause, resume, cancel, watch, rehearse, export):
        campaign.command()(command)
    campaign.command("test")(try_on)


def runs(
    key: _Key,
    *,
    limit: Annotated[int, typer.Option(help="The most to list.", min=1, max=1000)] = 20,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List a campaign's runs, the latest first."""
    with opened(directory) as runtime:
        zone, found = ZoneInfo(runtime.campaigns.get(key).zone), runtime.campaigns.runs(key, limit=limit)
    if as_json:
        show_json([asdict(each) for each in found])
    else:
        show_runs(found, zone)


def pause(named: Named, directory: Directory = None, as_json: AsJson = False) -> None:
    """Hold a run, or a campaign with all of its runs.

    Takes hold within a second or two.
    """
    with opened(directory) as runtime:
        count = runtime.campaigns.pause(read_named(named))
    if as_json:
        show_json({"paused": named, "runs": count})
    else:
        typer.echo(f"paused {named}: {count} {'run is' if count == 1 else 'runs are'} held")


def resume(named: Named, directory: Directory = None, as_json: AsJson = False) -> None:
    """Let a run, or a campaign with all of its runs, go on."""
    with opened(directory) as runtime:
        count = runtime.campaigns.resume(read_named(named))
    if as_json:
        show_json({"resumed": named, "runs": count})
    else:
        typer.echo(f"resumed {named}: {count} {'run goes' if count == 1 else 'runs go'} on")


def cancel(run: _RunNumber, *, yes: Yes = False, directory: Directory = None, as_json: AsJson = False) -> None:
    """Cancel what of a run is not sent.

    Takes hold within a second or two.
    """
    with opened(directory) as runtime:
        found = runtime.campaigns.run(run)
        confirm(f"Cancel the run {run} of {found.key}?", yes=yes)
        runtime.campaigns.cancel(run)
    if as_json:
        show_json({"cancelled": run})
    else:
        typer.echo(f"cancelled run {run}: what nobody has begun to send is not sent")


def watch(named: Named, directory: Directory = None, as_json: AsJson = False) -> None:
    """Watch a run until it is over.

    Where a campaign's key is given, that is its latest run.
    """
    with opened(directory) as runtime:
        run_no = _latest(runtime.campaigns, named)
        zone, found = runtime.zone, watched(runtime.campaigns, run_no)
    show_json(asdict(found)) if as_json else show_run(found, zone)


def rehearse(key: _Key, directory: Directory = None, as_json: AsJson = False) -> None:
    """Say who would get the next run, who not and why.

    And how long it takes. Sends nothing, stores nothing.
    """
    with opened(directory) as runtime:
        zone, found = ZoneInfo(runtime.campaigns.get(key).zone), runtime.campaigns.rehearse(key)
    if as_json:
        show_json(asdict(found))
    else:
        show_rehearsal(found, zone)


def try_on(
    key: _Key,
    touser: Annotated[str, typer.Option(help="The open id of whoever tries it.", show_default=False)],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Send what the next run would say to one user, now."""
    with opened(directory) as runtime:
        job = runtime.campaigns.test(key, touser)
    if as_json:
        show_json(job)
    else:
        typer.echo(f"job {job.id}: `pushjobs show {job.id}` tells what became of it")


def export(
    run: _RunNumber,
    *,
    output: Annotated[
        Path | None, typer.Option(help="A CSV to write; else standard output.", show_default=False)
    ] = None,
    directory: Directory = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON lines instead of CSV, one a user.")] = False,
) -> None:
    """Write whom a run did not reach as CSV.

    Those are the refused and the dead, open ids included. Keep it as you keep your users' data; it is made readable
    for you alone.
    """
    with opened(directory) as runtime:
        found = runtime.campaigns.unreached(run)
        written = 0
        with nullcontext(sys.stdout) if output is None else _private(output) as stream:
            names = ("job", "touser", "state", "reason", "errcode", "closed_at")
            writer = csv.writer(stream)
            if not as_json:
                writer.writerow(names)
            for each in found:
                moment = each.closed_at.isoformat()
                values = (each.job_id, each.touser, each.state, each.reason, each.errcode, moment)
                if as_json:
                    show_json_line(dict(zip(names, values, strict=True)), stream)
                else:
                    writer.writerow(values)
                written += 1
    if output is not None:
        typer.echo(f"wrote {written:,} {'user' if written == 1 else 'users'} to {output}")


def show_runs(found: Sequence[Run], zone: ZoneInfo) -> None:
    """Write runs as a table."""
    rows = []
    for each in found:
        counted = {state: sum(one.jobs for one in each.counts if one.state is state) for state in JobState}
        held = "paused, " if each.paused_at is not None and each.finished_at is None else ""
        rows.append(
            (
                str(each.run_no),
                local(each.instant, zone),
                f"{held}{each.state}",
                each.reason or "",
                "" if each.recipients is None else f"{each.recipients:,}",
                f"{counted[JobState.SENT]:,}",
                f"{counted[JobState.REFUSED]:,}",
                f"{sum(jobs for state, jobs in counted.items() if state.is_final and state not in _TOLD):,}",
                f"{sum(jobs for state, jobs in counted.items() if not state.is_final):,}",
                each.note or "",
            )
        )
    columns = ("#run", f"instant ({zone.key})", "state", "why", "#planned", "#sent", "#refused", "#other", "#waiting")
    show_table((*columns, "note"), rows)


def read_named(named: str) -> str | int:
    """Tell a run's number from a campaign's key."""
    return int(named) if named.isascii() and named.isdecimal() else named


def _latest(campaigns: Campaigns, named: str) -> int:
    run_no = read_named(named)
    if isinstance(run_no, int):
        return run_no
    for run in campaigns.runs(run_no):
        if run.expanded or run.finished_at is None:
            return run.run_no
    raise NotFound(f"the campaign {named} has no run yet: `pushjobs campaign preview {named}` says when it will")


def watched(campaigns: Campaigns, run_no: int) -> Progress:
    """Show how a run goes until it is over."""
    pause_for = Event()
    with progress() as bar:
        task = bar.add_task("waiting for its audience", total=None)
        while True:
            began = clock.monotonic()
            found = campaigns.progress(run_no)
            closed = (found.planned or 0) - (found.remaining or 0)
            bar.update(task, description=_phase(found), total=found.planned, completed=closed)
            if found.run.finished_at is not None:
                return found
            pause_for.wait(max(_LOOK_SECONDS, _LOOK_SHARE * (clock.monotonic() - began)))


def _phase(found: Progress) -> str:
    run = found.run
    if run.paused_at is not None:
        return "paused"
    if found.planned is None:
        return "waiting for its audience"
    if found.made < found.planned:
        return "making jobs"
    return "sending" if run.opened_at is not None else "waiting for its moment"


def show_run(found: Progress, zone: ZoneInfo) -> None:
    """Write how far a run is."""
    run = found.run
    states = [(str(state), f"{count:,}") for state, count in found.states.items() if count]
    refused = [(f"  refused: {reason}", f"{count:,}") for reason, count in found.refused.items()]
    pairs = [
        ("run", f"{run.run_no} of {run.key}"),
        ("instant", f"{local(run.instant, zone)} ({zone.key})"),
        ("state", " ".join(filter(None, (run.state, run.reason and f"({run.reason})")))),
        ("note", run.note or ""),
        ("planned", "" if found.planned is None else f"{found.planned:,}"),
        ("rows that were none", f"{run.rejected:,}" if run.rejected else ""),
        *states,
        *refused,
        ("remaining", "" if found.remaining is None else f"{found.remaining:,}"),
        ("will be done about", local(found.finishes_at, zone)),
    ]
    show_pairs([(name, value) for name, value in pairs if value])
    if run.faults:
        rows = [(str(each["number"]), each["field"], f"{each['fault']}: {each['rule']}") for each in run.faults[:10]]
        show_table(("#row", "field", "fault"), rows, title="rows of the audience that were none (the first)")


def show_rehearsal(found: Rehearsal, zone: ZoneInfo) -> None:
    """Write what a rehearsal found."""
    pairs = [
        ("for the run of", f"{local(found.at, zone)} ({zone.key})"),
        ("users", f"{found.users:,}"),
        ("would get it", f"{found.gets:,}"),
        *(
            (f"would {'wait' if each.waits else 'be refused'}", f"{each.users:,}: {each.rule}")
            for each in found.verdicts
        ),
        ("named again", f"{found.repeated:,}" if found.repeated else ""),
        ("takes", f"{found.seconds:,.0f} s at the pace of this moment"),
        ("held", "; ".join(found.held)),
    ]
    show_pairs([(name, value) for name, value in pairs if value])
    if found.rejected:
        rows = [(fault, f"{count:,}") for fault, count in found.rejected.items()]
        show_table(("rows that are none", "#rows"), rows)
    for each in found.samples:
        stdout().print()
        texts = [(key, text) for key, text in each.content.data]
        show_pairs([("to", each.touser), *texts, *([("page", each.content.page)] if each.content.page else [])])


def _private(path: Path) -> TextIO:
    """Open a file for its owner alone: it names people."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline="")
