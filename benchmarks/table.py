"""The page's table: every figure beside its target, out of the results that stand in `results/`."""

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figure import QUIET, Figure, Line, read

__all__ = ["write"]

_BEGIN, _END = "<!-- written by the run -->", "<!-- until here -->"


def write(page: Path, figures: Sequence[Figure]) -> str:
    """Put the table between the page's two marks, and return it."""
    results = {figure.name: result for figure in figures if (result := read(figure)) is not None}
    shown = [figure for figure in figures if figure.name in results]
    text = "\n\n".join([_table(shown, results), _cpu(results), *_about(shown, results)])
    whole = page.read_text(encoding="utf-8")
    page.write_text(
        re.sub(f"{_BEGIN}.*{_END}", lambda _: f"{_BEGIN}\n\n{text}\n\n{_END}", whole, flags=re.DOTALL), encoding="utf-8"
    )
    return text


def _table(figures: Sequence[Figure], results: Mapping[str, Any]) -> str:
    head = "| figure | median | lowest to highest | runs | target | |\n|---|---|---|---|---|---|"
    rows = (_row(figure, line, results[figure.name]["runs"]) for figure in figures for line in figure.lines)
    return "\n".join([head, *rows])


def _row(figure: Figure, line: Line, runs: Sequence[Mapping[str, Any]]) -> str:
    values = [run["values"][line.key] for run in runs]
    median = statistics.median(values)
    spread = "" if len(values) == 1 else f"{line.unit.format(min(values))} to {line.unit.format(max(values))}"
    words = f"{figure.name}: {line.words}"
    return (
        f"| {words} | {line.unit.format(median)} | {spread} | {len(values)} | {line.target} | {_verdict(line, runs)} |"
    )


def _verdict(line: Line, runs: Sequence[Mapping[str, Any]]) -> str:
    if not line.target:
        return ""
    if statistics.median(run["others"] for run in runs) > QUIET:
        return "no verdict: the machine was shared"
    if line.is_met(statistics.median(run["values"][line.key] for run in runs)):
        return "met"
    return f"**not met**: {line.otherwise}" if line.otherwise else "**not met**"


def _cpu(results: Mapping[str, Any]) -> str:
    """Say where the processor time of a send went: seconds per million sends are microseconds a send."""
    if "sends" not in results:
        return ""
    runs = results["sends"]["runs"]
    columns = ("plain 0", "ours 0", "plain 50", "ours 50")
    medians = {
        key: statistics.median(run["values"].get(key, 0.0) for run in runs)
        for key in sorted({key for run in runs for key in run["values"] if " cpu " in key})
    }
    roles = sorted({key.partition(" cpu ")[2] for key in medians})
    cells = {role: [medians.get(f"{column} cpu {role}") for column in columns] for role in roles}
    sums = [sum(value or 0.0 for value in column) for column in zip(*cells.values(), strict=True)]
    cores = results["sends"]["machine"]["cores"]
    full = [cores * 1e6 / total for total in sums]
    rows = [f"| {role} | {' | '.join(_cell(value) for value in values)} |" for role, values in cells.items()]
    return "\n".join(
        [
            "| CPU seconds per million sends | plain, 0 ms | ours, 0 ms | plain, 50 ms | ours, 50 ms |",
            "|---|---|---|---|---|",
            *rows,
            f"| **together** | {' | '.join(_cell(total) for total in sums)} |",
            f"| sends a second at which the cores are full | {' | '.join(map(_cell, full))} |",
        ]
    )


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _about(figures: Sequence[Figure], results: Mapping[str, Any]) -> Iterator[str]:
    for figure in figures:
        result = results[figure.name]
        others = max(run["others"] for run in result["runs"])
        machine = result["machine"]
        about = " ".join(figure.about.split())
        yield (
            f"**{figure.name}** {about} *{result['begun']}, revision {machine['revision']}, others took at most "
            f"{others:.0%} of the machine; all of it: [results/{figure.name}.json](results/{figure.name}.json).*"
        )
    machines = {_machine(results[figure.name]["machine"]) for figure in figures}
    yield "Machine: " + " / ".join(sorted(machines)) + "."


def _machine(machine: Mapping[str, Any]) -> str:
    libraries = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    return (
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB, {machine['system']}, "
        f"Python {machine['python']}, {libraries}"
    )
