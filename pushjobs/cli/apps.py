"""`pushjobs app …`: the Mini Programs that the installation sends for.

Secrets are asked for, or read from standard input a line each: never an argument, which a list of processes shows.
"""

import sys
from collections.abc import Sequence
from typing import Annotated, TypedDict, Unpack

import typer

from pushjobs.app_settings import AppSettings
from pushjobs.apps import KnownApp
from pushjobs.cli.commands import taking
from pushjobs.cli.options import AsJson, Directory, opened
from pushjobs.cli.shown import show_json, show_table
from pushjobs.errors import InvalidInput

__all__ = ["apps"]

apps = typer.Typer(name="app", help="The apps that are sent for, beside the environment's.", no_args_is_help=True)

_NONE = "none"
_AppId = Annotated[str, typer.Argument(metavar="APPID", help="The Mini Program's appid.", show_default=False)]
_Callbacks = Annotated[
    bool, typer.Option("--callbacks", help="Ask for the Token and the EncodingAESKey of its message push.")
]


def _option(name: str) -> object:
    return typer.Option(help=AppSettings.model_fields[name].description, show_default=False, metavar="VALUE")


class _Options(TypedDict, total=False):
    """What `add` and `update` take of an app, named as the settings; what is not said is not there."""

    timezone: Annotated[str | None, _option("timezone")]
    rate_per_second: Annotated[str | None, _option("rate_per_second")]
    urgent_share: Annotated[str | None, _option("urgent_share")]
    daily_quota: Annotated[str | None, _option("daily_quota")]
    app_daily_limit: Annotated[str | None, _option("app_daily_limit")]
    quiet_hours: Annotated[str | None, _option("quiet_hours")]
    resume_hour: Annotated[str | None, _option("resume_hour")]
    callback_forward_url: Annotated[str | None, _option("callback_forward_url")]


@apps.command("list")
def list_(directory: Directory = None, as_json: AsJson = False) -> None:
    """List the apps with what each has of its own.

    Secrets are not shown.
    """
    with opened(directory) as runtime:
        found = runtime.apps.all()
    if as_json:
        show_json([_plain(app) for app in found])
    else:
        _show(found)


@apps.command()
@taking(_Options)
def add(
    appid: _AppId,
    *,
    callbacks: _Callbacks = False,
    directory: Directory = None,
    as_json: AsJson = False,
    **given: Unpack[_Options],
) -> None:
    """Send for one more app.

    Its secret is asked for, tried at WeChat, and stored encrypted. What is not said has the default of the reference,
    whatever the environment says for its own app.
    """
    with opened(directory) as runtime:
        secret = _ask("AppSecret")
        made = runtime.apps.add(appid, secret, **(_ask_callbacks() if callbacks else {}), **_settings(given))
    _tell(made, as_json=as_json)


@apps.command()
@taking(_Options)
def update(
    appid: _AppId,
    *,
    secret: Annotated[bool, typer.Option("--secret", help="Ask for another AppSecret.")] = False,
    callbacks: _Callbacks = False,
    no_callbacks: Annotated[bool, typer.Option("--no-callbacks", help="Take no callbacks any more.")] = False,
    directory: Directory = None,
    as_json: AsJson = False,
    **given: Unpack[_Options],
) -> None:
    """Change what an app has of its own; takes hold within 10 s.

    `none` takes a setting back to its default.
    """
    changes = _settings(given)
    if callbacks and no_callbacks:
        raise InvalidInput("--callbacks", "is given beside --no-callbacks", "say one of the two")
    if not (changes or secret or callbacks or no_callbacks):
        raise InvalidInput("app update", "changes nothing", "say what is to change: see --help")
    with opened(directory) as runtime:
        other = _ask("AppSecret") if secret else None
        if callbacks:
            changes |= _ask_callbacks()
        elif no_callbacks:
            changes |= {"callback_token": None, "callback_aes_key": None, "callback_forward_url": None}
        made = runtime.apps.update(appid, secret=other, **changes)
    _tell(made, as_json=as_json)


def _ask(name: str) -> str:
    """Return a secret from whoever sits there, or the next line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(name, hide_input=True, err=True))
    line = sys.stdin.readline()
    if not line.strip():
        raise InvalidInput(name, "is missing", "give it on standard input, a line each")
    return line.strip()


def _ask_callbacks() -> dict[str, str | None]:
    token = _ask("Token")
    if sys.stdin.isatty():
        key = str(typer.prompt("EncodingAESKey (empty: plain mode)", default="", hide_input=True, err=True))
    else:
        key = sys.stdin.readline().strip()
    return {"callback_token": token, "callback_aes_key": key or None}


def _settings(given: _Options) -> dict[str, object]:
    return {name: None if value == _NONE else value for name, value in given.items()}


def _plain(app: KnownApp) -> dict[str, object]:
    settings = app.settings
    callbacks = "off" if settings.callback_token is None else "plain" if settings.callback_aes_key is None else "secure"
    return {
        "appid": app.appid,
        "is_default": app.is_default,
        "timezone": settings.timezone,
        "rate_per_second": settings.rate_per_second,
        "urgent_share": settings.urgent_share,
        "daily_quota": settings.daily_quota,
        "app_daily_limit": settings.app_daily_limit,
        "quiet_hours": settings.quiet_hours,
        "resume_hour": settings.resume_hour,
        "callbacks": callbacks,
        "callback_forward_url": settings.callback_forward_url,
    }


def _tell(made: KnownApp, *, as_json: bool) -> None:
    if as_json:
        show_json(_plain(made))
    else:
        _show([made])


def _show(found: Sequence[KnownApp]) -> None:
    columns = ("@app", "zone", "#a second", "#urgent share", "#a user's day", "#the app's day", "quiet", "#resumes at")
    rows = []
    for each in map(_plain, found):
        name = f"{each['appid']} (default)" if each["is_default"] else str(each["appid"])
        rows.append(
            (
                name,
                str(each["timezone"]),
                f"{each['rate_per_second']:g}",
                f"{each['urgent_share']:g}",
                _figure(each["daily_quota"], "no limit"),
                _figure(each["app_daily_limit"], "as WeChat says"),
                str(each["quiet_hours"] or ""),
                f"{each['resume_hour']}:00",
                str(each["callbacks"]),
                str(each["callback_forward_url"] or ""),
            )
        )
    show_table((*columns, "callbacks", "forwarded to"), rows)


def _figure(value: object, unset: str) -> str:
    return unset if value is None else f"{value:,}"
