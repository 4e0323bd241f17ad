"""The value types of WeChat's page [S1], each at both sides of its edge; dates, times and symbols after [S1c]."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushjobs.wechat.fields import ValueType, fault, keyword_fault, length, longest, shortened, value_type

FITTING = [
    ("thing1", "订单已发货"),
    ("thing1", "货" * 20),
    ("thing1", "A 1,b；2！"),
    ("thing1", "😀" * 10),
    ("thing1", "👨‍👩‍👧"),
    ("number01", "0"),
    ("number01", "9" * 32),
    ("number1", "1.50"),
    ("letter1", "aZ"),
    ("letter1", "a" * 32),
    ("symbol1", "#"),
    ("symbol1", "_+-*/"),
    ("symbol1", "，。！？"),
    ("character_string1", "SF-2026/11.23"),
    ("character_string1", "~" * 32),
    ("time1", "15:01"),
    ("time1", "9:05:59"),
    ("time1", "2019年10月1日 15:01"),
    ("time1", "2019年10月1日 15:01~2019年10月1日 16:01"),
    ("time1", "15:01~16:01"),
    ("date1", "2019年10月1日"),
    ("date1", "2019年10月1日 15:01"),
    ("date1", "2021年10月21日 12:00:00"),
    ("date1", "2019年10月"),
    ("date1", "10月1日"),
    ("date1", "2018-01-01"),
    ("date1", "2018/01/01"),
    ("date1", "2018.01.01"),
    ("date1", "2018-01"),
    ("date1", "01-01"),
    ("date1", "2018-01-01~2018-02-01"),
    ("amount1", "¥100.50"),
    ("amount1", "￥100元"),
    ("amount1", "$" + "9" * 10),
    ("amount1", "6000.00"),
    ("phone_number1", "+86-0766-66888866"),
    ("phone_number1", "(0766) 66888866"),
    ("car_number1", "粤A8Z888挂"),
    ("car_number1", "粤A8Z888"),
    ("car_number1", "A1"),
    ("name1", "张" * 10),
    ("name1", "Anna-Maria O'Connor."),
    ("name1", "张三Anna"),
    ("name1", "张Anna-Mari"),
    ("phrase1", "配送中"),
    ("phrase1", "配" * 5),
    ("enum1", "any value while the catalogue is not known"),
    ("keyword1", "2019-01-01 10:00"),
    ("keyword2", "two\nlines"),
    ("keyword3", "货" * 200),
    ("const1", "货" * 20),
]

BREAKING = [
    ("thing1", "货" * 21, "is 21 characters long"),
    ("thing1", "😀" * 10 + "a", "is 21 characters long"),
    ("thing1", "a\nb", "holds a line break"),
    ("thing1", "a\tb", "holds a line break"),
    ("thing1", "", "is empty"),
    ("thing1", "  ", "is empty"),
    ("number1", "9" * 33, "is 33 characters long"),
    ("number1", "-1", "does not have"),
    ("number1", "1.", "does not have"),
    ("number1", ".5", "does not have"),
    ("number1", "1,000", "does not have"),
    ("number1", "٣", "does not have"),
    ("number1", "1\n", "holds a line break"),
    ("letter1", "a" * 33, "is 33 characters long"),
    ("letter1", "a1", "does not have"),
    ("letter1", "é", "does not have"),
    ("symbol1", "######", "is 6 characters long"),
    ("symbol1", "#a", "does not have"),
    ("symbol1", "#货", "does not have"),
    ("symbol1", "# #", "does not have"),
    ("character_string1", "a" * 33, "is 33 characters long"),
    ("character_string1", "a b", "does not have"),
    ("character_string1", "订单1", "does not have"),
    ("time1", "24:00", "does not have"),
    ("time1", "15:60", "does not have"),
    ("time1", "15:01:00.5", "does not have"),
    ("time1", "2019-10-01", "does not have"),
    ("time1", "15:01 ~ 16:01", "does not have"),
    ("time1", "15:01~", "does not have"),
    ("time1", "15:01~16:01~17:01", "does not have"),
    ("time1", "2019-10-01T15:01", "does not have"),
    ("date1", "15:01", "does not have"),
    ("date1", "2019-13-01", "does not have"),
    ("date1", "2019-10-32", "does not have"),
    ("date1", "2019-10/01", "does not have"),
    ("date1", "2019年10月1", "does not have"),
    ("date1", "2019-10-01 ", "does not have"),
    ("amount1", "9" * 11, "does not have"),
    ("amount1", "¥¥1", "does not have"),
    ("amount1", "1 元", "does not have"),
    ("amount1", "USD1", "does not have"),
    ("phone_number1", "+86-0766-668888661", "is 18 characters long"),
    ("phone_number1", "13800138000x", "does not have"),
    ("car_number1", "粤A8Z8888挂", "is 9 characters long"),
    ("car_number1", "A粤8Z888", "does not have"),
    ("car_number1", "粤A·8Z88", "does not have"),
    ("name1", "张" * 11, "is 11 characters long"),
    ("name1", "张Anna-Maria", "is 11 characters long"),
    ("name1", "𠮷Anna-Maria", "is 12 characters long"),
    ("name1", "a" * 21, "is 21 characters long"),
    ("phrase1", "配" * 6, "is 6 characters long"),
    ("phrase1", "配送a", "does not have"),
    ("phrase1", "配送。", "does not have"),
    ("enum1", "", "is empty"),
    ("enum1", "a" * 201, "is 201 characters long"),
    ("keyword1", "", "is empty"),
    ("keyword1", "a" * 201, "is 201 characters long"),
    ("const1", "货" * 21, "is 21 characters long"),
]


@pytest.mark.parametrize(("key", "value"), FITTING)
def test_takes_what_the_page_allows(key: str, value: str) -> None:
    """A value that the page's limits or samples allow fits."""
    assert keyword_fault(key, value) is None


@pytest.mark.parametrize(("key", "value", "expected"), BREAKING)
def test_refuses_what_the_page_does_not_allow(key: str, value: str, expected: str) -> None:
    """A value past a limit is refused with what is wrong with it."""
    found = keyword_fault(key, value)
    assert found is not None
    assert found[0].startswith(expected)


def test_a_fault_comes_with_the_rule_it_breaks() -> None:
    """The fault and the rule read as one sentence behind the field's name."""
    assert fault(ValueType.THING, "a" * 23) == ("is 23 characters long", "a thing has 1 to 20 characters")


@pytest.mark.parametrize("kind", ValueType)
def test_every_type_has_its_key_and_its_rule(kind: ValueType) -> None:
    """A type is read from its key, and refuses an empty value with its rule."""
    assert value_type(f"{kind}1") is kind
    assert fault(kind, "") is not None


def test_keys_of_wechats_own_enum_sample_are_enums() -> None:
    """The page's table says enum, its sample of gettemplate enum_string2 [S5]: both are read."""
    assert value_type("enum_string2") is ValueType.ENUM


@pytest.mark.parametrize(
    "key", ["keyword1", "const1", "thing", "thing1.DATA", "Thing1", " thing1", "1", "", "thing1\n"]
)
def test_a_key_of_no_known_type_has_none(key: str) -> None:
    """Legacy keys, unknown prefixes and malformed keys have no type."""
    assert value_type(key) is None


def test_an_enum_takes_only_the_templates_values() -> None:
    """With the template's values known, one of them fits and another text is refused with all of them named."""
    assert keyword_fault("enum1", "客厅", ("客厅", "厨房")) is None
    assert keyword_fault("enum1", "车库", ("客厅", "厨房")) == (
        "is not one of the template's values",
        "use one of 客厅, 厨房",
    )


def test_values_of_the_template_bind_any_key() -> None:
    """Values that the template lists bind a key whatever its prefix."""
    assert keyword_fault("thing1", "车库", ("客厅", "厨房")) is not None


@pytest.mark.parametrize(("text", "units"), [("", 0), ("货a", 2), ("😀", 2), ("𠮷", 2), ("\ud800", 1)])
def test_length_counts_utf16_units(text: str, units: int) -> None:
    """Length is in UTF-16 units, the stricter reading of an open question."""
    assert length(text) == units


@given(key=st.sampled_from([*(f"{kind}1" for kind in ValueType), "keyword1", "const1"]), value=st.text(min_size=12))
def test_a_fault_never_repeats_the_value(key: str, value: str) -> None:
    """Contents never end up in a message of ours."""
    found = keyword_fault(key, value)
    assert found is None or not any(value in part for part in found)


@given(kind=st.sampled_from([each for each in ValueType if each is not ValueType.ENUM]), value=st.text())
def test_what_fits_is_one_line_of_bounded_length(kind: ValueType, value: str) -> None:
    """Whatever fits a type is one line and no longer than the longest range of two dated times."""
    if fault(kind, value) is None:
        assert "\n" not in value
        assert 1 <= length(value) <= 41


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("thing1", "货" * 20, "货" * 20),
        ("thing1", "货" * 21, "货" * 19 + "…"),
        ("thing1", "订单已发货，快递公司顺丰速运，请查看，记得", "订单已发货，快递公司顺丰速运，请查看…"),
        ("thing1", "Your order number OD20261123000128", "Your order number…"),
        ("thing1", "OD20261123000128201126112300", "OD20261123000128201…"),
        ("thing1", "预算从今年一月起增加到了大约一共10,000元", "预算从今年一月起增加到了大约一共…"),
        ("thing1", "演出今晚改到市民广场举行了请于08:30前入场", "演出今晚改到市民广场举行了请于…"),
        ("thing1", "two\nlines\t here", "two lines here"),
        ("thing1", "😀" * 11, "😀" * 9 + "…"),
        ("thing1", "👨‍👩‍👧" * 5, "👨‍👩‍👧" * 2 + "…"),
        ("thing1", "👍🏽" * 9, "👍🏽" * 4 + "…"),
        ("thing1", "🇨🇳" * 8, "🇨🇳" * 4 + "…"),
        ("thing1", "e\u0301" * 15, "e\u0301" * 9 + "…"),
        ("name1", "张" * 11, "张" * 9 + "…"),
        ("name1", "Anna-Maria O'Connor-Smith", "Anna-Maria O'Connor…"),
        ("const1", "货" * 21, "货" * 19 + "…"),
    ],
)
def test_shortens_free_texts(key: str, value: str, expected: str) -> None:
    """A thing or a name is cut between what people see as characters, with an ellipsis, in its own unit of length."""
    assert shortened(key, value) == expected
    assert keyword_fault(key, expected) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("今天小雨转阴，请带伞。明天晴，气温回升到二十度", "今天小雨转阴，请带伞。明天晴…"),
        ("今天全市小雨转阴请带好伞。明天晴，气温回升", "今天全市小雨转阴请带好伞…"),
        ("地铁新线明日起全线开通运营！首班车五点半发出", "地铁新线明日起全线开通运营！…"),
        ("《关于进一步做好今冬供暖工作的通知》今天发布", "《关于进一步做好今冬供暖工作的通知》…"),
        ("预算从今年一月起增加到了大约10,000元整了", "预算从今年一月起增加到了大约…"),
        ("演出今晚改到市民广场举行请于08:30前入场", "演出今晚改到市民广场举行请于08:30…"),
        ("Rain today. Bring an umbrella", "Rain today. Bring…"),
        ("Rain all of today. Sun", "Rain all of today…"),
        ("货" * 21, "货" * 19 + "…"),
        ("开头，" + "货" * 21, "开头，" + "货" * 16 + "…"),
    ],
)
def test_shortens_by_sense(value: str, expected: str) -> None:
    """By sense it is cut where a sentence ends in the last third, else a phrase, and never within a figure."""
    assert shortened("thing1", value, by_sense=True) == expected
    assert keyword_fault("thing1", expected) is None


def test_the_longest_of_a_type() -> None:
    """What a type holds depends on the value where there is Chinese in a name; some have no limit."""
    assert [longest(*each) for each in [("thing1", ""), ("name1", "a"), ("name1", "张"), ("keyword1", "")]] == [
        20,
        20,
        10,
        200,
    ]
    assert longest("time1", "") is None


@pytest.mark.parametrize(
    "key", [*(f"{kind}1" for kind in ValueType if kind not in {ValueType.THING, ValueType.NAME}), "keyword1"]
)
def test_shortens_nothing_that_would_be_wrong(key: str) -> None:
    """Half a number, date, phrase or plate says something else: these stay as they are, and are refused."""
    assert shortened(key, "1" * 300) == "1" * 300


@settings(deadline=None)
@given(
    key=st.sampled_from(["thing1", "name1"]),
    value=st.text(st.characters(exclude_categories=["Cs"])) | st.text("ab货，。！; .」\u0301", max_size=60),
    by_sense=st.booleans(),
)
def test_what_is_shortened_fits(key: str, value: str, *, by_sense: bool) -> None:
    """Whatever a free text holds, shortened it fits its type, unless nothing is to be seen of it; once is enough."""
    short = shortened(key, value, by_sense=by_sense)
    assert keyword_fault(key, short) is None or not short.strip()
    assert shortened(key, short, by_sense=by_sense) == short
    assert short == value or length(short) <= 20
