"""What WeChat tells us by itself: a user's word on messages to come, and what became of a message that was sent.

Frozen records, one for each thing told. WeChat tells whole seconds: `at` is the beginning of that second. An open id is
left out of every representation.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

__all__ = ["ConsentGiven", "ConsentWithdrawn", "Receipt", "ReceiptState", "Told"]


class ReceiptState(StrEnum):
    """What became of a message after WeChat had accepted it."""

    DELIVERED = "delivered"
    FAILED = "failed"


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
