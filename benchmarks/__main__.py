"""`make bench`: every figure that we promise, measured on this machine; nothing leaves it.

Writes what it measured into `results/` and the table into `README.md`. Nothing is adjusted afterwards: a target that
is not met says so.
"""

import argparse
from pathlib import Path

from benchmarks import figure, pages, plots, table
from benchmarks.acceptance import ACCEPTANCE
from benchmarks.batches import BATCHES
from benchmarks.campaigns import CAMPAIGNS
from benchmarks.console import CONSOLE
from benchmarks.doors import DOORS
from benchmarks.growth import LATENCY, PENDING_GROWTH, WORKERS
from benchmarks.moments import LATENESS, RUSH, URGENT
from benchmarks.pending import PENDING
from benchmarks.sends import SENDS
from pushjobs import settings

_HERE = Path(__file__).parent
_IMAGES = _HERE.parent / "docs" / "images"

BUDGETS = (SENDS, LATENESS, RUSH, URGENT, ACCEPTANCE, DOORS, BATCHES, CAMPAIGNS, PENDING, CONSOLE)
GROWTH = (WORKERS, LATENCY, PENDING_GROWTH)
FIGURES = (*BUDGETS, *GROWTH)
_BY_NAME = {each.name: each for each in FIGURES}


def _main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"which of them; all: {', '.join(_BY_NAME)}")
    parser.add_argument("--runs", type=int, help="how often each is measured (default: its own number)")
    parser.add_argument("--dry", action="store_true", help="measure, and write nothing")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.figures if name not in _BY_NAME]
    if unknown or (chosen.runs is not None and chosen.runs < 1):
        parser.error(f"no figure is called {unknown[0]}" if unknown else "--runs is at least 1")
    # Neither side may be led to anyone's real servers, nor be tuned by what is set here.
    settings.forget_environment()
    for name in chosen.figures or _BY_NAME:
        each = _BY_NAME[name]
        result = figure.measured(each, runs=chosen.runs or each.runs)
        if not chosen.dry:
            figure.write(result)
            table.write(_HERE / "README.md", FIGURES)
            plots.draw(_IMAGES)
            pages.write(_HERE.parent)


if __name__ == "__main__":
    _main()
