"""Floor 4: the same use cases from a terminal.

A command reads its options, calls one verb and shows the answer; it decides nothing. What it shows goes to standard
output, as a table or with `--json` as data; progress and faults go to standard error.
"""

from pushjobs.cli.program import main

__all__ = ["main"]
