"""Looking rows through on a real catalogue: everything that is wrong is told, and nothing is stored."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pushjobs.checking import Checked
from pushjobs.domain.job import Lane
from pushjobs.errors import InvalidInput
from pushjobs.files import open_jobs
from pushjobs.producer import Producer
from pushjobs.request import find_faults, read_request
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS, LEGACY_REFUND
from tests.integration.pushes import OPEN_ID, SECRET_WORD, news

EXAMPLES = Path(__file__).parents[2] / "examples"
DATA = {"thing1": SECRET_WORD, "thing2": "今日要闻", "date3": "2026年12月1日"}
GOOD = {"touser": OPEN_ID, "template_id": DAILY_NEWS, "data": DATA}


@pytest.fixture
def synced(worker: Runtime) -> Runtime:
    """A runtime whose catalogue was read from the sandbox."""
    worker.catalogue.sync()
    return worker


def told(checked: Checked) -> list[tuple[int, str]]:
    return [(each.row, f"{each.field} {each.reason.partition(':')[0]}") for each in checked.faults]


def test_every_fault_of_every_row_is_told(synced: Runtime) -> None:
    """Rows with several faults are reported with each of them, by row and field; good rows are counted."""
    rows: list[Any] = [
        GOOD,
        {**GOOD, "touser": "", "page": "/index", "lane": "slow", "time": "soon", "expires": "later", "on_quota": "x"},
        {**GOOD, "template_id": "nowhere", "data": {"thing1": "a" * 21}, "colour": "red", "reference": "\n"},
        {**GOOD, "data": {"thing1": "a" * 21, "date3": "2026-13-01", "phrase4": "好"}},
        "a text",
        {**GOOD, "page": "/index", "appid": "wx2"},
        GOOD,
    ]
    checked = synced.producer.check(iter(rows))
    assert (checked.rows, checked.sound) == (7, 2)
    assert told(checked) == [
        (2, "touser is missing"),
        (2, "page begins with a slash"),
        (2, "time cannot be read"),
        (2, "expires cannot be read"),
        (2, "lane is not one of its values"),
        (2, "on_quota is not one of its values"),
        (3, "colour is no argument"),
        (3, "template_id is not in the app's catalogue"),
        (3, "data.thing1 is 21 characters long"),
        (3, "reference is no short text"),
        (4, "data.phrase4 is no keyword of the template"),
        (4, "data.thing2 is missing"),
        (4, "data.thing1 is 21 characters long"),
        (4, "data.date3 does not have its type's form"),
        (5, "row is no mapping (str)"),
        (6, "appid is no app of this installation"),  # by whose templates the rest is to be read, nobody knows
    ]
    assert OPEN_ID not in str(checked)
    assert SECRET_WORD not in str(checked)


def test_nothing_is_stored(producer: Producer, ask: Callable[[str], list[tuple[Any, ...]]]) -> None:
    """Neither jobs nor a template seen for the first time, though the catalogue was never read."""
    assert producer.check([news(), news(page="/index")]).sound == 1
    assert ask("SELECT (SELECT count(*) FROM pushjobs.jobs) + (SELECT count(*) FROM pushjobs.templates)") == [(0,)]


@pytest.mark.parametrize("rows", [[], 5])
def test_no_rows_are_a_mistake(producer: Producer, rows: Any) -> None:  # noqa: ANN401 - the wrong types too
    """An iterable without a row, and what is none, are refused as `send_many` refuses them."""
    with pytest.raises(InvalidInput, match=r"^rows is"):
        producer.check(rows)


def test_a_file_is_checked_cell_by_cell(synced: Runtime, tmp_path: Path) -> None:
    """Cells that cannot be read stand beside the other faults of their row; a row cut short has one fault."""
    path = tmp_path / "jobs.csv"
    data = json.dumps(DATA, ensure_ascii=False).replace('"', '""')
    path.write_text(
        f"touser,template_id,data,time,after,page\n"
        f'oUser,{DAILY_NEWS},"{data}",,20,index\n'
        f",{DAILY_NEWS},no JSON,,soon,/index\n"
        f'oUser,{DAILY_NEWS},"{data}",2040-12-01 08:00:00,20,\n'
        f"oUser,{DAILY_NEWS}\n",
        encoding="utf-8",
    )
    with open_jobs(path) as rows:
        checked = synced.producer.check(rows)
    assert told(checked) == [
        (2, "touser is missing"),
        (2, "page begins with a slash"),
        (2, "data is no JSON"),
        (2, "after is no number of seconds"),
        (3, "after is given beside time"),
        (4, "row has 2 cells"),
    ]


def test_the_examples_have_their_five_faults(synced: Runtime) -> None:
    """Of the example file the rows that `send_many` would refuse are those that have a fault."""
    with open_jobs(EXAMPLES / "notices.csv") as rows:
        checked = synced.producer.check(rows)
        report = synced.producer.send_many(rows)
    assert {each.row for each in checked.faults} == {each.row for each in report.rejected}
    assert checked.sound == report.accepted


def test_legacy_messages_are_looked_through_too(worker: Runtime) -> None:
    """A legacy message has its own rules: its form id has a life, its keywords have no type."""
    legacy = {"touser": OPEN_ID, "template_id": LEGACY_REFUND, "form_id": "F", "data": {"keyword1": "a" * 201}}
    checked = worker.producer.check([{**legacy, "time": "2100-01-01 08:00:00", "emphasis_keyword": "keyword2.DATA"}])
    assert told(checked) == [
        (1, "data.keyword1 is 201 characters long"),
        (1, "emphasis_keyword names no keyword of data"),
        (1, "time lies beyond the life of its form_id"),
    ]


LEGACY_DATA = {"keyword1": "a", "keyword2": "b", "keyword3": "2026-12-01"}


@pytest.fixture
def mapped(synced: Runtime) -> Runtime:
    """The same with a legacy template that is mapped."""
    synced.producer.map_template("mapped", DAILY_NEWS, dict(zip(LEGACY_DATA, DATA, strict=True)))
    return synced


ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "touser": st.sampled_from([OPEN_ID, "", 5]),
        "template_id": st.sampled_from([DAILY_NEWS, LEGACY_REFUND, "mapped", "nowhere", "", None]),
        "data": st.sampled_from([DATA, {}, {**DATA, "thing1": ""}, {"keyword1": "a"}, LEGACY_DATA, None]),
        "page": st.sampled_from(["index", "/index"]),
        "form_id": st.sampled_from(["F", "", None]),
        "content": st.sampled_from([None, "C"]),
        "time": st.sampled_from([None, "soon", "2040-12-01 08:00:00"]),
        "expires": st.sampled_from([None, "soon", "2040-12-02 08:00:00", "2001-12-02 08:00:00"]),
        "lane": st.sampled_from(["bulk", "slow"]),
        "on_quota": st.sampled_from(["defer", "drop"]),
        "reference": st.sampled_from(["OD1", ""]),
        "appid": st.sampled_from([None, "wx2"]),
        "colour": st.just("red"),
    },
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arguments=ARGUMENTS)
def test_checking_and_sending_read_alike(mapped: Runtime, arguments: dict[str, Any]) -> None:
    """What has no fault is taken, and what is refused is refused for one of its faults."""
    found = [(each.field, each.fault) for each in find_faults(arguments, mapped.app().terms)]
    try:
        read_request(arguments, mapped.app().terms, lane=Lane.BULK)
    except InvalidInput as refusal:
        assert (refusal.field, refusal.fault) in found  # noqa: PT017 - either end is right
    else:
        assert found == []
