"""Texts as their readers would see them: markup becomes plain text of one line.

Refuses to: judge markup. What is not shown (scripts, styles) is left out, whatever else is wrong with it stays text.
"""

import re
from html.parser import HTMLParser

__all__ = ["shown"]

# Nothing that a notice holds is as long; what is longer only costs time.
_LONGEST_MARKUP = 20_000
_LONGEST_TEXT = 2_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Chinese marks are as wide as a character and hold their blank within.
_AFTER_MARK = re.compile("(?<=[，。、；：！？]) ")
_UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff\u202a-\u202e\u2066-\u2069]")

_INLINE = re.compile("a|abbr|b|big|cite|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strike|strong|sub|sup|u")
_NOT_SHOWN = frozenset({"script", "style", "template", "noscript", "iframe", "svg", "math"})


def shown(text: str, *, is_markup: bool) -> str:
    """Return what a reader would see of a text, on one line."""
    if is_markup:
        reader = _Reader()
        reader.feed(text[:_LONGEST_MARKUP])
        reader.close()
        text = "".join(reader.seen)
    # Twice the length first, so that a body of megabytes costs nothing; blanks fold.
    line = " ".join(_CONTROL.sub(" ", _UNSEEN.sub("", text[: 2 * _LONGEST_TEXT])).split())
    return _AFTER_MARK.sub("", line)[:_LONGEST_TEXT]


class _Reader(HTMLParser):
    """Gathers what markup shows: no tags, nothing of scripts and styles, a blank where a block begins or ends."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a block, or something that is not shown."""
        del attrs
        self._hidden += tag in _NOT_SHOWN
        self._part(tag)

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        self._hidden = max(0, self._hidden - (tag in _NOT_SHOWN))
        self._part(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Hide nothing: there is nothing within."""
        del attrs
        self._part(tag)

    def handle_data(self, data: str) -> None:
        """Keep a text that is shown."""
        if not self._hidden:
            self.seen.append(data)

    def _part(self, tag: str) -> None:
        if not _INLINE.fullmatch(tag):
            self.seen.append(" ")
