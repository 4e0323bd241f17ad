"""`pushjobs forget`: everything that is a user's is gone, and the accounting stays."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pushjobs.cli.options import AsJson, Directory, Yes, confirm, opened
from pushjobs.cli.shown import progress, show_json
from pushjobs.domain.message import read_touser
from pushjobs.errors import InvalidFile, InvalidInput

__all__ = ["forget"]


def forget(
    openid: Annotated[
        list[str] | None, typer.Argument(metavar="[OPENID]...", help="The users' open ids.", show_default=False)
    ] = None,
    *,
    file: Annotated[
        Path | None, typer.Option(help="A text with an open id a line; - is standard input.", show_default=False)
    ] = None,
    yes: Yes = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Forget users for good.

    What waits for them is cancelled; open ids, contents, consents and form ids are erased. States, times and counts
    are kept. What is being sent this moment ends first, and is erased within seconds. On the command line an open
    id is seen by whoever lists processes: --file keeps it to itself.
    """
    if bool(openid) == (file is not None):
        raise InvalidInput("OPENID", "stands beside --file" if openid else "is missing", "give one of the two")
    tousers = list(openid or ()) if file is None else _read(file)
    count = len(tousers)
    confirm(f"Forget {count:,} {'user' if count == 1 else 'users'}? That cannot be undone.", yes=yes)
    with opened(directory) as runtime:
        done = runtime.forgetting.forget(_tracked(tousers))
    if as_json:
        show_json(asdict(done))
        return
    end = f"; {done.under_way:,} are being sent and go when that ends" if done.under_way else ""
    typer.echo(
        f"forgot {done.users:,} {'user' if done.users == 1 else 'users'}: "
        f"erased {done.jobs:,} {'job' if done.jobs == 1 else 'jobs'}, cancelled {done.cancelled:,} of them{end}"
    )


def _read(file: Path) -> list[str]:
    """Read and check all lines before anybody is forgotten."""
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    tousers = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not (touser := line.strip()):
            continue
        try:
            tousers.append(read_touser({"touser": touser}))
        except InvalidInput as refusal:
            raise InvalidFile(f"line {number}", refusal.fault, refusal.rule) from None
    if not tousers:
        raise InvalidFile(str(file), "holds no open id", "write one a line")
    return tousers


def _tracked(tousers: Sequence[str]) -> Iterator[str]:
    with progress() as bar:
        yield from bar.track(tousers, description="forgetting")
