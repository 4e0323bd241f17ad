"""The template calls of before 2020, and what they answer today."""

from collections.abc import Callable
from typing import Any

import pytest

from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import LEGACY_REFUND

Post = Callable[..., Any]
ROOT = "/cgi-bin/wxopen/template"
UNIFORM = "/cgi-bin/message/wxopen/template/uniform_send"


@pytest.fixture
def post(call: Callable[..., Any], token: str) -> Post:
    """Post to a path with a token."""

    def post(path: str, body: object) -> dict[str, Any]:
        answer: dict[str, Any] = call("POST", f"{path}?access_token={token}", body)
        return answer

    return post


def test_lists_the_library_in_pages(post: Post) -> None:
    """library/list: at most twenty titles a page, and how many there are."""
    pages = [post(f"{ROOT}/library/list", {"offset": offset, "count": 20}) for offset in (0, 20)]
    assert [len(page["list"]) for page in pages] == [20, 3]
    assert pages[0]["total_count"] == 23
    assert pages[0]["list"][0] == {"id": "AT0002", "title": "购买成功通知"}


def test_lists_the_keywords_of_a_title(post: Post) -> None:
    """library/get: a title's keywords with numbers and examples."""
    found = post(f"{ROOT}/library/get", {"id": "AT0009"})
    assert (found["id"], found["title"]) == ("AT0009", "退款通知")
    assert found["keyword_list"][0] == {"keyword_id": 1, "name": "订单编号", "example": "OD20191123000128"}


def test_adds_lists_and_deletes_a_template(post: Post) -> None:
    """add, list, del: the keywords picked become keyword1, keyword2 in their order."""
    added = post(f"{ROOT}/add", {"id": "AT0009", "keyword_id_list": [3, 1]})["template_id"]
    listed = {each["template_id"]: each for each in post(f"{ROOT}/list", {"offset": 0, "count": 20})["list"]}
    assert listed.keys() == {LEGACY_REFUND, added}
    assert listed[added]["content"] == "退款结果{{keyword1.DATA}}\n订单编号{{keyword2.DATA}}\n"
    assert [post(f"{ROOT}/del", {"template_id": added})["errcode"] for _ in range(2)] == [0, 40037]


@pytest.mark.parametrize(
    ("path", "body", "errcode"),
    [
        ("library/list", {"offset": 0, "count": 21}, 40097),
        ("library/list", {"offset": -1, "count": 20}, 40097),
        ("list", {"offset": 0}, 47001),
        ("library/get", {"id": "AT9999"}, 40097),
        ("library/get", {"id": 2}, 47001),
        ("add", {"id": "AT9999", "keyword_id_list": [1]}, 40097),
        ("add", {"id": "AT0009", "keyword_id_list": []}, 45100),
        ("add", {"id": "AT0009", "keyword_id_list": list(range(1, 12))}, 45100),
        ("add", {"id": "AT0009", "keyword_id_list": [99]}, 40097),
        ("add", {"id": "AT0009", "keyword_id_list": "1"}, 47001),
    ],
)
def test_refuses_wrong_arguments(post: Post, path: str, body: object, errcode: int) -> None:
    """What cannot be done has its code."""
    assert post(f"{ROOT}/{path}", body)["errcode"] == errcode


def test_an_account_has_a_number_of_templates(post: Post) -> None:
    """add: 45026 when the account has as many as it may."""
    codes = [post(f"{ROOT}/add", {"id": "AT0009", "keyword_id_list": [1]})["errcode"] for _ in range(25)]
    assert codes == [0] * 24 + [45026]


@pytest.mark.parametrize("path", ["library/list", "library/get", "add", "list", "del"])
def test_everything_is_withdrawn_today(post: Post, control: SandboxClient, path: str) -> None:
    """Behaving as today, each of the calls answers 45103."""
    control.change_settings(behave="today")
    assert post(f"{ROOT}/{path}", {})["errcode"] == 45103


def test_uniform_messages_are_withdrawn(post: Post) -> None:
    """uniform_send answers 45109, whatever it is sent."""
    assert post(UNIFORM, {"touser": "oUser1"})["errcode"] == 45109
