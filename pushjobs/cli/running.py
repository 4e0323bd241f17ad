"""`pushjobs up` and `pushjobs sandbox`: start what runs until it is told to stop."""

import sys
from functools import partial
from typing import Annotated

import typer

from pushjobs import settings
from pushjobs.cli.options import Directory
from pushjobs.cli.shown import show_json, show_pairs
from pushjobs.local.processes import Ended
from pushjobs.local.up import Up, UpOptions
from pushjobs.sandbox import SandboxOptions, serve
from pushjobs.sandbox import Settings as Behaviour
from pushjobs.sandbox.options import Behave

__all__ = ["report", "sandbox", "up"]

_HIGHEST_PORT = 65535


def up(  # noqa: PLR0913 - one argument an option
    *,
    directory: Directory = None,
    flower: Annotated[int, typer.Option(help="Flower's port; 0 takes a free one.", min=0, max=_HIGHEST_PORT)] = 5555,
    http: Annotated[
        int, typer.Option(help="The port of the HTTP doors; 0 takes a free one.", min=0, max=_HIGHEST_PORT)
    ] = 8080,
    no_http: Annotated[bool, typer.Option("--no-http", help="Do without the HTTP doors.")] = False,
    no_flower: Annotated[bool, typer.Option("--no-flower", help="Do without Flower.")] = False,
    workers: Annotated[int, typer.Option(help="Processes for the bulk lane.", min=1)] = 2,
    with_sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Send to a WeChat sandbox of its own; needs no credentials.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON document, the addresses, once all is ready.")
    ] = False,
) -> None:
    """Run everything on this machine until Ctrl-C.

    That is servers, beat, workers, HTTP doors and Flower. PostgreSQL and Valkey are started too, unless
    PUSHJOBS_DATABASE_URL and PUSHJOBS_REDIS_URL name others.
    """
    given = settings.given(directory)
    if not with_sandbox:
        given.require_credentials  # noqa: B018 - asked for its complaint, before anything starts
    options = UpOptions(
        directory=given.directory,
        environment=settings.environment(),
        database_url=given.database_url,
        redis_url=given.redis_url,
        workers=workers,
        http=None if no_http else http,
        flower=None if no_flower else flower,
        flower_password=None if given.flower_password is None else given.require_flower_password,
        sandbox=with_sandbox,
    )
    say = partial(typer.echo, err=as_json)
    say(f"starting in {options.directory.absolute()}")
    with Up(options, report) as running:
        running.ready()
        if not running.is_stop_asked:
            _show_addresses(running, as_json=as_json)
        running.wait()
        say("stopping")
    say("stopped")


def sandbox(
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=_HIGHEST_PORT)] = 0,
    latency_ms: Annotated[
        float, typer.Option(help="Time between reading a request and writing its answer.", min=0)
    ] = 0,
    lenient: Annotated[bool, typer.Option("--lenient", help="Ignore unknown fields, as WeChat does.")] = False,
    today: Annotated[
        bool, typer.Option("--today", help="Answer the legacy send call with 45103, as WeChat does today.")
    ] = False,
) -> None:
    """Run the WeChat stand-in until Ctrl-C.

    Its address is its first line, as JSON.
    """
    behaviour = Behaviour(latency_ms=latency_ms, lenient=lenient, behave=Behave.TODAY if today else Behave.LEGACY)
    serve(SandboxOptions(host=host, port=port, settings=behaviour))


def report(ended: Ended) -> None:
    """Say that a process ended which should not have, and comes back."""
    status = "" if ended.status is None else f" with status {ended.status}"
    again = f"in {ended.delay:g} s" if ended.delay else "at once"
    typer.echo(f"{ended.name} ended{status}: starting it again {again}", err=True)


def _show_addresses(running: Up, *, as_json: bool) -> None:
    addresses = running.addresses | _broker(running)
    if as_json:
        show_json({**addresses, "logs": running.installation.logs})
        sys.stdout.flush()  # whoever reads a pipe waits for it
        return
    pairs = list(addresses.items())
    if running.options.flower is not None:
        pairs.append(("flower_user", "pushjobs"))
        pairs.append(("flower_password", _flower_password(running)))
    pairs.append(("logs", str(running.installation.logs)))
    show_pairs(pairs)
    typer.echo(f"ready: pushjobs send --directory {running.options.directory} …   (Ctrl-C stops)")


def _broker(running: Up) -> dict[str, str]:
    """Return what an application's own Celery needs, where it is ours; one that was set may have a password in it."""
    configured = settings.load(running.options.directory)
    is_ours = "redis_url" in running.addresses and configured.broker_url is None
    return {"broker_url": configured.require_broker_url} if is_ours else {}


def _flower_password(running: Up) -> str:
    """Show it where it was made up, and only there: one that was set is known to whoever may know it."""
    if running.options.flower_password is not None:
        return "that of PUSHJOBS_FLOWER_PASSWORD"
    return f"{running.installation.flower_password()}, kept in {running.installation.flower}"
