"""The calls about the account: clearing the counters, past requests, logins. The quota call is in `test_templates`."""

from collections.abc import Callable
from typing import Any

import pytest

from pushjobs.sandbox import SandboxClient, SandboxOptions, doors
from pushjobs.sandbox.request import Request, read_target
from pushjobs.sandbox.world import World

Call = Callable[..., Any]
DAY = 86400.0
CLEAR = "/cgi-bin/clear_quota"
LOGIN = "/sns/jscode2session"
RID = "/cgi-bin/openapi/rid/get"
QUOTA = "/cgi-bin/openapi/quota/get"
SEND = "/cgi-bin/message/subscribe/send"
APPID, SECRET = "wxsandbox00000000", "sandbox-secret"
BY_SECRET = {"appid": APPID, "appsecret": SECRET}


@pytest.fixture
def post(call: Call, token: str) -> Call:
    """Post to a path with a token."""

    def post(path: str, body: object) -> dict[str, Any]:
        answer: dict[str, Any] = call("POST", f"{path}?access_token={token}", body)
        return answer

    return post


def log_in(call: Call, code: str, **changes: str) -> dict[str, Any]:
    """Exchange a login code, some of the query changed."""
    query = {"appid": APPID, "secret": SECRET, "js_code": code, "grant_type": "authorization_code"} | changes
    answer: dict[str, Any] = call("GET", f"{LOGIN}?{'&'.join(f'{name}={value}' for name, value in query.items())}")
    return answer


def test_clearing_begins_every_counter_anew(post: Call, control: SandboxClient) -> None:
    """clear_quota: a call whose day was over goes on."""
    control.change_settings(per_day=1)
    assert [post(SEND, {})["errcode"] for _ in range(2)] == [40003, 45009]
    assert post(QUOTA, {"cgi_path": SEND})["quota"]["remain"] == 0
    assert post(CLEAR, {"appid": APPID})["errcode"] == 0
    assert post(QUOTA, {"cgi_path": SEND})["quota"]["remain"] == 1


def test_clears_ten_times_a_month_by_either_call(post: Call, call: Call) -> None:
    """clear_quota and clear_quota/v2 have ten a month between them, then 48006."""
    codes = [post(CLEAR, {"appid": APPID})["errcode"] for _ in range(6)]
    codes += [call("POST", f"{CLEAR}/v2", BY_SECRET)["errcode"] for _ in range(5)]
    assert codes == [0] * 10 + [48006]
    assert post(CLEAR, {"appid": APPID})["errcode"] == 48006


@pytest.mark.parametrize(
    ("path", "body", "errcode"),
    [
        (CLEAR, {"appid": "wxother"}, 40013),
        (CLEAR, {}, 40013),
        (f"{CLEAR}/v2", {"appsecret": SECRET}, 41002),
        (f"{CLEAR}/v2", {"appid": APPID}, 41004),
        (f"{CLEAR}/v2", {"appid": APPID, "appsecret": "no"}, 40125),
    ],
)
def test_clears_only_for_the_app_itself(post: Call, path: str, body: object, errcode: int) -> None:
    """Another app's id, and missing or wrong credentials, have their codes."""
    assert post(path, body)["errcode"] == errcode


def test_tells_what_a_request_was(post: Call) -> None:
    """rid/get: a refused call is found by the rid of its answer, with bodies but without its token."""
    refused = post(SEND, {"touser": ""})
    found = post(RID, {"rid": refused["errmsg"].rpartition("rid: ")[2]})["request"]
    assert found["request_body"] == '{"touser": ""}'
    assert str(refused["errcode"]) in found["response_body"]
    assert found["request_url"].endswith("xxxx")


@pytest.mark.parametrize(("rid", "errcode"), [("61725984-6126f6f9-040f19c4", 76001), ("6172", 76002), (5, 76002)])
def test_does_not_tell_of_a_request_that_was_not(post: Call, rid: object, errcode: int) -> None:
    """rid/get: 76001 for one that is not known, 76002 for what is none."""
    assert post(RID, {"rid": rid})["errcode"] == errcode


def test_forgets_requests_after_a_week_and_keeps_them_to_their_account() -> None:
    """rid/get: 76003 for another account's, 76004 after seven days."""
    world = World(SandboxOptions(apps={"wxours": "s", "wxtheirs": "s"}))

    def ask(appid: str, rid: str, at: float) -> bytes:
        token = world.tokens.stable(appid, at).text
        target = read_target(f"{RID}?access_token={token}".encode())
        return doors.answer(world, Request("POST", target, b'{"rid": "%b"}' % rid.encode(), at))

    first = Request("POST", read_target(b"/cgi-bin/no"), b"", 1000.0)
    answer = doors.answer(world, first)
    world.past_requests.note(first, answer, "wxours")
    rid = answer.rpartition(b"rid: ")[2][:26].decode()
    assert b'"errcode":0' in ask("wxours", rid, 1000.0 + 7 * DAY - 1)
    assert b'"errcode":76003' in ask("wxtheirs", rid, 1001.0)
    assert b'"errcode":76004' in ask("wxours", rid, 1000.0 + 7 * DAY)


def test_logs_a_user_in_once(call: Call, control: SandboxClient) -> None:
    """jscode2session: a code gives its user, with a union id if there is one, and is good once."""
    control.add_login_code("CODE1", "oUser1", unionid="uUser1")
    first = log_in(call, "CODE1")
    assert (first["openid"], first["unionid"], len(first["session_key"])) == ("oUser1", "uUser1", 24)
    assert "errcode" not in first
    assert log_in(call, "CODE1")["errcode"] == 40029


def test_a_code_lives_for_five_minutes(call: Call, control: SandboxClient) -> None:
    """jscode2session: a code of five minutes ago is too old."""
    control.add_login_code("OLD", "oUser1", age_seconds=300)
    control.add_login_code("FRESH", "oUser2", age_seconds=290)
    assert log_in(call, "OLD")["errcode"] == 40029
    assert log_in(call, "FRESH")["openid"] == "oUser2"


def test_a_code_nobody_made_known_is_somebody(call: Call, control: SandboxClient) -> None:
    """jscode2session: any code stands for a user of its own, once; with strict users it is wrong."""
    found = log_in(call, "ANY")
    assert (len(found["openid"]), found["openid"][0]) == (28, "o")
    assert "unionid" not in found
    assert log_in(call, "ANY")["errcode"] == 40029
    control.change_settings(users="strict")
    assert log_in(call, "OTHER")["errcode"] == 40029


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"grant_type": "client_credential"}, 40002),
        ({"appid": "wxother"}, 40013),
        ({"secret": "no"}, 40125),
        ({"js_code": ""}, 40029),
    ],
)
def test_logs_nobody_in_for_a_wrong_call(
    call: Call, control: SandboxClient, changes: dict[str, str], errcode: int
) -> None:
    """jscode2session: the app's own mistakes have the codes they have at the token calls."""
    assert control is not None
    assert log_in(call, "CODE", **changes)["errcode"] == errcode


def test_a_blocked_user_is_ordered(call: Call, control: SandboxClient) -> None:
    """jscode2session: 40226 and 45011 come by order, for nothing here knows who is a risk."""
    for errcode in (40226, 45011):
        control.order_fault("errcode", {"path": LOGIN}, errcode=errcode, times=1)
        assert log_in(call, "CODE")["errcode"] == errcode
