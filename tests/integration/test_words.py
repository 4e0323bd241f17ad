"""Forbidden words at every door: refused before anything is stored, without a call and without repeating the text."""

from typing import Any

import pytest

from pushjobs.domain.words import MOST_WORDS
from pushjobs.errors import InvalidInput, InvalidMessage, UnknownTemplate
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.settings import Settings
from tests.integration.hands import ORDER, ask

NEWS: dict[str, Any] = {
    "touser": "oReader",
    "template_id": DAILY_NEWS,
    "data": {"thing1": "下单返现五元", "thing2": "今日要闻", "date3": "2026年12月1日"},
}
GOOD: dict[str, Any] = {**NEWS, "data": {**NEWS["data"], "thing1": "今日要闻"}}


def stored(runtime: Runtime) -> int:
    [(count,)] = ask(runtime, "SELECT count(*) FROM pushjobs.jobs")
    return int(count)


def test_a_forbidden_word_is_refused_at_every_door(runtime: Runtime) -> None:
    """`send`, `send_many`, `check` and `store_content` name the field and repeat no text; nothing is stored."""
    assert runtime.wording.forbid(["返现"], template_id=DAILY_NEWS) == 1
    verbs = runtime.producer
    content = {"template_id": DAILY_NEWS, "data": NEWS["data"]}
    for refused in (lambda: verbs.send(**NEWS), lambda: verbs.store_content(**content)):
        with pytest.raises(InvalidMessage) as caught:
            refused()
        assert (caught.value.field, caught.value.fault) == ("data.thing1", "holds a forbidden word")
        assert "返现" not in str(caught.value)
    assert [each.field for each in verbs.check([NEWS, GOOD]).faults] == ["data.thing1"]
    report = verbs.send_many([NEWS, GOOD])
    assert (report.accepted, [(each.row, each.field) for each in report.rejected]) == (1, [(1, "data.thing1")])
    assert stored(runtime) == 1


def test_every_text_and_every_fault_is_told_by_check(runtime: Runtime) -> None:
    """`check` finds words in each keyword of a row that has other faults as well."""
    runtime.wording.forbid(["返现"])
    bad = {**NEWS, "page": "/index", "data": {**NEWS["data"], "thing2": "返现", "date3": "soon"}}
    fields = [each.field for each in runtime.producer.check([bad]).faults]
    assert sorted(fields) == ["data.date3", "data.thing1", "data.thing2", "page"]


def test_words_are_a_template_s_or_the_app_s(runtime: Runtime) -> None:
    """A template's words leave the others alone; the app's hold for all of them, templates never seen too."""
    runtime.wording.forbid(["高山"], template_id=DAILY_NEWS)
    assert runtime.producer.send(touser="oBuyer", **ORDER).id
    runtime.wording.forbid(["高山"])
    with pytest.raises(InvalidMessage, match=r"^data\.thing1 holds a forbidden word"):
        runtime.producer.send(touser="oBuyer", **ORDER)
    with pytest.raises(InvalidMessage, match="forbidden"):
        runtime.producer.send(touser="oBuyer", template_id="NEVER-SEEN", data={"thing1": "高山"})


def test_a_legacy_message_is_judged_as_what_it_becomes(runtime: Runtime) -> None:
    """A mapped message is refused by the subscribe template's words, under the keyword that the caller wrote."""
    keywords = {"keyword1": "thing1", "keyword2": "thing2", "keyword3": "date3"}
    runtime.producer.map_template("OLD", DAILY_NEWS, keywords)
    runtime.wording.forbid(["返现"], template_id=DAILY_NEWS)
    data = {"keyword1": "下单返现五元", "keyword2": "今日要闻", "keyword3": "2026年12月1日"}
    with pytest.raises(InvalidMessage, match=r"^data\.keyword1 holds a forbidden word"):
        runtime.producer.send(touser="oReader", template_id="OLD", data=data)
    assert [each.field for each in runtime.producer.check([{**NEWS, "template_id": "OLD", "data": data}]).faults] == [
        "data.keyword1"
    ]


def test_what_is_accepted_stays(runtime: Runtime) -> None:
    """A word that is forbidden later touches no job; another process obeys it with its next look."""
    job = runtime.producer.send(**NEWS, time="2100-01-01 08:00:00")
    runtime.wording.forbid(["返现"])
    assert runtime.producer.get(job.id).state == "scheduled"


def test_another_process_follows(runtime: Runtime, settings: Settings) -> None:
    """The list is in SQL: another process has it with its next look at the catalogue."""
    other = Runtime(settings)
    try:
        assert other.producer.send(**NEWS).id
        runtime.wording.forbid(["返现"])
        other.catalogue.reload()
        with pytest.raises(InvalidMessage, match="forbidden"):
            other.producer.send(**NEWS)
    finally:
        other.close()


def test_words_are_added_read_and_taken_away(runtime: Runtime) -> None:
    """Each word stands once per list, folded; what is taken away is allowed at once."""
    verbs = runtime.wording
    assert (verbs.forbid(["返现", "VPN"]), verbs.forbid(["vpn", "刷单"])) == (2, 1)
    assert verbs.forbidden() == ["vpn", "刷单", "返现"]
    assert verbs.forbidden(template_id=DAILY_NEWS) == []
    assert verbs.allow(["返现"], template_id=DAILY_NEWS) == 0
    assert verbs.allow(["返现", "nothing"]) == 1
    assert runtime.producer.send(**NEWS).id


def test_what_makes_no_sense_is_refused(runtime: Runtime) -> None:
    """Too long a list, no list, no word: refused, and the list stays as it was. An unknown template has no list."""
    verbs = runtime.wording
    verbs.forbid(f"word{number}" for number in range(MOST_WORDS))
    with pytest.raises(InvalidInput, match=r"^words would be 1,001"):
        verbs.forbid(["one more"])
    with pytest.raises(InvalidInput, match=r"^words are no list"):
        verbs.allow("word1")
    assert len(verbs.forbidden()) == MOST_WORDS


def test_an_unknown_template_has_no_words(worker: Runtime) -> None:
    """With a catalogue that was read, a template that is not in it is refused."""
    worker.catalogue.sync()
    with pytest.raises(UnknownTemplate):
        worker.wording.forbid(["返现"], template_id="Daily-News")
