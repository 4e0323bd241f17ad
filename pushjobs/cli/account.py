"""What became of everything the demo planned, counted at the receiver and not in our own records.

A message is known by what it says and to whom. Every planned message either arrives once, not before its time, or was
refused at the door, or was cancelled and never arrives; whatever else is found makes the account wrong.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pushjobs.sandbox.client import ReceivedSend
from pushjobs.wechat.errcodes import meaning

__all__ = ["Account", "Fingerprint", "Plan", "fingerprint", "percentile"]


class Fingerprint(NamedTuple):
    """What tells one message from every other: recipient, template, and the texts by keyword."""

    touser: str
    template_id: str
    texts: tuple[tuple[str, str], ...]


@dataclass(slots=True, kw_only=True)
class Plan:
    """What should happen: messages with their times, those taken back, and why the door refused others, a row each."""

    times: dict[Fingerprint, datetime]
    cancelled: set[Fingerprint]
    refused: Sequence[str]

    @property
    def size(self) -> int:
        """Everything that was asked for."""
        return len(self.times) + len(self.cancelled) + len(self.refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What did happen. `refused` counts the door's refusals and WeChat's by their reasons; `lateness`: seconds, sorted.

    Whatever the gates in between hold back never arrives: it is missing here, and nothing in this account excuses it.
    """

    planned: int
    sent: int
    reasons: Mapping[str, int]
    cancelled: int
    repeats: int
    lateness: Sequence[float]

    @classmethod
    def of(cls, plan: Plan, received: Iterable[ReceivedSend]) -> "Account":
        """Compare a plan with what arrived."""
        first: dict[Fingerprint, float] = {}
        accepted: dict[Fingerprint, int] = {}
        last: dict[Fingerprint, int | None] = {}
        for send in received:
            message = fingerprint(send.body)
            first.setdefault(message, send.arrived_at)
            accepted[message] = accepted.get(message, 0) + (send.errcode == 0)
            last[message] = send.errcode
        arrived = plan.times.keys() & first.keys()
        return cls(
            planned=plan.size,
            sent=sum(accepted[message] > 0 for message in arrived),
            reasons=Counter(plan.refused)
            + Counter(_code(last[message]) for message in arrived if not accepted[message]),
            cancelled=len(plan.cancelled - first.keys()),
            repeats=sum(count - 1 for count in accepted.values() if count > 1),
            lateness=sorted(first[message] - plan.times[message].timestamp() for message in arrived),
        )

    @property
    def refused(self) -> int:
        """How many were refused, for whatever reason."""
        return sum(self.reasons.values())

    @property
    def early(self) -> int:
        """How many arrived before their time."""
        return sum(late < 0 for late in self.lateness)

    @property
    def is_complete(self) -> bool:
        """Whether everything is accounted for: each once, none early, none missing."""
        return self.planned == self.sent + self.refused + self.cancelled and not self.repeats and not self.early


def _code(errcode: int | None) -> str:
    return "WeChat gave no answer" if errcode is None else f"WeChat answered {errcode}: {meaning(errcode)}"


def fingerprint(message: Mapping[str, Any]) -> Fingerprint:
    """Tell a message by what it says, written as {"thing1": "text"} or as {"thing1": {"value": "text"}}."""
    texts = {key: value["value"] if isinstance(value, dict) else value for key, value in message["data"].items()}
    return Fingerprint(message["touser"], message["template_id"], tuple(sorted(texts.items())))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the sorted values that at least this share of them does not exceed."""
    return values[max(0, math.ceil(share * len(values)) - 1)]
