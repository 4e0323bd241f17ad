"""What a campaign says: what is refused when it is made, and the contents that rows and entries make of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushjobs.campaigns.content import Recipe, Rules, read_recipe
from pushjobs.campaigns.feeds import Entry
from pushjobs.domain.message import Content, read_content
from pushjobs.domain.template import Template, TemplateField
from pushjobs.domain.words import folded, refusing
from pushjobs.errors import InvalidInput
from pushjobs.wechat.fields import keyword_fault

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEWS = Template(
    template_id="NEWS",
    fields=(
        TemplateField(key="thing1"),
        TemplateField(key="time2"),
        TemplateField(key="enum3", allowed=("新", "旧")),
    ),
)
RULES = Rules(template=NEWS, keyword_fault=refusing(frozenset({folded("返现")}), keyword_fault))
ANY = Rules(template=None, keyword_fault=keyword_fault)
URL = "https://news.example/feed.xml"
ENTRY = Entry(
    entry_id="1",
    title="城市地铁新线开通",
    summary="首班车 05:30 发出。沿途十二站。",
    link="https://news.example/a?b=1&c=中",
    author="张三",
    published=datetime(2026, 11, 30, 23, 30, tzinfo=UTC),
)


def data(**texts: object) -> dict[str, object]:
    return {"thing1": "晨报", "time2": "08:00", "enum3": "新", **texts}


def recipe(texts: Mapping[str, object] | None = None, *, rules: Rules = RULES, **more: object) -> Recipe:
    definition = {"data": data() if texts is None else texts, **more}
    return read_recipe(definition, template_id="NEWS", zone=SHANGHAI, rules=rules)


def any_recipe(text: str, *, key: str = "thing1", **more: object) -> Recipe:
    return recipe({key: text}, rules=ANY, **more)


def refusal(texts: object = None, **more: object) -> str:
    definition = {"data": data() if texts is None else texts, **more}
    with pytest.raises(InvalidInput) as caught:
        read_recipe(definition, template_id="NEWS", zone=SHANGHAI, rules=RULES)
    return str(caught.value)


def content(made: Content | InvalidInput) -> Content:
    assert isinstance(made, Content), made
    return made


def fault(made: Content | InvalidInput) -> str:
    assert isinstance(made, InvalidInput)
    return str(made)


def test_without_placeholders_the_content_is_the_same_for_all() -> None:
    """A fixed recipe is a content at once, the one that a message of these arguments has."""
    made = recipe(data(thing1={"value": "晨报"}), page="pages/news?id=1", miniprogram_state="trial", lang="en_US")
    arguments = {"template_id": "NEWS", "data": data(), "page": "pages/news?id=1"}
    assert made.fixed == read_content(
        arguments | {"miniprogram_state": "trial", "lang": "en_US"}, template=NEWS, keyword_fault=keyword_fault
    )
    assert made.columns == frozenset()


def test_placeholders_are_columns_of_the_audience() -> None:
    """Each row fills texts and page; doubled braces are braces, and a percent sign is one."""
    made = recipe(data(thing1="{{{name}}}好 100%", enum3="{kind}"), page="{path}?id={id}&50%")
    assert made.fixed is None
    assert made.columns == {"name", "kind", "path", "id"}
    row = {"name": "张三", "kind": "旧", "path": "pages/a/b", "id": "1&2=三", "other": "x"}
    filled = content(made.personal(row))
    assert dict(filled.data) == {"thing1": "{张三}好 100%", "time2": "08:00", "enum3": "旧"}
    assert filled.page == "pages/a/b?id=1%262%3D%E4%B8%89&50%"


def test_columns_may_have_chinese_names() -> None:
    """A file's header is in its author's language."""
    assert content(any_recipe("{姓名}好").personal({"姓名": "张三"})).data == (("thing1", "张三好"),)


@pytest.mark.parametrize(
    "text", ["{a.b}", "{a[0]}", "{a!r}", "{a:>9}", "{}", "{ a }", "{a", "a}", "{{a}", "{" + "a" * 101 + "}", "{a-b}"]
)
def test_placeholders_are_names_and_nothing_else(text: str) -> None:
    """What Python's formatting would look into, or cannot read, is refused where it stands, without being repeated."""
    said = refusal(data(thing1=text))
    assert said.startswith("content.data.thing1 holds a brace that is no placeholder's: a placeholder is {name}")
    assert refusal(page=text).startswith("content.page holds a brace")


@pytest.mark.parametrize(
    ("texts", "more", "said"),
    [
        (data(thing1="货" * 21), {}, "content.data.thing1 is 21 characters long"),
        (data(thing1="返现五元"), {}, "content.data.thing1 holds a forbidden word"),
        (data(enum3="中"), {}, "content.data.enum3 is not one of the template's values"),
        (data(time2="soon"), {}, "content.data.time2 does not have its type's form"),
        ({"thing1": "{name}"}, {}, "content.data.time2 is missing"),
        (data(thing9="{name}"), {}, "content.data.thing9 is no keyword of the template"),
        (data(thing1="货" * 20 + "{name}"), {}, "content.data.thing1 is 20 characters long before anything"),
        (data(thing1="返现{name}"), {}, "content.data.thing1 holds a forbidden word"),
        (data(thing1="a\n{name}"), {}, "content.data.thing1 holds a line break"),
        (data(thing1=None), {}, "content.data.thing1 has no value"),
        ([], {}, "content.data is no object"),
        ({}, {}, "content.data is missing or empty"),
        (data(), {"page": "/pages/{name}"}, "content.page begins with a slash"),
        (data(), {"page": 5}, "content.page is no text"),
        (data(), {"page": "p" * 1024 + "{name}"}, "content.page is 1025 characters long"),
        (data(), {"lang": "de"}, "content.lang is not one of its values"),
        (data(), {"shorten": "yes"}, "content.shorten is neither true nor false"),
        (data(), {"colour": "red"}, "content has a name that is none of its own: it has data, page,"),
        (data(), {"feed": URL}, "content.feed is no object"),
        (data(), {"feed": {"url": "ftp://news.example/"}}, "content.feed.url is no address of http or https"),
        (data(thing1="{title}{name}"), {"feed": {"url": URL}}, "content.data.thing1 asks a feed for name: a feed's"),
        (data(), {"feed": {"url": URL}, "page": "{id}"}, "content.page asks a feed for id"),
    ],
)
def test_what_can_be_known_is_refused_at_once(texts: object, more: dict[str, object], said: str) -> None:
    """Texts, placeholders and page are judged as far as they stand; the refusal names the place."""
    assert refusal(texts, **more).startswith(said)


def test_a_definition_is_an_object() -> None:
    """Anything else is refused under the name it was given."""
    with pytest.raises(InvalidInput, match=r"^says is no object \(list\)"):
        read_recipe([], template_id="NEWS", zone=SHANGHAI, rules=RULES, path="says")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "content.data.thing1 needs name: the row has none"),
        ({"name": ""}, "content.data.thing1 is empty"),
        ({"name": "货" * 21}, "content.data.thing1 is 21 characters long"),
        ({"name": "返现"}, "content.data.thing1 holds a forbidden word"),
        ({"name": "a\x00"}, "content.data.thing1 holds a NUL"),
        ({"name": "x", "id": "\ud800" * 400}, "content.page is 1211 characters long"),
        ({"name": "x", "path": "/a"}, "content.page begins with a slash"),
        ({"name": "x", "path": None}, "content.page needs path"),
    ],
)
def test_a_row_that_breaks_a_rule_is_a_refusal(row: dict[str, str | None], said: str) -> None:
    """What is wrong with one row is a value, with the place and without the text; the others are not held up."""
    made = recipe(data(thing1="{name}"), page="{path}?id={id}")
    whole = {"path": "pages/a", "id": "1"} | row
    assert fault(made.personal({name: value for name, value in whole.items() if value is not None})).startswith(said)


def test_texts_too_long_are_cut_where_the_recipe_says_so() -> None:
    """Without a feed nothing is cut unless asked for; what is cut is free text, never a number."""
    assert fault(any_recipe("{name}").personal({"name": "货" * 21})).startswith("content.data.thing1 is 21")
    cut = any_recipe("{name}", shorten=True)
    assert content(cut.personal({"name": "货" * 21})).data == (("thing1", "货" * 19 + "…"),)
    number = any_recipe("{id}", key="number1", shorten=True)
    assert fault(number.personal({"id": "9" * 33})).startswith("content.data.number1 is 33")
    fixed = any_recipe("货" * 21, shorten=True).fixed
    assert fixed is not None
    assert fixed.data == (("thing1", "货" * 19 + "…"),)


def test_a_feed_fills_the_template() -> None:
    """Each name of an entry has its text; the moment is the campaign's local one, as times and dates take it."""
    texts = {"thing1": "{title}", "thing2": "{summary}", "name3": "{author}", "time4": "{published}"}
    made = recipe({**texts, "date5": "{published}"}, rules=ANY, feed={"url": URL}, page="pages/web?url={link}")
    assert (made.fixed, made.columns) == (None, frozenset())
    assert made.feed is not None
    filled = made.from_entry(ENTRY)
    assert dict(filled.data) == {
        "thing1": "城市地铁新线开通",
        "thing2": "首班车 05:30 发出。沿途十二站。",
        "name3": "张三",
        "time4": "2026年12月01日 07:30",
        "date5": "2026年12月01日 07:30",
    }
    assert filled.page == "pages/web?url=https%3A%2F%2Fnews.example%2Fa%3Fb%3D1%26c%3D%E4%B8%AD"


def entry(**changes: str | None) -> Entry:
    made = replace(ENTRY)
    for name, value in changes.items():
        object.__setattr__(made, name, value)
    return made


def test_a_feed_s_texts_are_cut_at_the_end_of_a_sense() -> None:
    """Too long a title is cut, unless the recipe says it is not to be."""
    long = entry(title="地铁新线今日全线开通运营，首班车五点三十分从城东站发出")
    made = any_recipe("{title}", feed={"url": URL})
    assert dict(made.from_entry(long).data)["thing1"] == "地铁新线今日全线开通运营…"
    with pytest.raises(InvalidInput, match=r"content\.data\.thing1 is 27 characters long"):
        any_recipe("{title}", feed={"url": URL}, shorten=False).from_entry(long)


@pytest.mark.parametrize(
    ("key", "title", "text"),
    [
        ("phrase1", "🎉开通✅", "开通"),
        ("character_string1", "👨‍👩‍👧SF12 ", "SF12"),
        ("thing1", "🎉开通", "🎉开通"),
        ("symbol1", "🎉", "🎉"),
    ],
)
def test_emoji_are_left_out_where_the_type_takes_none(key: str, title: str, text: str) -> None:
    """A thing keeps its emoji, a phrase cannot have any."""
    assert dict(any_recipe("{title}", key=key, feed={"url": URL}).from_entry(entry(title=title)).data)[key] == text


def test_an_entry_that_lacks_what_is_asked_is_refused() -> None:
    """A notice with an empty place in it is worse than none."""
    for name, lacking in (("title", ""), ("summary", ""), ("link", ""), ("author", ""), ("published", None)):
        made = any_recipe("新闻：{%s}" % name, feed={"url": URL})  # noqa: UP031 - braces would have to be doubled
        with pytest.raises(InvalidInput, match=f"needs {name}: the feed's newest entry has none"):
            made.from_entry(entry(**{name: lacking}))


def test_a_feed_may_only_say_that_there_is_news() -> None:
    """With a feed and no placeholder the text is always the same, and the feed says whether it is sent."""
    made = recipe(feed={"url": URL, "skip_if_nothing_new": True})
    assert made.fixed is None
    assert dict(made.from_entry(ENTRY).data) == data()


@pytest.mark.parametrize(
    "definition",
    [
        {"data": data(thing1="{{晨报}}"), "page": "a?b={{c}}", "lang": "en_US"},
        {"data": data(thing1="{name}好"), "page": "{path}?id={id}", "shorten": True},
        {"data": data(thing1="{title}"), "feed": {"url": URL, "skip_if_nothing_new": True}, "shorten": False},
    ],
    ids=["fixed", "personal", "feed"],
)
def test_a_recipe_comes_back_from_its_record(definition: dict[str, object]) -> None:
    """What is stored of a recipe makes the same one again."""
    made = read_recipe(definition, template_id="NEWS", zone=SHANGHAI, rules=RULES)
    stored = json.loads(json.dumps(made.as_record()))
    assert read_recipe(stored, template_id="NEWS", zone=SHANGHAI, rules=RULES) == made


def test_no_repr_tells_texts() -> None:
    """A recipe that ends up in a log says nothing of what it holds."""
    assert "晨报" not in repr(recipe(data(enum3="{x}"), page="晨报"))


TEXTS = st.text(st.characters(codec=None), max_size=25)


@settings(deadline=None)
@given(name=TEXTS, when=st.sampled_from(["08:00", "soon", ""]), kind=st.sampled_from(["新", "中", ""]), path=TEXTS)
def test_a_row_is_judged_as_any_message_is(name: str, when: str, kind: str, path: str) -> None:
    """Whatever a row holds, it makes the content, or meets the refusal, that a message of the same texts would."""
    made = recipe(data(thing1="{name}", time2="{when}", enum3="{kind}"), page="{path}")
    arguments = {"template_id": "NEWS", "data": {"thing1": name, "time2": when, "enum3": kind}, "page": path}
    got = made.personal({"name": name, "when": when, "kind": kind, "path": path})
    try:
        expected: Content | None = read_content(arguments, template=NEWS, keyword_fault=RULES.keyword_fault)
    except InvalidInput:
        expected = None
    assert got == expected if expected else isinstance(got, InvalidInput)
