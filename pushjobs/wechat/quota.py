"""An app's daily allowance for its calls: what WeChat says is left of it, and having it begin anew.

Counters are WeChat's and may be off by a hundredth; a limit on a call's own page outranks what stands here
(wechat-api.md 7.1, [Q1], [Q2], [Q3]). Every function raises CallRefused or Unreachable.
"""

from dataclasses import dataclass
from typing import Any

from pushjobs.wechat.authorised import AuthorisedClient
from pushjobs.wechat.client import SUBSCRIBE_PATH, Client

__all__ = [
    "CLEARANCES_A_MONTH",
    "CallQuota",
    "DailyQuota",
    "clear",
    "clear_by_secret",
    "daily_quota",
    "read",
    "remaining",
]

CLEARANCES_A_MONTH = 10
"""How often the counters of an account may be cleared in a month, by whomever."""

_PATH = "/cgi-bin/openapi/quota/get"
_CLEAR_PATH = "/cgi-bin/clear_quota"
_LARGEST = 2**31 - 1  # what the database can hold


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuota:
    """What an app may do of one call: `used` of `daily_limit` today, `remain` left.

    The shorter limit, where there is one, is `calls` in `seconds`.
    """

    path: str
    daily_limit: int | None
    used: int | None
    remain: int | None
    calls: int | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyQuota:
    """Subscribe messages allowed a day, and how many of today's are used, by whatever software of the app's owner."""

    limit: int
    used: int


async def read(wechat: AuthorisedClient, path: str) -> CallQuota:
    """Return what is left of a call's day, by its path without the host."""
    return _quota(path, await wechat.post(_PATH, {"cgi_path": path}))


async def daily_quota(client: Client, access_token: str) -> DailyQuota | None:
    """Return what WeChat allows; None where the answer makes no sense: no limit, or more left than there is.

    Legacy sends have another allowance at WeChat, which nobody asks for: the call is dead there.
    """
    quota = await _ask(client, access_token)
    limit, left = quota.daily_limit, quota.remain
    if limit is None or left is None or not 0 <= left <= limit or not 0 < limit <= _LARGEST:
        return None
    return DailyQuota(limit=limit, used=limit - left)


async def remaining(client: Client, access_token: str) -> int | None:
    """Return how many subscribe messages may still be sent today; None where the answer does not say."""
    return (await _ask(client, access_token)).remain


async def clear(wechat: AuthorisedClient, appid: str) -> None:
    """Begin all daily counters of the app anew."""
    await wechat.post(_CLEAR_PATH, {"appid": appid})


async def clear_by_secret(client: Client, appid: str, secret: str) -> None:
    """Do the same without a token: for when the day's calls for tokens are used up as well."""
    await client.ask("POST", f"{_CLEAR_PATH}/v2", body={"appid": appid, "appsecret": secret})


async def _ask(client: Client, access_token: str) -> CallQuota:
    answer = await client.ask("POST", _PATH, access_token=access_token, body={"cgi_path": SUBSCRIBE_PATH})
    return _quota(SUBSCRIBE_PATH, answer)


def _quota(path: str, answer: dict[str, Any]) -> CallQuota:
    day, rate = (_object(answer.get(name)) for name in ("quota", "rate_limit"))
    return CallQuota(
        path=path,
        daily_limit=_number(day.get("daily_limit")),
        used=_number(day.get("used")),
        remain=_number(day.get("remain")),
        calls=_number(rate.get("call_count")),
        seconds=_number(rate.get("refresh_second")),
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int | None:
    # A bool is an int to Python.
    return value if type(value) is int else None
