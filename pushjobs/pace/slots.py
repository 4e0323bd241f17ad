"""What a reservation answers: slots in the future, or how long until there will be some.

A slot is a moment at which one call may leave, and for a little while after. It is forfeited when nobody was there: a
call that leaves late would stand beside the slots after it, and make a sliding second too full.
"""

import asyncio
from dataclasses import dataclass

from pushjobs import clock
from pushjobs.domain.hot_value import hot_value

__all__ = ["Grant", "Slot", "Wait"]

_SHORTEST_SLEEP = 0.001  # what uvloop's timers resolve


@hot_value
class Slot:
    """When one call may leave: not before `opens`, not after `closes`, on the process's monotonic clock."""

    opens: float
    closes: float

    async def reached(self) -> bool:
        """Wait until the slot opens; return False if it has closed meanwhile, and the call must take another slot.

        Never early. To be awaited right before the first byte, with no await in between.
        """
        # Timers may fire up to half a millisecond early.
        while (left := self.opens - clock.monotonic()) > 0:  # noqa: ASYNC110 - time is the only event there is
            await asyncio.sleep(max(left, _SHORTEST_SLEEP))
        return clock.monotonic() <= self.closes


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """`count` slots, the first one at `first` on the process's monotonic clock, `spacing` seconds apart.

    Each is valid for `valid_for` seconds.
    """

    first: float
    spacing: float
    count: int
    valid_for: float

    def slot(self, index: int) -> Slot:
        """Return one of the slots, counted from 0."""
        if not 0 <= index < self.count:
            raise IndexError(f"there are {self.count} slots, counted from 0: no {index}")
        opens = self.first + index * self.spacing
        return Slot(opens=opens, closes=opens + self.valid_for)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """No slots within the horizon yet: ask again after `seconds`, at most 1."""

    seconds: float
