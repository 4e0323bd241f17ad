"""What bodies and answers about campaigns look like, for the document: the daily news. A test reads them."""

from typing import Any

from pushjobs.http.v1.examples import APPID, TEMPLATE_ID

__all__ = ["AUDIENCE", "CAMPAIGN", "KEY", "NEW_CAMPAIGN", "ROWS", "RUN"]

KEY = "daily-news"
CONTENT: dict[str, Any] = {
    "data": {"thing1": "{title}", "thing2": "{summary}", "date3": "{published}"},
    "page": "pages/news",
    "feed": {"url": "https://news.example.com/feed.xml", "skip_if_nothing_new": True},
}
NEW_CAMPAIGN: dict[str, Any] = {
    "key": KEY,
    "name": "每日要闻",
    "cron": "0 8 * * *",
    "zone": "Asia/Shanghai",
    "template_id": TEMPLATE_ID,
    "audience": {"stored": "readers"},
    "content": CONTENT,
    "spread": "30m",
}
CAMPAIGN: dict[str, Any] = {
    "key": KEY,
    "name": "每日要闻",
    "appid": APPID,
    "template_id": TEMPLATE_ID,
    "cron": "0 8 * * *",
    "zone": "Asia/Shanghai",
    "audience": {"stored": "readers"},
    "content": {**CONTENT, "miniprogram_state": "formal", "lang": "zh_CN", "shorten": False},
    "lane": "bulk",
    "spread": "1800s",
    "expires": "172800s",
    "on_quota": "refuse",
    "missed": "skip",
    "grace": "600s",
    "is_declared": False,
    "next_at": "2026-12-02T00:00:00Z",
    "created_at": "2026-11-24T09:30:00.123456Z",
    "changed_at": "2026-11-24T09:30:00.123456Z",
    "paused_at": None,
}
CHANGES: dict[str, Any] = {"cron": "30 8 * * 1-5", "spread": None}
PREVIEW: dict[str, Any] = {
    "instants": [{"moment": "2026-12-02T00:00:00Z", "local": "2026-12-02T08:00:00+08:00", "note": None}]
}
RUN: dict[str, Any] = {
    "run": 7,
    "key": KEY,
    "appid": APPID,
    "template_id": TEMPLATE_ID,
    "instant": "2026-12-01T00:00:00Z",
    "begins_at": "2026-12-01T00:00:00Z",
    "state": "open",
    "reason": None,
    "recipients": 100_000,
    "rejected": 1,
    "faults": [
        {
            "number": 17,
            "field": "data.thing1",
            "fault": "is 24 characters long",
            "rule": "a thing has 1 to 20 characters",
        }
    ],
    "jobs": 100_000,
    "paused_at": None,
    "opened_at": "2026-12-01T00:00:00.2Z",
    "finished_at": None,
}
PROGRESS: dict[str, Any] = {
    "run": RUN,
    "states": {
        "scheduled": 59_000,
        "released": 400,
        "sending": 100,
        "sent": 40_000,
        "refused": 500,
        "expired": 0,
        "cancelled": 0,
        "dead": 0,
        "in_doubt": 0,
    },
    "refused": {"no_consent": 500},
    "remaining": 59_500,
    "finishes_at": "2026-12-01T00:30:00Z",
}
STOPPED: dict[str, Any] = {
    **PROGRESS,
    "run": {**RUN, "state": "cancelled", "reason": "requested"},
    "finishes_at": None,
}
REHEARSAL: dict[str, Any] = {
    "at": "2026-12-02T00:00:00Z",
    "users": 100_000,
    "repeated": 3,
    "rejected": {"touser holds a space": 1},
    "gets": 99_500,
    "verdicts": [{"rule": "no consent", "users": 500, "waits": False}],
    "seconds": 1990.0,
    "held": [],
    "samples": [{"touser": "oABC…", "content": {"template_id": TEMPLATE_ID, "data": {"thing1": "要闻"}}}],
}
AUDIENCE: dict[str, Any] = {
    "name": "readers",
    "recipients": 100_003,
    "rejected": 1,
    "uploaded_at": "2026-11-24T09:20:00.123456Z",
}
ROWS: dict[str, str] = {
    "text/csv": "touser,nickname\noABC-1234567890abcdefghijklm,小明\n",
    "application/x-ndjson": '{"touser": "oABC-1234567890abcdefghijklm", "nickname": "小明"}\n',
}
UPLOAD: dict[str, Any] = {
    "audience": AUDIENCE,
    "faults": [{"number": 12, "field": "touser", "fault": "holds a space", "rule": "give the user's open id"}],
}
