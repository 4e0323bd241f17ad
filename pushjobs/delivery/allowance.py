"""WeChat's daily allowance for the whole app: stop before WeChat does.

Taken from SQL in blocks, each in a transaction of its own, so that no slice waits for another's commit. What a process
that dies had in hand is lost to the day: at most a thousandth of it.

How many calls there are is a setting, or what WeChat says: asked by the first process that needs to know, about once an
hour for all of them, more often near the end. Nobody waits for the answer; it goes to SQL, where the next block is cut
by it. Until there is one, and where WeChat does not answer, the day has what WeChat said last, or else documents.

Every call counts, of whatever generation. Legacy sends have an allowance of their own at WeChat; held to one together
we stop too early rather than too late.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from datetime import date, timedelta
from typing import Any

from pushjobs import clock
from pushjobs.domain.events import AllowanceUnknown, Paused
from pushjobs.domain.moment import SHANGHAI, next_midnight, quota_day
from pushjobs.domain.pause import PauseReason
from pushjobs.errors import PushJobsError
from pushjobs.store import budgets, pauses
from pushjobs.store.database import Database
from pushjobs.telemetry import Emit
from pushjobs.wechat.loop import LoopThread
from pushjobs.wechat.quota import DailyQuota

__all__ = ["Allowance", "Ask"]

_LOOK_SECONDS = 60.0
"""How often a process looks whether WeChat is to be asked."""

_DAY_BEGINS_LATE = timedelta(minutes=5)
"""Until then a day of ours may be yesterday for WeChat: what it says was used up would be held against today."""

Ask = Callable[[], Coroutine[Any, Any, DailyQuota | None]]
"""Asks WeChat; None where the answer makes no sense."""


class Allowance:
    """The calls left today; one a process. `a_day`: how many there are, None: as many as WeChat says."""

    def __init__(self, database: Database, *, a_day: int | None, ask: Ask, loop: LoopThread, emit: Emit) -> None:
        self._database = database
        self._a_day = a_day
        self._ask = ask
        self._loop = loop
        self._emit = emit
        self._look_at = 0.0
        self._in_hand: dict[tuple[int, date], int] = {}
        # Taken where slices are admitted, put back where they are settled.
        self._lock = threading.Lock()

    def take(self, app_no: int, wanted: int) -> int:
        """Take up to `wanted` calls; return how many there are. When none are left the app pauses until midnight."""
        now = clock.now()
        key = (app_no, quota_day(now, SHANGHAI))
        with self._lock:
            if (in_hand := self._in_hand.get(key, 0)) < wanted:
                if clock.monotonic() >= self._look_at:
                    self.learn(app_no)
                in_hand += self._draw(*key, wanted=wanted - in_hand, in_hand=in_hand)
            taken = max(min(in_hand, wanted), 0)
            # Only today's block is worth keeping.
            self._in_hand = {key: in_hand - taken}
        return taken

    def put_back(self, app_no: int, unused: int) -> None:
        """Return calls that were taken and not made; below zero: calls made beyond those taken, owed to the day."""
        key = (app_no, quota_day(clock.now(), SHANGHAI))
        with self._lock:
            if key in self._in_hand:
                self._in_hand[key] += unused

    def learn(self, app_no: int) -> Future[None] | None:
        """Ask WeChat how many calls there are, unless somebody has lately; return at once.

        The future is done when the answer stands in SQL; None: there is nothing to ask.
        """
        self._look_at = clock.monotonic() + _LOOK_SECONDS
        now = clock.now()
        began = next_midnight(now, SHANGHAI) - timedelta(days=1)
        if self._a_day is not None or now < began + _DAY_BEGINS_LATE:
            return None
        day = quota_day(now, SHANGHAI)
        with self._database.transaction() as connection:
            taken = budgets.begin_asking(connection, app_no, day)
        return None if taken is None else self._loop.submit(self._learn(app_no, day, taken))

    def _draw(self, app_no: int, day: date, *, wanted: int, in_hand: int) -> int:
        with self._database.transaction() as connection:
            drawn = budgets.take(connection, app_no, day, wanted=wanted, setting=self._a_day)
            if in_hand + drawn <= 0:
                until = next_midnight(clock.now(), SHANGHAI)
                if pauses.pause(connection, app_no, PauseReason.APP_BUDGET, until=until):
                    self._emit(Paused(app_no=app_no, template_no=None, reason=PauseReason.APP_BUDGET))
        return drawn

    async def _learn(self, app_no: int, day: date, taken: int) -> None:
        try:
            answer = await self._ask()
            if answer is None:
                self._emit(AllowanceUnknown(app_no=app_no, fault="no figures"))
            else:
                await asyncio.to_thread(self._note, app_no, day, answer, taken)
        except PushJobsError as error:
            self._emit(AllowanceUnknown(app_no=app_no, fault=type(error).__name__))

    def _note(self, app_no: int, day: date, answer: DailyQuota, taken: int) -> None:
        with self._database.transaction() as connection:
            budgets.note_answer(connection, app_no, day, limit=answer.limit, used=answer.used, taken=taken)
