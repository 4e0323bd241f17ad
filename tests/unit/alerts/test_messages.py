"""What is posted of alerts: each robot's body, its signature and its limits, and our own JSON."""

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
import typer
from typer.core import TyperGroup

from pushjobs.alerts.addresses import Robot, read_address
from pushjobs.alerts.messages import body_of, trial_body
from pushjobs.cli.program import app
from pushjobs.domain.alert import RULES, Alert, AlertKind, Notice, What

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 12, 1, 0, 0, 5, tzinfo=UTC)
WECOM = read_address("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k")
DINGTALK = read_address("https://oapi.dingtalk.com/robot/send?access_token=t")
ANY = read_address("http://monitor.internal:9000/hook?id=1")
PAGE = Path(__file__).parents[3] / "docs/how-to/be-alerted.md"


def notice(number: int = 1, what: What = What.BEGAN, **more: object) -> Notice:
    """One notice."""
    values = {
        "alert_no": number,
        "kind": AlertKind.JOBS_LATE,
        "appid": "wxapp",
        "subject": "bulk",
        "detail": "the earliest has waited for 45 s",
        "since": NOW,
        "seen_at": NOW,
        "ended_at": None,
    }
    return Notice(number=number, what=what, alert=Alert(**{**values, **more}))  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("text", "robot", "host", "url"),
    [
        (
            "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k",
            Robot.WECOM,
            "qyapi.weixin.qq.com",
            "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k",
        ),
        (
            "https://oapi.dingtalk.com/robot/send?access_token=t&secret=SECs",
            Robot.DINGTALK,
            "oapi.dingtalk.com",
            "https://oapi.dingtalk.com/robot/send?access_token=t",
        ),
        ("wecom+http://relay.internal/?key=k", Robot.WECOM, "relay.internal", "http://relay.internal/?key=k"),
        ("dingtalk+https://relay.internal/a?b=c", Robot.DINGTALK, "relay.internal", "https://relay.internal/a?b=c"),
        ("https://a.example/x?secret=y", Robot.NONE, "a.example", "https://a.example/x?secret=y"),
        ("https://qyapi.weixin.qq.com.evil.example/", Robot.NONE, "qyapi.weixin.qq.com.evil.example", None),
    ],
)
def test_an_address_says_whose_robot_it_is(text: str, robot: Robot, host: str, url: str | None) -> None:
    """By its whole host, or by a prefix; what signs is taken off, and nothing shows what follows the host."""
    address = read_address(text)
    assert (address.robot, address.host, address.url) == (robot, host, url or text)
    assert repr(address) == f"Address(robot={robot!r}, host={host!r})"


def test_a_dingtalk_call_is_signed() -> None:
    """The moment in milliseconds and the proof of it under the secret, which is not sent, follow the address."""
    address = read_address("https://oapi.dingtalk.com/robot/send?access_token=t&secret=SECword")
    query = parse_qs(urlsplit(address.signed_url(NOW)).query)
    milliseconds = str(int(NOW.timestamp() * 1000))
    proof = hmac.new(b"SECword", f"{milliseconds}\nSECword".encode(), hashlib.sha256).digest()
    assert query == {"access_token": ["t"], "timestamp": [milliseconds], "sign": [base64.b64encode(proof).decode()]}
    assert "SECword" not in address.signed_url(NOW)
    assert DINGTALK.signed_url(NOW) == DINGTALK.url


def test_a_wecom_robot_gets_markdown() -> None:
    """What, of what, how it is, since when in the app's zone, what to do, and the name to look up."""
    assert json.loads(body_of(WECOM, [notice()], SHANGHAI)) == {
        "msgtype": "markdown",
        "markdown": {
            "content": "**pushjobs: Jobs are late (wxapp, bulk)**\n\n"
            "the earliest has waited for 45 s, since 12-01 08:00:05\n\n"
            f"> {RULES[AlertKind.JOBS_LATE].advice}\n\n"
            "`jobs_late`, critical"
        },
    }


def test_a_dingtalk_robot_gets_a_title_too() -> None:
    """Both hold the word `pushjobs`, for robots that take only what holds a keyword."""
    ended = notice(what=What.ENDED, ended_at=NOW + timedelta(minutes=2))
    body = json.loads(body_of(DINGTALK, [ended], SHANGHAI))
    assert body["msgtype"] == "markdown"
    assert body["markdown"]["title"] == "pushjobs: over: Jobs are late (wxapp, bulk)"
    assert body["markdown"]["text"] == (
        "**pushjobs: over: Jobs are late (wxapp, bulk)**\n\n"
        "since 12-01 08:00:05, until 12-01 08:02:05\n\n`jobs_late`, critical"
    )


def test_any_other_address_gets_our_json() -> None:
    """Everything as fields, times in UTC; the number of a notice tells a repeat."""
    body = json.loads(body_of(ANY, [notice(7), notice(9, What.PASSED, appid="", subject="", ended_at=NOW)], SHANGHAI))
    assert body["type"] == "alerts"
    first, second = body["data"]["alerts"]
    assert first == {
        "notice": 7,
        "what": "began",
        "kind": "jobs_late",
        "severity": "critical",
        "appid": "wxapp",
        "subject": "bulk",
        "title": "Jobs are late",
        "detail": "the earliest has waited for 45 s",
        "advice": RULES[AlertKind.JOBS_LATE].advice,
        "since": "2026-12-01T00:00:05Z",
        "ended_at": None,
    }
    assert (second["what"], second["appid"], second["ended_at"]) == ("passed", None, "2026-12-01T00:00:05Z")
    assert json.loads(trial_body(ANY)) == {"type": "alerts.test", "data": {"alerts": []}}


@pytest.mark.parametrize("address", [WECOM, DINGTALK])
@pytest.mark.parametrize("count", [1, 2, 14, 15, 16, 200])
def test_a_message_is_never_too_long(address: object, count: int) -> None:
    """Of more than 4,096 bytes the first stand there and the others are counted; each is one or the other."""
    many = [notice(number, detail="很" * 400) for number in range(1, count + 1)]
    body = json.loads(body_of(address, many, SHANGHAI))["markdown"]  # type: ignore[arg-type]  # as above
    text = body.get("content") or body["text"]
    assert len(text.encode()) <= 4096
    shown = text.count("`jobs_late`")
    left = re.search(r"and (\d+) more", text)
    assert shown + (int(left[1]) if left else 0) == count
    assert shown >= 1


def test_a_name_calls_nobody_and_draws_nothing() -> None:
    """What others have named holds no mark: no mention of a colleague, no link, no line of its own."""
    bad = notice(subject="<@all> [x](https://evil.example)\n# **hi**", detail="`<@ceo>`")
    text = json.loads(body_of(WECOM, [bad], SHANGHAI))["markdown"]["content"]
    assert "<" not in text
    assert "[" not in text
    assert text.count("**") == 2
    assert "\n#" not in text


def test_every_alert_has_a_heading_to_look_up() -> None:
    """The page has one heading for each kind, by the name that stands in the message, and no other of that form."""
    headings = re.findall(r"^### `(\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == list(AlertKind)


def test_every_command_that_is_advised_exists() -> None:
    """What a message or the page tells to run is a command of the terminal's."""
    text = PAGE.read_text(encoding="utf-8") + " ".join(rule.advice for rule in RULES.values())
    commands = set(re.findall(r"pushjobs ((?:[a-z][a-z-]*(?: |`|$))+)", text, re.MULTILINE))
    assert {"doctor`", "callback forward`"} <= commands
    for command in commands:
        found: object = typer.main.get_command(app)
        for word in command.rstrip("` ").split():
            assert isinstance(found, TyperGroup), command
            found = found.commands[word]
