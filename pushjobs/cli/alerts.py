"""`pushjobs alerts`: what is wrong, what was, and whether those who are to be told are reached."""

from typing import Annotated

import typer

from pushjobs.alerts.messages import record
from pushjobs.cli.options import AsJson, Directory, opened
from pushjobs.cli.shown import local, show_json, show_table
from pushjobs.errors import Misconfigured

__all__ = ["alerts"]

alerts = typer.Typer(name="alerts", help="What is wrong, and who is told.", invoke_without_command=True)

_HOUR = 3600.0


@alerts.callback()
def _listed(
    context: typer.Context,
    hours: Annotated[float, typer.Option(min=0, max=720, help="Also what ended within so many hours.")] = 24.0,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List the alerts that are open, those that ended lately, and how telling each address goes."""
    if context.invoked_subcommand is not None:
        return
    with opened(directory) as runtime:
        found = runtime.alerts.listed(ended_within=hours * _HOUR)
        told, zone = runtime.alerts.addresses(), runtime.settings.zone
    if as_json:
        show_json({"alerts": [record(each) for each in found], "addresses": told})
        return
    if not found:
        typer.echo("nothing is wrong, and nothing was lately")
    else:
        rows = [
            (
                each.rule.severity if each.ended_at is None else "over",
                each.rule.title,
                " ".join(filter(None, (each.appid, each.subject))),
                each.detail,
                local(each.since, zone),
                local(each.ended_at, zone),
                each.rule.advice if each.ended_at is None else "",
            )
            for each in found
        ]
        show_table(("", "what", "of", "how it is", f"since ({zone.key})", "until", "what to do"), rows)
    for each in told:
        state = (
            f"not reached: {each.fault}" if each.fault else "something waits" if each.waits else "told of everything"
        )
        typer.echo(f"{each.host}: {state}")


@alerts.command("test")
def try_out(directory: Directory = None, as_json: AsJson = False) -> None:
    """Send a test message to each address that is set.

    What each answered is shown; the exit status is 1 if one fails.
    """
    with opened(directory) as runtime:
        answered = runtime.alerts.try_out()
    if not answered:
        raise Misconfigured("PUSHJOBS_ALERT_URL is not set: nobody is told")
    if as_json:
        show_json(answered)
    else:
        for each in answered:
            typer.echo(f"{each.host}: {each.fault or 'taken'}")
    if any(each.fault is not None for each in answered):
        raise typer.Exit(1)
