"""The value types of a template's keywords, as one table of rules; the key's prefix is the type (`thing1`).

The sandbox judges a send by the same table, so that a message refused there is refused at our door already. Where
WeChat's page leaves room, the rule takes the stricter reading: a value refused here is a mistake its author sees at
once, a value refused by WeChat (47003) is one found out when it should have gone. A fault never repeats the value.

Limits: developers.weixin.qq.com/miniprogram/dev/server/API/mp-message-management/subscribe-message/api_sendmessage.html
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

__all__ = ["SHORTENED", "ValueType", "fault", "keyword_fault", "length", "longest", "rule", "shortened", "value_type"]


class ValueType(StrEnum):
    """What kind of text a keyword takes."""

    THING = "thing"
    NUMBER = "number"
    LETTER = "letter"
    SYMBOL = "symbol"
    CHARACTER_STRING = "character_string"
    TIME = "time"
    DATE = "date"
    AMOUNT = "amount"
    PHONE_NUMBER = "phone_number"
    CAR_NUMBER = "car_number"
    NAME = "name"
    PHRASE = "phrase"
    ENUM = "enum"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What a value must keep: its length in UTF-16 units, no control characters, its shape, and all of it in words."""

    words: str
    longest: int | None = None
    longest_with_chinese: int | None = None
    one_line: bool = True
    shape: re.Pattern[str] | None = None


_CHINESE = r"\u4e00-\u9fff"
_ANY_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")

_YEAR, _MONTH, _DAY = "[0-9]{4}", "(?:1[0-2]|0?[1-9])", "(?:3[01]|[12][0-9]|0?[1-9])"
_DATE = "|".join(
    [
        f"{_YEAR}年{_MONTH}月(?:{_DAY}日)?",
        f"{_MONTH}月{_DAY}日",
        *(f"{_YEAR}{mark}{_MONTH}(?:{mark}{_DAY})?|{_MONTH}{mark}{_DAY}" for mark in ("-", "/", r"\.")),
    ]
)
_CLOCK = "(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"


def _range_of(one: str) -> re.Pattern[str]:
    return re.compile(f"(?:{one})(?:~(?:{one}))?")


_RULES = MappingProxyType(
    {
        ValueType.THING: _Rule(words="a thing has 1 to 20 characters", longest=20),
        ValueType.NUMBER: _Rule(
            words="a number has 1 to 32 digits, with at most one decimal point and no sign",
            longest=32,
            shape=re.compile(r"[0-9]+(?:\.[0-9]+)?"),
        ),
        ValueType.LETTER: _Rule(
            words="a letter value has 1 to 32 letters from A to Z", longest=32, shape=re.compile("[A-Za-z]+")
        ),
        ValueType.SYMBOL: _Rule(
            words="a symbol value has 1 to 5 symbols: no letters, digits, Chinese or spaces",
            longest=5,
            shape=re.compile(r"(?:[^\w\s]|_)+"),
        ),
        ValueType.CHARACTER_STRING: _Rule(
            words="a character_string has 1 to 32 letters, digits or symbols: no Chinese and no spaces",
            longest=32,
            shape=re.compile(r"[\x21-\x7e]+"),
        ),
        ValueType.TIME: _Rule(
            words="a time is 24-hour HH:MM or HH:MM:SS, a date in front allowed, or two of them joined by ~ "
            "(15:01, 2019年10月1日 15:01)",
            shape=_range_of(f"(?:(?:{_DATE}) )?{_CLOCK}"),
        ),
        ValueType.DATE: _Rule(
            words="a date is year, month and day, a 24-hour time behind allowed, or two of them joined by ~ "
            "(2019年10月1日, 2019-10-01 15:01)",
            shape=_range_of(f"(?:{_DATE})(?: {_CLOCK})?"),
        ),
        # "Up to 10 digits, decimals allowed": the page gives the decimals no limit of their own, we take the same 10.
        ValueType.AMOUNT: _Rule(
            words="an amount is up to 10 digits, decimals allowed, with at most one currency symbol in front and "
            "元 at the end (¥100.50, 100元)",
            shape=re.compile(r"[^\w\s]?[0-9]{1,10}(?:\.[0-9]{1,10})?元?"),
        ),
        ValueType.PHONE_NUMBER: _Rule(
            words="a phone_number has 1 to 17 digits, spaces and marks of + - ( )",
            longest=17,
            shape=re.compile(r"[0-9+\-() ]+"),
        ),
        ValueType.CAR_NUMBER: _Rule(
            words="a car_number has 1 to 8 letters and digits; the first and the last may be Chinese",
            longest=8,
            shape=re.compile(f"[A-Za-z0-9{_CHINESE}](?:[A-Za-z0-9]*[A-Za-z0-9{_CHINESE}])?"),
        ),
        ValueType.NAME: _Rule(
            words="a name has 1 to 10 characters, or up to 20 without Chinese", longest=20, longest_with_chinese=10
        ),
        ValueType.PHRASE: _Rule(
            words="a phrase has 1 to 5 Chinese characters", longest=5, shape=re.compile(f"[{_CHINESE}]+")
        ),
        # For an app whose templates were never synced: the values are not known. No page gives a length; 200 is ours.
        ValueType.ENUM: _Rule(words="an enum value has 1 to 200 characters", longest=200),
    }
)

# keyword1, keyword2 … carry no type, and no page gives their texts a length; 200 is ours.
_LEGACY = _Rule(words="a legacy keyword has 1 to 200 characters", longest=200, one_line=False)
_LEGACY_KEY = re.compile("keyword[0-9]+")

_KEY = re.compile("([a-z_]+)[0-9]+")
# The page's table says "enum"; the keys it hands out in its own samples read enum_string2.
_PREFIXES = MappingProxyType({**{kind.value: kind for kind in ValueType}, "enum_string": ValueType.ENUM})

# Control characters, lone surrogates, line and paragraph separators. Format characters stay: emoji are joined by them.
_NOT_PRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

SHORTENED = frozenset({ValueType.THING, ValueType.NAME})
"""The types whose texts are free: cut short they still say the same, only less of it."""

_ELLIPSIS = "…"
_LOOSE_ENDS = " ,.:;-，。、：；·"
_SENTENCE_END = re.compile(r"[。！？!?；;]+[”’」』）)]*|\.(?= )")
# Not the marks within 10,000 and 08:30.
_PHRASE_END = re.compile(r"(?:[ ，、：—]|[,:](?![0-9]))+|[”’」』）)》】\]]+")
_WORD = re.compile("[^\\W\u3400-\u9fff]")
# 10,000 and 08:30 are words too: half of either says something else.
_WORD_END = re.compile(f"(?:{_WORD.pattern}|(?<=[0-9])[.,:])+$")
_WORD_ON = re.compile(f"{_WORD.pattern}|(?<=[0-9])[.,:][0-9]")
_MARKS = frozenset({"Mn", "Me", "Mc"})
_JOINER = "\u200d"
_SKIN_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_FLAG_END = re.compile("[\U0001f1e6-\U0001f1ff]+$")


def value_type(key: str) -> ValueType | None:
    """Read the type in a keyword's key: `thing1` is a thing; None for a prefix WeChat's table does not have."""
    match = _KEY.fullmatch(key)
    return _PREFIXES.get(match[1]) if match else None


def rule(kind: ValueType) -> str:
    """Say in words what a type allows."""
    return _RULES[kind].words


def length(value: str) -> int:
    """Count UTF-16 units, the stricter reading of WeChat's "characters": an emoji is two."""
    return len(value.encode("utf-16-le", "surrogatepass")) // 2


def fault(kind: ValueType, value: str, allowed: Sequence[str] = ()) -> tuple[str, str] | None:
    """Say what is wrong with a value and what its type allows, or None if it fits.

    `allowed` are the only values of an enum keyword; empty where the catalogue has none.
    """
    if kind is ValueType.ENUM and allowed:
        return None if value in allowed else ("is not one of the template's values", f"use one of {', '.join(allowed)}")
    return _fault(_RULES[kind], value)


def keyword_fault(key: str, value: str, allowed: Sequence[str] = ()) -> tuple[str, str] | None:
    """Say what is wrong with the value of a key, or None if it fits.

    A keyword for which the template lists values takes only those, whatever its prefix. An unknown prefix is judged as
    a thing: types have been added before. A legacy `keyword1` takes any text up to 200 characters.
    """
    return fault(ValueType.ENUM, value, allowed) if allowed else _fault(_rule_of(key), value)


@lru_cache(maxsize=1024)
def _rule_of(key: str) -> _Rule:
    """Return the rule for a key's values; the same few keys come again and again."""
    return _LEGACY if _LEGACY_KEY.fullmatch(key) else _RULES[value_type(key) or ValueType.THING]


def longest(key: str, value: str) -> int | None:
    """Return how many UTF-16 units the type of a key holds of such a value, None without a limit."""
    return _longest(_rule_of(key), value)


def shortened(key: str, value: str, *, by_sense: bool = False) -> str:
    """Bring a text onto one line and down to what its key's type holds, with … where something was cut off.

    Only where a text is free: half an order number, date or amount would be a wrong one. Cut between what people see as
    characters, and not within a word of letters and digits where a good part would stay without it; `by_sense` at the
    end of a sentence, else of a phrase, where one lies in the last third.
    """
    kind = value_type(key) or ValueType.THING
    if kind not in SHORTENED or _LEGACY_KEY.fullmatch(key):
        return value
    line = " ".join(_NOT_PRINTED.sub(" ", value).split()) if _NOT_PRINTED.search(value) else value
    most = _longest(_RULES[kind], line)
    if most is None or length(line) <= most:
        return line
    return _cut(line, most - length(_ELLIPSIS), by_sense=by_sense) + _ELLIPSIS


def _cut(line: str, room: int, *, by_sense: bool) -> str:
    end = room
    while length(line[:end]) > room or (end and not _may_part(line, end)):
        end -= 1
    word = _WORD_END.search(line, 0, end)
    if by_sense and (sense := _sense_end(line, end)):
        end = sense
    elif word and _WORD_ON.match(line, end) and 2 * word.start() >= end:
        end = word.start()
    return line[:end].rstrip(_LOOSE_ENDS) or line[:end]


def _sense_end(line: str, end: int) -> int:
    """Find where the last sentence ends in the last third of what may stay, else the last phrase; 0 for nowhere."""
    first = end - end // 3
    for boundary in (_SENTENCE_END, _PHRASE_END):
        # A mark that is left off itself may lie right behind what may stay.
        found = boundary.finditer(line, max(0, first - 1), end + 1)
        ends = [each.end() if each.end() <= end else each.start() for each in found]
        if whole := [at for at in ends if first <= at and _may_part(line, at)]:
            return whole[-1]
    return 0


def _may_part(line: str, at: int) -> bool:
    """Say whether a cut leaves both sides whole: no accent, joiner, skin tone or half of a flag goes astray."""
    before, after = line[at - 1], line[at]
    if unicodedata.category(after) in _MARKS or after in _SKIN_TONES or _JOINER in {before, after}:
        return False
    flag = _FLAG_END.search(line, 0, at)
    return flag is None or len(flag[0]) % 2 == 0


def _longest(rule: _Rule, value: str) -> int | None:
    if rule.longest_with_chinese is not None and _ANY_CHINESE.search(value):
        return rule.longest_with_chinese
    return rule.longest


def _fault(rule: _Rule, value: str) -> tuple[str, str] | None:
    most = _longest(rule, value)
    if not value.strip():
        return "is empty", rule.words
    # What Python calls printable has none of these: asked first, because nearly every text is.
    if rule.one_line and not value.isprintable() and _NOT_PRINTED.search(value):
        return "holds a line break or another control character", rule.words
    if most is not None and 2 * len(value) > most and length(value) > most:
        return f"is {length(value)} characters long", rule.words
    if rule.shape is not None and not rule.shape.fullmatch(value):
        return "does not have its type's form", rule.words
    return None
