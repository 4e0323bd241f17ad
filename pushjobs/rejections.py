"""Rows of many that were refused: each by its number, its field and why, as many as anybody reads."""

from dataclasses import dataclass, field
from typing import NamedTuple, Self

from pushjobs.errors import InvalidInput

__all__ = ["MOST_LISTED", "Rejected", "Rejection", "Report"]

MOST_LISTED = 100_000
"""So many are listed, the rest counted: a file of ten million bad rows must not fill the memory."""


class Rejection(NamedTuple):
    """A row of many that was refused, or one fault of it.

    `row`: its number, from 1; `field`: the argument's path, such as `data.thing1`; `reason`: what is wrong and what is
    allowed, without the value.
    """

    row: int
    field: str
    reason: str

    @classmethod
    def of(cls, row: int, refusal: InvalidInput) -> Self:
        """Say of a row what its refusal says."""
        return cls(row=row, field=refusal.field, reason=f"{refusal.fault}: {refusal.rule}")


class Rejected(list[Rejection]):
    """What was refused, as it was found; `total` counts all of it, the first 100,000 are listed."""

    total = 0

    def add(self, row: int, refusal: InvalidInput) -> None:
        """Count a refusal, and list it if there is room."""
        self.total += 1
        if len(self) < MOST_LISTED:
            self.append(Rejection.of(row, refusal))


@dataclass(slots=True)
class Report:
    """What `send_many` did: jobs newly `accepted`, jobs `known` already by their idempotency key, rows `rejected`.

    The first two count. Of those rejected the first 100,000 are listed; `rejected.total` counts them all.
    """

    accepted: int = 0
    known: int = 0
    rejected: Rejected = field(default_factory=Rejected)
