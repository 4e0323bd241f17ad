"""The consent ledger from outside, and how long a legacy form id serves."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pushjobs import clock
from pushjobs.domain.consent import Consent
from pushjobs.errors import InvalidInput, InvalidMoment
from pushjobs.files import open_consents
from pushjobs.producer import Producer
from pushjobs.rejections import Rejection
from tests.integration.pushes import news

USER = "oReader000001"


def test_credits_add_up_and_are_revoked(producer: Producer) -> None:
    """Each yes adds its credits, a standing one stays beside them, and one word takes all of it back."""
    assert producer.consent(USER) == {}
    producer.grant(USER, "news")
    producer.grant(USER, "news", 2)
    producer.grant(USER, "weather", standing=True)
    assert producer.consent(USER) == {
        "news": Consent(credits=3, held=0, is_standing=False),
        "weather": Consent(credits=0, held=0, is_standing=True),
    }
    producer.revoke(USER, "news")
    producer.revoke(USER, "weather")
    assert set(producer.consent(USER).values()) == {Consent(credits=0, held=0, is_standing=False)}
    assert producer.consent("oNobody") == {}


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ((USER, "news", 0), "credits"),
        ((USER, "news", -1), "credits"),
        ((USER, "news", 1001), "credits"),
        ((USER, "news", 1.5), "credits"),
        ((USER, "news", True), "credits"),
        ((USER, ""), "template_id"),
        (("", "news"), "touser"),
        (("张三", "news"), "touser"),
    ],
)
def test_what_makes_no_sense_is_refused(producer: Producer, arguments: tuple[Any, ...], field: str) -> None:
    """Credits that are no number of messages, and names that are none, change nothing."""
    with pytest.raises(InvalidInput) as refused:
        producer.grant(*arguments)
    assert refused.value.field == field
    assert producer.consent(USER) == {}


def test_a_file_is_imported_row_by_row(producer: Producer, tmp_path: Path) -> None:
    """Good rows of every kind are granted, the same user's twice; bad ones are named by their number."""
    path = tmp_path / "consents.csv"
    path.write_text(
        "touser,template_id,credits,standing\n"
        f"{USER},news,2,\n{USER},news,,\n{USER},news,3,false\n{USER},weather,,true\n"
        f"{USER},news,two,\n{USER},news,,perhaps\n,news,1,\n{USER},news,0,\n"
    )
    with open_consents(path) as rows:
        report = producer.grant_many(rows)
    assert report.granted == 4
    assert [(each.row, each.field) for each in report.rejected] == [
        (5, "credits"),
        (6, "standing"),
        (7, "touser"),
        (8, "credits"),
    ]
    assert isinstance(report.rejected[0], Rejection)
    assert {name: (each.credits, each.is_standing) for name, each in producer.consent(USER).items()} == {
        "news": (6, False),
        "weather": (0, True),
    }


@pytest.mark.parametrize("kind", ["form", "prepay"])
def test_a_form_id_serves_for_seven_days(producer: Producer, kind: str) -> None:
    """A legacy message planned beyond the life of its form id is refused at the door; a day before, it is taken."""
    legacy: dict[str, Any] = {"form_id": "F1", "form_id_kind": kind, "data": {"keyword1": {"value": "已发货"}}}
    day = timedelta(days=1)
    producer.send(**news(**legacy, time=clock.now() + 6 * day))
    with pytest.raises(InvalidMoment, match="time lies beyond the life of its form_id: a form id serves for 7 days"):
        producer.send(**news(**legacy, time=clock.now() + 7 * day + timedelta(minutes=1)))
    producer.send(**news(time=clock.now() + 8 * day))
    assert len(producer.find()) == 2
