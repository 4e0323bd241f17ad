"""What the console says, in two languages: a table each, in parts as large as a page. Nothing is said elsewhere.

A text is found by its key and filled with figures: `{jobs}`. Where it has a bar, what is before it is for one and what
is behind it for any other number of the figure named `count`. Whole numbers are written with separators; what is no
quantity (a job's number) is given as a text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pushjobs.http.console.words import en, zh

__all__ = ["LANGUAGES", "Words", "choose"]

LANGUAGES: Final[Mapping[str, Mapping[str, str]]] = {"en": en.WORDS, "zh": zh.WORDS}
"""Each language's texts by key; both have the same keys, with the same figures in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The texts of one language."""

    language: str

    @property
    def tag(self) -> str:
        """The language as HTML names it."""
        return "zh-CN" if self.language == "zh" else "en"

    def __call__(self, key: str, **figures: object) -> str:
        """Return a text with its figures; raises KeyError where there is none of that key."""
        text = LANGUAGES[self.language][key]
        if "|" in text:
            one, many = text.split("|")
            text = one if figures.get("count") == 1 else many
        return text.format(**{name: _written(value) for name, value in figures.items()})

    def knows(self, key: str) -> bool:
        """Whether there is a text of that key."""
        return key in LANGUAGES[self.language]

    def of(self, family: str, word: object, default: str | None = None) -> str:
        """Return the text for one of our words, such as a state; for one that has none, the word itself."""
        key = f"{family}.{word}"
        return self(key) if self.knows(key) else str(word) if default is None else default


def choose(chosen: str | None, accepted: str) -> Words:
    """Return the words of the language that was chosen before, or else the first that a browser accepts and is here."""
    if chosen is not None and chosen in LANGUAGES:
        return Words(language=chosen)
    for tag in _by_preference(accepted):
        if (language := tag.partition("-")[0].lower()) in LANGUAGES:
            return Words(language=language)
    return Words(language="en")


def _by_preference(accepted: str) -> Sequence[str]:
    """Return the tags of an Accept-Language, the best first; one that is not wanted is left out."""
    weighed = []
    for each in accepted[:200].split(","):
        tag, _, quality = each.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if weight > 0:
            weighed.append((-weight, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda one: one[0])]


def _written(value: object) -> object:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
