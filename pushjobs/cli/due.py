"""`pushjobs due`: what goes out when.

Jobs come from the last count of what is scheduled, however many there are; runs of campaigns whose audience is not read
yet are named beside them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import typer

from pushjobs import clock
from pushjobs.cli.options import AsJson, Directory, opened
from pushjobs.cli.shown import local, show_json, show_table, stderr
from pushjobs.domain.job import Lane
from pushjobs.domain.moment import read_moment
from pushjobs.overview import Coming, Overview, Seen
from pushjobs.runtime import Runtime

__all__ = ["due"]

_DAY = timedelta(hours=24)
_MOST_RUNS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """What goes out together. `until` None: it was due already; `jobs` None: its audience is not read yet."""

    since: datetime | None
    until: datetime | None
    jobs: int | None
    lane: Lane
    template_id: str
    title: str | None
    campaign: str | None


def due(
    *,
    due_after: Annotated[
        str | None, typer.Option(help="Only what is due at this moment or later.", show_default=False)
    ] = None,
    due_before: Annotated[
        str | None, typer.Option(help="Only what is due before this moment; else a day on.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(help="The most to list.", min=1, max=1000)] = 100,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show what goes out when, by template and campaign.

    By minute for a day, then by hour for a week, then by day. Jobs are counted every few seconds; what is not due any
    more, but waits, stands first.
    """
    with opened(directory) as runtime:
        zone = runtime.zone
        after = None if due_after is None else read_moment(due_after, zone, field="due_after")
        until = (
            (after or clock.now()) + _DAY if due_before is None else read_moment(due_before, zone, field="due_before")
        )
        appid = runtime.app().app.appid
        coming = Overview(runtime).coming(Seen(apps=(appid,)), until=until)
        rows = [*_counted(coming), *_unread(runtime, appid, until)]
    # What begins before the moment and ends behind it is due at it, too.
    rows = [row for row in rows if after is None or (row.until is not None and row.until > after)]
    rows.sort(key=lambda row: (row.since is not None, row.since or until))
    if as_json:
        show_json({"counted_at": coming.counted_at, "until": until, "due": rows[:limit]})
        return
    if coming.counted_at is None:
        stderr().print("What is scheduled was not counted yet: is beat running?")
    columns = (f"@at ({zone.key})", "#jobs", "lane", "@template", "title", "campaign")
    cells = [
        (
            "due already" if row.since is None else local(row.since, zone),
            "not read yet" if row.jobs is None else f"{row.jobs:,}",
            row.lane,
            row.template_id,
            row.title or "",
            row.campaign or "",
        )
        for row in rows[:limit]
    ]
    show_table(columns, cells)
    if len(rows) > limit:
        typer.echo(f"and {len(rows) - limit:,} lines more: give --limit, or a window")


def _counted(coming: Coming) -> Iterator[_Row]:
    for each in coming.due:
        until = None
        if each.since is not None:
            is_minute = coming.minutes_until is not None and each.since < coming.minutes_until
            is_hour = coming.hours_until is not None and each.since < coming.hours_until
            until = each.since + (timedelta(minutes=1) if is_minute else timedelta(hours=1) if is_hour else _DAY)
        yield _Row(
            since=each.since,
            until=until,
            jobs=each.jobs,
            lane=each.lane,
            template_id=each.template_id,
            title=each.title,
            campaign=each.key and f"{each.key} (run {each.run_no})",
        )


def _unread(runtime: Runtime, appid: str, until: datetime) -> Iterator[_Row]:
    """Return the runs whose audience is not read, and the next instant of each campaign that is not planned yet."""
    for run in runtime.campaigns.under_way(appid=appid, until=until, limit=_MOST_RUNS):
        if not run.expanded:
            yield _Row(
                since=run.instant,
                until=run.instant + timedelta(minutes=1),
                jobs=run.recipients,
                lane=run.policies.lane,
                template_id=run.template_id,
                title=None,
                campaign=f"{run.key} (run {run.run_no})",
            )
    for campaign in runtime.campaigns.list():
        if campaign.appid == appid and campaign.paused_at is None and campaign.next_at and campaign.next_at < until:
            yield _Row(
                since=campaign.next_at,
                until=campaign.next_at + timedelta(minutes=1),
                jobs=None,
                lane=campaign.policies.lane,
                template_id=campaign.template_id,
                title=None,
                campaign=campaign.key,
            )
