"""The calls about the account itself: a call's quota and its clearing, a past request, a user's login.

Counters belong to the app, a clearing begins all of them anew. A login code is good once, for five minutes; one that
nobody made known stands for a user of its own, unless users are strict.
"""

import base64
import hashlib
import secrets
from typing import Any

from pushjobs.sandbox import paths
from pushjobs.sandbox.answers import OK, Refusal, refusal
from pushjobs.sandbox.limits import month_in_shanghai
from pushjobs.sandbox.options import Users
from pushjobs.sandbox.request import Request
from pushjobs.sandbox.world import App, LoginCode, World

__all__ = ["clear_quota", "clear_quota_by_secret", "get_past_request", "get_quota", "log_in"]

# What WeChat publishes for the sends (with WeChat Pay), and a round figure for calls it publishes none for.
_DAILY_LIMITS = {paths.SUBSCRIBE_SEND: 30_000_000, paths.LEGACY_SEND: 1_000_000}
_OTHER_DAILY_LIMIT = 10_000
_CLEARANCES_A_MONTH = 10

Answer = dict[str, Any] | Refusal


def get_quota(world: World, app: App, request: Request) -> Answer:
    """Answer `POST /cgi-bin/openapi/quota/get`: a call's use of its day, and its shorter limit."""
    path = request.message.get("cgi_path")
    if not isinstance(path, str) or not path.startswith("/"):
        return refusal(76003)
    if path.startswith("/sns/"):
        return refusal(76022)
    if path not in paths.ALL:
        return refusal(76021)
    settings, is_send = world.settings, path in paths.SENDS
    limit = _DAILY_LIMITS.get(path, _OTHER_DAILY_LIMIT)
    if is_send and settings.per_day is not None:
        limit = settings.per_day
    used = app.meters[path].used(request.arrived_at)
    answer: dict[str, Any] = {**OK, "quota": {"daily_limit": limit, "used": used, "remain": max(0, limit - used)}}
    for calls, seconds in ((settings.per_second, 1), (settings.per_minute, 60)):
        if is_send and calls is not None and "rate_limit" not in answer:
            answer["rate_limit"] = {"call_count": calls, "refresh_second": seconds}
    return answer


def clear_quota(_world: World, app: App, request: Request) -> Answer:
    """Answer `POST /cgi-bin/clear_quota`: every counter of the app begins anew, ten times a month."""
    if request.message.get("appid") != app.appid:
        return refusal(40013)
    return _cleared(app, request)


def clear_quota_by_secret(world: World, request: Request) -> Answer:
    """Answer `POST /cgi-bin/clear_quota/v2`: the same without a token, from the same ten."""
    app = world.app_with_secret(request.message.get("appid"), request.message.get("appsecret"))
    return app if isinstance(app, Refusal) else _cleared(app, request)


def _cleared(app: App, request: Request) -> Answer:
    month = month_in_shanghai(request.arrived_at)
    if app.clearances[month] >= _CLEARANCES_A_MONTH:
        return refusal(48006)
    app.clearances[month] += 1
    for meter in app.meters.values():
        meter.clear()
    return OK


def get_past_request(world: World, app: App, request: Request) -> Answer:
    """Answer `POST /cgi-bin/openapi/rid/get`: a request as it was seen, for seven days and to its own account."""
    found = world.past_requests.find(request.message.get("rid"), app.appid, request.arrived_at)
    return found if isinstance(found, Refusal) else {**OK, "request": found}


def log_in(world: World, request: Request) -> Answer:
    """Answer `GET /sns/jscode2session`: the user behind a code of `wx.login`."""
    if request.query.get("grant_type") != "authorization_code":
        return refusal(40002)
    app = world.app_with_secret(request.query.get("appid"), request.query.get("secret"))
    if isinstance(app, Refusal):
        return app
    code = request.query.get("js_code", "")
    login = app.login_codes.get(code)
    if login is None and code and world.settings.users is Users.ANY:
        login = LoginCode(touser=_someone(app, code))
    if login is None or login.is_used or request.arrived_at >= login.expires_at:
        return refusal(40029)
    login.is_used = True
    app.login_codes[code] = login
    app.known.add(login.touser)
    app.seen_at[login.touser] = request.arrived_at
    answer = {"openid": login.touser, "session_key": base64.b64encode(secrets.token_bytes(16)).decode()}
    return answer | ({"unionid": login.unionid} if login.unionid else {})


def _someone(app: App, code: str) -> str:
    """Return an open id of WeChat's form, always the same for a code."""
    digest = hashlib.sha256(f"{app.appid}\0{code}".encode()).digest()
    return "o" + base64.urlsafe_b64encode(digest).decode()[:27]
