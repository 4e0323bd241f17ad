"""Events as conditions: what only the process that it happens in can see, kept until that process tells of it.

A look into SQL finds most of what is wrong. That no key opens a message, or that a module declares what cannot be
taken, stands in no table; it is told of again and again for as long as it lasts.
"""

import threading

from pushjobs.domain.alert import AlertKind, Condition
from pushjobs.domain.events import CampaignNotTaken, Event, MessageUnreadable, TokenUnavailable

__all__ = ["notice", "take"]

_MOST = 100
"""Of how many at most: with more, the first ones say it."""

_lock = threading.Lock()
_seen: dict[tuple[AlertKind, str, str], Condition] = {}


def notice(event: Event) -> None:
    """Keep what an event says to be wrong; most say nothing of that kind."""
    condition = _condition(event)
    if condition is not None:
        key = (condition.kind, condition.appid, condition.subject)
        with _lock:
            if key in _seen or len(_seen) < _MOST:
                _seen[key] = condition


def take() -> list[Condition]:
    """Return what was seen since the last time."""
    with _lock:
        found = list(_seen.values())
        _seen.clear()
    return found


def _condition(event: Event) -> Condition | None:
    match event:
        case MessageUnreadable(job_id=job_id):
            detail = f"no key opens the message of job {job_id}, and it may not be the only one: they wait"
            return Condition(kind=AlertKind.KEY_MISSING, detail=detail)
        case TokenUnavailable(appid=appid, fault=fault):
            return Condition(kind=AlertKind.TOKEN_UNAVAILABLE, appid=appid, detail=fault)
        case CampaignNotTaken(key=key, why=why):
            return Condition(kind=AlertKind.CAMPAIGN_NOT_TAKEN, subject=key, detail=why)
        case _:
            return None
