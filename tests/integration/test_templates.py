"""Templates managed against the sandbox: added, deleted, looked for in the library, kept up with by night."""

import logging
from typing import Any

import pytest

from pushjobs.domain.job import Lane
from pushjobs.errors import CallRefused, InvalidInput, UnknownTemplate, Unreachable
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from tests.integration.hands import ask, claim, deliver, schedule

LIST = {"path": "/wxaapi/newtmpl/gettemplate"}
FIELDS = {"character_string2": "OD20261201000001", "thing1": "高山乌龙茶"}


def send(worker: Runtime, template_id: str) -> None:
    worker.producer.send_many([{"touser": "oReader", "template_id": template_id, "data": FIELDS}])
    deliver(worker, claim(worker))


def test_an_added_template_can_be_sent_at_once(worker: Runtime, sandbox: SandboxClient) -> None:
    """Though the catalogue was just read, a template that is added is known, is sent, and is added only once."""
    worker.catalogue.sync()
    added = worker.templates.add("1856", [2, 1], scene="发货")
    assert added.is_new
    send(worker, added.template_id)
    assert [(each.template_id, each.errcode) for each in sandbox.log()] == [(added.template_id, 0)]
    again = worker.templates.add("1856", [2, 1])
    assert (again.template_id, again.is_new) == (added.template_id, False)


def test_adding_reads_no_catalogue_that_was_never_read(worker: Runtime, sandbox: SandboxClient) -> None:
    """Where every id is taken on trust, it stays so."""
    fault = sandbox.order_fault("errcode", LIST, errcode=45009)
    worker.templates.add("1856", [2, 1])
    assert not worker.catalogue.app.is_synced
    assert [rule["fired"] for rule in sandbox.faults() if rule["id"] == fault] == [0]


def test_an_added_template_is_told_though_the_reading_fails(
    worker: Runtime, sandbox: SandboxClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The template is the app's, so that is what the caller hears; that the catalogue lacks it is a warning."""
    worker.catalogue.sync()
    sandbox.order_fault("errcode", LIST, errcode=45009)
    assert worker.templates.add("1856", [2, 1]).is_new
    assert [(each.levelno, each.msg) for each in caplog.records] == [(logging.WARNING, "catalogue_unread")]


def test_a_deleted_template_is_refused(worker: Runtime) -> None:
    """What is deleted is refused at the door from then on; deleting it again is WeChat's 20002."""
    worker.catalogue.sync()
    worker.templates.delete(DAILY_NEWS)
    with pytest.raises(UnknownTemplate):
        worker.producer.send(touser="o", template_id=DAILY_NEWS, data={"thing1": "a"})
    with pytest.raises(CallRefused, match="20002"):
        worker.templates.delete(DAILY_NEWS)


def test_browses_the_library(worker: Runtime) -> None:
    """Without a category the titles are those of all of the app's, page by page."""
    assert [each.name for each in worker.templates.categories()] == ["电商平台", "在线教育", "资讯"]
    page = worker.templates.library(start=4)
    assert (page.count, len(page.titles)) == (6, 2)
    assert worker.templates.library([402]).count == 1
    assert [each.kid for each in worker.templates.keywords("4418")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tid": ""}, "tid"),
        ({"tid": 1856}, "tid"),
        ({"tid": "1856&x=1"}, "tid"),
        ({"kids": [1]}, "kid"),
        ({"kids": [1, 2, 3, 4, 5, 6]}, "kid"),
        ({"kids": [1, 1]}, "kid"),
        ({"kids": [1, "2"]}, "kid"),
        ({"kids": [1, True]}, "kid"),
        ({"kids": [1, 2**40]}, "kid"),
        ({"scene": "一" * 16}, "scene"),
        ({"scene": "a\nb"}, "scene"),
        ({"scene": 5}, "scene"),
    ],
)
def test_refuses_what_cannot_be_added(
    worker: Runtime, sandbox: SandboxClient, change: dict[str, Any], field: str
) -> None:
    """What WeChat would refuse is refused without a call, with field and rule."""
    fault = sandbox.order_fault("errcode", errcode=-1)
    given = {"tid": "1856", "kids": [1, 2], "scene": ""} | change
    with pytest.raises(InvalidInput) as caught:
        worker.templates.add(given["tid"], given["kids"], scene=given["scene"])
    assert caught.value.field == field
    assert [rule["fired"] for rule in sandbox.faults() if rule["id"] == fault] == [0]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [({"start": -1}, "start"), ({"limit": 31}, "limit"), ({"limit": 0}, "limit"), ({"categories": ["a"]}, "category")],
)
def test_refuses_a_page_that_cannot_be(worker: Runtime, arguments: dict[str, Any], field: str) -> None:
    """A page of the library is refused without a call where WeChat would refuse it."""
    with pytest.raises(InvalidInput) as caught:
        worker.templates.library(**arguments)
    assert caught.value.field == field


def test_a_night_brings_the_catalogue_up_to_date(worker: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """The tick reads once, says so, and does nothing more that night."""
    caplog.set_level(logging.INFO, "pushjobs")
    worker.catalogue.sync()
    ask(worker, "UPDATE pushjobs.apps SET templates_synced_at = now() - interval '25 h'")
    for _ in range(3):
        worker.templates.refresh()
    told = [(each.msg, getattr(each, "templates", None)) for each in caplog.records if each.msg != "token_fetched"]
    assert told == [("catalogue_read", 6)]


def test_a_night_without_wechat_is_a_warning(
    worker: Runtime, sandbox: SandboxClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A tick that WeChat does not answer fails nothing: it is told, once."""
    worker.catalogue.sync()
    ask(worker, "UPDATE pushjobs.apps SET templates_synced_at = now() - interval '25 h'")
    sandbox.order_fault("drop_after_read", LIST)
    for _ in range(2):
        worker.templates.refresh()
    assert [each.msg for each in caplog.records] == ["catalogue_unread"]


def test_nothing_of_this_is_on_the_send_path(worker: Runtime, sandbox: SandboxClient) -> None:
    """With WeChat's template calls dead, jobs are accepted and sent: the catalogue answers from memory."""
    worker.catalogue.sync()
    sandbox.order_fault("drop_before_read", LIST)
    schedule(worker, 50)
    deliver(worker, claim(worker, lane=Lane.BULK))
    assert sandbox.summary().accepted == 50
    with pytest.raises(Unreachable):
        worker.catalogue.sync()
