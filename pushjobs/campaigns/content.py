"""What a campaign says: a recipe, read and checked when the campaign is made, from which each run's contents come.

A recipe without placeholders is one content for all. With them it is filled for each recipient from the audience's
columns, or once a run from the newest entry of a feed; never from both, for a feed's content is stored once and shared.
What can be known when a campaign is made is refused then; what a row or an entry brings is judged when it comes, by the
rules every message is judged by.

Refuses to: read a placeholder as anything but a name (`{a.b}` and `{a!r}` would look into things), put an empty text
where an entry lacks what is asked of it, repeat a text in a refusal.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pushjobs.campaigns.feeds import Entry, Feed, read_feed
from pushjobs.catalogue import Catalogue
from pushjobs.domain.message import (
    Content,
    KeywordFault,
    can_be_stored,
    read_content,
    read_page,
    read_texts,
)
from pushjobs.domain.template import Template
from pushjobs.domain.words import refusing
from pushjobs.errors import InvalidInput, InvalidMessage
from pushjobs.wechat.fields import SHORTENED, ValueType, keyword_fault, length, longest, shortened, value_type

__all__ = ["FEED_NAMES", "Fit", "Pattern", "Recipe", "Rules", "Text", "read_recipe", "rules_of"]

FEED_NAMES = ("title", "summary", "link", "author", "published")
"""The placeholders that a feed's entry fills; `published` is a local date and time, as the types time and date take."""

_NAMES = ("data", "page", "miniprogram_state", "lang", "feed", "shorten")
_TOKEN = re.compile(r"\{\{|\}\}|\{(\w{1,100})\}|[{}]")
_EMOJI = re.compile("[\u200d\u20e3\u2600-\u27bf\u2b00-\u2bff\ufe0f\U0001f000-\U0001faff\U000e0020-\U000e007f]+")
_BRACE_RULE = "a placeholder is {name}, of letters, digits and underscores; {{ and }} are braces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What contents are judged by: their template, None where the catalogue was never read, and the judge of texts."""

    template: Template | None
    keyword_fault: KeywordFault


def rules_of(template_id: str, catalogue: Catalogue) -> Rules:
    """Look up what a campaign's contents are judged by; raises UnknownTemplate, and InvalidInput for a mapped one."""
    if catalogue.translation(template_id) is not None:
        rule = "name the subscribe template: `pushjobs template mappings` lists it"
        raise InvalidInput("template_id", "is a legacy template's, mapped to another", rule)
    judge = refusing(catalogue.forbidden(template_id), keyword_fault)
    return Rules(template=catalogue.look_up(template_id), keyword_fault=judge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A text as it is written, with its placeholders' `names`; without any, `filling` is the text.

    With them, `filling` is a %-format of Python's, written here: what a user wrote has no part in it but its names.
    """

    path: str
    source: str = field(repr=False)
    filling: str = field(repr=False)
    literal: str = field(repr=False)
    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The text of one keyword, and the only values that the template allows it, where it lists them."""

    key: str
    pattern: Pattern
    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a text is brought into its keyword: as it is, or else cut, or else without its emoji."""

    judge: KeywordFault
    shortens: bool
    of_feed: bool

    def __call__(self, text: Text, value: str) -> str:
        """Return the text that keeps its rules; raises InvalidMessage."""
        fault = self.judge(text.key, value, text.allowed)
        if fault is None:
            return value
        for mend in (self._cut, self._without_emoji):
            value = mend(text.key, value)
            if (fault := self.judge(text.key, value, text.allowed)) is None:
                return value
        raise InvalidMessage(text.pattern.path, *fault)

    def _cut(self, key: str, value: str) -> str:
        return shortened(key, value, by_sense=self.of_feed) if self.shortens else value

    def _without_emoji(self, _: str, value: str) -> str:
        return " ".join(_EMOJI.sub("", value).split()) if self.of_feed else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a campaign's contents are made. `fixed` is the content itself where it is the same for all, else None.

    `columns` are the names that its placeholders ask of the audience: none with a feed, or where it is fixed.
    """

    fixed: Content | None
    columns: frozenset[str]
    feed: Feed | None
    frame: Content = field(repr=False)
    texts: tuple[Text, ...] = field(repr=False)
    page: tuple[Pattern, Pattern] | None = field(repr=False)
    fit: Fit = field(repr=False)
    zone: ZoneInfo
    path: str

    def personal(self, columns: Mapping[str, str]) -> Content | InvalidInput:
        """Return the content for one recipient, or why there is none: a column is missing, a text breaks a rule.

        In the page, what stands behind the ? is percent-encoded: a value is one value there, whatever it holds.
        """
        try:
            return self.filled(columns)
        except InvalidInput as refusal:
            return refusal

    def from_entry(self, entry: Entry) -> Content:
        """Return the content that an entry of the feed makes; raises InvalidInput where it breaks a rule."""
        values = {name: getattr(entry, name) for name in FEED_NAMES}
        if (at := entry.published) is not None:
            local = at.astimezone(self.zone)
            values["published"] = f"{local.year}年{local.month:02}月{local.day:02}日 {local:%H:%M}"
        return self.filled({name: value for name, value in values.items() if value})

    def as_record(self) -> dict[str, object]:
        """Return what `read_recipe` makes this recipe of, as plain values that JSON can carry."""
        feed = self.feed
        return {
            "data": {each.key: each.pattern.source for each in self.texts},
            "page": None if self.page is None else "".join(each.source for each in self.page),
            "miniprogram_state": self.frame.miniprogram_state.value,
            "lang": self.frame.lang.value,
            "feed": None if feed is None else {"url": feed.url, "skip_if_nothing_new": feed.skip_if_nothing_new},
            "shorten": self.fit.shortens,
        }

    def filled(self, values: Mapping[str, str]) -> Content:
        """Return the content with these values in the placeholders' places; raises InvalidInput."""
        try:
            return self._filled(values)
        except InvalidInput as refusal:
            raise _placed(self.path, refusal) from None

    def _filled(self, values: Mapping[str, str]) -> Content:
        data = []
        for text in self.texts:
            pattern = text.pattern
            value = self.fit(text, self._fill(pattern, values)) if pattern.names else pattern.filling
            data.append((text.key, value))
        frame = self.frame
        return Content(
            template_id=frame.template_id,
            data=tuple(data),
            page=self._filled_page(*self.page, values) if self.page else None,
            miniprogram_state=frame.miniprogram_state,
            lang=frame.lang,
        )

    def _filled_page(self, before: Pattern, query: Pattern, values: Mapping[str, str]) -> str | None:
        if not (before.names or query.names):
            return self.frame.page
        page = self._fill(before, values) if before.names else before.filling
        if query.names:
            encoded = {name: quote(values[name], "", errors="replace") for name in query.names if name in values}
            page += self._fill(query, encoded)
        else:
            page += query.filling
        return read_page({"page": page})

    def _fill(self, pattern: Pattern, values: Mapping[str, str]) -> str:
        try:
            value = pattern.filling % values
        except KeyError as missing:
            where = "the row" if self.feed is None else "the feed's newest entry"
            raise InvalidMessage(pattern.path, f"needs {missing.args[0]}", f"{where} has none") from None
        if not can_be_stored(value):
            raise InvalidMessage(pattern.path, "holds a NUL or half a surrogate pair", "give text that UTF-8 can write")
        return value


def read_recipe(definition: object, *, template_id: str, zone: ZoneInfo, rules: Rules, path: str = "content") -> Recipe:
    """Read what a campaign says; raises InvalidInput naming the place below `path` (`content.data.thing1`).

    `definition` has `data` (texts by keyword, or {"value": text}), `page`, `miniprogram_state` and `lang` as a message
    has them, `feed` ({"url": …, "skip_if_nothing_new": …}) and `shorten`: whether texts too long are cut, as a feed's
    are unless it says false. In `data` and `page`, {name} stands for a column of the audience, or with a feed for one
    of FEED_NAMES; {{ and }} for braces. `zone` is the campaign's, for a feed's dates.
    """
    if not isinstance(definition, Mapping):
        raise InvalidInput(path, f"is no object ({type(definition).__name__})", 'give {"data": {"thing1": "text"}}')
    if any(name not in _NAMES for name in definition):
        raise InvalidInput(path, "has a name that is none of its own", f"it has {', '.join(_NAMES)}")
    with _within(path):
        feed = None if definition.get("feed") is None else read_feed(definition["feed"], zone)
        fit = Fit(
            judge=rules.keyword_fault,
            shortens=_read_shorten(definition.get("shorten"), default=feed is not None),
            of_feed=feed is not None,
        )
        patterns = {key: _read_pattern(f"data.{key}", text) for key, text in read_texts(definition.get("data")).items()}
        page = _read_page(definition.get("page"))
        asked = {f"data.{key}": each.names for key, each in patterns.items()}
        asked["page"] = frozenset().union(*(each.names for each in page or ()))
        if feed is not None:
            _refuse_columns(asked)
        frame = _read_frame(definition, template_id, page, rules)
        texts = tuple(_settled(each, fit) for each in _texts(patterns, rules.template))
    columns = frozenset[str]().union(*asked.values())
    recipe = Recipe(
        fixed=None,
        columns=columns if feed is None else frozenset(),
        feed=feed,
        frame=frame,
        texts=texts,
        page=page,
        fit=fit,
        zone=zone,
        path=path,
    )
    return recipe if feed or columns else replace(recipe, fixed=recipe.filled({}))


def _read_shorten(value: object, *, default: bool) -> bool:
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidInput(
            "shorten", "is neither true nor false", "leave it out: a feed's texts are cut, others are not"
        )
    return value


def _read_pattern(path: str, source: str) -> Pattern:
    literal: list[str] = []
    filling: list[str] = []
    names: set[str] = set()
    at = 0
    for token in _TOKEN.finditer(source):
        before = source[at : token.start()]
        at = token.end()
        if name := token[1]:
            names.add(name)
            literal.append(before)
            filling.append(f"{before.replace('%', '%%')}%({name})s")
        elif token[0] in {"{{", "}}"}:
            literal.append(before + token[0][0])
            filling.append(before.replace("%", "%%") + token[0][0])
        else:
            raise InvalidMessage(path, "holds a brace that is no placeholder's", _BRACE_RULE)
    literal.append(source[at:])
    filling.append(source[at:].replace("%", "%%"))
    whole = "".join(literal)
    return Pattern(
        path=path, source=source, literal=whole, filling="".join(filling) if names else whole, names=frozenset(names)
    )


def _read_page(page: object) -> tuple[Pattern, Pattern] | None:
    """Read a page in two: up to its question mark, and from there on."""
    if not isinstance(page, str):
        return None  # none, or refused with the frame
    before, mark, query = page.partition("?")
    return _read_pattern("page", before), _read_pattern("page", mark + query)


def _refuse_columns(asked: Mapping[str, frozenset[str]]) -> None:
    for path, names in asked.items():
        if unknown := sorted(names - set(FEED_NAMES)):
            rule = f"a feed's entry has {', '.join(FEED_NAMES)}; columns of the audience do not go with a feed"
            raise InvalidMessage(path, f"asks a feed for {unknown[0]}", rule)


def _read_frame(
    definition: Mapping[str, object], template_id: str, page: tuple[Pattern, Pattern] | None, rules: Rules
) -> Content:
    """Read all but the texts and the page's values by the rules of any message; a placeholder is some letter in it."""
    known = {name: definition.get(name) for name in ("data", "miniprogram_state", "lang")}
    probe = (
        definition.get("page")
        if page is None
        else "".join(each.filling % _Letters() if each.names else each.filling for each in page)
    )
    return read_content(
        {**known, "template_id": template_id, "page": probe}, template=rules.template, keyword_fault=lambda *_: None
    )


class _Letters(dict[str, str]):
    """A value for any name."""

    def __missing__(self, name: str) -> str:
        return "x"


def _texts(patterns: Mapping[str, Pattern], template: Template | None) -> Iterator[Text]:
    allowed = {each.key: each.allowed for each in template.fields} if template else {}
    for key, pattern in sorted(patterns.items()):
        yield Text(key=key, pattern=pattern, allowed=allowed.get(key, ()))


def _settled(text: Text, fit: Fit) -> Text:
    """Fit a text without placeholders, once; of one with them, look at what will be there whatever fills it."""
    pattern = text.pattern
    if not pattern.names:
        return replace(text, pattern=replace(pattern, filling=fit(text, pattern.filling)))
    literal = pattern.literal
    most = longest(text.key, literal)
    if most is not None and length(literal) >= most and not text.allowed:
        fault = f"is {length(literal)} characters long before anything is filled in"
        raise InvalidMessage(pattern.path, fault, f"it has up to {most} with what is filled in")
    # Of a text that is free every part keeps the rule that the whole has to keep.
    is_free = (value_type(text.key) or ValueType.THING) in SHORTENED and not text.allowed
    if is_free and literal.strip() and (found := fit.judge(text.key, literal, ())):
        raise InvalidMessage(pattern.path, *found)
    return text


@contextmanager
def _within(path: str) -> Iterator[None]:
    """Name the place of a refusal from where the campaign's author sees it."""
    try:
        yield
    except InvalidInput as refusal:
        raise _placed(path, refusal) from None


def _placed(path: str, refusal: InvalidInput) -> InvalidInput:
    return type(refusal)(f"{path}.{refusal.field}", refusal.fault, refusal.rule)
