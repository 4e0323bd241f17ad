"""`pushjobs wechat …`: what the app's account at WeChat says, and having its daily counters begin anew."""

from dataclasses import asdict
from typing import Annotated

import typer

from pushjobs.cli.options import AsJson, Directory, Yes, confirm, opened
from pushjobs.cli.shown import local, show_json, show_pairs
from pushjobs.wechat.client import SUBSCRIBE_PATH
from pushjobs.wechat.quota import CLEARANCES_A_MONTH

__all__ = ["wechat"]

wechat = typer.Typer(name="wechat", help="The app's account at WeChat.", no_args_is_help=True)


@wechat.command()
def quota(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A call's path, without host and query.")
    ] = SUBSCRIBE_PATH,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show what WeChat says is left of a call's day.

    A limit on the call's own page outranks it.
    """
    with opened(directory) as runtime:
        found = runtime.account.quota(path)
    if as_json:
        show_json(asdict(found))
        return
    figures = (("a day", found.daily_limit), ("used today", found.used), ("left", found.remain))
    shorter = "" if found.calls is None else f"{found.calls:,} calls in {found.seconds or 1:,} s"
    pairs = [("call", found.path), *((name, "" if each is None else f"{each:,}") for name, each in figures)]
    show_pairs([pair for pair in [*pairs, ("no faster than", shorter)] if pair[1]])


@wechat.command()
def rid(
    rid: Annotated[str, typer.Argument(metavar="RID", help="From the end of an error text.", show_default=False)],
    bodies: Annotated[
        bool, typer.Option("--bodies", help="Show request and answer too: they may hold an open id and a content.")
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show what WeChat remembers of a request, for seven days."""
    with opened(directory) as runtime:
        zone, found = runtime.zone, runtime.account.past_request(rid)
    shown = asdict(found)
    if not bodies:
        del shown["request_body"], shown["response_body"]
    if as_json:
        show_json(shown)
        return
    shown["invoked_at"] = f"{local(found.invoked_at, zone)} ({zone.key})"
    show_pairs((name.replace("_", " "), str(value)) for name, value in shown.items())


@wechat.command("clear-quota")
def clear_quota(yes: Yes = False, directory: Directory = None, as_json: AsJson = False) -> None:
    """Have all of the app's daily counters begin anew.

    WeChat allows it ten times a month, the console's and third parties' included.
    """
    with opened(directory) as runtime:
        confirm(f"use one of the {CLEARANCES_A_MONTH} clearances of this month?", yes=yes)
        used = runtime.account.clear_quota()
    if as_json:
        show_json({"used": used, "a_month": CLEARANCES_A_MONTH})
    else:
        typer.echo(f"cleared; {used} of {CLEARANCES_A_MONTH} this month, as far as we know")
