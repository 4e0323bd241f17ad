"""The page's table: what was measured, beside what was aimed at."""

import re
from pathlib import Path
from typing import Any

__all__ = ["write"]

_BEGIN, _END = "<!-- written by the run -->", "<!-- until here -->"

_SENDS = 4000
_RATIOS = {0: 4.5, 50: 50.0}

_QUIET = 0.1
"""Where others took more of the machine than this, a rate is no verdict: neither for us nor against."""


def write(page: Path, result: dict[str, Any], source: str) -> str:
    """Put the result's table between the page's two marks, and return it."""
    text = f"{_table(result)}\n\n{_cpu(result)}\n\n{_about(result, source)}"
    whole = page.read_text(encoding="utf-8")
    page.write_text(
        re.sub(f"{_BEGIN}.*{_END}", lambda _: f"{_BEGIN}\n\n{text}\n\n{_END}", whole, flags=re.DOTALL), encoding="utf-8"
    )
    return text


def _table(result: dict[str, Any]) -> str:
    lines = [
        "| the sandbox answers after | plain Celery | pushjobs | target | | ratio | target | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for latency, least in _RATIOS.items():
        sides = [result["figures"][f"{side} {latency} ms"] for side in ("plain", "ours")]
        plain, ours = (side["steady"] for side in sides)
        is_quiet = all(side["others"] <= _QUIET for side in sides)
        sends = _verdict(is_met=ours >= _SENDS, is_quiet=is_quiet)
        ratio = _verdict(is_met=ours / plain >= least, is_quiet=is_quiet)
        lines.append(
            f"| {latency} ms | {plain:,.0f}/s | {ours:,.0f}/s | ≥ {_SENDS:,}/s | {sends} "
            f"| {ours / plain:.1f} × | ≥ {least:g} × | {ratio} |"
        )
    return "\n".join(lines)


def _verdict(*, is_met: bool, is_quiet: bool) -> str:
    if not is_quiet:
        return "no verdict: the machine was shared"
    return "met" if is_met else "**not met**"


def _cpu(result: dict[str, Any]) -> str:
    """Say where the processor time went: seconds per million sends are microseconds a send."""
    columns = list(result["figures"])
    roles = sorted({role for name in columns for role in result["figures"][name]["cpu_us"]})
    rows = [
        f"| {role} | "
        + " | ".join(
            f"{result['figures'][name]['cpu_us'][role]:,.0f}" if role in result["figures"][name]["cpu_us"] else ""
            for name in columns
        )
        + " |"
        for role in roles
    ]
    others = " | ".join(f"{result['figures'][name]['others']:.0%}" for name in columns)
    totals = [sum(result["figures"][name]["cpu_us"].values()) for name in columns]
    sums = " | ".join(f"{total:,.0f}" for total in totals)
    most = " | ".join(f"{result['machine']['cores'] * 1e6 / total:,.0f}" for total in totals)
    head = f"| CPU seconds per million sends | {' | '.join(columns)} |"
    return "\n".join(
        [
            head,
            "|---" * (len(columns) + 1) + "|",
            *rows,
            f"| **together** | {sums} |",
            f"| sends a second at which the cores are full | {most} |",
            f"| share of the machine others took | {others} |",
        ]
    )


def _about(result: dict[str, Any], source: str) -> str:
    machine = result["machine"]
    counts = ", ".join(f"{name}: {each['messages']:,}" for name, each in result["figures"].items())
    whole = ", ".join(f"{name}: {each['whole']:,.0f}/s" for name, each in result["figures"].items())
    libraries = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    return (
        f"{result['begun']}, {machine['cores']} cores ({machine['cpu']}), {machine['system']}, "
        f"Python {machine['python']}, {libraries}. Messages: {counts}. From the first arrival to the last: {whole}. "
        f"All of it: [results/{source}](results/{source})."
    )
