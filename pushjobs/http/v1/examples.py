"""What bodies and answers look like, for the document: one order notice and what becomes of it. A test reads them."""

from typing import Any

__all__ = ["APP", "BATCH", "HISTORY", "JOB", "NEW_JOB", "OPEN_ID", "REPORT", "TEMPLATE_ID"]

APPID = "wx0123456789abcdef"
OPEN_ID = "oABC-1234567890abcdefghijklm"
TEMPLATE_ID = "uRN2tP0sXbGq8d3vYc1kF5hJm7wZ4aL6eT9oI0rB2nQ"

NEW_JOB: dict[str, Any] = {
    "touser": OPEN_ID,
    "template_id": TEMPLATE_ID,
    "page": "pages/order?id=20261201",
    "data": {"thing1": {"value": "订单已发货"}, "date2": {"value": "2026年12月1日"}},
    "time": "2026-12-01 08:00:00",
    "reference": "order-20261201",
    "idempotency_key": "order-20261201-shipped",
}
JOB: dict[str, Any] = {
    "id": 1201,
    "appid": APPID,
    "template_id": TEMPLATE_ID,
    "state": "scheduled",
    "lane": "urgent",
    "time": "2026-12-01T00:00:00Z",
    "due_at": "2026-12-01T00:00:00Z",
    "expires": "2026-12-03T00:00:00Z",
    "attempts": 0,
    "reason": None,
    "errcode": None,
    "msgid": None,
    "reference": "order-20261201",
    "client": "shop",
    "created_at": "2026-11-24T09:30:00.123456Z",
    "called_at": None,
    "closed_at": None,
    "receipt": None,
    "is_forgotten": False,
}
SENT: dict[str, Any] = {
    **JOB,
    "state": "sent",
    "attempts": 1,
    "errcode": 0,
    "msgid": "3401234567890123456",
    "called_at": "2026-12-01T00:00:00.004Z",
    "closed_at": "2026-12-01T00:00:00.061Z",
    "receipt": {"state": "delivered", "errcode": 0, "status": "success", "at": "2026-12-01T00:00:01Z"},
}
CANCELLED: dict[str, Any] = {
    **JOB,
    "state": "cancelled",
    "reason": "requested",
    "closed_at": "2026-11-25T10:00:00Z",
}
MOVED: dict[str, Any] = {
    **JOB,
    "time": "2026-12-02T00:00:00Z",
    "due_at": "2026-12-02T00:00:00Z",
    "expires": "2026-12-04T00:00:00Z",
    "reason": "requested",
}
REPLAYED: dict[str, Any] = {**JOB, "reason": "replayed"}
RESOLVED: dict[str, Any] = {**SENT, "reason": "resolved", "errcode": None, "msgid": None, "receipt": None}
HAPPENING: dict[str, Any] = {
    "at": "2026-12-01T00:00:00.061Z",
    "release_no": 1,
    "transition": "defer",
    "state": "scheduled",
    "reason": "retry",
    "errcode": -1,
}
HISTORY: dict[str, Any] = {"history": [HAPPENING]}
WHY: dict[str, Any] = {
    "job": JOB,
    "rule": "not_due",
    "words": "It is not due before 2026-12-01 08:00:00 (Asia/Shanghai).",
    "when": "2026-12-01T00:00:00Z",
    "place": 0,
    "history": [],
}
PAGE: dict[str, Any] = {"jobs": [JOB], "next": "YmVmb3JlOjEyMDE"}
BATCH: dict[str, Any] = {
    "jobs": [
        {**NEW_JOB, "idempotency_key": "news-20261201-1"},
        {
            "touser": OPEN_ID,
            "template_id": TEMPLATE_ID,
            "data": {"thing1": "这一行的文字太长了，超过了二十个字，所以会被拒绝"},
        },
    ]
}
REPORT: dict[str, Any] = {
    "accepted": 1,
    "known": 0,
    "rejected": 1,
    "ids": [1202, None],
    "errors": [
        {
            "row": 1,
            "field": "jobs[1].data.thing1",
            "fault": "is 24 characters long",
            "rule": "a thing has 1 to 20 characters",
        }
    ],
}
FILTER: dict[str, Any] = {"touser": OPEN_ID, "state": "scheduled", "limit": 50}
CANCELLATION: dict[str, Any] = {"reference": "order-20261201"}
RESCHEDULING: dict[str, Any] = {"time": "2026-12-02T08:00:00+08:00"}
REPLAYING: dict[str, Any] = {"expires": "2026-12-03 08:00:00"}
RESOLVING: dict[str, Any] = {"as": "sent"}
TEMPLATE: dict[str, Any] = {
    "template_id": TEMPLATE_ID,
    "title": "发货通知",
    "kind": "one_time",
    "keywords": [
        {"key": "thing1", "name": "商品名称", "allowed": []},
        {"key": "date2", "name": "发货时间", "allowed": []},
    ],
}
MAPPINGS: dict[str, Any] = {
    "mappings": [
        {
            "legacy_id": "oldTemplate2019",
            "template_id": TEMPLATE_ID,
            "keywords": {"keyword1": "thing1", "keyword2": "date2", "keyword3": None},
            "shortens": True,
        }
    ]
}
WHICH: dict[str, Any] = {"appid": APPID}
USER: dict[str, Any] = {"touser": OPEN_ID}
GRANTING: dict[str, Any] = {"touser": OPEN_ID, "template_id": TEMPLATE_ID, "credits": 1}
REVOKING: dict[str, Any] = {"touser": OPEN_ID, "template_id": TEMPLATE_ID}
CONSENT: dict[str, Any] = {"template_id": TEMPLATE_ID, "credits": 1, "held": 0, "is_standing": False}
NO_CONSENT: dict[str, Any] = {**CONSENT, "credits": 0}
USER_QUOTA: dict[str, Any] = {"day": "2026-12-01", "sent": 2, "held": 1, "cap": 3, "begins": "2026-12-02T01:00:00Z"}
APP_QUOTA: dict[str, Any] = {
    "day": "2026-12-01",
    "used": 120_000,
    "cap": 9_900_000,
    "source": "wechat",
    "wechat_limit": 10_000_000,
    "used_elsewhere": 0,
    "begins": "2026-12-01T16:00:00Z",
}
PAUSING: dict[str, Any] = {"template_id": TEMPLATE_ID, "note": "the wording is being changed"}
PAUSE: dict[str, Any] = {
    "template_id": TEMPLATE_ID,
    "lane": None,
    "reason": "operator",
    "errcode": None,
    "note": "the wording is being changed",
    "since": "2026-12-01T02:00:00Z",
    "until": None,
}
RESUMING: dict[str, Any] = {"template_id": TEMPLATE_ID}
APP: dict[str, Any] = {
    "appid": APPID,
    "is_default": True,
    "timezone": "Asia/Shanghai",
    "daily_quota": 3,
    "quiet_hours": "22:00-08:00",
    "resume_hour": 9,
}
