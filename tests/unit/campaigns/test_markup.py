"""Markup as its reader sees it: one line of plain text."""

import time

import pytest

from pushjobs.campaigns.markup import shown


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain", "plain"),
        ("<p>one</p><p>two</p>", "one two"),
        ("<b>bo</b>ld and <em>it</em>alic", "bold and italic"),
        ("a<br>b<br/>c", "a b c"),
        ("<p>雨停了。</p><p>出门吧，</p> 带伞 走", "雨停了。出门吧，带伞 走"),
        ("AT&amp;T &lt;b&gt; &#20013;&nbsp;&hellip;", "AT&T <b> 中 …"),
        ("<script>alert('x')</script>seen<style>p {}</style>", "seen"),
        ("<p>seen<!-- not --></p>", "seen"),
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
        ("a\n\t b\u2028c\x00d\u200be\ufeff", "a b c de"),
        ("</script>seen", "seen"),
        ("<img src='x' alt='y'/>", ""),
        ("<p", "<p"),
    ],
)
def test_markup_becomes_what_is_seen(markup: str, text: str) -> None:
    """Tags, scripts and what is invisible go, entities become characters, blocks are set apart by a blank."""
    assert shown(markup, is_markup=True) == text


def test_plain_text_stays_as_it_is() -> None:
    """What is no markup keeps its angle brackets and ampersands; only its blanks are made one."""
    assert shown(" a <b>  &amp;\nc ", is_markup=False) == "a <b> &amp; c"


@pytest.mark.parametrize("piece", ["<p>x", "<", "<a x='", "&", "<!--", "<![CDATA[", " ", "</script"])
def test_no_markup_takes_long(piece: str) -> None:
    """Megabytes of whatever markup are cut before they are looked at."""
    began = time.perf_counter()
    assert len(shown(piece * 1_000_000, is_markup=True)) <= 2_000
    assert time.perf_counter() - began < 10
