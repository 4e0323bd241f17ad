"""Faults on order: which of WeChat's calls go wrong, how, and how often.

Rules are tried in the order they were made, the first that fires wins. Chance is drawn from a generator seeded by the
rule's number, so that a run repeats. Control doors never fail.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pushjobs.sandbox.request import Request

__all__ = ["FaultKind", "Faults", "Rule", "read_rule"]


class FaultKind(StrEnum):
    """What a rule does to a call."""

    ERRCODE = "errcode"
    HTTP = "http"
    SLOW = "slow"
    DROP_BEFORE_READ = "drop_before_read"
    DROP_AFTER_READ = "drop_after_read"
    HALF_ANSWER = "half_answer"
    NOT_JSON = "not_json"
    EXPIRE_TOKENS = "expire_tokens"


_MATCHED = ("appid", "path", "template_id", "touser")


@dataclass(slots=True, kw_only=True)
class Rule:
    """One order: a call that `match` fits goes wrong as `kind` says, `times` times (None: always).

    `match` maps `appid`, `path`, `template_id`, `touser` to the values that fit; empty fits every call of WeChat.
    `probability`, from 0 to 1, is that with which such a call goes wrong. `errcode`, `status`, `seconds` are what the
    kind needs. `accepted` says whether a call whose answer is spoilt was carried out and counts.
    """

    kind: FaultKind
    match: Mapping[str, frozenset[str]] = field(default_factory=dict)
    times: int | None = None
    probability: float = 1.0
    errcode: int = -1
    status: int = 500
    seconds: float = 0.0
    accepted: bool = True
    id: int = 0
    fired: int = 0
    chance: random.Random = field(default_factory=random.Random, repr=False)

    def fires(self, request: Request, appid: str) -> bool:
        """Say whether this call goes wrong, and count it if so."""
        if self.times is not None and self.fired >= self.times:
            return False
        if self.match and not self._fits(request, appid):
            return False
        if self.probability < 1.0 and self.chance.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def _fits(self, request: Request, appid: str) -> bool:
        seen = {"appid": appid, "path": request.path}
        return all(str(seen.get(name) or request.message.get(name)) in values for name, values in self.match.items())

    def as_json(self) -> dict[str, Any]:
        """Return the rule with how often it has fired."""
        match = {name: sorted(values) for name, values in self.match.items()}
        return {"id": self.id, "kind": self.kind, "match": match, "times": self.times, "fired": self.fired}


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._made = 0

    def add(self, rule: Rule) -> None:
        """Put a rule behind those in force."""
        self._made += 1
        rule.id = self._made
        rule.chance.seed(rule.id)
        self.rules.append(rule)

    def pick(self, request: Request, appid: str) -> Rule | None:
        """Return the rule that spoils this call, if any."""
        return next((rule for rule in self.rules if rule.fires(request, appid)), None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FITS: dict[str, Callable[[Any], bool]] = {
    "times": lambda value: type(value) is int and value >= 0,
    "probability": lambda value: _is_number(value) and 0 <= value <= 1,
    "errcode": lambda value: type(value) is int and value != 0,
    "status": lambda value: type(value) is int and 200 <= value <= 599,  # noqa: PLR2004 - HTTP's own range
    "seconds": lambda value: _is_number(value) and value >= 0,
    "accepted": lambda value: type(value) is bool,
}


def read_rule(order: Mapping[str, Any]) -> Rule:
    """Read a rule from JSON; ValueError names what is wrong."""
    kind = FaultKind(order.get("kind", ""))
    given = {name: value for name, value in order.items() if name not in {"kind", "match"} and value is not None}
    for name, value in given.items():
        if name not in _FITS or not _FITS[name](value):
            raise ValueError(f"a fault cannot have {name} = {value!r}")
    # A server that answers with an error has usually done nothing; one that loses its answer has.
    defaults = {"accepted": kind is not FaultKind.HTTP}
    return Rule(kind=kind, match=_read_match(order.get("match") or {}), **{**defaults, **given})


def _read_match(match: object) -> dict[str, frozenset[str]]:
    if not isinstance(match, dict) or not set(match) <= set(_MATCHED):
        raise ValueError(f"match takes {', '.join(_MATCHED)}")
    read = {name: frozenset([values] if isinstance(values, str) else values) for name, values in match.items()}
    if not all(isinstance(value, str) for values in read.values() for value in values):
        raise ValueError("match takes strings and lists of strings")
    return read
