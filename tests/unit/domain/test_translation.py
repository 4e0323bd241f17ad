"""Legacy messages said again in a subscribe template: what becomes of each text, and what a mapping may be."""

from typing import Any

import pytest

from pushjobs.domain.template import Template, TemplateField
from pushjobs.domain.translation import Translated, Translation, read_translation, translate
from pushjobs.errors import InvalidInput
from pushjobs.wechat.fields import keyword_fault, shortened

TODAY = Template(
    template_id="TODAY",
    fields=(
        TemplateField(key="thing1"),
        TemplateField(key="enum2", allowed=("成功", "失败")),
        TemplateField(key="date3"),
    ),
)
KEYWORDS = {"keyword1": "thing1", "keyword3": "enum2", "keyword2": "date3", "keyword4": None}
TRANSLATION = Translation(
    template_id="TODAY",
    keywords=(("keyword1", "thing1"), ("keyword2", "date3"), ("keyword3", "enum2"), ("keyword4", None)),
)
DATA = {
    "keyword1": {"value": "退款", "color": "#173177"},
    "keyword2.DATA": "2019-01-01",
    "keyword3": "成功",
    "keyword4": "x",
}


def translated(
    data: object = None, *, shortens: bool = False, template: Template | None = TODAY, **more: object
) -> Translated:
    translation = Translation(template_id="TODAY", keywords=TRANSLATION.keywords, shortens=shortens)
    given = {"touser": "o", "template_id": "OLD", "data": DATA if data is None else data, **more}
    return translate(given, translation, template=template, keyword_fault=keyword_fault, shorten=shortened)


def faults(found: Translated) -> list[str]:
    return [f"{each.field} {each.fault}" for each in found.faults]


def test_a_legacy_message_becomes_a_subscribe_message() -> None:
    """Each keyword's text goes to its key; form id, emphasis and colours are left behind, everything else stays."""
    found = translated(form_id="F", form_id_kind="prepay", emphasis_keyword="keyword1.DATA", page="index", lane="bulk")
    assert found.faults == []
    assert found.arguments == {
        "touser": "o",
        "template_id": "TODAY",
        "page": "index",
        "lane": "bulk",
        "data": {"thing1": "退款", "date3": "2019-01-01", "enum2": "成功"},
    }


def test_every_fault_names_the_keyword_the_caller_wrote() -> None:
    """A text that its new key does not take is refused under its old name, and so is one that nothing becomes of."""
    data = {"keyword1": "货" * 21, "keyword3": "也许", "keyword9": "x"}
    assert faults(translated(data)) == [
        "data.keyword9 is not in the template's mapping",
        "data.keyword1 is 21 characters long",
        "data.keyword2 is missing",
        "data.keyword3 is not one of the template's values",
    ]


def test_a_keyword_that_is_left_out_may_be_missing() -> None:
    """What is mapped to nothing need not be given."""
    assert translated({"keyword1": "a", "keyword2": "2019-01-01", "keyword3": "成功"}).faults == []


def test_a_long_text_is_shortened_where_the_mapping_allows_it() -> None:
    """With `shortens` a thing that is too long is cut; a date that is no date is still refused."""
    found = translated({**DATA, "keyword1": "货" * 30}, shortens=True)
    assert found.faults == []
    assert found.arguments["data"] == {"thing1": "货" * 19 + "…", "date3": "2019-01-01", "enum2": "成功"}
    bad = {"keyword1": "a", "keyword2": "2019-01-01 and more", "keyword3": "成功"}
    assert faults(translated(bad, shortens=True)) == ["data.keyword2 does not have its type's form"]


@pytest.mark.parametrize("data", [{}, "text", {"Keyword1": "a"}, {"keyword1": None}])
def test_data_of_the_wrong_form_is_refused(data: object) -> None:
    """What cannot be read is refused as for any message."""
    assert translated(data).faults[0].field.startswith("data")


def test_a_template_that_changed_is_told_as_such() -> None:
    """If the subscribe template has other keywords by now, that is the fault, not a text."""
    changed = Template(template_id="TODAY", fields=(TemplateField(key="thing1"),))
    assert faults(translated(template=changed)) == ["template_id is mapped to a template that has other keywords now"]


def test_without_a_catalogue_keys_alone_decide() -> None:
    """Where the catalogue was never read, each text is judged by the type in its new key."""
    assert translated({**DATA, "keyword3": "anything"}, template=None).faults == []


def test_reads_a_mapping_in_the_order_of_keywords() -> None:
    """Keys may end in .DATA, None and the empty text leave a keyword out, and the order given does not matter."""
    assert read_translation("TODAY", KEYWORDS, template=TODAY) == TRANSLATION
    given: dict[str, str | None] = {
        "keyword4": "",
        "keyword1.DATA": "thing1.DATA",
        "keyword2": "date3",
        "keyword3": "enum2",
    }
    assert read_translation("TODAY", given, template=TODAY) == TRANSLATION
    tenth = read_translation("T", {"keyword10": "thing2", "keyword2": "thing1"}, template=None)
    assert [key for key, _ in tenth.keywords] == ["keyword2", "keyword10"]


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({}, "keywords name no keyword"),
        ("keyword1=thing1", "keywords name no keyword"),
        ({"thing1": "thing1"}, "keywords hold no legacy keyword (number 1)"),
        ({1: "thing1"}, "keywords hold no legacy keyword (number 1)"),
        ({"keyword1": "thing1", "keyword1.DATA": "thing1"}, "keywords.keyword1 is given twice"),
        ({"keyword1": "thing9"}, "keywords.keyword1 becomes a keyword the template lacks"),
        ({"keyword1": "keyword1"}, "keywords.keyword1 becomes no keyword of a subscribe template"),
        ({"keyword1": "thing"}, "keywords.keyword1 becomes no keyword of a subscribe template"),
        ({"keyword1": 5}, "keywords.keyword1 becomes no keyword of a subscribe template"),
        ({"keyword1": None}, "keywords leave everything out"),
        ({**KEYWORDS, "keyword4": "thing1"}, "keywords fill thing1 twice"),
        ({"keyword1": "thing1", "keyword2": "date3"}, "keywords leave enum2 empty"),
    ],
)
def test_refuses_a_mapping_that_cannot_work(keywords: Any, sentence: str) -> None:  # noqa: ANN401 - the wrong types too
    """A mapping that would leave a key empty, fill one twice or name none is refused when it is made."""
    with pytest.raises(InvalidInput) as caught:
        read_translation("TODAY", keywords, template=TODAY)
    assert f"{caught.value.field} {caught.value.fault}" == sentence


def test_shortening_is_a_yes_or_a_no() -> None:
    """A word in place of true or false is refused."""
    with pytest.raises(InvalidInput, match=r"^shorten is neither"):
        read_translation("TODAY", KEYWORDS, template=TODAY, shortens="no")
