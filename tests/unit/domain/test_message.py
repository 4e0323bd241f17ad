"""What a message may be, and what is refused before anything is stored. Rules of values are `test_fields`' affair."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushjobs.domain.message import (
    Content,
    FormIdKind,
    Lang,
    Message,
    MiniProgramState,
    find_faults,
    read_content,
    read_message,
)
from pushjobs.domain.template import Template, TemplateField
from pushjobs.errors import InvalidMessage
from pushjobs.wechat.fields import keyword_fault

OPENID = "oTestOpenid0001-recipient_x"
TEXT = "订单已发货"
ORDER = Template(
    template_id="TPL",
    fields=(TemplateField(key="thing1"), TemplateField(key="enum_string2", allowed=("客厅", "厨房"))),
)


def arguments(**changes: object) -> dict[str, object]:
    return {"touser": OPENID, "template_id": "TPL", "data": {"thing1": {"value": TEXT}}, **changes}


def read(given: Mapping[str, object], template: Template | None = None) -> Message:
    return read_message(given, template=template, keyword_fault=keyword_fault)


def refusal(given: Mapping[str, object], template: Template | None = None) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        read(given, template)
    return caught.value


def test_reads_the_shortest_message() -> None:
    """Recipient, template and data are enough; the rest takes WeChat's own defaults [S1]."""
    message = read(arguments())
    assert message == Message(touser=OPENID, content=Content(template_id="TPL", data=(("thing1", TEXT),)))
    assert (message.content.page, message.content.miniprogram_state, message.content.lang) == (None, "formal", "zh_CN")
    assert not message.is_legacy


def test_reads_the_whole_message() -> None:
    """Every argument of subscribe/send finds its place; arguments of other names are left alone."""
    content = read(
        arguments(page="index?foo=bar", miniprogram_state="trial", lang="zh_TW", time="2026-12-01", reference="A1")
    ).content
    assert content.page == "index?foo=bar"
    assert content.miniprogram_state is MiniProgramState.TRIAL
    assert content.lang is Lang.ZH_TW


def test_reads_a_legacy_message() -> None:
    """A form_id makes it a legacy message, with its emphasis and its kind of form id [L6]."""
    message = read(
        arguments(
            form_id="wx2016",
            form_id_kind="prepay",
            data={"keyword1": {"value": "339208499", "color": "#173177"}},
            emphasis_keyword="keyword1.DATA",
        )
    )
    assert message.is_legacy
    assert message.form_id_kind is FormIdKind.PREPAY
    assert message.content.data == (("keyword1", "339208499"),)
    assert message.content.emphasis_keyword == "keyword1.DATA"


@pytest.mark.parametrize("data", [None, {}])
def test_only_a_legacy_message_may_have_no_data(data: object) -> None:
    """Empty data is WeChat's way of a legacy message without keywords; a subscribe message needs some."""
    assert read(arguments(form_id="F", data=data)).content.data == ()
    assert refusal(arguments(data=data)).field == "data"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"value": TEXT}, TEXT),
        (TEXT, TEXT),
        (15, "15"),
        ({"value": 15}, "15"),
        (0.00001, "0.00001"),
        (6000.5, "6000.5"),
        (10**31, "1" + "0" * 31),
        (MiniProgramState.TRIAL, "trial"),
    ],
)
def test_a_value_is_an_object_a_text_or_a_number(value: object, text: str) -> None:
    """WeChat's {"value": …} and the bare value say the same; a number becomes the text people write."""
    given = arguments(data={"character_string1" if text != TEXT else "thing1": value})
    assert read(given).content.data[0][1] == text


def test_a_key_may_end_in_data() -> None:
    """The template page writes thing1.DATA, and so do callers [T1c]: the ending is taken off."""
    assert read(arguments(data={"thing1.DATA": TEXT})).content.data == (("thing1", TEXT),)


def test_the_order_of_keywords_does_not_matter() -> None:
    """Two messages that say the same are equal, in whatever order their keywords were written."""
    first = read(arguments(data={"thing1": "a", "thing2": "b"}))
    assert first == read(arguments(data={"thing2": "b", "thing1": "a"}))


@pytest.mark.parametrize("name", ["page", "emphasis_keyword"])
def test_an_empty_page_or_emphasis_is_none(name: str) -> None:
    """Old callers send these two as empty strings, which mean nothing [L6]."""
    assert read(arguments(**{name: ""})) == read(arguments())


@pytest.mark.parametrize(
    ("changes", "field", "fault"),
    [
        *(({name: value}, name, "is missing") for name in ("touser", "template_id") for value in (None, "")),
        *(({name: 5}, name, "is no text (int)") for name in ("touser", "template_id")),
        *(({name: "o" * 129}, name, "is 129 characters long") for name in ("touser", "template_id")),
        *(
            ({name: value}, name, "holds a blank or a character beyond ASCII")
            for name in ("touser", "template_id")
            for value in ("a b", "ab\n", "oＡ", "o货", "a\0", "\ud800")
        ),
        ({"page": "/index"}, "page", "begins with a slash"),
        ({"page": "p" * 1025}, "page", "is 1025 characters long"),
        ({"page": "index\n"}, "page", "holds a control character or half a surrogate pair"),
        ({"page": "index\udc00"}, "page", "holds a control character or half a surrogate pair"),
        ({"page": 5}, "page", "is no text (int)"),
        ({"form_id": ""}, "form_id", "is empty"),
        ({"form_id": "f" * 257}, "form_id", "is 257 characters long"),
        ({"form_id": 5}, "form_id", "is no text (int)"),
        ({"form_id": "F", "form_id_kind": "gift"}, "form_id_kind", "is not one of its values"),
        ({"lang": "zh_cn"}, "lang", "is not one of its values"),
        ({"lang": ["zh_CN"]}, "lang", "is not one of its values"),
        ({"miniprogram_state": ""}, "miniprogram_state", "is not one of its values"),
        ({"emphasis_keyword": "thing1.DATA"}, "emphasis_keyword", "is not for subscribe messages"),
        ({"form_id": "F", "emphasis_keyword": "thing2.DATA"}, "emphasis_keyword", "names no keyword of data"),
        ({"form_id": "F", "emphasis_keyword": "thing1"}, "emphasis_keyword", "names no keyword of data"),
        ({"form_id": "F", "emphasis_keyword": ["thing1"]}, "emphasis_keyword", "names no keyword of data"),
        ({"data": '{"thing1": {"value": "a"}}'}, "data", "is no object (str)"),
        ({"data": [("thing1", "a")]}, "data", "is no object (list)"),
        *(
            ({"data": {"thing1": "a", key: "b"}}, "data", "has a key of the wrong form (key number 2)")
            for key in ("thing", "Thing2", "thing2\t", " thing2", "1", "thing٢", "", 2, None, "a" * 64 + "1", ".DATA")
        ),
        ({"data": {"thing1": "a", "thing1.DATA": "b"}}, "data.thing1", "is given twice"),
        ({"data": {"thing1": {"valeu": "a"}}}, "data.thing1", "has no value"),
        ({"data": {"thing1": None}}, "data.thing1", "has no value"),
        ({"data": {"thing1": {"value": {"value": "a"}}}}, "data.thing1", "is no text (dict)"),
        ({"data": {"thing1": True}}, "data.thing1", "is no text (bool)"),
        ({"data": {"thing1": b"a"}}, "data.thing1", "is no text (bytes)"),
        ({"data": {"keyword1": "a\0"}}, "data.keyword1", "holds a NUL or half a surrogate pair"),
        ({"data": {"keyword1": "\ud83d"}}, "data.keyword1", "holds a NUL or half a surrogate pair"),
        *(
            ({"data": {"number1": value}}, "data.number1", "is not a number of up to 32 digits")
            for value in (float("nan"), float("inf"), 10**32, -(10**5000), 1e300)
        ),
        ({"data": {"thing1": "a" * 23}}, "data.thing1", "is 23 characters long"),
        ({"data": {"number1": -5}}, "data.number1", "does not have its type's form"),
    ],
)
def test_refuses_a_message_that_cannot_succeed(changes: dict[str, object], field: str, fault: str) -> None:
    """A message WeChat would refuse, or that cannot be stored, is refused at the field that is at fault."""
    refused = refusal(arguments(**changes))
    assert (refused.field, refused.fault) == (field, fault)


def test_a_refusal_reads_as_a_sentence() -> None:
    """Field, fault and rule together tell the author what to mend."""
    refused = refusal(arguments(data={"thing1": "a" * 23}))
    assert str(refused) == "data.thing1 is 23 characters long: a thing has 1 to 20 characters"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"thing1": TEXT}, "data.enum_string2 is missing: the template needs thing1, enum_string2"),
        (
            {"thing1": TEXT, "enum_string2": "客厅", "time3": "15:01"},
            "data.time3 is no keyword of the template: it has thing1, enum_string2",
        ),
        (
            {"thing1": TEXT, "enum_string2": "车库"},
            "data.enum_string2 is not one of the template's values: use one of 客厅, 厨房",
        ),
    ],
)
def test_holds_a_message_against_its_template(data: dict[str, str], sentence: str) -> None:
    """With a template, exactly its keywords must be filled, each with a value it takes."""
    assert str(refusal(arguments(data=data), ORDER)) == sentence


def test_takes_a_message_that_fills_its_template() -> None:
    """A message that fills each keyword of its template is taken."""
    data = {"enum_string2": {"value": "客厅"}, "thing1": {"value": TEXT}}
    assert dict(read(arguments(data=data), ORDER).content.data) == {"thing1": TEXT, "enum_string2": "客厅"}


def test_reads_a_shared_content_without_a_recipient() -> None:
    """A content for many jobs needs no recipient, is judged by the same rules and is never legacy."""
    given = arguments()
    del given["touser"]
    assert read_content(given, template=None, keyword_fault=keyword_fault) == read(arguments()).content
    with pytest.raises(InvalidMessage, match=r"^emphasis_keyword "):
        read_content(
            {**given, "form_id": "F", "emphasis_keyword": "thing1.DATA"}, template=None, keyword_fault=keyword_fault
        )


def test_a_repr_shows_neither_recipient_nor_texts() -> None:
    """Open ids, form ids, texts and pages are in no repr: reprs end up in logs."""
    shown = repr(read(arguments(form_id="FORM-1", page="order?id=77")))
    assert not any(secret in shown for secret in (OPENID, TEXT, "FORM-1", "id=77"))


def test_a_message_is_a_value() -> None:
    """A message serves as a key; that nobody changes one is the type checker's to see, as below."""
    message = read(arguments())
    if TYPE_CHECKING:
        message.touser = "other"  # type: ignore[misc] # the very thing that must not pass
    assert len({message, read(arguments())}) == 1


CONTENTS = st.builds(
    Content,
    template_id=st.text(min_size=1),
    data=st.dictionaries(st.from_regex(r"[a-z_]{1,20}[0-9]{1,2}", fullmatch=True), st.text()).map(
        lambda data: tuple(sorted(data.items()))
    ),
    page=st.none() | st.text(min_size=1),
    miniprogram_state=st.sampled_from(MiniProgramState),
    lang=st.sampled_from(Lang),
    emphasis_keyword=st.none() | st.text(min_size=1),
)


@given(CONTENTS)
def test_a_record_loses_nothing(content: Content) -> None:
    """A content comes back from JSON as it was."""
    assert Content.from_record(json.loads(json.dumps(content.as_record()))) == content


@given(st.dictionaries(st.sampled_from(["thing1", "number2", "keyword3", "phrase4.DATA"]), st.text(min_size=9)))
def test_no_refusal_repeats_a_text(data: dict[str, str]) -> None:
    """Whatever is wrong with a text, the message about it does not hold it."""
    try:
        message = read(arguments(data=data))
    except InvalidMessage as refused:
        assert not any(text in str(refused) for text in data.values())  # noqa: PT017 - either end is right
    else:
        for _, text in message.content.data:
            assert text.encode().decode() == text


def faults(given: Mapping[str, object], template: Template | None = None) -> list[tuple[str, str]]:
    found = find_faults(given, template=template, keyword_fault=keyword_fault)
    return [(each.field, each.fault) for each in found]


def test_finds_every_fault_and_not_the_first_alone() -> None:
    """All that is wrong is told at once, each fault once: a bad field hides no other, and a bad keyword no other."""
    data = {"thing1": "a" * 23, "time3": "15:01", "Thing4": "a", "number5": True}
    given = arguments(touser="", page="/index", lang="zh", data=data)
    assert sorted(faults(given, ORDER)) == [
        ("data", "has a key of the wrong form (key number 3)"),
        ("data.enum_string2", "is missing"),
        ("data.number5", "is no keyword of the template"),
        ("data.number5", "is no text (bool)"),
        ("data.thing1", "is 23 characters long"),
        ("data.time3", "is no keyword of the template"),
        ("lang", "is not one of its values"),
        ("page", "begins with a slash"),
        ("touser", "is missing"),
    ]


def test_missing_data_is_one_fault() -> None:
    """Where there is no data at all, not every keyword of the template is called missing too."""
    assert faults(arguments(data=None), ORDER) == [("data", "is missing or empty")]
    assert faults(arguments(data="text"), ORDER) == [("data", "is no object (str)")]


def test_too_many_keywords_are_one_fault() -> None:
    """No template has so many: what an app without a catalogue is given is bounded too."""
    data = {f"thing{number}": "客厅" for number in range(21)}
    assert faults(arguments(data=data), None) == [("data", "has 21 keywords")]


KEYS = st.sampled_from(["thing1", "thing1.DATA", "enum_string2", "number3", "Thing1", "keyword1"])
VALUES = st.sampled_from(["", "客厅", "a" * 21, None, 5, True, "a\0"]) | st.builds(
    lambda value: {"value": value}, st.text(max_size=3)
)
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "touser": st.sampled_from([OPENID, "", 5]),
        "template_id": st.sampled_from(["TPL", None]),
        "page": st.sampled_from(["index", "/index", "", 5]),
        "lang": st.sampled_from(["zh_CN", "zh"]),
        "form_id": st.sampled_from(["F", "", None]),
        "emphasis_keyword": st.sampled_from(["thing1.DATA", "thing9.DATA", ""]),
        "data": st.dictionaries(KEYS, VALUES, max_size=4) | st.sampled_from([None, "text"]),
    },
)


@settings(deadline=None)
@given(given=GIVEN, template=st.sampled_from([None, ORDER]))
def test_reading_and_looking_for_faults_agree(given: dict[str, object], template: Template | None) -> None:
    """A message is read exactly if no fault is found in it, and is refused for one of those that are."""
    found = faults(given, template)
    try:
        read(given, template)
    except InvalidMessage as refused:
        assert (refused.field, refused.fault) in found  # noqa: PT017 - either end is right
    else:
        assert found == []
