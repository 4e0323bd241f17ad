"""The examples are what their README says: realistic rows over the sandbox's templates, five of them wrong."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pushjobs.cli.account import fingerprint
from pushjobs.domain.message import read_message
from pushjobs.domain.moment import SHANGHAI, read_moment
from pushjobs.domain.template import Template, TemplateField
from pushjobs.errors import InvalidInput
from pushjobs.files import open_jobs, read_request_file
from pushjobs.sandbox.catalogue import DAILY_NEWS, ready_templates
from pushjobs.wechat.fields import keyword_fault

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def rows() -> list[Mapping[str, Any]]:
    with open_jobs(EXAMPLES / "notices.csv") as opened:
        return list(opened)


def fault(row: Mapping[str, Any]) -> str | None:
    """Return the field that is wrong with a row, as the door would find it."""
    listed = ready_templates().get(row["template_id"])
    if listed is None:
        return "template_id"
    fields = tuple(TemplateField(key=key, allowed=allowed) for key, allowed in listed.keywords.items())
    try:
        read_message(row, template=Template(template_id=listed.id, fields=fields), keyword_fault=keyword_fault)
        read_moment(row["time"], SHANGHAI)
    except InvalidInput as refusal:
        return refusal.field
    return None


def test_there_are_three_hundred_good_rows_and_five_bad_ones(rows: list[Mapping[str, Any]]) -> None:
    """The bad ones are wrong in five different ways, and everything else would be accepted."""
    faults = [each for each in map(fault, rows) if each]
    assert faults == ["template_id", "data.thing1", "data.thing4", "page", "time"]
    assert len(rows) - len(faults) >= 300


def test_every_kind_of_notice_is_there(rows: list[Mapping[str, Any]]) -> None:
    """All five kinds occur, and the news is not everything."""
    kinds = {row["template_id"] for row in rows}
    assert len(kinds & ready_templates().keys()) == 5
    assert sum(row["template_id"] == DAILY_NEWS for row in rows) < len(rows) / 2


def test_notices_can_be_told_apart(rows: list[Mapping[str, Any]]) -> None:
    """No two say the same to the same user, and no two have the same reference."""
    assert len({fingerprint(row) for row in rows}) == len({row["reference"] for row in rows}) == len(rows)


def test_times_spread_over_twenty_seconds(rows: list[Mapping[str, Any]]) -> None:
    """The last is due about twenty seconds after the first, and never more than 50 in one second."""
    times = sorted(row["time"].timestamp() for row in rows if fault(row) is None)
    assert 15 < times[-1] - times[0] < 25
    assert max(sum(begin <= each < begin + 1 for each in times) for begin in times) < 50


def test_two_users_are_meant_to_get_five_a_day(rows: list[Mapping[str, Any]]) -> None:
    """One's notices wait for the next day, the other's are not to; nobody else gets more than three."""
    counts = Counter(row["touser"] for row in rows if fault(row) is None)
    several = {user for user, count in counts.items() if count > 3}
    policies = [{row.get("on_quota") for row in rows if row["touser"] == user} for user in several]
    assert [counts[user] for user in several] == [5, 5]
    assert sorted(policies, key=str) == [{"refuse"}, {None}]


def test_the_article_s_request_is_as_it_was() -> None:
    """Its placeholders, its keywords and its time of 2019 stand unchanged."""
    request = read_request_file(EXAMPLES / "article-request.json")
    assert (request["touser"], request["form_id"], request["time"]) == ("OPENID", "FORMID", "2019-01-01 10:00:00")
    assert sorted(request["data"]) == [f"keyword{number}" for number in range(1, 6)]
