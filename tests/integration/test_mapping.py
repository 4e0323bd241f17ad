"""Legacy messages against today's WeChat: the article's request goes out as a subscribe message."""

from typing import Any

import pytest

from pushjobs.domain.job import JobState
from pushjobs.errors import InvalidInput, InvalidMessage, NotFound, UnknownTemplate
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS, LEGACY_REFUND
from pushjobs.settings import Settings
from tests.integration.hands import ask, claim, deliver, only_job

ARTICLE: dict[str, Any] = {
    "touser": "OPENID",
    "template_id": "TEMPLATE_ID",
    "page": "index",
    "form_id": "FORMID",
    "data": {
        "keyword1": {"value": "訂單編號"},
        "keyword2": {"value": "訂單金額"},
        "keyword3": {"value": "訂單不存在"},
        "keyword4": {"value": "2019-01-01 10:00"},
        "keyword5": {"value": "退款失敗"},
    },
    "time": "2019-01-01 10:00:00",
}
KEYWORDS = {
    "keyword1": "thing5",
    "keyword2": "thing6",
    "keyword3": "thing4",
    "keyword4": "date7",
    "keyword5": "phrase3",
}


@pytest.fixture
def refund(worker: Runtime, sandbox: SandboxClient) -> str:
    """A WeChat of today, and the app's subscribe template that says what the article's legacy one said."""
    sandbox.change_settings(behave="today")
    worker.catalogue.sync()
    return worker.templates.add("1451", [5, 6, 4, 7, 3]).template_id


def mapped(worker: Runtime, refund: str, **more: Any) -> None:  # noqa: ANN401 - what `map_template` takes
    worker.producer.map_template("TEMPLATE_ID", refund, KEYWORDS, **more)


def test_the_article_s_request_works_against_today_s_wechat(
    worker: Runtime, sandbox: SandboxClient, refund: str
) -> None:
    """The request as it stands is accepted, is an ordinary subscribe job, and arrives as one."""
    mapped(worker, refund)
    assert worker.producer.send_many([ARTICLE]).accepted == 1
    deliver(worker, claim(worker))
    job = only_job(worker)
    assert (job.template_id, job.state) == (refund, JobState.SENT)
    [received] = sandbox.log()
    assert (received.path, received.errcode) == ("/cgi-bin/message/subscribe/send", 0)
    assert received.body == {
        "touser": "OPENID",
        "template_id": refund,
        "page": "index",
        "miniprogram_state": "formal",
        "lang": "zh_CN",
        "data": {
            "date7": {"value": "2019-01-01 10:00"},
            "phrase3": {"value": "退款失敗"},
            "thing4": {"value": "訂單不存在"},
            "thing5": {"value": "訂單編號"},
            "thing6": {"value": "訂單金額"},
        },
    }


def test_without_a_mapping_it_is_wechat_that_refuses(worker: Runtime, sandbox: SandboxClient) -> None:
    """To another host than WeChat's the request goes as it is, and today's sandbox answers 45103."""
    sandbox.change_settings(behave="today")
    worker.producer.send_many([ARTICLE])
    deliver(worker, claim(worker))
    assert [(each.path, each.errcode) for each in sandbox.log()] == [("/cgi-bin/message/wxopen/template/send", 45103)]


def test_at_wechat_itself_only_a_mapping_opens_the_door(worker: Runtime, refund: str, settings: Settings) -> None:
    """With a real WeChat host the request is refused with 45103's words, until its template is mapped."""
    real = Runtime(settings.model_copy(update={"wechat_base_url": "https://api.weixin.qq.com"}))
    try:
        with pytest.raises(InvalidMessage, match=r"^form_id .*45103"):
            real.producer.send(**ARTICLE)
        mapped(worker, refund)
        real.catalogue.reload()
        assert real.producer.send(**ARTICLE).template_id == refund
    finally:
        real.close()


def test_a_mapped_message_needs_no_form_id_and_keeps_no_week(worker: Runtime, refund: str) -> None:
    """Without its form id, and for a time far beyond a form id's life, the request is accepted all the same."""
    mapped(worker, refund)
    without = {name: value for name, value in ARTICLE.items() if name != "form_id"}
    assert worker.producer.send(**{**without, "time": "2100-01-01 08:00:00"}).template_id == refund


def test_many_are_translated_as_one_is(worker: Runtime, refund: str) -> None:
    """`send_many`, `check` and a shared content know the mapping; faults name the keywords that were written."""
    mapped(worker, refund)
    long = {**ARTICLE, "page": "/index", "data": {**ARTICLE["data"], "keyword1": "货" * 21, "keyword6": "x"}}
    checked = worker.producer.check([ARTICLE, long])
    assert checked.sound == 1
    assert [each.field for each in checked.faults] == ["data.keyword6", "data.keyword1", "page"]
    report = worker.producer.send_many([ARTICLE, long])
    assert (report.accepted, [each.field for each in report.rejected]) == (1, ["data.keyword6"])
    content = worker.producer.store_content(template_id="TEMPLATE_ID", data=ARTICLE["data"])
    assert content.content.template_id == refund


def test_long_texts_are_shortened_if_the_mapping_says_so(worker: Runtime, sandbox: SandboxClient, refund: str) -> None:
    """With `shorten` a legacy text beyond a thing's twenty characters arrives cut, and WeChat takes it."""
    mapped(worker, refund, shorten=True)
    data = {**ARTICLE["data"], "keyword3": {"value": "订单不存在，\n请核对您的订单编号以后再试一次"}}
    worker.producer.send_many([{**ARTICLE, "data": data}])
    deliver(worker, claim(worker))
    [received] = sandbox.log()
    assert received.errcode == 0
    assert received.body["data"]["thing4"] == {"value": "订单不存在， 请核对您的订单编号以后再…"}


def test_an_idempotency_key_outlives_the_mapping_s_change(worker: Runtime, refund: str) -> None:
    """The same request under the same key is the same job, as long as it says the same."""
    mapped(worker, refund)
    first = worker.producer.send(**ARTICLE, idempotency_key="K")
    assert worker.producer.send(**{**ARTICLE, "form_id": "ANOTHER"}, idempotency_key="K").id == first.id


def test_another_process_follows(worker: Runtime, refund: str, settings: Settings) -> None:
    """A mapping is in SQL: another process knows it with its next look at the catalogue."""
    other = Runtime(settings)
    try:
        assert other.catalogue.translation("TEMPLATE_ID") is None
        mapped(worker, refund)
        other.catalogue.reload()
        assert other.catalogue.translation("TEMPLATE_ID") == worker.catalogue.translation("TEMPLATE_ID")
    finally:
        other.close()


def test_a_mapping_is_changed_and_taken_away(worker: Runtime, refund: str) -> None:
    """Mapping again replaces; after `unmap_template` the request is a legacy one again, accepted jobs stay."""
    mapped(worker, refund, shorten=True)
    job = worker.producer.send(**{**ARTICLE, "time": "2100-01-01 08:00:00"})
    news = {"keyword1": "thing1", "keyword2": "thing2", "keyword4": "date3", "keyword3": None, "keyword5": None}
    worker.producer.map_template("TEMPLATE_ID", DAILY_NEWS, news)
    assert worker.producer.send(**ARTICLE).template_id == DAILY_NEWS
    worker.producer.unmap_template("TEMPLATE_ID")
    assert worker.producer.send(**ARTICLE).template_id == "TEMPLATE_ID"
    assert worker.producer.get(job.id).template_id == refund
    with pytest.raises(NotFound, match="has no mapping"):
        worker.producer.unmap_template("TEMPLATE_ID")


def test_a_template_that_is_gone_is_told_as_such(worker: Runtime, refund: str) -> None:
    """If the subscribe template was deleted, the legacy request is refused with that reason, and checked so too."""
    mapped(worker, refund)
    worker.templates.delete(refund)
    with pytest.raises(UnknownTemplate, match=r"^template_id is mapped to a template that is gone"):
        worker.producer.send(**ARTICLE)
    assert [each.field for each in worker.producer.check([ARTICLE]).faults] == ["template_id"]


@pytest.mark.parametrize(
    ("legacy_id", "template_id", "keywords", "field"),
    [
        ("", None, KEYWORDS, "legacy_id"),
        ("a b", None, KEYWORDS, "legacy_id"),
        (DAILY_NEWS, None, KEYWORDS, "legacy_id"),
        ("OLD", "", KEYWORDS, "template_id"),
        ("OLD", "OLD", KEYWORDS, "template_id"),
        ("OLD", "nowhere", KEYWORDS, "template_id"),
        ("OLD", "TEMPLATE_ID", KEYWORDS, "template_id"),
        ("OLD", None, {"keyword1": "thing5"}, "keywords"),
        ("OLD", None, {**KEYWORDS, "keyword5": "phrase9"}, "keywords.keyword5"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(
    worker: Runtime, refund: str, legacy_id: str, template_id: str | None, keywords: dict[str, str | None], field: str
) -> None:
    """Wrong ids, a template that is not there, is mapped itself or has other keywords: refused, and nothing stored."""
    mapped(worker, refund)
    with pytest.raises(InvalidInput) as caught:
        worker.producer.map_template(legacy_id, refund if template_id is None else template_id, keywords)
    assert caught.value.field == field
    assert ask(worker, "SELECT count(*) FROM pushjobs.translations") == [(1,)]


def test_a_legacy_template_of_the_sandbox_still_goes_unmapped(worker: Runtime, sandbox: SandboxClient) -> None:
    """A mapping of one legacy template leaves the others as they are: form id and emphasis are sent."""
    row = {**ARTICLE, "template_id": LEGACY_REFUND, "emphasis_keyword": "keyword1.DATA"}
    assert worker.producer.send_many([row]).accepted == 1
    deliver(worker, claim(worker))
    [received] = sandbox.log()
    assert (received.errcode, received.body["form_id"], received.body["emphasis_keyword"]) == (
        0,
        "FORMID",
        "keyword1.DATA",
    )
