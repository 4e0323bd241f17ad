"""Messages of the generation before 2020, said again in a subscribe template of today.

WeChat withdrew template messages; programs that still ask for them go on working where their template is mapped to one
of today's: `keyword1` becomes `thing1`, and so on. A fault names the keyword the caller wrote, not the one it became.

Refuses to lose a text in silence: a keyword the mapping does not name is a fault, one that is to be left out is mapped
to nothing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pushjobs.domain.message import KeywordFault, read_texts
from pushjobs.domain.template import Template
from pushjobs.errors import InvalidInput, InvalidMessage, gathered

__all__ = ["Shorten", "Translated", "Translation", "read_translation", "translate"]

Shorten = Callable[[str, str], str]
"""Makes a text fit the type of its key, as far as that is a matter of length: (key, text) → text."""

_NOT_CARRIED_OVER = frozenset({"form_id", "form_id_kind", "emphasis_keyword"})
_LEGACY_KEY = re.compile("keyword[0-9]{1,3}")
_SUBSCRIBE_KEY = re.compile("[a-z_]{1,60}[0-9]{1,4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """How messages of a legacy template become messages of the subscribe template `template_id`.

    `keywords`: each legacy key with the key that takes its text, None where it is left out. `shortens`: a text too long
    for its key is shortened, where its type allows that.
    """

    template_id: str
    keywords: tuple[tuple[str, str | None], ...]
    shortens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """The arguments of the subscribe message, and what is wrong with the legacy ones: with a fault they are no use."""

    arguments: Mapping[str, object]
    faults: list[InvalidInput]


def translate(
    arguments: Mapping[str, object],
    translation: Translation,
    *,
    template: Template | None,
    keyword_fault: KeywordFault,
    shorten: Shorten,
) -> Translated:
    """Translate a legacy message's arguments. Form id and emphasis are left behind: what has consent needs no form id.

    `template` is the subscribe template, None where the catalogue was never read.
    """
    faults: list[InvalidInput] = []
    given: dict[str, str] = {}
    with gathered(faults):
        given = read_texts(arguments.get("data"))
    if template is not None and {each.key for each in template.fields} != set(_targets(translation)):
        rule = "map it anew: `pushjobs template map`"
        faults.append(InvalidMessage("template_id", "is mapped to a template that has other keywords now", rule))
    texts: dict[str, str] = {}
    if not faults:
        faults += _unmapped(given, translation)
        allowed = {each.key: each.allowed for each in template.fields} if template else {}
        for key, target in _pairs(translation):
            if key not in given:
                rule = f"the template's mapping needs it for {target}"
                faults.append(InvalidMessage(f"data.{key}", "is missing", rule))
                continue
            text = shorten(target, given[key]) if translation.shortens else given[key]
            if fault := keyword_fault(target, text, allowed.get(target, ())):
                faults.append(InvalidMessage(f"data.{key}", *fault))
            texts[target] = text
    kept = {name: arguments[name] for name in arguments if name not in _NOT_CARRIED_OVER}
    return Translated(arguments=kept | {"template_id": translation.template_id, "data": texts}, faults=faults)


def read_translation(
    template_id: str, keywords: object, *, template: Template | None, shortens: object = False
) -> Translation:
    """Read how a legacy template's keywords become those of the subscribe template; raises InvalidInput.

    `keywords` maps legacy keys to the keys of the subscribe template, each of which must be filled, and by one; to None
    or "" where a text is to be left out.
    """
    if not isinstance(shortens, bool):
        raise InvalidInput("shorten", "is neither true nor false", "leave it out to have long texts refused")
    if not isinstance(keywords, Mapping) or not keywords:
        raise InvalidInput("keywords", "name no keyword", 'give what becomes of each, such as {"keyword1": "thing1"}')
    pairs: dict[str, str | None] = {}
    for number, (written, target) in enumerate(keywords.items(), start=1):
        key = written.removesuffix(".DATA") if isinstance(written, str) else ""
        if not _LEGACY_KEY.fullmatch(key):
            raise InvalidInput("keywords", f"hold no legacy keyword (number {number})", "write keyword1, keyword2 …")
        if key in pairs:
            raise InvalidInput(f"keywords.{key}", "is given twice", "give it once, without .DATA")
        pairs[key] = _target(key, target, template)
    translation = Translation(
        template_id=template_id, keywords=tuple(sorted(pairs.items(), key=_number)), shortens=shortens
    )
    _refuse_gaps(translation, template)
    return translation


def _target(key: str, target: object, template: Template | None) -> str | None:
    if target is None or target == "":
        return None
    known = [each.key for each in template.fields] if template else []
    read = target.removesuffix(".DATA") if isinstance(target, str) else ""
    if not _SUBSCRIBE_KEY.fullmatch(read) or _LEGACY_KEY.fullmatch(read):
        raise InvalidInput(f"keywords.{key}", "becomes no keyword of a subscribe template", "write thing1, date2 …")
    if template is not None and read not in known:
        raise InvalidInput(f"keywords.{key}", "becomes a keyword the template lacks", f"it has {', '.join(known)}")
    return read


def _refuse_gaps(translation: Translation, template: Template | None) -> None:
    targets = _targets(translation)
    if not targets:
        raise InvalidInput("keywords", "leave everything out", "map at least one keyword")
    for target in targets:
        if targets.count(target) > 1:
            raise InvalidInput(
                "keywords", f"fill {target} twice", "map one keyword to it, the other to another or to none"
            )
    for key in [each.key for each in template.fields] if template else []:
        if key not in targets:
            raise InvalidInput("keywords", f"leave {key} empty", "WeChat needs every keyword of the template")


def _pairs(translation: Translation) -> list[tuple[str, str]]:
    return [(key, target) for key, target in translation.keywords if target is not None]


def _targets(translation: Translation) -> list[str]:
    return [target for _, target in _pairs(translation)]


def _unmapped(given: Mapping[str, str], translation: Translation) -> list[InvalidMessage]:
    known = dict(translation.keywords)
    rule = "map it to a keyword, or to none: `pushjobs template map`"
    return [
        InvalidMessage(f"data.{key}", "is not in the template's mapping", rule) for key in given if key not in known
    ]


def _number(pair: tuple[str, str | None]) -> int:
    return int(pair[0].removeprefix("keyword"))
