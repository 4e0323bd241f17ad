"""What `pushjobs top` shows: one reading of everything, and how it is drawn on a screen that may be 80 by 24."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from pushjobs.campaigns.campaigns import Progress
from pushjobs.cli.shown import local
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.pause import Pause
from pushjobs.overview import AppNow, Coming, LaneNow, Now

__all__ = ["AHEAD", "Frame", "drawn"]

AHEAD = timedelta(minutes=15)
"""How far what is due is looked ahead."""

_LATE_BEAT_SECONDS = 3.0
_CROWDED = 0.8
_LATE_SECONDS = 0.5
"""What p99 is promised to keep below with spare capacity."""

_LINES = 24
_MOST = {"lanes": 4, "apps": 2, "pauses": 2, "runs": 2}
"""How many of each there is room for in so many lines; a fifth of what there is beyond goes to each."""
_BARS = " ▁▂▃▄▅▆▇█"
_NARROW, _BAR = 20, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One reading. `runs`: those that are under way; `trouble`: why nothing newer could be read, None: this is new."""

    now: Now
    coming: Coming
    runs: Sequence[Progress]
    trouble: str | None = None


def drawn(frame: Frame, zone: ZoneInfo, *, columns: int, lines: int) -> Group:
    """Draw a frame, no wider and no higher than that: what does not fit is cut, from the end."""
    made = list(_lines(frame, zone, columns, max(0, lines - _LINES) // 5))[:lines]
    for line in made:
        line.no_wrap = True
        line.truncate(columns, overflow="ellipsis")
    return Group(*made)


def _lines(frame: Frame, zone: ZoneInfo, columns: int, more: int) -> Iterator[Text]:
    now, most = frame.now, {name: count + more for name, count in _MOST.items()}
    yield _head(now, zone)
    if frame.trouble is not None:
        yield Text(frame.trouble, style="bold red")
    yield _throughput(now, columns)
    yield Text()
    yield from _lanes(now.lanes, most["lanes"])
    for app in now.apps[: most["apps"]]:
        yield _app(app)
    yield Text()
    yield _queues(now)
    yield _troubles(now)
    yield from _pauses(now, zone, most["pauses"])
    yield from _runs(frame.runs[: most["runs"]], zone)
    yield from _due(frame, zone)


def _head(now: Now, zone: ZoneInfo) -> Text:
    text = Text.assemble((" pushjobs ", "reverse"), f" {local(now.at, zone)} {zone.key}   ")
    if now.beat_age is None or now.beat_age > _LATE_BEAT_SECONDS:
        age = "not to be read" if now.beat_age is None else f"{now.beat_age:,.0f} s ago"
        return text.append(f"no tick: the last was {age}", style="bold red")
    return text.append(f"ticked {now.beat_age:.1f} s ago")


def _throughput(now: Now, columns: int) -> Text:
    sent = [minute.became.get(Transition.DELIVER, 0) for minute in now.minutes]
    *whole, present = sent or [0]
    last = whole[-1] if whole else 0
    text = Text.assemble(("sent ", "dim"), f"{last:,} in the last minute, {present:,} in this  ")
    return text.append(_sparks(whole[-max(0, columns - cell_len(text.plain)) :]), style="green")


def _lanes(lanes: Sequence[LaneNow], most: int) -> Iterator[Text]:
    head = f"{'app':{_NARROW}} {'lane':6} {'out':>7} {'overdue':>9} {'sent/min':>9} {'p50':>9} {'p99':>9}"
    yield Text(head, style="dim")
    for lane in lanes[:most]:
        text = Text(f"{lane.appid:{_NARROW}} {lane.lane:6} {lane.out:>7,} ")
        text.append(f"{_span(lane.overdue):>9}", style="yellow" if lane.overdue > _LATE_SECONDS else "")
        text.append(f" {lane.sent:>9,} {_span(lane.p50):>9} ")
        is_late = lane.p99 is not None and lane.p99 > _LATE_SECONDS
        yield text.append(f"{_span(lane.p99):>9}", style="yellow" if is_late else "")
    if not lanes:
        yield Text("nothing was sent lately", style="dim")
    if len(lanes) > most:
        yield Text(f"… and {len(lanes) - most} lanes more", style="dim")


def _app(app: AppNow) -> Text:
    text = Text.assemble(f"{app.appid:{_NARROW}} at ")
    if app.trouble is not None:
        return text.append(app.trouble, style="bold red")
    if app.limit is not None:
        text.append(f"{app.limit.per_second:g} calls a second")
    if app.quota is not None:
        share = app.quota.used / max(1, app.quota.cap)
        text.append(f"; {app.quota.used:,} of {app.quota.cap:,} today", style="yellow" if share > _CROWDED else "")
    return text


def _queues(now: Now) -> Text:
    if now.queues is None:
        return Text.assemble(("queues   ", "dim"), ("the broker does not answer", "bold red"))
    lengths = "  ".join(f"{name.removeprefix('pushjobs.')} {length:,}" for name, length in now.queues.items())
    return Text.assemble(("queues   ", "dim"), lengths)


def _troubles(now: Now) -> Text:
    text = Text("trouble  ", style="dim")
    parts = {
        **{state.replace("_", " "): jobs for state, jobs in now.troubled.items()},
        "callbacks waiting": now.callbacks_waiting,
        "forwards waiting": now.forwards_waiting,
    }
    if not any(parts.values()):
        return text.append("none", style="not dim")
    return text.append("  ".join(f"{name} {count:,}" for name, count in parts.items() if count), style="not dim yellow")


def _pauses(now: Now, zone: ZoneInfo, most: int) -> Iterator[Text]:
    found = [(app.appid, pause) for app in now.apps for pause in app.pauses]
    if not found:
        yield Text.assemble(("paused   ", "dim"), "nothing")
    for appid, pause in found[:most]:
        why = " ".join(filter(None, (pause.reason, str(pause.errcode or ""))))
        yield Text.assemble(("paused   ", "dim"), (why, "yellow"), f": {_what(appid, pause)}{_until(pause, zone)}")
    if len(found) > most:
        yield Text(f"         … and {len(found) - most} more", style="dim")


def _what(appid: str, pause: Pause) -> str:
    of = [f"template {pause.template_id}" if pause.template_id else "", f"lane {pause.lane}" if pause.lane else ""]
    return ", ".join(filter(None, of)) or f"app {appid}"


def _until(pause: Pause, zone: ZoneInfo) -> str:
    end = "until resumed" if pause.probe_in is None else "tried now and then"
    if pause.until is not None:
        end = f"until {_clock(pause.until, zone)}"
    return f", since {_clock(pause.since, zone)}, {end}{f': {pause.note}' if pause.note else ''}"


def _runs(runs: Sequence[Progress], zone: ZoneInfo) -> Iterator[Text]:
    for found in runs:
        run, planned = found.run, found.planned
        text = Text.assemble(("campaign ", "dim"), f"{run.key} (run {run.run_no}) ")
        if planned is None:
            yield text.append("is being prepared")
            continue
        done = planned - (found.remaining or 0)
        share = done / max(1, planned)
        text.append("█" * round(_BAR * share), style="green").append("░" * (_BAR - round(_BAR * share)), style="dim")
        text.append(f" {done:,} of {planned:,}")
        if run.paused_at is not None:
            text.append(", paused", style="yellow")
        yield text.append(f", till {_clock(found.finishes_at, zone)}" if found.finishes_at else "")


def _due(frame: Frame, zone: ZoneInfo) -> Iterator[Text]:
    """Show what falls due minute by minute."""
    coming, this = frame.coming, frame.now.at.replace(second=0, microsecond=0)
    if coming.counted_at is None:
        yield Text.assemble(("due      ", "dim"), "not counted yet")
        return
    by_minute: Counter[datetime | None] = Counter()
    for each in coming.due:
        by_minute[each.since if each.since is None or each.since >= this else None] += each.jobs
    minutes = [this + timedelta(minutes=number) for number in range(int(AHEAD / timedelta(minutes=1)))]
    counts = [by_minute[minute] for minute in minutes]
    text = Text.assemble(("due      ", "dim"), f"{sum(counts):,} in {len(minutes)} minutes ")
    yield text.append(_sparks(counts), style="green").append(
        f"  {by_minute[None]:,} overdue, as counted at {_clock(coming.counted_at, zone)}", style="dim"
    )
    at = [f"{_clock(minute, zone)[:5]} {count:,}" for minute, count in zip(minutes, counts, strict=True) if count]
    if at:
        yield Text("         " + "   ".join(at))


def _clock(moment: datetime | None, zone: ZoneInfo) -> str:
    return local(moment, zone)[-8:]


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{timedelta(seconds=round(seconds))}"  # noqa: PLR2004 - three figures


def _sparks(counts: Sequence[int]) -> str:
    most = max(counts, default=0)
    # Something is never drawn as nothing.
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] if most else _BARS[0] for count in counts)
