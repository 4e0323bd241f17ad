"""What became of everything the demo planned, counted at the receiver and not in our own records.

A message is known by what it says and to whom. Every planned message either arrives once, not before its time, or was
refused at the door, or was cancelled and never arrives. Our own records are asked about one thing only: which messages
that never arrived were held back because their user's day was full. Whatever else is found makes the account wrong.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pushjobs.domain.job import OnQuota
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
    """What should happen: messages with their times, those taken back, and why the door refused others, a row each.

    `daily_quota`: how many a user may get a day, the rest is held back; `references`: what our records call a message.
    """

    times: dict[Fingerprint, datetime]
    cancelled: set[Fingerprint]
    refused: Sequence[str]
    daily_quota: int
    references: Mapping[str, Fingerprint]

    @property
    def size(self) -> int:
        """Everything that was asked for."""
        return len(self.times) + len(self.cancelled) + len(self.refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What did happen. `refused` and `deferred` count by reason, WeChat's refusals included.

    `most_to_one`: the messages of the user who got most; `lateness`: seconds, sorted.
    """

    planned: int
    sent: int
    refused: Mapping[str, int]
    deferred: Mapping[str, int]
    cancelled: int
    repeats: int
    most_to_one: int
    daily_quota: int
    lateness: Sequence[float]

    @classmethod
    def of(cls, plan: Plan, received: Iterable[ReceivedSend], over_quota: Mapping[str, OnQuota]) -> "Account":
        """Compare a plan with what arrived; `over_quota`: the references our records say were held back, and how."""
        first: dict[Fingerprint, float] = {}
        accepted: Counter[Fingerprint] = Counter()
        last: dict[Fingerprint, int | None] = {}
        for send in received:
            message = fingerprint(send.body)
            first.setdefault(message, send.arrived_at)
            accepted[message] += send.errcode == 0
            last[message] = send.errcode
        arrived = plan.times.keys() & first.keys()
        absent = plan.times.keys() - arrived
        held = Counter(how for reference, how in over_quota.items() if plan.references[reference] in absent)
        users: Counter[str] = Counter()
        for message, count in accepted.items():
            users[message.touser] += count
        full = f"the user has had {plan.daily_quota} today"
        return cls(
            planned=plan.size,
            sent=sum(accepted[message] > 0 for message in arrived),
            refused=Counter(plan.refused)
            + Counter(_code(last[message]) for message in arrived if not accepted[message])
            + Counter({f"daily quota: {full} (on_quota refuse)": held[OnQuota.REFUSE]}),
            deferred=+Counter({f"daily quota: {full}; goes on tomorrow (on_quota defer)": held[OnQuota.DEFER]}),
            cancelled=len(plan.cancelled - first.keys()),
            repeats=sum(count - 1 for count in accepted.values() if count > 1),
            most_to_one=max(users.values(), default=0),
            daily_quota=plan.daily_quota,
            lateness=sorted(first[message] - plan.times[message].timestamp() for message in arrived),
        )

    @property
    def not_sent(self) -> Mapping[str, int]:
        """How many are accounted for without having been sent, by what became of them."""
        figures = {"refused": sum(self.refused.values()), "deferred": sum(self.deferred.values())}
        return figures | {"cancelled": self.cancelled}

    @property
    def missing(self) -> int:
        """How many are not accounted for."""
        return self.planned - self.sent - sum(self.not_sent.values())

    @property
    def early(self) -> int:
        """How many arrived before their time."""
        return sum(late < 0 for late in self.lateness)

    @property
    def is_complete(self) -> bool:
        """Whether everything is accounted for: each once, none early, none missing."""
        return not self.missing and not self.repeats and not self.early


def _code(errcode: int | None) -> str:
    return "WeChat gave no answer" if errcode is None else f"WeChat answered {errcode}: {meaning(errcode)}"


def fingerprint(message: Mapping[str, Any]) -> Fingerprint:
    """Tell a message by what it says, written as {"thing1": "text"} or as {"thing1": {"value": "text"}}."""
    texts = {key: value["value"] if isinstance(value, dict) else value for key, value in message["data"].items()}
    return Fingerprint(message["touser"], message["template_id"], tuple(sorted(texts.items())))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the sorted values that at least this share of them does not exceed."""
    return values[max(0, math.ceil(share * len(values)) - 1)]
