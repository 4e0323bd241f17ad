"""Chapter 5: what cannot be sent is refused when it is asked for, and says why."""

from pathlib import Path

import pytest

import pushjobs
from pushjobs.sandbox.catalogue import ORDER_SHIPPED

GOOD = {
    "thing1": "高山乌龙茶 250 克",
    "character_string2": "OD20261123000128",
    "thing3": "顺丰速运",
    "time5": "2026年11月23日 15:01",
}


def test_a_bad_value_is_named_with_its_fault_and_its_rule(push: pushjobs.Producer, user: str) -> None:
    """The error says which field, what is wrong with it and what is allowed, without repeating the value."""
    too_long = "高山乌龙茶 250 克 春茶 特级 礼盒装 限量"
    with pytest.raises(pushjobs.errors.InvalidMessage) as refused:
        push.send(touser=user, template_id=ORDER_SHIPPED, data={**GOOD, "thing1": too_long})

    assert str(refused.value) == "data.thing1 is 24 characters long: a thing has 1 to 20 characters"
    assert (refused.value.field, refused.value.rule) == ("data.thing1", "a thing has 1 to 20 characters")
    assert push.find(touser=user) == []


def test_an_unreadable_time_is_refused(push: pushjobs.Producer, user: str) -> None:
    """A time that has more than one reading, or none, is not guessed at."""
    with pytest.raises(pushjobs.errors.InvalidMoment, match="time cannot be read"):
        push.send(touser=user, template_id=ORDER_SHIPPED, data=GOOD, time="tomorrow at eight")

    assert push.find(touser=user) == []


def test_where_nothing_runs_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`connect` starts no server: where none runs, the first call names the command that starts one."""
    monkeypatch.setenv("PUSHJOBS_WECHAT_APPID", "wx0123456789abcdef")
    monkeypatch.setenv("PUSHJOBS_WECHAT_SECRET", "secret")
    with pytest.raises(pushjobs.errors.NotRunning, match="pushjobs up --directory"):
        pushjobs.connect(tmp_path / "nowhere").find()
