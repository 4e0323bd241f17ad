"""The template calls, the quota call, and the paths there are not."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import CLASS_REMINDER, DAILY_NEWS, ORDER_SHIPPED

Get = Callable[..., Any]
SHIPPED_TITLE = {"tid": "1856", "kidList": [2, 1], "sceneDesc": "发货"}


@pytest.fixture
def api(call: Callable[..., Any], token: str) -> Get:
    """Call a path with a token; GET without a body, else POST."""

    def api(path: str, body: object = None, query: str = "", method: str | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = call(
            method or ("GET" if body is None else "POST"), f"{path}?access_token={token}{query}", body
        )
        return answer

    return api


def test_lists_the_ready_templates(api: Get) -> None:
    """An app has six templates from the start, with WeChat's fields."""
    listed = {each["priTmplId"]: each for each in api("/wxaapi/newtmpl/gettemplate")["data"]}
    assert len(listed) == 6
    assert listed[ORDER_SHIPPED]["content"].startswith("商品名称:{{thing1.DATA}}\n")
    assert (listed[ORDER_SHIPPED]["type"], listed[DAILY_NEWS]["type"]) == (2, 3)
    assert listed[CLASS_REMINDER]["keywordEnumValueList"] == [
        {"keywordCode": "enum3", "enumValueList": ["线上", "线下"]}
    ]


def test_adds_and_deletes_a_template(api: Get) -> None:
    """An added template can be sent, a second one like it is refused and named, a deleted one is gone."""
    added = api("/wxaapi/newtmpl/addtemplate", SHIPPED_TITLE)
    again = api("/wxaapi/newtmpl/addtemplate", SHIPPED_TITLE)
    assert (added["errcode"], again["errcode"], again["priTmplId"]) == (0, 200022, added["priTmplId"])
    data = {"character_string2": {"value": "OD1"}, "thing1": {"value": "茶"}}
    message = {"touser": "oUser1", "template_id": added["priTmplId"], "data": data}
    assert api("/cgi-bin/message/subscribe/send", message)["errcode"] == 0
    deletion = {"priTmplId": added["priTmplId"]}
    assert [api("/wxaapi/newtmpl/deltemplate", deletion)["errcode"] for _ in range(2)] == [0, 20002]
    assert api("/cgi-bin/message/subscribe/send", message)["errcode"] == 40037


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"tid": "0"}, 200014),
        ({"tid": 1856}, 200014),
        ({"kidList": [1]}, 200020),
        ({"kidList": [1, 99]}, 200020),
        ({"kidList": [1, {}]}, 200020),
        ({"sceneDesc": "一" * 16}, 200021),
    ],
)
def test_refuses_a_wrong_template(api: Get, changes: dict[str, Any], errcode: int) -> None:
    """What cannot be added has its own code."""
    assert api("/wxaapi/newtmpl/addtemplate", SHIPPED_TITLE | changes)["errcode"] == errcode


def test_an_account_has_a_number_of_templates(api: Get) -> None:
    """addtemplate: 200012 when the account has as many as it may, six of them from the start."""
    kids = [list(picked) for picked in permutations(range(1, 6), 3)][:45]
    codes = [api("/wxaapi/newtmpl/addtemplate", SHIPPED_TITLE | {"kidList": picked})["errcode"] for picked in kids]
    assert codes == [0] * 44 + [200012]


def test_browses_the_library(api: Get) -> None:
    """Categories lead to titles, titles to keywords."""
    categories = api("/wxaapi/newtmpl/getcategory")["data"]
    ids = ",".join(str(each["id"]) for each in categories)
    titles = api("/wxaapi/newtmpl/getpubtemplatetitles", query=f"&ids={ids}&start=1&limit=2")
    assert (titles["count"], len(titles["data"])) == (6, 2)
    keywords = api("/wxaapi/newtmpl/getpubtemplatekeywords", query=f"&tid={titles['data'][0]['tid']}")
    assert keywords["data"][0] == {"kid": 1, "name": "预约项目", "example": "洗牙", "rule": "thing"}


@pytest.mark.parametrize(
    ("query", "errcode"),
    [("", 200018), ("&ids=1", 200019), ("&ids=307", 200016), ("&ids=307&start=0&limit=31", 200017)],
)
def test_refuses_a_wrong_page(api: Get, query: str, errcode: int) -> None:
    """Listing titles needs known categories, a start and a limit."""
    assert api("/wxaapi/newtmpl/getpubtemplatetitles", query=query)["errcode"] == errcode


def test_template_doors_answer_404_to_a_wrong_method(api: Get) -> None:
    """A wrong method at a template call is errcode 404, in an HTTP 200."""
    assert api("/wxaapi/newtmpl/gettemplate", {})["errcode"] == 404
    assert api("/wxaapi/newtmpl/addtemplate")["errcode"] == 404


def test_template_doors_need_a_token(call: Get) -> None:
    """A template call without a token is refused as a send is."""
    assert call("GET", "/wxaapi/newtmpl/gettemplate")["errcode"] == 41001


def test_unknown_paths_are_invalid_urls(api: Get) -> None:
    """A path WeChat does not have is answered 40066; the article's own is one."""
    assert api("/cgi-bin/message/wxopen/template/add", {})["errcode"] == 40066


def test_tells_the_quota(api: Get, control: SandboxClient) -> None:
    """The quota call counts what was used today and names the shorter limit."""
    control.change_settings(per_day=10, per_minute=5)
    api("/cgi-bin/message/subscribe/send", {})
    answer = api("/cgi-bin/openapi/quota/get", {"cgi_path": "/cgi-bin/message/subscribe/send"})
    assert answer["quota"] == {"daily_limit": 10, "used": 1, "remain": 9}
    assert answer["rate_limit"] == {"call_count": 5, "refresh_second": 60}


@pytest.mark.parametrize(
    ("path", "errcode"), [("/cgi-bin/no", 76021), ("/sns/jscode2session", 76022), ("cgi-bin/token", 76003)]
)
def test_refuses_the_quota_of_a_wrong_path(api: Get, path: str, errcode: int) -> None:
    """A path that has no quota is told why."""
    assert api("/cgi-bin/openapi/quota/get", {"cgi_path": path})["errcode"] == errcode
