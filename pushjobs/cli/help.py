"""How the program explains itself: plain text, so that no option is cut in 80 columns; commands by what they are for.

typer's own pages, drawn in boxes, cut the names of long options.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from typer.core import TyperCommand, TyperGroup

__all__ = ["HelpedCommand", "HelpedGroup", "walked"]

_LONGEST = 100


class HelpedCommand(TyperCommand):
    """A command whose examples stand below its options, a line each."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - typer's own, which it does not show
        """Write the examples, whose lines are not wrapped: people copy them."""
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class HelpedGroup(TyperGroup):
    """Commands listed below what they are for, each with the first sentence of its help."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the lists, as wide as the widest name of all."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        shown = [(name, command) for name, command in found if command is not None and not command.hidden]
        widest = max(len(name) for name, _ in shown)
        for panel, commands in groupby(shown, key=lambda each: _panel(each[1])):
            with formatter.section(panel):
                lines = [(f"{name:{widest}}", command.get_short_help_str(_LONGEST)) for name, command in commands]
                formatter.write_dl(lines)


def walked(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - of typer, which does not show its class
    """Return every command and group below one, itself first, each with its path: `campaign audience put`."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from walked(below, f"{path} {name}".strip())


def _panel(command: Any) -> str:  # noqa: ANN401 - as above
    panel = getattr(command, "rich_help_panel", None)
    return panel if isinstance(panel, str) else "Commands"
