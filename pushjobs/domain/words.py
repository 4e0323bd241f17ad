"""Words that messages must not hold: an app's own list, looked through at the door without asking anybody.

Compared as a reader would see them: without regard to case, and to the full, half and compatible forms of a character.
A word is found inside another one too, for Chinese writes no spaces; what is spelt apart is not found.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from pushjobs.domain.message import KeywordFault
from pushjobs.errors import InvalidInput

__all__ = ["MOST_WORDS", "folded", "read_words", "refusing"]

MOST_WORDS = 1000
"""For one template, and for all of an app's together."""

_LONGEST_WORD = 50
_FOUND = ("holds a forbidden word", "`pushjobs template words` lists those of the template and of the app")


def read_words(words: Iterable[str]) -> tuple[str, ...]:
    """Read a list of words, folded and each once; raises InvalidInput."""
    if isinstance(words, str) or not isinstance(words, Iterable):
        raise InvalidInput("words", f"are no list ({type(words).__name__})", "give each word for itself")
    read = {_read_word(each) for each in words}
    if not 0 < len(read) <= MOST_WORDS:
        raise InvalidInput("words", f"are {len(read):,}", f"give 1 to {MOST_WORDS:,} at once")
    return tuple(sorted(read))


def folded(text: str) -> str:
    """Return a text with what makes no difference to a reader taken out."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def refusing(words: frozenset[str], judge: KeywordFault) -> KeywordFault:
    """Return a judge of texts that also refuses those which hold one of these folded words; it does not say which."""
    if not words:
        return judge
    pattern = _pattern(words)

    def judge_words_too(key: str, text: str, allowed: Sequence[str]) -> tuple[str, str] | None:
        fault = judge(key, text, allowed)
        return _FOUND if fault is None and pattern.search(folded(text)) else fault

    return judge_words_too


@lru_cache(maxsize=64)
def _pattern(words: frozenset[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word) for word in sorted(words)))


def _read_word(word: object) -> str:
    read = folded(word).strip() if isinstance(word, str) else ""
    if not read.isprintable() or not 0 < len(read) <= _LONGEST_WORD:
        raise InvalidInput("words", "hold what is no word", f"a word has 1 to {_LONGEST_WORD} printable characters")
    return read
