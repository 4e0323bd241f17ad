"""What WeChat tells us by itself: a user's word on messages to come, and what became of a message that was sent.

Frozen records, one for each thing told. WeChat tells whole seconds: `at` is the beginning of that second. An open id is
left out of every representation.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

__all__ = [
    "ConsentGiven",
    "ConsentWithdrawn",
    "EventKind",
    "EventState",
    "PushState",
    "Receipt",
    "ReceiptState",
    "Told",
]


class EventKind(StrEnum):
    """What an event tells."""

    CONSENT_GIVEN = "consent_given"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    RECEIPT = "receipt"


class EventState(StrEnum):
    """Where a stored event stands."""

    WAITING = "waiting"
    """Not applied yet, or nothing fits it yet: it is tried again."""
    APPLIED = "applied"
    LEFT = "left"
    """Nothing fitted it for as long as something might have: an operator's."""


class PushState(StrEnum):
    """Where a push stands that is forwarded to the app's own door."""

    WAITING = "waiting"
    FORWARDED = "forwarded"
    DEAD = "dead"
    """Tried as often as is worth while; kept."""


class ReceiptState(StrEnum):
    """What became of a message after WeChat had accepted it."""

    DELIVERED = "delivered"
    """The user has it."""
    FAILED = "failed"
    """The user has not got it; WeChat tells why in code and words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReceipt:
    """What WeChat told of a job's message after it had accepted it, in WeChat's own code and words.

    `state`: what became of it; `errcode`: 0 where it was delivered, None where WeChat gave no number; `status`: its
    word, such as `success`; `at`: WeChat's moment of it, in UTC and whole seconds.
    """

    state: ReceiptState
    errcode: int | None
    status: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGiven:
    """A user said yes to a template: one more message, or all of them where the template is a long-term one."""

    touser: str = field(repr=False)
    template_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentWithdrawn:
    """A user wants no messages of a template any more."""

    touser: str = field(repr=False)
    template_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The final result of a send. `msgid` None: WeChat named no message. `errcode` 0: delivered; None: no number."""

    touser: str = field(repr=False)
    template_id: str
    at: datetime
    msgid: int | None
    errcode: int | None
    status: str | None


Told = ConsentGiven | ConsentWithdrawn | Receipt
