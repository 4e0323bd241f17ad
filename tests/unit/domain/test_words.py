"""Forbidden words: what is read as one, and in which texts it is found."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from pushjobs.domain.words import MOST_WORDS, folded, read_words, refusing
from pushjobs.errors import InvalidInput


def no_fault(key: str, text: str, allowed: Sequence[str]) -> tuple[str, str] | None:
    """Find nothing wrong but an empty text."""
    del key, allowed
    return None if text else ("is empty", "give a text")


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("返现", "下单返现五元"),
        ("VPN", "free vpn here"),
        ("vpn", "ＶＰＮ服务"),
        ("①号", "1号商品"),
        ("ﬁrst", "FIRST"),
        ("straße", "STRASSE"),
        ("a.b", "xa.by"),
        (" 返现 ", "返现"),
    ],
)
def test_found(word: str, text: str) -> None:
    """A word is found within a text whatever the case and the width of its characters; the refusal repeats neither."""
    fault = refusing(frozenset(read_words([word])), no_fault)("thing1", text, ())
    assert fault is not None
    assert fault[0] == "holds a forbidden word"
    assert text not in " ".join(fault)


@pytest.mark.parametrize(("word", "text"), [("a.b", "axb"), ("返现", "返 现"), ("返现", "返还现金"), ("vpn", "v-p-n")])
def test_not_found(word: str, text: str) -> None:
    """A word is no pattern, and what is spelt apart is another text."""
    assert refusing(frozenset(read_words([word])), no_fault)("thing1", text, ()) is None


def test_the_type_is_judged_first() -> None:
    """A text that breaks its type's rule is refused for that; without words nothing else is asked."""
    words = frozenset(read_words(["a"]))
    assert refusing(words, no_fault)("thing1", "", ()) == ("is empty", "give a text")
    assert refusing(frozenset(), no_fault) is no_fault


def test_read_folded_and_once() -> None:
    """Words are kept as they are compared, each once, in order."""
    assert read_words(["VPN", "vpn", "ＶＰＮ", "返现"]) == ("vpn", "返现")
    assert folded(folded("ẞ①ﬁ")) == folded("ẞ①ﬁ")


@pytest.mark.parametrize(
    "words",
    ["返现", None, 5, [], [""], [" "], [5], ["x" * 51], ["a\nb"], [str(number) for number in range(MOST_WORDS + 1)]],
)
def test_no_words(words: Any) -> None:  # noqa: ANN401 - the wrong types too
    """What is no list of short printable words is refused, and not repeated."""
    with pytest.raises(InvalidInput) as refusal:
        read_words(words)
    assert refusal.value.field == "words"


def test_any_iterable_will_do() -> None:
    """Words may come from a file, line by line."""
    lines: Iterable[str] = iter(["返现\n", "刷单\n"])
    assert read_words(lines) == ("刷单", "返现")
