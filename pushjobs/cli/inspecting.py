"""`pushjobs why` and `quota`: what holds a job, what a user has had today, and what the app has used up."""

from typing import Annotated, assert_never
from zoneinfo import ZoneInfo

import typer

from pushjobs.cli.options import AsJson, Directory, opened
from pushjobs.cli.shown import local, show_history, show_json, show_pairs
from pushjobs.inspection import AppQuota, Quota, QuotaSource

__all__ = ["quota", "why"]


def why(
    job: Annotated[int, typer.Argument(metavar="JOB", help="The job's number.", min=1, show_default=False)],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Say why a job is where it is, and when it is tried next."""
    with opened(directory) as runtime:
        zone, found = runtime.zone, runtime.inspection.why(job)
    if as_json:
        show_json(found)
        return
    pairs = [
        ("job", str(found.job.id)),
        ("state", found.state),
        ("rule", found.rule),
        ("why", found.words),
        ("tried next", local(found.when, zone)),
        ("before it", "" if found.place is None else f"{found.place:,}"),
    ]
    show_pairs([pair for pair in pairs if pair[1]])
    show_history(found.history, zone)


def quota(
    touser: Annotated[
        str | None, typer.Option("--touser", help="A user's open id; without it, the app's.", show_default=False)
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show what of the day is used, by the app or by a user.

    Without --touser it is how many calls the app has made, of how many; with it, how many messages the user has had.
    """
    with opened(directory) as runtime:
        zone, inspection = runtime.zone, runtime.inspection
        found = inspection.app_quota() if touser is None else inspection.quota(touser)
    if as_json:
        show_json(found)
        return
    pairs = _app_pairs(found, zone) if isinstance(found, AppQuota) else _user_pairs(found)
    show_pairs([*pairs, ("goes on", f"{local(found.begins, zone)} ({zone.key})")])


def _user_pairs(found: Quota) -> list[tuple[str, str]]:
    cap = "no limit" if found.cap is None else str(found.cap)
    return [("day", str(found.day)), ("sent", str(found.sent)), ("under way", str(found.held)), ("cap", cap)]


def _app_pairs(found: AppQuota, zone: ZoneInfo) -> list[tuple[str, str]]:
    match found.source:
        case QuotaSource.SETTING:
            source = "PUSHJOBS_APP_DAILY_LIMIT"
        case QuotaSource.WECHAT:
            source = f"WeChat allows {found.wechat_limit:,}; a hundredth of it is kept back"
            if found.used_elsewhere:
                source += f", and {found.used_elsewhere:,} were used up elsewhere"
            source += "" if found.asked_at is None else f" (asked {local(found.asked_at, zone)})"
        case QuotaSource.DOCUMENTED:
            source = "what WeChat documents: it has not said yet, see the log of the workers"
        case _:
            assert_never(found.source)
    return [
        ("day", f"{found.day} in Shanghai"),
        ("used", f"{found.used:,}, what workers have in hand included"),
        ("cap", f"{found.cap:,}"),
        ("from", source),
    ]
