"""The whole path, beside the application that most companies write instead: sends a second, and what they cost."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.figure import Figure, Line, Values
from benchmarks.measure import Arrived, Load
from benchmarks.ours import measure_ours
from benchmarks.plain import measure_plain

__all__ = ["LATENCIES_MS", "SENDS", "SIDES"]

SIDES: dict[str, Callable[[Load, Path], Arrived]] = {"plain": measure_plain, "ours": measure_ours}
LATENCIES_MS = (0, 50)

_MESSAGES = {("ours", 0): 30_000, ("ours", 50): 30_000, ("plain", 0): 1_500, ("plain", 50): 400}
_LEAST, _TIMES = 4_000, {0: 4.5, 50: 50}
_ALLOWANCE = 30_000_000


def _measure(directory: Path) -> Values:
    values: dict[str, float] = {}
    for latency in LATENCIES_MS:
        for side, measure in SIDES.items():
            load = Load(messages=_MESSAGES[side, latency], latency_ms=latency)
            arrived = measure(load, directory / f"{side}{latency}")
            values[f"{side} {latency}"] = arrived.steady
            values[f"{side} {latency} whole"] = arrived.whole
            values |= {f"{side} {latency} cpu {role}": us for role, us in arrived.cpu_us.items()}
        values[f"ratio {latency}"] = values[f"ours {latency}"] / values[f"plain {latency}"]
    values["hours"] = _ALLOWANCE / values["ours 50"] / 3600
    return values


SENDS = Figure(
    name="sends",
    about=f"""So many messages, each to another user, all due at the same moment, are accepted (ours) or published
(plain) before it, so that only sending is measured: {_MESSAGES["ours", 0]:,} of ours, {_MESSAGES["plain", 0]:,} and
{_MESSAGES["plain", 50]:,} of plain Celery's. *Sends a second* are those between the tenth and the ninetieth percentile
of arrivals, so that neither the first connections nor the last stragglers count.""",
    measure=_measure,
    runs=5,
    lines=(
        Line(key="ours 0", words="sends, the sandbox answering at once", unit="{:,.0f}/s", at_least=_LEAST),
        Line(key="plain 0", words="plain Celery, the same", unit="{:,.0f}/s"),
        Line(key="ratio 0", words="ours to plain Celery's", unit="{:.1f} ×", at_least=_TIMES[0]),
        Line(key="ours 50", words="sends, the sandbox answering after 50 ms", unit="{:,.0f}/s", at_least=_LEAST),
        Line(key="plain 50", words="plain Celery, the same", unit="{:,.0f}/s"),
        Line(key="ratio 50", words="ours to plain Celery's", unit="{:.1f} ×", at_least=_TIMES[50]),
        Line(key="hours", words="WeChat's allowance of 30 million a day, at that rate", unit="{:.2f} h", at_most=2.5),
    ),
)
