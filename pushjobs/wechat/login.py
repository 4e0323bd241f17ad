"""Who a login code stands for: `wx.login` gives a Mini Program a code, this call makes an open id of it.

A code is good once and for five minutes. The call takes appid and secret, no token (wechat-api.md section 8, [R1]).
"""

from dataclasses import dataclass, field

from pushjobs.errors import Unreachable
from pushjobs.wechat.client import Client

__all__ = ["Login", "exchange_code"]

_PATH = "/sns/jscode2session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user who logged in: the `openid` at this app. None of it is shown by `repr`.

    `unionid`: the same person's at all apps of one Open Platform account; None unless the app is bound to one.
    `session_key`: WeChat's key for what it encrypts for this user; None unless it was asked for. Keep it as a secret.
    """

    openid: str = field(repr=False)
    unionid: str | None = field(default=None, repr=False)
    session_key: str | None = field(default=None, repr=False)


async def exchange_code(client: Client, *, appid: str, secret: str, code: str) -> Login:
    """Exchange a login code; raises CallRefused for one that is wrong, used or too old, or Unreachable."""
    params = {"appid": appid, "secret": secret, "js_code": code, "grant_type": "authorization_code"}
    answer = await client.ask("GET", _PATH, params=params)
    match answer:
        case {"openid": str(openid), "session_key": str(session_key)} if openid:
            unionid = answer.get("unionid")
            return Login(openid=openid, unionid=str(unionid) if unionid else None, session_key=session_key)
    raise Unreachable(f"{client.base_url} answered the login call without an open id")
