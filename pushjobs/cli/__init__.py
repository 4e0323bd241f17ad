"""Floor 4: the same use cases from a terminal.

A command reads its options, calls one verb and shows the answer; it decides nothing. What it shows goes to standard
output, as a table or with `--json` as data; progress and faults go to standard error.
"""

import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command that the arguments name and end the process with its status."""
    try:
        from pushjobs.cli.program import main as run  # noqa: PLC0415 - takes a second, in which Ctrl-C is no fault
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    run()
