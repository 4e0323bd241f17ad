"""What a benchmark is: something measured several times, and the lines of the table that it fills."""

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from benchmarks.measure import cpu_spent
from pushjobs import clock

__all__ = ["QUIET", "RESULTS", "Figure", "Line", "Values", "measured", "read", "write"]

Values = Mapping[str, float]
"""What one run gave, by the keys of the lines."""

RESULTS = Path(__file__).parent / "results"

QUIET = 0.1
"""Where others took more of the machine than this, a figure is no verdict: neither for us nor against."""

_LIBRARIES = ("celery", "httpx", "httptools", "uvloop", "sqlalchemy", "psycopg", "cryptography")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table. `unit`: how its value is written. A line without a target only tells.

    `otherwise`: why its target may be missed, shown where it is.
    """

    key: str
    words: str
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    otherwise: str = ""

    @property
    def target(self) -> str:
        """Return the target as the table writes it; empty where there is none."""
        if self.at_least is not None:
            return f"≥ {self.unit.format(self.at_least)}"
        return "" if self.at_most is None else f"≤ {self.unit.format(self.at_most)}"

    def is_met(self, value: float) -> bool:
        """Whether the value reaches the target."""
        is_enough = self.at_least is None or value >= self.at_least
        return is_enough and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A benchmark. `measure` makes one run in an empty directory; it is made `runs` times, each from nothing."""

    name: str
    about: str
    measure: Callable[[Path], Values]
    runs: int
    lines: Sequence[Line]


def measured(figure: Figure, *, runs: int) -> dict[str, Any]:
    """Make the runs and return the result, as it is written."""
    begun, made = clock.now(), []
    for number in range(runs):
        with tempfile.TemporaryDirectory(prefix="pushjobs-bench-") as directory, cpu_spent() as spent_since:
            since = clock.monotonic()
            values = figure.measure(Path(directory))
            run = {"seconds": round(clock.monotonic() - since, 1), "others": spent_since().others, "values": values}
        made.append(run)
        told = ", ".join(f"{line.key} {line.unit.format(values[line.key])}" for line in figure.lines)
        print(f"{figure.name} {number + 1}/{runs}: {told}; others took {run['others']:.0%}", flush=True)
    return {"figure": figure.name, "begun": f"{begun:%Y-%m-%d %H:%M} UTC", "machine": _machine(), "runs": made}


def write(result: Mapping[str, Any]) -> None:
    """Keep a result beside the others, in place of the figure's last one."""
    RESULTS.mkdir(exist_ok=True)
    text = orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (RESULTS / f"{result['figure']}.json").write_bytes(text)


def read(figure: Figure) -> dict[str, Any] | None:
    """Return the figure's last result; None where it was never measured."""
    path = RESULTS / f"{figure.name}.json"
    return json.loads(path.read_bytes()) if path.exists() else None


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    command = ["git", "describe", "--always", "--dirty"]
    told = subprocess.run(command, capture_output=True, check=False, text=True)
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "revision": told.stdout.strip(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
