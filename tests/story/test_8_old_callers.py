"""Chapter 8: programs of before 2020 go on, and a file is looked through before it is sent."""

from typing import Any
from uuid import uuid4

import pytest

import pushjobs
from pushjobs.sandbox.catalogue import DAILY_NEWS
from tests.story.conftest import Phones

OLD_REQUEST: dict[str, Any] = {
    "form_id": "FORMID",
    "data": {
        "keyword1": {"value": "博物馆夜场开放"},
        "keyword2": {"value": "周五周六延至晚上九点，凭当日门票即可入场参观"},
        "keyword3": {"value": "2019-01-01 10:00"},
        "keyword4": {"value": "点击查看详情"},
    },
    "time": "2019-01-01 10:00:00",
}


@pytest.fixture
def old_template(push: pushjobs.Producer) -> str:
    """A template of before 2020, mapped to one of today's."""
    legacy_id = f"old-news-{uuid4().hex[:8]}"
    keywords = {"keyword1": "thing1", "keyword2": "thing2", "keyword3": "date3", "keyword4": None}
    push.map_template(legacy_id, DAILY_NEWS, keywords, shorten=True)
    return legacy_id


def test_an_old_request_arrives_as_a_message_of_today(
    push: pushjobs.Producer, phones: Phones, user: str, old_template: str
) -> None:
    """The legacy body as it stands is accepted; what arrives is a subscribe message, its long text shortened."""
    job = push.send(touser=user, template_id=old_template, **OLD_REQUEST)

    assert job.template_id == DAILY_NEWS
    assert phones.wait_for(user)["data"] == {
        "thing1": {"value": "博物馆夜场开放"},
        "thing2": {"value": "周五周六延至晚上九点，凭当日门票即可入…"},
        "date3": {"value": "2019-01-01 10:00"},
    }


def test_check_tells_everything_before_anything_is_sent(push: pushjobs.Producer, user: str, old_template: str) -> None:
    """`check` takes what `send_many` takes, lists every fault of every row, and stores nothing."""
    good = {"touser": user, "template_id": old_template, **OLD_REQUEST}
    bad = {**good, "page": "/news", "data": {**OLD_REQUEST["data"], "keyword1": "", "keyword3": "yesterday"}}

    checked = push.check([good, bad])

    assert (checked.rows, checked.sound) == (2, 1)
    assert [(each.row, each.field) for each in checked.faults] == [
        (2, "data.keyword1"),
        (2, "data.keyword3"),
        (2, "page"),
    ]
    assert push.find(touser=user) == []
