"""What the console says: the same in both languages, all of it in the tables, and nothing in them that is not said."""

import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from jinja2 import Environment

from pushjobs.concerns import SAID_OTHERWISE, ConcernKind, Level
from pushjobs.domain.alert import AlertKind
from pushjobs.domain.campaign import Missed, RunReason, RunState
from pushjobs.domain.consent import ConsentPolicy
from pushjobs.domain.content_check import CheckPolicy, ContentCheck
from pushjobs.domain.job import DoubtPolicy, JobState, Lane, OnQuota, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.pause import PauseReason
from pushjobs.domain.rule import Rule
from pushjobs.domain.template import TemplateKind
from pushjobs.http.console import words
from pushjobs.http.console.pages import PAGES
from pushjobs.http.console.rendering import TEMPLATES
from pushjobs.http.console.words import LANGUAGES, Words, choose
from pushjobs.inspection import QuotaSource
from pushjobs.operations import Act
from pushjobs.schedule import HoldKind

ROOM = Path(words.__file__).parents[1]
TEXTS = sorted(TEMPLATES.glob("*.html"))
OF_WORDS = {
    "state": JobState,
    "lane": Lane,
    "reason": Reason,
    "rule": Rule,
    "step": Transition,
    "act": Act,
    "notice": Act,
    "concern_do": (kind for kind in ConcernKind if kind not in {ConcernKind.PAUSED, ConcernKind.ALERT}),
    "alert": (kind for kind in AlertKind if kind not in SAID_OTHERWISE),
    "level": Level,
    "pause": PauseReason,
    "hold": (kind for kind in HoldKind if kind is not HoldKind.PAUSE),
    "run_state": RunState,
    "run_reason": RunReason,
    "on_quota": OnQuota,
    "missed": Missed,
    "consent": ConsentPolicy,
    "doubt": DoubtPolicy,
    "check": ContentCheck,
    "check_policy": CheckPolicy,
    "kind": TemplateKind,
    "source": QuotaSource,
}
"""Words of ours that pages look up by their values."""

# Names of things, the same in any language, and what is to be typed as it stands.
NO_LANGUAGE = {"pushjobs", "pushjobs client add NAME --scope operate"}


def figures(text: str) -> set[str]:
    """Return the names of a text's figures."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_say_the_same() -> None:
    """The tables have the same keys, each with the same figures; a text with a bar is of a number."""
    english, chinese = LANGUAGES["en"], LANGUAGES["zh"]
    assert set(english) == set(chinese)
    for key, text in english.items():
        assert figures(text) == figures(chinese[key]), key
        for each in (text, chinese[key]):
            assert each.strip() == each != "", key
            assert each.count("|") <= 1, key
            assert "|" not in each or "{count}" in each, key


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_templates_have_no_words_of_their_own(path: Path) -> None:
    """What a page says comes from the tables: between a template's tags, and in what is read out, no letter stands."""
    text = path.read_text(encoding="utf-8")
    bare = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", " ", text, flags=re.DOTALL)
    between = [each.strip() for each in re.sub(r"<[^>]*>", "\n", bare).splitlines()]
    said = [each for each in between if re.search(r"[^\W\d_]", each)]
    spoken = re.findall(r"(?:title|placeholder|alt|aria-label)=\"([^\"]*[^\W\d_][^\"]*)\"", bare)
    assert not {*said, *spoken} - NO_LANGUAGE - {"· pushjobs"}


def keys_said() -> Iterator[str]:
    """Return the keys that templates and views name, and those that are made of words of ours."""
    sources = [*TEXTS, *(path for path in ROOM.rglob("*.py") if "words" not in path.parts)]
    for path in sources:
        yield from re.findall(r"\"((?:[a-z_]+\.)[a-z_]+)\"", path.read_text(encoding="utf-8"))
        yield from re.findall(r"'((?:[a-z_]+\.)[a-z_]+)'", path.read_text(encoding="utf-8"))


def families_said() -> set[str]:
    """Return the beginnings of keys that a word of ours is put behind."""
    found = set()
    for path in [*TEXTS, *(path for path in ROOM.rglob("*.py") if "words" not in path.parts)]:
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"[\"']([a-z_]+\.(?:[a-z]+_)?)[\"'] ~", text))
        found |= {f"{name}." for name in re.findall(r"\.of\(\"([a-z_]+)\"", text)}
        found |= set(re.findall(r"f\"([a-z_]+\.(?:[a-z]+_)?){", text))
    return found


def test_every_text_is_said_somewhere() -> None:
    """No table keeps what no page says any more."""
    families = tuple(families_said() | {"step.", "span.", "entry."})
    unsaid = set(LANGUAGES["en"]) - set(keys_said())
    assert sorted(key for key in unsaid if not key.startswith(families)) == []


def test_every_key_that_is_named_has_its_text() -> None:
    """What a page would say is there: keys in templates and views, entries, and all words of ours."""
    known = set(LANGUAGES["en"])
    roots = {key.partition(".")[0] for key in known}
    named = {key for key in keys_said() if key.partition(".")[0] in roots and not key.endswith((".html", ".js", "_"))}
    assert sorted(named - known) == []
    made = {f"{family}.{word}" for family, enum in OF_WORDS.items() for word in enum}
    made |= {f"entry.{page.entry}" for page in PAGES if page.entry}
    assert sorted(made - known) == []


def test_templates_can_be_read() -> None:
    """Each template is one: a fault in a page nobody opens would stay."""
    for path in TEXTS:
        Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "fr-FR, en;q=0.2, zh;q=0.7", "zh"),
        (None, "fr", "en"),
        (None, "zh;q=0, en", "en"),
        (None, "zh;q=much, en", "en"),
        ("en", "zh-CN", "en"),
        ("fr", "zh-TW", "zh"),
    ],
)
def test_the_language_is_what_was_chosen_or_what_the_browser_likes_best(
    chosen: str | None, accepted: str, language: str
) -> None:
    """A language that was chosen counts; then the browser's order, as far as it is spoken here; then English."""
    assert choose(chosen, accepted) == Words(language=language)


def test_one_is_not_many() -> None:
    """A number's text has a form for one in English, and numbers are written with separators."""
    english, chinese = Words(language="en"), Words(language="zh")
    assert [english("span.days", count=count) for count in (1, 2, 1200)] == ["1 day", "2 days", "1,200 days"]
    assert chinese("span.days", count=1200) == "1,200 天"
