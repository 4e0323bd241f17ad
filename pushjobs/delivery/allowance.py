"""WeChat's daily allowance for the whole app: stop before WeChat does.

Taken from SQL in blocks, each in a transaction of its own, so that no slice waits for another's commit. What a process
that dies had in hand is lost to the day: at most a hundredth of it.
"""

import threading
from datetime import date

from pushjobs import clock
from pushjobs.domain.moment import SHANGHAI, next_midnight, quota_day
from pushjobs.domain.pause import PauseReason
from pushjobs.store import budgets, pauses
from pushjobs.store.database import Database

__all__ = ["Allowance"]

_LARGEST_BLOCK = 1000
_BLOCKS_A_DAY = 100


class Allowance:
    """The calls left today; one a process. `a_day`: how many WeChat allows."""

    def __init__(self, database: Database, *, a_day: int) -> None:
        self._database = database
        self._a_day = a_day
        self._block = max(1, min(_LARGEST_BLOCK, a_day // _BLOCKS_A_DAY))
        self._in_hand: dict[tuple[int, date], int] = {}
        # Taken where slices are admitted, put back where they are settled.
        self._lock = threading.Lock()

    def take(self, app_no: int, wanted: int) -> int:
        """Take up to `wanted` calls; return how many there are. When none are left the app pauses until midnight."""
        now = clock.now()
        key = (app_no, quota_day(now, SHANGHAI))
        with self._lock:
            if (in_hand := self._in_hand.get(key, 0)) < wanted:
                in_hand += self._draw(*key, block=max(self._block, wanted - in_hand), is_last=in_hand == 0)
            taken = min(in_hand, wanted)
            # Only today's block is worth keeping.
            self._in_hand = {key: in_hand - taken}
        return taken

    def put_back(self, app_no: int, unused: int) -> None:
        """Return calls that were taken and not made."""
        key = (app_no, quota_day(clock.now(), SHANGHAI))
        with self._lock:
            if key in self._in_hand:
                self._in_hand[key] += unused

    def _draw(self, app_no: int, day: date, *, block: int, is_last: bool) -> int:
        with self._database.transaction() as connection:
            drawn = budgets.take(connection, app_no, day, block=block, allowance=self._a_day)
            if is_last and not drawn:
                until = next_midnight(clock.now(), SHANGHAI)
                pauses.pause(connection, app_no, PauseReason.APP_BUDGET, until=until)
        return drawn
