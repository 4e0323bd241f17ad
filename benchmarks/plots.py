"""How cost grows, as pictures."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from benchmarks.figure import Figure, read
from benchmarks.growth import LATENCIES_MS, LATENCY, PENDING_GROWTH, PENDINGS, WORKER_COUNTS, WORKERS

__all__ = ["draw"]


class Spread(NamedTuple):
    """The lowest, the median and the highest of a value's runs."""

    least: float
    middle: float
    most: float


_SIZE_INCHES, _DPI = (7.0, 3.6), 110
_OURS, _SECOND = "#1677b3", "#b35c16"


def draw(folder: Path) -> None:
    """Draw each plot whose figure was measured, into `bench-….png`."""
    mpl.use("agg")
    _draw(folder, "bench-workers", WORKERS, _workers)
    _draw(folder, "bench-latency", LATENCY, _latency)
    _draw(folder, "bench-pending", PENDING_GROWTH, _pending)


def _draw(folder: Path, name: str, figure: Figure, fill: Callable[[Axes, dict[str, Spread]], None]) -> None:
    result = read(figure)
    if result is None:
        return
    spreads = {line.key: Spread(*_bounds([run["values"][line.key] for run in result["runs"]])) for line in figure.lines}
    drawing = Drawing(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    axes = drawing.add_subplot()
    axes.set_ylabel("sends a second")
    axes.grid(visible=True, alpha=0.3)
    fill(axes, spreads)
    axes.set_ylim(bottom=0)
    # Without the time and the library's version: the same figures make the same file.
    drawing.savefig(folder / f"{name}.png", metadata={"Software": None})


def _workers(axes: Axes, spreads: dict[str, Spread]) -> None:
    _line(axes, WORKER_COUNTS, [spreads[f"{workers}"] for workers in WORKER_COUNTS])
    axes.set_xticks(WORKER_COUNTS)
    axes.set_xlabel("bulk workers on two cores, WeChat answering after 50 ms")


def _latency(axes: Axes, spreads: dict[str, Spread]) -> None:
    _line(axes, LATENCIES_MS, [spreads[f"{latency}"] for latency in LATENCIES_MS])
    axes.set_xlabel("WeChat answers after so many milliseconds; four bulk workers")


def _pending(axes: Axes, spreads: dict[str, Spread]) -> None:
    _line(axes, PENDINGS, [spreads[f"{pending}"] for pending in PENDINGS])
    axes.set_xscale("log")
    axes.set_xlabel("jobs that wait for another day")
    ticks = axes.twinx()
    ticks.set_ylabel("release tick, ms", color=_SECOND)
    ticks.plot(PENDINGS, [spreads[f"{pending} tick"].middle * 1000 for pending in PENDINGS], "s--", color=_SECOND)
    ticks.set_ylim(bottom=0)


def _line(axes: Axes, across: Sequence[int], spreads: Sequence[Spread]) -> None:
    middles = [spread.middle for spread in spreads]
    below = [spread.middle - spread.least for spread in spreads]
    above = [spread.most - spread.middle for spread in spreads]
    axes.errorbar(across, middles, yerr=(below, above), fmt="o-", color=_OURS, capsize=3)


def _bounds(values: Sequence[float]) -> tuple[float, float, float]:
    return min(values), statistics.median(values), max(values)
