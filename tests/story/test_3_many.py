"""Chapter 3: the same to many."""

from uuid import uuid4

import pytest

import pushjobs
from pushjobs.sandbox.catalogue import DAILY_NEWS
from tests.acceptance.installation import wait_for
from tests.story.conftest import Phones


@pytest.fixture
def readers() -> list[str]:
    """Twenty open ids."""
    return [f"oReader{uuid4().hex[:21]}" for _ in range(20)]


def test_good_rows_are_sent_and_bad_ones_reported(push: pushjobs.Producer, phones: Phones, readers: list[str]) -> None:
    """`send_many` takes any iterable; a row that cannot be sent is named with its number, the others go."""

    def rows() -> list[dict[str, object]]:
        news = {"thing2": "三分钟读完今天的大事", "date3": "2026年11月23日"}
        made: list[dict[str, object]] = [
            {"touser": reader, "template_id": DAILY_NEWS, "data": {"thing1": "今日要闻", **news}} for reader in readers
        ]
        made[4]["data"] = {"thing1": "这个标题实在是太长了太长了太长了太长了太长", **news}
        made[11]["page"] = "/pages/news"
        return made

    report = push.send_many(rows())

    assert report.accepted == 18
    assert [(each.row, each.field) for each in report.rejected] == [(5, "data.thing1"), (12, "page")]
    wait_for("the good ones arrive", lambda: sum(bool(phones.received_by(each)) for each in readers) == 18)
    assert phones.received_by(readers[4]) == phones.received_by(readers[11]) == []


def test_one_content_is_stored_once_for_many(push: pushjobs.Producer, phones: Phones, readers: list[str]) -> None:
    """`store_content` keeps what is the same for all; the rows then only name the reader."""
    content = push.store_content(
        template_id=DAILY_NEWS,
        page="pages/news/today",
        data={"thing1": "博物馆夜场开放", "thing2": "周五周六延至晚上九点", "date3": "2026年11月23日"},
    )

    report = push.send_many({"touser": reader, "content": content} for reader in readers)

    assert (report.accepted, report.rejected) == (20, [])
    for reader in readers:
        assert phones.wait_for(reader)["data"]["thing1"] == {"value": "博物馆夜场开放"}
