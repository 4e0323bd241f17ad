"""The send call of subscribe messages: each answer WeChat gives, and where the sandbox is stricter."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import CLASS_REMINDER, DAILY_NEWS, LEGACY_REFUND, ORDER_SHIPPED

Send = Callable[..., Any]
SEND = "/cgi-bin/message/subscribe/send"
NEWS = {"thing1": {"value": "今日要闻"}, "thing2": {"value": "三分钟读完"}, "date3": {"value": "2026年11月23日"}}


def test_accepts_a_good_message(send: Send, control: SandboxClient) -> None:
    """A good message is answered 0 with a msgid that a double cannot hold, and taken down with its body."""
    answer = send()
    assert (answer["errcode"], answer["errmsg"]) == (0, "ok")
    assert 2**53 < answer["msgid"] < 2**64
    (received,) = control.log()
    assert (received.seq, received.touser, received.errcode, received.msgid) == (1, "oUser1", 0, answer["msgid"])
    assert received.body["data"]["thing1"] == {"value": "高山乌龙茶"}
    assert received.path == SEND


def test_leaves_msgid_out_on_request(send: Send, control: SandboxClient) -> None:
    """With `msgid` off an answer is what WeChat documents, and the log has the number all the same."""
    control.change_settings(msgid=False)
    assert send() == {"errcode": 0, "errmsg": "ok"}
    assert control.log()[0].msgid


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"touser": ""}, 40003),
        ({"touser": None}, 40003),
        ({"touser": 7}, 47001),
        ({"template_id": "unknown"}, 40037),
        ({"template_id": None}, 40037),
        ({"template_id": LEGACY_REFUND}, 40037),
        ({"page": "/pages/index"}, 41030),
        ({"miniprogram_state": "release"}, 47003),
        ({"lang": "zh"}, 47003),
        ({"data": "{}"}, 47003),
        ({"data": None}, 47003),
    ],
)
def test_refuses_a_wrong_field(send: Send, changes: dict[str, Any], errcode: int) -> None:
    """Each wrong field has WeChat's code, and a request id at the end of its text."""
    answer = send(**changes)
    assert answer["errcode"] == errcode
    assert re.search(r" rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$", answer["errmsg"])


@pytest.mark.parametrize(
    "field", ["time", "expires", "lane", "idempotency_key", "on_quota", "reference", "appid", "form_id"]
)
def test_refuses_fields_of_ours(send: Send, control: SandboxClient, field: str) -> None:
    """A field WeChat does not know is refused with 47001 and named; when lenient it is ignored."""
    answer = send(**{field: "x"})
    assert answer["errcode"] == 47001
    assert f"unknown field {field}" in answer["errmsg"]
    control.change_settings(lenient=True)
    assert send(**{field: "x"})["errcode"] == 0


@pytest.mark.parametrize(
    ("key", "entry", "text"),
    [
        ("thing1", {"value": "一" * 21}, "argument invalid! data.thing1.value invalid"),
        ("thing1", {"value": ""}, "argument invalid! data.thing1.value is empty"),
        ("thing1", {}, "argument invalid! data.thing1.value is empty"),
        ("thing1", "高山乌龙茶", "argument invalid! data.thing1.value is empty"),
        ("thing1", {"value": 12}, "argument invalid! data.thing1.value invalid"),
        ("thing1", {"value": "茶", "color": "#f00"}, "argument invalid! data.thing1.value invalid"),
        ("thing9", {"value": "x"}, "argument invalid! data.thing9.value invalid"),
        ("time5", {"value": "tomorrow"}, "argument invalid! data.time5.value invalid"),
        ("character_string2", {"value": "中文"}, "argument invalid! data.character_string2.value in"),
    ],
)
def test_names_the_wrong_value(send: Send, message: dict[str, Any], key: str, entry: object, text: str) -> None:
    """A value that breaks its type's rule is refused with 47003, its key named and the text cut as WeChat cuts it."""
    answer = send(data=message["data"] | {key: entry})
    assert answer["errcode"] == 47003
    assert answer["errmsg"].partition(" rid: ")[0] == text[:48]


def test_requires_every_keyword(send: Send, message: dict[str, Any]) -> None:
    """A keyword of the template that is left out reads as empty."""
    data = {key: entry for key, entry in message["data"].items() if key != "thing3"}
    assert send(data=data)["errmsg"].startswith("argument invalid! data.thing3.value is empty rid: ")


def test_holds_an_enum_to_its_values(send: Send) -> None:
    """An enum takes only the values its template lists."""
    data = {"thing1": {"value": "英语"}, "time2": {"value": "19:00"}, "enum3": {"value": "空中"}}
    assert send(template_id=CLASS_REMINDER, data=data)["errcode"] == 47003
    assert send(template_id=CLASS_REMINDER, data=data | {"enum3": {"value": "线上"}})["errcode"] == 0


@pytest.mark.parametrize(
    ("body", "content_type", "errcode"),
    [
        (b"", "application/json", 44002),
        (b"{", "application/json", 47001),
        (b"[]", "application/json", 47001),
        (b'{"touser":"\\u4e2d"}', "application/json", 40033),
        (b'{"touser":"\xd6\xd0"}', "application/json", 40033),
        (b'{"touser":"oUser1"}', "application/json; charset=gbk", 40033),
        (b'{"touser":"a\\\\u4e2d"}', "application/json; charset=UTF-8", 40037),
        (b'{"touser":"' + b"o" * 17_000 + b'"}', "application/json", 45014),
    ],
)
def test_refuses_a_wrong_body(call: Send, token: str, body: bytes, content_type: str, errcode: int) -> None:
    """Bodies must be JSON objects in UTF-8, without escapes, and not longer than any message needs."""
    assert call("POST", f"{SEND}?access_token={token}", body, content_type)["errcode"] == errcode


@pytest.mark.parametrize(("query", "errcode"), [("", 41001), ("?access_token=", 41001), ("?access_token=wrong", 40001)])
def test_refuses_a_wrong_token(call: Send, message: dict[str, Any], query: str, errcode: int) -> None:
    """A send needs a token that is known."""
    assert call("POST", f"{SEND}{query}", message)["errcode"] == errcode


def test_requires_post(call: Send, token: str) -> None:
    """A send by GET is answered 43002."""
    assert call("GET", f"{SEND}?access_token={token}")["errcode"] == 43002


def test_asks_the_ledger_for_a_credit(send: Send, control: SandboxClient) -> None:
    """With the ledger on, each one-time send needs a credit, and a refused content does not use it up."""
    control.change_settings(consents="ledger")
    assert send()["errcode"] == 43101
    control.grant("oUser1", ORDER_SHIPPED)
    assert send(data={})["errcode"] == 47003
    assert [send()["errcode"], send()["errcode"]] == [0, 43101]


def test_lets_a_long_term_consent_stand(send: Send, control: SandboxClient) -> None:
    """A long-term template's consent is not used up."""
    control.change_settings(consents="ledger")
    control.grant(["oUser1", "oUser2"], DAILY_NEWS)
    assert {send(template_id=DAILY_NEWS, data=NEWS)["errcode"] for _ in range(3)} == {0}


def test_knows_refusing_and_invalid_users(send: Send, control: SandboxClient) -> None:
    """Single open ids can be made to refuse (43101, before their content is looked at), or invalid (40003)."""
    control.mark_users("oUser1", "refusing")
    assert send(data={})["errcode"] == 43101
    control.mark_users("oUser1", "invalid")
    assert send()["errcode"] == 40003
    control.mark_users("oUser1", "known")
    assert send()["errcode"] == 0


def test_knows_only_known_users_when_strict(send: Send, control: SandboxClient) -> None:
    """With strict users an open id that was never made known is invalid."""
    control.change_settings(users="strict")
    assert send()["errcode"] == 40003
    control.mark_users(["oUser1"], "known")
    assert send()["errcode"] == 0


@pytest.mark.parametrize(("limit", "errcode"), [("per_second", 44990), ("per_minute", 45011), ("per_day", 45009)])
def test_limits_calls(send: Send, control: SandboxClient, limit: str, errcode: int) -> None:
    """A limit of none turns every call down with its own code, and counts it as none of the day's."""
    control.change_settings(**{limit: 0})
    assert send()["errcode"] == errcode
    control.change_settings(**{limit: None})
    assert send()["errcode"] == 0
    assert control.summary().by_errcode == {"0": 1, str(errcode): 1}
