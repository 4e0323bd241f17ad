"""`pushjobs campaign`: what is sent to many users again and again, defined and looked at. Its runs are in `runs`."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypedDict, Unpack, cast
from zoneinfo import ZoneInfo

import orjson
import typer

from pushjobs.campaigns.campaigns import Campaign
from pushjobs.campaigns.definition import CampaignArguments
from pushjobs.cli.audiences import audience
from pushjobs.cli.commands import taking
from pushjobs.cli.options import AsJson, Directory, TemplateId, Yes, confirm, opened
from pushjobs.cli.runs import Named, read_named, register, show_run, show_runs
from pushjobs.cli.shown import local, show_json, show_pairs, show_table
from pushjobs.domain.campaign import Missed
from pushjobs.domain.job import Lane, OnQuota
from pushjobs.errors import InvalidFile, InvalidInput

__all__ = ["campaign"]

_LARGEST_FILE = 1024 * 1024

campaign = typer.Typer(name="campaign", help="Send the news to many users, again and again.", no_args_is_help=True)

register(campaign)
campaign.add_typer(audience)

_Key = Annotated[str, typer.Argument(metavar="KEY", help="The campaign's key, such as daily-news.", show_default=False)]


class _Options(TypedDict, total=False):
    """What `add` and `edit` take of a campaign; an argument that is not said is not there."""

    from_: Annotated[
        Path | None,
        typer.Option("--from", help="A JSON object of its arguments; - is standard input.", show_default=False),
    ]
    name: Annotated[str | None, typer.Option(help="Its name, for people.", show_default=False)]
    cron: Annotated[str | None, typer.Option(help='When: "0 8 * * *" is each day at eight.', show_default=False)]
    zone: Annotated[str | None, typer.Option(help="The time zone of that; else the app's.", show_default=False)]
    template_id: TemplateId
    audience_file: Annotated[str | None, typer.Option(help="A CSV or JSON-lines file, .gz too.", show_default=False)]
    audience_sql: Annotated[str | None, typer.Option(help="A query of a column touser.", show_default=False)]
    audience_url: Annotated[
        str | None, typer.Option(help="Its database; with a password, better in --from.", show_default=False)
    ]
    audience_iterable: Annotated[
        str | None, typer.Option(help="package.module:name of an iterable.", show_default=False)
    ]
    audience_stored: Annotated[
        str | None, typer.Option(help="One that `campaign audience put` stored.", show_default=False)
    ]
    data: Annotated[
        list[str] | None,
        typer.Option(help="keyword=text, once each; {name} is a column or a feed's field.", show_default=False),
    ]
    page: Annotated[str | None, typer.Option(help="The page that opens.", show_default=False)]
    feed: Annotated[str | None, typer.Option(help="An RSS, Atom or JSON feed to fill it from.", show_default=False)]
    skip_if_nothing_new: Annotated[
        bool | None, typer.Option("--skip-if-nothing-new/--send-anyway", help="For a feed.", show_default=False)
    ]
    shorten: Annotated[
        bool | None, typer.Option("--shorten/--no-shorten", help="Cut texts that are too long.", show_default=False)
    ]
    lane: Annotated[Lane | None, typer.Option(help="The lane; bulk unless given.", show_default=False)]
    spread: Annotated[str | None, typer.Option(help="Over how long, such as 30m; else at once.", show_default=False)]
    expires: Annotated[str | None, typer.Option(help="How long it is worth sending; 48h.", show_default=False)]
    on_quota: Annotated[OnQuota | None, typer.Option(help="Users whose day is full; refuse.", show_default=False)]
    missed: Annotated[Missed | None, typer.Option(help="Instants missed in an outage; skip.", show_default=False)]
    grace: Annotated[str | None, typer.Option(help="How late is not missed; 10m.", show_default=False)]
    openid: Annotated[
        str | None, typer.Option(help="Somebody just there, where WeChat judges the texts.", show_default=False)
    ]


@campaign.command()
@taking(_Options)
def add(key: _Key, *, directory: Directory = None, as_json: AsJson = False, **given: Unpack[_Options]) -> None:
    """Define a campaign.

    Its first instant is the first one from now on.
    """
    arguments = _arguments(given, {})
    with opened(directory) as runtime:
        made = runtime.campaigns.add(key, openid=given.get("openid"), **arguments)
    _tell(made, as_json=as_json)


@campaign.command()
@taking(_Options)
def edit(key: _Key, *, directory: Directory = None, as_json: AsJson = False, **given: Unpack[_Options]) -> None:
    """Change what is given of a campaign, for the runs to come.

    Runs that have begun go on as they were; the others are planned anew.
    """
    with opened(directory) as runtime:
        changes = _arguments(given, runtime.campaigns.get(key).content)
        if not changes:
            raise InvalidInput("campaign edit", "changes nothing", "say what is to change: see --help")
        made = runtime.campaigns.edit(key, openid=given.get("openid"), **changes)
    _tell(made, as_json=as_json)


@campaign.command("list")
def list_(directory: Directory = None, as_json: AsJson = False) -> None:
    """List the campaigns in force."""
    with opened(directory) as runtime:
        found = runtime.campaigns.list()
        last = {each.key: next(iter(runtime.campaigns.runs(each.key, limit=1)), None) for each in found}
    if as_json:
        show_json([_plain(each) for each in found])
        return
    rows = []
    for each in found:
        run = last[each.key]
        rows.append(
            (
                each.key,
                each.name if each.name != each.key else "",
                f"{each.cron} ({each.zone})",
                "paused" if each.paused_at else local(each.next_at, ZoneInfo(each.zone)),
                "" if run is None else f"{run.run_no}: {run.state}",
                "code" if each.is_declared else "",
                each.audience,
            )
        )
    show_table(("@key", "name", "when", "next to be planned", "last run", "declared in", "audience"), rows)


@campaign.command()
def delete(key: _Key, *, yes: Yes = False, directory: Directory = None, as_json: AsJson = False) -> None:
    """Take a campaign out of force.

    Runs that have begun go on: cancel them if they should not.
    """
    confirm(f"Delete the campaign {key}?", yes=yes)
    with opened(directory) as runtime:
        runtime.campaigns.delete(key)
    show_json({"deleted": key}) if as_json else typer.echo(f"deleted {key}")


@campaign.command()
def preview(
    key: _Key,
    *,
    limit: Annotated[int, typer.Option(help="The most to list.", min=1, max=1000)] = 10,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List the next instants, with what clock changes do to them."""
    with opened(directory) as runtime:
        found = runtime.campaigns.preview(key, limit)
    if as_json:
        show_json([{"moment": each.moment, "local": each.local, "note": _note(each.note)} for each in found])
        return
    rows = [
        (f"{each.local:%a %Y-%m-%d %H:%M %Z}", f"{each.moment:%Y-%m-%d %H:%M}Z", _note(each.note) or "")
        for each in found
    ]
    show_table(("local time", "UTC", "note"), rows)


@campaign.command()
def show(named: Named, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show a campaign with its last runs, or how far a run is.

    How far is counted this moment.
    """
    key = read_named(named)
    with opened(directory) as runtime:
        if isinstance(key, int):
            progress, zone = runtime.campaigns.progress(key), runtime.zone
            show_json(asdict(progress)) if as_json else show_run(progress, zone)
            return
        found, runs = runtime.campaigns.get(key), runtime.campaigns.runs(key, limit=10)
    if as_json:
        show_json({**_plain(found), "runs": [asdict(each) for each in runs]})
        return
    _show(found)
    show_runs(runs, ZoneInfo(found.zone))


def _arguments(given: _Options, old_content: Mapping[str, Any]) -> CampaignArguments:
    """Return the arguments that a file and the options give; an option goes before the file."""
    file = given.get("from_")
    arguments: dict[str, Any] = {} if file is None else _read_file(file)
    plain = ("name", "cron", "zone", "template_id", "lane", "spread", "expires", "on_quota", "missed", "grace")
    arguments |= {name: value for name, value in given.items() if name in plain}
    prefix = "audience_"
    if audience := {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}:
        arguments["audience"] = audience
    if content := _content(given):
        arguments["content"] = {**old_content, **arguments.get("content", {}), **content}
    return cast("CampaignArguments", arguments)


def _content(given: _Options) -> dict[str, Any]:
    content: dict[str, Any] = {name: value for name, value in given.items() if name in {"page", "shorten"}}
    if pairs := given.get("data"):
        content["data"] = dict(_pair(each) for each in pairs)
    if "feed" in given:
        content["feed"] = {"url": given["feed"], "skip_if_nothing_new": bool(given.get("skip_if_nothing_new"))}
    elif "skip_if_nothing_new" in given:
        raise InvalidInput("--skip-if-nothing-new", "stands without --feed", "name the feed with it")
    return content


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput("--data", "is no keyword=text", 'write --data "thing1={title}"')
    return name, value


def _read_file(path: Path) -> dict[str, Any]:
    if str(path) == "-":
        raw = sys.stdin.buffer.read(_LARGEST_FILE + 1)
    else:
        with path.open("rb") as opened_file:
            raw = opened_file.read(_LARGEST_FILE + 1)
    if len(raw) > _LARGEST_FILE:
        raise InvalidFile(str(path), "is larger than 1 MiB", "give one campaign's arguments")
    try:
        read = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidFile(str(path), f"is no JSON (line {error.lineno})", "give an object of arguments") from None
    if not isinstance(read, dict):
        raise InvalidFile(str(path), f"is no object ({type(read).__name__})", "give an object of arguments")
    return read


def _note(note: object) -> str | None:
    return None if note is None else str(note)


def _plain(found: Campaign) -> dict[str, Any]:
    policies = found.policies.as_record()
    values = asdict(found)
    del values["policies"]
    return values | policies


def _tell(made: Campaign, *, as_json: bool) -> None:
    if as_json:
        show_json(_plain(made))
    else:
        _show(made)


def _show(found: Campaign) -> None:
    zone, policies = ZoneInfo(found.zone), found.policies
    pairs: Sequence[tuple[str, str]] = [
        ("campaign", found.key if found.name == found.key else f"{found.key} ({found.name})"),
        ("app", found.appid),
        ("template", found.template_id),
        ("when", f"{found.cron} ({found.zone})"),
        ("next to be planned", local(found.next_at, zone) or "never"),
        ("audience", found.audience),
        ("content", _said(found.content)),
        ("lane", policies.lane),
        ("spread", str(policies.spread) if policies.spread else "all at once, at the app's pace"),
        ("worth sending for", str(policies.life)),
        ("a full day means", policies.on_quota),
        ("missed instants", f"{policies.missed}, if more than {policies.grace} late"),
        ("paused since", local(found.paused_at, zone)),
        ("declared in code", "yes" if found.is_declared else ""),
    ]
    show_pairs([(name, value) for name, value in pairs if value])


def _said(content: Mapping[str, Any]) -> str:
    texts = "; ".join(f"{key}: {text}" for key, text in content["data"].items())
    feed = content.get("feed")
    return texts if feed is None else f"{texts} (from {feed['url']})"
