"""WeChat's limits on one app's use of one call: in any sliding second, in a clock minute, in a day in Shanghai.

A call that is turned down is not counted. The sliding second is stricter than a clock second, on purpose: what our
pace promises is a sliding second.
"""

from collections import deque
from datetime import UTC, datetime, timedelta

from pushjobs.sandbox.answers import Refusal, refusal
from pushjobs.sandbox.options import Settings

__all__ = ["Meter", "day_in_shanghai", "month_in_shanghai"]


def day_in_shanghai(at: float) -> int:
    """Return the number of the day in Shanghai (UTC+8, no clock changes) of a Unix time."""
    return int((at + 8 * 3600) // 86400)


def month_in_shanghai(at: float) -> tuple[int, int]:
    """Return year and month in Shanghai of a Unix time."""
    there = datetime.fromtimestamp(at, UTC) + timedelta(hours=8)
    return there.year, there.month


class Meter:
    """Counts one app's calls of one path."""

    __slots__ = ("_day", "_minute", "_minute_used", "_recent", "_used")

    def __init__(self) -> None:
        self._day = self._minute = self._used = self._minute_used = 0
        self._recent: deque[float] = deque()

    def used(self, at: float) -> int:
        """Return the calls counted on the day of `at`."""
        return self._used if self._day == day_in_shanghai(at) else 0

    def count(self, at: float, settings: Settings) -> Refusal | None:
        """Count one call at `at`, or refuse it: the day first, then the minute, then the second."""
        day, minute = day_in_shanghai(at), int(at // 60)
        if day != self._day:
            self._day, self._used = day, 0
        if minute != self._minute:
            self._minute, self._minute_used = minute, 0
        if settings.per_day is not None and self._used >= settings.per_day:
            return refusal(45009)
        if settings.per_minute is not None and self._minute_used >= settings.per_minute:
            return refusal(45011)
        if settings.per_second is not None and not self._fits_the_second(at, settings.per_second):
            return refusal(44990)
        self._used += 1
        self._minute_used += 1
        return None

    def clear(self) -> None:
        """Begin the day's count anew; the shorter limits go on."""
        self._used = 0

    def _fits_the_second(self, at: float, limit: int) -> bool:
        while self._recent and self._recent[0] <= at - 1.0:
            self._recent.popleft()
        if len(self._recent) >= limit:
            return False
        self._recent.append(at)
        return True
