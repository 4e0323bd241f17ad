"""The program `pushjobs`: its commands, and the one place where exceptions become a line of text and an exit status.

0: done. 1: something did not work out, here or at a server. 2: what was asked cannot be done as it was asked.
130: stopped with Ctrl-C.
"""

import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from pushjobs.cli.administration import database
from pushjobs.cli.alerts import alerts
from pushjobs.cli.apps import apps
from pushjobs.cli.callbacks import callback
from pushjobs.cli.campaigns import campaign
from pushjobs.cli.chaos import chaos
from pushjobs.cli.clients import client
from pushjobs.cli.consents import consent
from pushjobs.cli.demo import demo
from pushjobs.cli.doctor import doctor
from pushjobs.cli.forgetting import forget
from pushjobs.cli.inspecting import quota, why
from pushjobs.cli.jobs import cancel, jobs, reschedule, show
from pushjobs.cli.keys import keys
from pushjobs.cli.operating import pace, pause, pauses, replay, resolve, resume
from pushjobs.cli.options import meant_appid
from pushjobs.cli.running import sandbox, up
from pushjobs.cli.sending import send
from pushjobs.cli.templates import template
from pushjobs.cli.wechat import wechat
from pushjobs.errors import CallRefused, PushJobsError, Undecryptable, Unreachable

__all__ = ["app", "main"]

_FAILURES = (CallRefused, Undecryptable, Unreachable)

app = typer.Typer(
    name="pushjobs",
    help="Scheduled push for WeChat Mini Programs: durable, on the second, never twice.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    # A traceback is for our own mistakes only, and then in full.
    pretty_exceptions_enable=False,
)
_COMMANDS: tuple[Callable[..., None], ...] = (
    *(demo, up, sandbox, chaos),
    *(send, jobs, show, why, cancel, reschedule),
    *(replay, resolve, pause, resume, pauses, pace, quota, forget, doctor),
)
for command in _COMMANDS:
    app.command()(command)
app.add_typer(alerts)
app.add_typer(apps)
app.add_typer(campaign)
app.add_typer(client)
app.add_typer(consent)
app.add_typer(callback)
app.add_typer(template)
app.add_typer(wechat)
app.add_typer(keys)
app.add_typer(database)


def main() -> None:
    """Run the command that the arguments name and end the process with its status."""
    try:
        app()
    except PushJobsError as error:
        _complain(str(error))
        sys.exit(1 if isinstance(error, _FAILURES) else 2)
    except OSError as error:
        # A disk, a permission, a port: the system's words, and what they are about.
        _complain(": ".join(filter(None, (error.filename, error.strerror or str(error)))))
        sys.exit(1)


def _complain(message: str) -> None:
    typer.echo(f"pushjobs: {' '.join(message.split())}", err=True)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"pushjobs {version('pushjobs')}")
        raise typer.Exit


@app.callback()
def _root(
    appid: Annotated[
        str | None, typer.Option("--appid", help="The app that is meant; else the environment's.", show_default=False)
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    meant_appid.set(appid)
