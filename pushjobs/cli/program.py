"""The program `pushjobs`: its commands, and the one place where exceptions become a line of text and an exit status."""

import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, cast

import typer

from pushjobs.cli.administration import database
from pushjobs.cli.alerts import alerts
from pushjobs.cli.apps import apps
from pushjobs.cli.callbacks import callback
from pushjobs.cli.campaigns import campaign
from pushjobs.cli.chaos import chaos
from pushjobs.cli.clients import client
from pushjobs.cli.commands import Command, of_one_app
from pushjobs.cli.completion import completion
from pushjobs.cli.consents import consent
from pushjobs.cli.demo import demo
from pushjobs.cli.doctor import doctor
from pushjobs.cli.examples import EXAMPLES
from pushjobs.cli.forgetting import forget
from pushjobs.cli.help import HelpedCommand, HelpedGroup
from pushjobs.cli.inspecting import quota, why
from pushjobs.cli.jobs import cancel, jobs, reschedule, show
from pushjobs.cli.keys import keys
from pushjobs.cli.operating import pace, pause, pauses, replay, resolve, resume
from pushjobs.cli.options import FAILED, MISUSED, meant_appid
from pushjobs.cli.running import sandbox, up
from pushjobs.cli.schedule import schedule
from pushjobs.cli.sending import send
from pushjobs.cli.templates import template
from pushjobs.cli.top import top
from pushjobs.cli.wechat import wechat
from pushjobs.errors import CallRefused, PushJobsError, Undecryptable, Unreachable

__all__ = ["FAILURES", "app", "main"]

FAILURES = (CallRefused, Undecryptable, Unreachable)
"""Errors that are nobody's misuse: what was asked for might have worked."""


def _each_of_one_app(*commands: Command) -> tuple[Command, ...]:
    return tuple(of_one_app(each) for each in commands)


_COMMANDS: Mapping[str, tuple[Command, ...]] = {
    "Run it": (up, demo, sandbox, chaos),
    "Jobs": _each_of_one_app(send, jobs, schedule, show, why, cancel, reschedule, replay, resolve),
    "Operate": (doctor, *_each_of_one_app(top, pause, resume, pauses, pace, quota, forget), completion),
}
_GROUPS: tuple[typer.Typer, ...] = (
    *(campaign, template, consent, callback, wechat, apps, client),
    *(alerts, keys, database),
)
_OF_ONE_APP = (campaign, template, consent, callback, wechat)


def _assembled() -> typer.Typer:
    """Put the commands together, with `--appid` at those that concern one app and examples at all."""
    made = typer.Typer(
        name="pushjobs",
        cls=HelpedGroup,
        help="Scheduled push for WeChat Mini Programs: durable, on the second, never twice.",
        no_args_is_help=True,
        # Ours is `completion`: it starts no Python at each key.
        add_completion=False,
        rich_markup_mode=None,
        # A traceback is for our own mistakes only, and then in full.
        pretty_exceptions_enable=False,
    )
    for panel, commands in _COMMANDS.items():
        for command in commands:
            made.command(rich_help_panel=panel)(command)
    for group in _GROUPS:
        made.add_typer(group, rich_help_panel="Manage")
    return made


def _complete(group: typer.Typer, path: tuple[str, ...] = (), *, takes_appid: bool = False) -> None:
    """Give every command below a group what it has in common with the others."""
    for command in group.registered_commands:
        function = cast("Command", command.callback)
        if takes_appid:
            command.callback = of_one_app(function)
        name = command.name or function.__name__
        command.epilog = "\n".join(EXAMPLES.get(" ".join((*path, name)), ()))
        command.cls = HelpedCommand
    for below in group.registered_groups:
        inner = cast("typer.Typer", below.typer_instance)
        below.cls, inner.rich_markup_mode = HelpedGroup, None
        of_one = takes_appid or inner in _OF_ONE_APP
        _complete(inner, (*path, str(inner.info.name)), takes_appid=of_one)


app = _assembled()
_complete(app)


def main() -> None:
    """Run the command that the arguments name and end the process with its status."""
    try:
        _run()
    finally:
        _let_go_of_stdout()


def _run() -> None:
    try:
        app()
    except PushJobsError as error:
        _complain(str(error))
        sys.exit(FAILED if isinstance(error, FAILURES) else MISUSED)
    except OSError as error:
        # A disk, a permission, a port: the system's words, and what they are about.
        _complain(": ".join(filter(None, (error.filename, error.strerror or str(error)))))
        sys.exit(FAILED)


def _let_go_of_stdout() -> None:
    """Write out what is left; if whoever read it is gone (`pushjobs jobs | head`), say nothing of it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)


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
