"""msg_sec_check version 2: each row of the fact sheet's table (wechat-api.md section 8)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pushjobs.sandbox import SandboxClient, SandboxOptions, doors
from pushjobs.sandbox.client import SandboxError
from pushjobs.sandbox.request import Request, read_target
from pushjobs.sandbox.world import World

Call = Callable[..., Any]
CHECK = "/wxa/msg_sec_check"
GOOD: dict[str, Any] = {"content": "今日要闻", "version": 2, "scene": 3, "openid": "oReader"}


@pytest.fixture
def check(call: Call, token: str, control: SandboxClient) -> Call:
    """Check a text of a user who was just there, some of the request changed; None takes a field out."""
    control.visit("oReader")

    def check(**changes: object) -> dict[str, Any]:
        body = {name: value for name, value in (GOOD | changes).items() if value is not None}
        answer: dict[str, Any] = call("POST", f"{CHECK}?access_token={token}", body)
        return answer

    return check


def test_a_harmless_text_passes(check: Call) -> None:
    """`result` says pass and 100, `detail` says by which strategy, and `trace_id` names the check."""
    answer = check()
    assert (answer["errcode"], answer["result"]) == (0, {"suggest": "pass", "label": 100})
    assert [each["strategy"] for each in answer["detail"]] == ["content_model"]
    assert answer["trace_id"]


@pytest.mark.parametrize("label", [10001, 20001, 20002, 20003, 20006, 20008, 20012, 20013, 21000])
def test_a_word_makes_a_text_risky(check: Call, control: SandboxClient, label: int) -> None:
    """A text with a word that was told is risky, under that word's label, and the word is named."""
    control.mind("返现", label=label)
    answer = check(content="下单返现五元")
    assert answer["result"] == {"suggest": "risky", "label": label}
    assert [each.get("keyword") for each in answer["detail"]] == [None, "返现"]
    assert check()["result"]["suggest"] == "pass"


def test_risky_outweighs_review(check: Call, control: SandboxClient) -> None:
    """A text with a word for review is for review, one with a risky word too is risky; title and nickname count."""
    control.mind("好评", "review")
    assert check(content="好评")["result"]["suggest"] == "review"
    control.mind("返现")
    assert check(content="好评返现")["result"]["suggest"] == "risky"
    assert check(title="返现")["result"]["suggest"] == "risky"
    assert check(nickname="好评")["result"]["suggest"] == "review"
    assert check(scene=1, signature="返现")["result"]["suggest"] == "risky"


@pytest.mark.parametrize("scene", [1, 2, 3, 4])
def test_scenes(check: Call, scene: int) -> None:
    """Profile, comment, forum and social log are scenes."""
    assert check(scene=scene)["errcode"] == 0


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"content": None}, 47001),
        ({"content": ""}, 47001),
        ({"content": "长" * 2501}, 47001),
        ({"content": "长" * 2500}, 0),
        ({"content": 5}, 47001),
        ({"version": None}, 47001),
        ({"version": 1}, 47001),
        ({"title": 5}, 47001),
        ({"signature": "x"}, 47001),
        ({"touser": "oReader"}, 47001),
        ({"scene": None}, 40129),
        ({"scene": 5}, 40129),
        ({"scene": "1"}, 40129),
        ({"openid": None}, 40003),
        ({"openid": ""}, 40003),
        ({"openid": "oNobody"}, 61010),
    ],
)
def test_arguments(check: Call, changes: dict[str, Any], errcode: int) -> None:
    """What is missing, too long or of no kind is refused with its code."""
    assert check(**changes)["errcode"] == errcode


def test_method_body_and_token(check: Call, call: Call, token: str) -> None:
    """43002 for GET, 44002 for nothing, 47001 for what is no object, 40001 for a bad token."""
    assert check()["errcode"] == 0
    assert call("GET", f"{CHECK}?access_token={token}")["errcode"] == 43002
    assert call("POST", f"{CHECK}?access_token={token}", b"")["errcode"] == 44002
    assert call("POST", f"{CHECK}?access_token={token}", [])["errcode"] == 47001
    assert call("POST", f"{CHECK}?access_token=bad", GOOD)["errcode"] == 40001


def test_the_user_was_there_within_two_hours(check: Call, control: SandboxClient, call: Call) -> None:
    """61010 for a user whom nobody saw for two hours; a login is a visit, an invalid open id is 40003."""
    control.visit("oReader", age_seconds=7190)
    assert check()["errcode"] == 0
    control.visit("oReader", age_seconds=7201)
    assert check()["errcode"] == 61010
    control.add_login_code("CODE", "oReader")
    query = "appid=wxsandbox00000000&secret=sandbox-secret&grant_type=authorization_code&js_code=CODE"
    call("GET", f"/sns/jscode2session?{query}")
    assert check()["errcode"] == 0
    control.mark_users("oReader", "invalid")
    assert check()["errcode"] == 40003


def test_a_user_nobody_knows_is_refused_where_users_are_strict(check: Call, control: SandboxClient) -> None:
    """40003 for an open id that was never made known."""
    control.change_settings(users="strict")
    assert (check()["errcode"], check(openid="oNobody")["errcode"]) == (0, 40003)


def asked(world: World, at: float, appid: str, openid: str) -> int:
    """Ask a world of the test's own, at this moment; return the errcode."""
    token = world.tokens.stable(appid, at).text
    target = read_target(f"{CHECK}?access_token={token}".encode())
    body = f'{{"content":"x","version":2,"scene":2,"openid":"{openid}"}}'.encode()
    answer: dict[str, Any] = json.loads(doors.answer(world, Request("POST", target, body, at)))
    return int(answer["errcode"])


def test_another_app_s_user_is_told_as_such() -> None:
    """43104 for an open id that belongs to another app."""
    world = World(SandboxOptions(apps={"wxone": "s", "wxtwo": "s"}))
    world.apps["wxone"].known.add("oOne")
    world.apps["wxone"].seen_at["oOne"] = 0.0
    assert asked(world, 60.0, "wxone", "oOne") == 0
    assert asked(world, 60.0, "wxtwo", "oOne") == 43104


def test_a_minute_has_four_thousand_and_a_day_its_end() -> None:
    """44991 after 4,000 calls in a clock minute, 45009 after two million in a day."""
    world = World(SandboxOptions(apps={"wxone": "s"}))
    app = world.apps["wxone"]
    app.known.add("oOne")
    app.seen_at["oOne"] = 0.0
    codes = [asked(world, 60.0, "wxone", "oOne") for _ in range(4001)]
    assert (set(codes[:4000]), codes[4000]) == ({0}, 44991)
    assert asked(world, 120.0, "wxone", "oOne") == 0
    app.check_meter._used = 2_000_000
    assert asked(world, 180.0, "wxone", "oOne") == 45009


def test_control_doors_refuse_what_they_do_not_know(control: SandboxClient) -> None:
    """A suggestion or a label of no kind is refused by the control door."""
    with pytest.raises(SandboxError, match="suggest is risky or review"):
        control.mind("x", "pass")
    with pytest.raises(SandboxError, match="label one of"):
        control.mind("x", label=5)
