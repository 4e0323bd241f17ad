"""Chapter 1: say something to somebody, now or later."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pushjobs
from pushjobs.sandbox.catalogue import APPOINTMENT, CLASS_REMINDER, ORDER_SHIPPED
from tests.acceptance.installation import wait_for
from tests.story.conftest import Phones


def test_a_push_goes_out_now(push: pushjobs.Producer, phones: Phones, user: str) -> None:
    """`send` without a `time` sends at once, in WeChat's own words, and returns the job to ask about later."""
    job = push.send(
        touser=user,
        template_id=ORDER_SHIPPED,
        page="pages/order/detail?id=128",
        data={
            "thing1": "高山乌龙茶 250 克",
            "character_string2": "OD20261123000128",
            "thing3": "顺丰速运",
            "time5": "2026年11月23日 15:01",
        },
    )

    message = phones.wait_for(user)
    assert message["template_id"] == ORDER_SHIPPED
    assert message["page"] == "pages/order/detail?id=128"
    assert message["data"]["thing1"] == {"value": "高山乌龙茶 250 克"}
    wait_for("its job says so", lambda: push.get(job.id).state is pushjobs.JobState.SENT)
    assert push.get(job.id).msgid is not None


def test_a_push_goes_out_at_its_time(push: pushjobs.Producer, phones: Phones, user: str) -> None:
    """With a `time` it arrives then: not before, and not much later."""
    moment = datetime.now(UTC) + timedelta(seconds=2)
    job = push.send(
        touser=user,
        template_id=APPOINTMENT,
        data={"thing1": "洗牙", "date2": "2026年12月1日 09:30", "thing3": "人民路 18 号", "name4": "王小明"},
        time=moment,
    )
    assert job.state is pushjobs.JobState.SCHEDULED
    assert job.time == moment
    assert phones.received_by(user) == []

    arrived_at = phones.wait_for(user)["arrived_at"]
    assert 0 <= arrived_at - moment.timestamp() < 5


def test_a_time_in_words_is_a_local_time(push: pushjobs.Producer, user: str) -> None:
    """A text without an offset is read in the app's zone, Asia/Shanghai unless set; a job's own times are in UTC."""
    job = push.send(
        touser=user,
        template_id=CLASS_REMINDER,
        data={"thing1": "书法入门", "time2": "2040年12月1日 19:00", "enum3": "线上"},
        time="2040-12-01 08:00:00",
    )

    assert job.time == datetime(2040, 12, 1, tzinfo=UTC)
    assert job.time == datetime(2040, 12, 1, 8, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert job.expires - job.time == timedelta(hours=48)
    push.cancel(job.id)
