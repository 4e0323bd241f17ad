"""Faults that come again and again, told of once in a while.

Whoever sets a door up, or looks after it, must read what goes wrong; whoever knocks must not fill the disk.
"""

from collections import Counter
from collections.abc import Callable

from pushjobs import clock

__all__ = ["Faults"]

_QUIET_SECONDS = 10.0


class Faults:
    """Tells of each fault at most once in ten seconds. `tell_of` is told how often it was since, and what it was."""

    def __init__(self, tell_of: Callable[[int, str], None]) -> None:
        self._tell_of = tell_of
        self._untold: Counter[str] = Counter()
        self._quiet_until: dict[str, float] = {}

    def tell(self, fault: str) -> None:
        """Count a fault, and tell of all like it that are untold if it is time."""
        now = clock.monotonic()
        self._untold[fault] += 1
        if now >= self._quiet_until.get(fault, 0.0):
            self._tell_of(self._untold.pop(fault), fault)
            self._quiet_until[fault] = now + _QUIET_SECONDS
