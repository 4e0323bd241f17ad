"""The withdrawn template call: form ids, and what it answers today."""

from collections.abc import Callable
from typing import Any

import pytest

from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import LEGACY_REFUND, ORDER_SHIPPED

DAY = 86400


@pytest.fixture
def send(call: Callable[..., Any], token: str) -> Callable[..., int]:
    """Send a legacy message, some of its fields changed; return the errcode."""

    def send(**changes: object) -> int:
        message = {
            "touser": "oUser1",
            "template_id": LEGACY_REFUND,
            "page": "index",
            "form_id": "FORM1",
            "data": {"keyword1": {"value": "订单编号"}, "keyword5": {"value": "退款失败", "color": "#173177"}},
            "emphasis_keyword": "keyword1.DATA",
        }
        return int(
            call("POST", f"/cgi-bin/message/wxopen/template/send?access_token={token}", message | changes)["errcode"]
        )

    return send


def test_takes_a_form_id_once(send: Callable[..., int], control: SandboxClient) -> None:
    """The form id of a submit is good for one message, then used up; the send is taken down."""
    assert [send(), send()] == [0, 41029]
    assert [each.errcode for each in control.log()] == [0, 41029]


def test_takes_a_prepay_id_three_times(send: Callable[..., int], control: SandboxClient) -> None:
    """The prepay id of a payment is good for three messages."""
    control.add_form_id("PAID", "oUser1", kind="prepay")
    assert [send(form_id="PAID") for _ in range(4)] == [0, 0, 0, 41029]


def test_keeps_form_ids_to_their_user_and_week(send: Callable[..., int], control: SandboxClient) -> None:
    """A form id serves only the user who submitted, for seven days."""
    control.add_form_id("OTHER", "oUser2")
    control.add_form_id("OLD", "oUser1", age_seconds=7 * DAY)
    control.add_form_id("FRESH", "oUser1", age_seconds=7 * DAY - 60)
    assert [send(form_id=form) for form in ("OTHER", "OLD", "FRESH", "")] == [41028, 41028, 0, 41028]


def test_knows_only_known_form_ids_with_the_ledger(send: Callable[..., int], control: SandboxClient) -> None:
    """With the ledger on, a form id that nobody made known is wrong."""
    control.change_settings(consents="ledger")
    assert send() == 41028


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"template_id": ORDER_SHIPPED}, 40037),
        ({"page": "/index"}, 41030),
        ({"time": "2019-01-01 10:00:00"}, 47001),
        ({"data": {"thing1": {"value": "x"}}}, 47003),
        ({"data": {"keyword1": "x"}}, 47003),
        ({"emphasis_keyword": "keyword9.DATA"}, 47003),
        ({"data": {}}, 0),
    ],
)
def test_checks_its_fields(send: Callable[..., int], changes: dict[str, Any], errcode: int) -> None:
    """Legacy fields have WeChat's codes, `time` of ours is refused, and no data at all is allowed."""
    assert send(**changes) == errcode


def test_is_withdrawn_today(send: Callable[..., int], control: SandboxClient) -> None:
    """Behaving as today, the call answers 45103."""
    control.change_settings(behave="today")
    assert send() == 45103
