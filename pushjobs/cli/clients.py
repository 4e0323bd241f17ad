"""`pushjobs client …`: the programs that may speak to the HTTP doors, and what each may do there."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from pushjobs.cli.options import AsJson, Directory, Yes, confirm, opened
from pushjobs.cli.shown import local, show_json, show_pairs, show_table, stderr
from pushjobs.clients import KEY_OVERLAP, NewKey
from pushjobs.domain.client import Client
from pushjobs.errors import InvalidInput
from pushjobs.webhooks import PlacedWebhook, Webhook

__all__ = ["client"]

client = typer.Typer(name="client", help="The clients of the HTTP doors: their keys and rights.", no_args_is_help=True)

_HOURS = KEY_OVERLAP.total_seconds() / 3600
_Named = Annotated[str, typer.Argument(metavar="CLIENT", help="Its id or its name.", show_default=False)]


@client.command()
def add(  # noqa: PLR0913 - one argument an option
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.", show_default=False)],
    *,
    appid: Annotated[
        list[str] | None,
        typer.Option(help="An app that it may act for, the usual one first; without it: all.", show_default=False),
    ] = None,
    template_id: Annotated[
        list[str] | None, typer.Option(help="A template that it may send; without it: all.", show_default=False)
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do: read, write, operate, contents; without it: read and write.", show_default=False
        ),
    ] = None,
    per_second: Annotated[
        float | None, typer.Option(help="Requests a second that it may make; without it: any.", show_default=False)
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(help="An https address that is told of its jobs' ends.", show_default=False)
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Add a client; its key is shown this once.

    Its id and its key are made here; the key is stored hashed.
    """
    with opened(directory) as runtime:
        if webhook is not None:
            # First, for a client that is added has shown its key.
            runtime.webhooks.check(webhook)
        made = runtime.clients.add(
            name, apps=appid or (), templates=template_id or (), rights=scope or (), per_second=per_second
        )
        placed = None if webhook is None else runtime.webhooks.place(made.client.id, webhook)
    _tell(made, placed, as_json=as_json)


@client.command()
def update(
    named: _Named,
    *,
    webhook: Annotated[
        str | None, typer.Option(help="An https address that is told of its jobs' ends.", show_default=False)
    ] = None,
    no_webhook: Annotated[
        bool, typer.Option("--no-webhook", help="It is told nothing more; what waits to be told is dropped.")
    ] = False,
    new_secret: Annotated[
        bool, typer.Option("--new-secret", help="What it is told is signed with another secret from now on.")
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Say where a client is told of its jobs' ends.

    A secret that is made for it is shown this once.
    """
    if no_webhook is (webhook is not None or new_secret):
        raise InvalidInput("webhook", "is not said", "give --webhook URL, --new-secret, both, or --no-webhook")
    with opened(directory) as runtime:
        if no_webhook:
            ended = runtime.webhooks.end(named)
            if as_json:
                show_json({"id": ended, "webhook": None})
            else:
                typer.echo(f"{named} ({ended}) is told nothing more")
            return
        if webhook is None:
            placed = runtime.webhooks.renew_secret(named)
        else:
            placed = runtime.webhooks.place(named, webhook, renews_secret=new_secret)
    if as_json:
        show_json({"id": placed.client_id, **_webhook(placed)})
        return
    show_pairs([("client", named), ("id", placed.client_id), *_webhook(placed).items()])
    _say_once(placed)


@client.command("list")
def list_(directory: Directory = None, as_json: AsJson = False) -> None:
    """List the clients, those that are revoked, too.

    Keys are not shown.
    """
    with opened(directory) as runtime:
        found, webhooks = runtime.clients.all(), runtime.webhooks.all()
        if as_json:
            show_json([{**_plain(each), "webhook": _how(webhooks.get(each.client_no))} for each in found])
            return
        zone = runtime.settings.zone
    columns = (
        *("client", "@id", "apps", "templates", "may", "#a second", f"added ({zone.key})", "new key", "revoked"),
        *("webhook", "#waiting", "#told", "#given up"),
    )
    rows = [
        (
            each.name,
            each.id,
            _names(each.apps),
            _names(each.templates),
            ", ".join(sorted(each.rights)),
            "no limit" if each.per_second is None else f"{each.per_second:g}",
            *(local(moment, zone) for moment in (each.created_at, each.rotated_at, each.revoked_at)),
            *_figures(webhooks.get(each.client_no)),
        )
        for each in found
    ]
    show_table(columns, rows)


@client.command()
def rotate(
    named: _Named,
    *,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Its key and its access tokens are void now: for a key that got out.")
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Give a client another key.

    The one it has goes on being good for a day, so that it need not stop.
    """
    with opened(directory) as runtime:
        made = runtime.clients.rotate(named, at_once=at_once)
    _tell(made, as_json=as_json)
    if not (at_once or as_json):
        stderr().print(f"The key before it is good for another {_HOURS:g} hours.")


@client.command()
def revoke(named: _Named, *, yes: Yes = False, directory: Directory = None, as_json: AsJson = False) -> None:
    """End a client for good; the jobs it made stay.

    Its keys and tokens are void within a second.
    """
    confirm(f"End the client {named}?", yes=yes)
    with opened(directory) as runtime:
        ended = runtime.clients.revoke(named)
    if as_json:
        show_json(_plain(ended))
    else:
        typer.echo(f"revoked {ended.name} ({ended.id})")


def _tell(made: NewKey, placed: PlacedWebhook | None = None, *, as_json: bool) -> None:
    told = {} if placed is None else _webhook(placed)
    if as_json:
        show_json({**_plain(made.client), "key": made.key, **told})
        return
    show_pairs([("client", made.client.name), ("id", made.client.id), ("key", made.key), *told.items()])
    stderr().print("The key is shown this once.")
    if placed is not None:
        _say_once(placed)


def _webhook(placed: PlacedWebhook) -> dict[str, str]:
    secret = {} if placed.secret is None else {"webhook_secret": placed.secret}
    return {"webhook": placed.url, **secret}


def _say_once(placed: PlacedWebhook) -> None:
    kept = "The secret is the one that it has: --new-secret makes another."
    stderr().print(kept if placed.secret is None else "The webhook's secret is shown this once.")


def _how(webhook: Webhook | None) -> dict[str, object] | None:
    return None if webhook is None else asdict(webhook)


def _figures(webhook: Webhook | None) -> tuple[str, ...]:
    if webhook is None:
        return "", "", "", ""
    return webhook.url or "", *(f"{count:,}" for count in (webhook.waiting, webhook.told, webhook.given_up))


def _plain(each: Client) -> dict[str, object]:
    plain = asdict(each)
    del plain["client_no"]
    return {**plain, "rights": sorted(each.rights)}


def _names(ids: Sequence[str] | None) -> str:
    return "all" if ids is None else ", ".join(ids)
