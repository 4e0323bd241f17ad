"""Addresses that are told of alerts: robots of WeCom and DingTalk by their hosts, and any other.

A robot behind another host (a relay of one's own) is named by a prefix: `wecom+https://…`, `dingtalk+https://…`. The
secret of a DingTalk robot that wants its calls signed stands in the address, as `&secret=SEC…`, and is never sent.

WeCom: https://developer.work.weixin.qq.com/document/path/91770. DingTalk:
https://open.dingtalk.com/document/robots/custom-robot-access and …/customize-robot-security-settings.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

__all__ = ["Address", "Robot", "read_address"]

_PREFIX = re.compile(r"(wecom|dingtalk)\+(?=https?://)")


class Robot(StrEnum):
    """Who reads what is posted."""

    WECOM = "wecom"
    DINGTALK = "dingtalk"
    NONE = "none"
    """Our JSON, for whatever is there."""


_HOSTS = {"qyapi.weixin.qq.com": Robot.WECOM, "oapi.dingtalk.com": Robot.DINGTALK}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address: whose robot it is, and what is shown of it. Whoever knows the address may write to its group."""

    robot: Robot
    host: str
    url: str = field(repr=False)
    secret: str | None = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        """What tells it apart in SQL, without saying it."""
        return hashlib.sha256(self.url.encode()).digest()[:16]

    def signed_url(self, now: datetime) -> str:
        """Return where to post to at this moment.

        DingTalk proves the moment, in milliseconds and at most an hour old, and the secret: HMAC-SHA256 under the
        secret over both, one a line, as base64.
        """
        if self.secret is None:
            return self.url
        timestamp = str(int(now.timestamp() * 1000))
        digest = hmac.digest(self.secret.encode(), f"{timestamp}\n{self.secret}".encode(), hashlib.sha256)
        return f"{self.url}&timestamp={timestamp}&sign={quote(base64.b64encode(digest).decode(), safe='')}"

    def hides(self, text: str) -> bool:
        """Whether a text says nothing of what only the address may say."""
        values = [value for _, value in parse_qsl(urlsplit(self.url).query)] + [self.secret or ""]
        return not any(value in text for value in values if value)


def read_address(text: str) -> Address:
    """Read an address that the settings have checked."""
    prefix = _PREFIX.match(text)
    url = text[prefix.end() :] if prefix else text
    parts = urlsplit(url)
    host = parts.hostname or ""
    robot = Robot(prefix[1]) if prefix else _HOSTS.get(host, Robot.NONE)
    secret = None
    if robot is Robot.DINGTALK:
        query = parse_qsl(parts.query, keep_blank_values=True)
        secret = dict(query).get("secret")
        rest = urlencode([(name, value) for name, value in query if name != "secret"])
        url = urlunsplit(parts._replace(query=rest))
    return Address(robot=robot, host=host, url=url, secret=secret)
