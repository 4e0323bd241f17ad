"""What WeChat says of an app's daily allowance for the subscribe send call (wechat-api.md 7.1, [Q1]).

Asked rarely: the question has a limit of its own. Legacy sends have another allowance at WeChat, which nobody asks for:
the call is dead there.
"""

from dataclasses import dataclass
from typing import Any

from pushjobs.wechat.client import SUBSCRIBE_PATH, Client

__all__ = ["DailyQuota", "daily_quota", "remaining"]

_PATH = "/cgi-bin/openapi/quota/get"
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyQuota:
    """Calls allowed a day, and how many of today's are used, by whatever software of the app's owner."""

    limit: int
    used: int


async def daily_quota(client: Client, access_token: str) -> DailyQuota | None:
    """Return what WeChat allows; None where the answer makes no sense: no limit, or more left than there is.

    Raises CallRefused or Unreachable.
    """
    quota = await _ask(client, access_token)
    limit, left = quota.get("daily_limit"), quota.get("remain")
    # A bool is an int to Python. What does not fit the database is no allowance either.
    if type(limit) is not int or type(left) is not int or not 0 <= left <= limit or not 0 < limit <= _LARGEST:
        return None
    return DailyQuota(limit=limit, used=limit - left)


async def remaining(client: Client, access_token: str) -> int | None:
    """Return how many subscribe messages may still be sent today; None where the answer does not say.

    Raises CallRefused or Unreachable.
    """
    left = (await _ask(client, access_token)).get("remain")
    return left if isinstance(left, int) else None


async def _ask(client: Client, access_token: str) -> dict[str, Any]:
    answer = await client.ask("POST", _PATH, access_token=access_token, body={"cgi_path": SUBSCRIBE_PATH})
    quota = answer.get("quota")
    return quota if isinstance(quota, dict) else {}
