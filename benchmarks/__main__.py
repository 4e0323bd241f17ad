"""`make bench`: pushjobs beside a plain Celery application, on this machine, in one run.

Writes what it measured into `results/` and its table into `README.md`. Nothing is adjusted afterwards: a target that
is not met says so.
"""

import argparse
import platform
import tempfile
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from benchmarks import table
from benchmarks.measure import PROCESSES, RATE_PER_SECOND, Figures, Load
from benchmarks.ours import measure_ours
from benchmarks.plain import measure_plain
from pushjobs import clock, settings

_HERE = Path(__file__).parent
_SIDES: dict[str, Callable[[Load, Path], Figures]] = {"plain": measure_plain, "ours": measure_ours}
_LATENCIES_MS = (0, 50)
_MESSAGES = {("ours", 0): 20_000, ("ours", 50): 20_000, ("plain", 0): 1_500, ("plain", 50): 400}
_MESSAGES_FULL = {("ours", 0): 100_000, ("ours", 50): 100_000, ("plain", 0): 10_000, ("plain", 50): 2_000}


def _main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="send five times as many messages")
    parser.add_argument("--only", choices=[*_SIDES], help="measure one side and write nothing")
    chosen = parser.parse_args()
    # Neither side may be led to anyone's real servers, nor be tuned by what is set here.
    settings.forget_environment()
    begun = clock.now()
    counts = _MESSAGES_FULL if chosen.full else _MESSAGES
    measured = {
        f"{side} {latency} ms": _measure(side, Load(messages=counts[side, latency], latency_ms=latency))
        for latency in _LATENCIES_MS
        for side in _SIDES
        if chosen.only in (None, side)
    }
    if chosen.only is None:
        _write(begun, measured)


def _measure(side: str, load: Load) -> Figures:
    with tempfile.TemporaryDirectory(prefix="pushjobs-bench-") as directory:
        figures = _SIDES[side](load, Path(directory))
    cpu = ", ".join(f"{name} {us:.0f}" for name, us in figures.cpu_us.items())
    print(
        f"{side:5} {load.latency_ms:2} ms: {figures.steady:5.0f}/s steady, {figures.whole:5.0f}/s whole, "
        f"{figures.accepted} of {load.messages} arrived, {figures.repeats} twice; "
        f"others took {figures.others:.0%}; CPU s per million: {cpu}",
        flush=True,
    )
    return figures


def _write(begun: datetime, measured: dict[str, Figures]) -> None:
    result = {
        "begun": f"{begun:%Y-%m-%d %H:%M} UTC",
        "machine": _machine(),
        "processes": PROCESSES,
        "rate_per_second": RATE_PER_SECOND,
        "figures": {name: figures.as_json() for name, figures in measured.items()},
    }
    path = _HERE / "results" / f"{begun:%Y%m%dT%H%M%S}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    print("\n" + table.write(_HERE / "README.md", result, path.name))


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(models),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": {
            name: version(name) for name in ("celery", "httpx", "httptools", "uvloop", "sqlalchemy", "psycopg")
        },
    }


if __name__ == "__main__":
    _main()
