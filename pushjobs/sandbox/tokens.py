"""Access tokens as WeChat's two calls hand them out: independent of each other, replaced with five minutes' grace.

Facts: the pages of getAccessToken and getStableAccessToken. A token is 512 characters long, the length WeChat asks
callers to make room for. Nothing expires by itself here: every check is given the time.
"""

import math
import secrets
from collections import defaultdict
from dataclasses import dataclass

from pushjobs.sandbox.answers import Refusal, refusal
from pushjobs.sandbox.limits import day_in_shanghai

__all__ = ["Grant", "Tokens"]

_LIFE = 7200.0
_GRACE = 300.0
_FORCED_A_DAY = 20
_FORCED_APART = 30.0


@dataclass(slots=True)
class Grant:
    """One token: from `revoked_from` on it is not the latest (40001), from `expires_at` on it is expired (42001)."""

    text: str
    appid: str
    expires_at: float
    revoked_from: float = math.inf


class Tokens:
    """Every token that was ever handed out, and each app's latest of either call."""

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}
        self._plain: dict[str, Grant] = {}
        self._stable: dict[str, Grant] = {}
        self._forced: defaultdict[str, list[float]] = defaultdict(list)

    def find(self, text: str | None, at: float) -> Grant | Refusal:
        """Return the grant behind a token, or WeChat's refusal of it."""
        if not text:
            return refusal(41001)
        grant = self._grants.get(text)
        if grant is None or at >= grant.revoked_from:
            return refusal(40001)
        return refusal(42001) if at >= grant.expires_at else grant

    def plain(self, appid: str, at: float) -> Grant:
        """Make a new token, as `GET /cgi-bin/token` does at each call; the one before lives on for five minutes."""
        if before := self._plain.get(appid):
            before.revoked_from = min(before.revoked_from, at + _GRACE)
        self._plain[appid] = self._make(appid, at)
        return self._plain[appid]

    def stable(self, appid: str, at: float) -> Grant:
        """Return the stable token; within five minutes of its end a new one, the old one lives on to its end."""
        grant = self._stable.get(appid)
        if grant is None or grant.expires_at - at <= _GRACE:
            grant = self._stable[appid] = self._make(appid, at)
        return grant

    def forced(self, appid: str, at: float) -> Grant | Refusal:
        """Replace the stable token at once: 20 times a day, and within 30 s of the last time it stays as it is."""
        today = [each for each in self._forced[appid] if day_in_shanghai(each) == day_in_shanghai(at)]
        if today and at - today[-1] < _FORCED_APART:
            return self.stable(appid, at)
        if len(today) >= _FORCED_A_DAY:
            return refusal(45009)
        self._forced[appid] = [*today, at]
        if before := self._stable.pop(appid, None):
            before.revoked_from = at
        return self.stable(appid, at)

    def expire(self, appid: str, at: float) -> None:
        """End the life of all tokens of an app, as if their time were over."""
        for grant in self._grants.values():
            if grant.appid == appid:
                grant.expires_at = min(grant.expires_at, at)

    def _make(self, appid: str, at: float) -> Grant:
        grant = Grant(f"90_{secrets.token_hex(255)}"[:512], appid, at + _LIFE)
        self._grants[grant.text] = grant
        return grant
