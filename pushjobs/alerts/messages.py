"""What is posted of alerts, and whether it was taken: a robot answers HTTP 200 with an `errcode` of its own.

Many notices are one message. A robot takes 20 messages a minute, and DingTalk's is silent for ten minutes after more;
WeCom's takes 4,096 bytes of markdown, and the same is kept to with DingTalk's. Both need nothing but the address.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import orjson

from pushjobs.alerts.addresses import Address, Robot
from pushjobs.domain.alert import Alert, Notice, What
from pushjobs.posting import Answer

__all__ = ["body_of", "fault_of", "record", "trial_body"]

_LONGEST = 4096
_LONGEST_DETAIL = 300
_LONGEST_WORD = 100

# Marks of markdown, and of WeCom's `<@user>`: a name must not call anybody, and looks the same everywhere.
_PLAIN = str.maketrans("", "", "<>[]*`#\r\n")

_HEADS = {
    What.BEGAN: "",
    What.GOES_ON: "still: ",
    What.ENDED: "over: ",
    What.PASSED: "came and went: ",
}


def body_of(address: Address, notices: Sequence[Notice], zone: ZoneInfo) -> bytes:
    """Return what is posted to an address; times are in the zone, in our own JSON in UTC."""
    if address.robot is Robot.NONE:
        return _our_json("alerts", [_record(each) for each in notices])
    count = len(notices)
    title = f"pushjobs: {_headline(notices[0])}" if count == 1 else f"pushjobs: {count} alerts"
    return _robot_body(address.robot, title, _text(title, notices, zone))


def trial_body(address: Address) -> bytes:
    """Return what is posted to see whether it comes."""
    title = "pushjobs: a test"
    if address.robot is Robot.NONE:
        return _our_json("alerts.test", [])
    return _robot_body(address.robot, title, f"**{title}**\n\nAlerts will be told here.")


def fault_of(address: Address, answer: Answer | str) -> str | None:
    """Say why a message was not taken; None where it was. Nothing of the address is in it."""
    if isinstance(answer, str):
        return answer
    if not answer.is_success:
        return f"HTTP {answer.status}"
    if address.robot is Robot.NONE:
        return None
    try:
        said = json.loads(answer.body)
        errcode, errmsg = int(said["errcode"]), str(said.get("errmsg", ""))
    except (ValueError, LookupError, TypeError):
        return "the answer is none of a robot's"
    if errcode == 0:
        return None
    words = "".join(filter(str.isprintable, errmsg))[:_LONGEST_WORD]
    return f"errcode {errcode}: {words}" if words and address.hides(words) else f"errcode {errcode}"


def _our_json(kind: str, alerts: Sequence[dict[str, object]]) -> bytes:
    return orjson.dumps({"type": kind, "data": {"alerts": alerts}}, option=orjson.OPT_UTC_Z)


def record(alert: Alert) -> dict[str, object]:
    """Return an alert as JSON values, the same wherever it is told as such."""
    return {
        "kind": alert.kind,
        "severity": alert.rule.severity,
        "appid": alert.appid or None,
        "subject": alert.subject or None,
        "title": alert.rule.title,
        "detail": alert.detail,
        "advice": alert.rule.advice,
        "since": alert.since,
        "ended_at": alert.ended_at,
    }


def _record(notice: Notice) -> dict[str, object]:
    return {"notice": notice.number, "what": notice.what, **record(notice.alert)}


def _robot_body(robot: Robot, title: str, text: str) -> bytes:
    if robot is Robot.WECOM:
        return orjson.dumps({"msgtype": "markdown", "markdown": {"content": text}})
    return orjson.dumps({"msgtype": "markdown", "markdown": {"title": title, "text": text}})


def _text(title: str, notices: Sequence[Notice], zone: ZoneInfo) -> str:
    """Write as many as there is room for; the others are counted."""
    text = f"**{title}**"
    for number, notice in enumerate(notices):
        head = f"\n\n**{_headline(notice)}**" if len(notices) > 1 else ""
        longer = text + head + "".join(f"\n\n{line}" for line in _lines(notice, zone))
        left = len(notices) - number
        more = f"\n\nand {left} more: `pushjobs alerts`"
        if len(longer.encode()) > _LONGEST - (len(more.encode()) if left > 1 else 0):
            return text + more
        text = longer
    return text


def _lines(notice: Notice, zone: ZoneInfo) -> list[str]:
    alert = notice.alert
    times = f"since {_local(alert.since, zone)}"
    if alert.ended_at is not None:
        times += f", until {_local(alert.ended_at, zone)}"
    name = f"`{alert.kind}`, {alert.rule.severity}"
    if notice.what in {What.ENDED, What.PASSED}:
        return [times, name]
    return [f"{_plain(alert.detail, _LONGEST_DETAIL)}, {times}", f"> {alert.rule.advice}", name]


def _headline(notice: Notice) -> str:
    alert = notice.alert
    of = ", ".join(filter(None, (_plain(alert.appid, _LONGEST_WORD), _plain(alert.subject, _LONGEST_WORD))))
    return f"{_HEADS[notice.what]}{alert.rule.title}" + (f" ({of})" if of else "")


def _plain(text: str, longest: int) -> str:
    return text.translate(_PLAIN)[:longest]


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%m-%d %H:%M:%S")
