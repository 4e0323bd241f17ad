"""WeChat's callbacks forwarded to the app's own door: a Mini Program has one push address, and it is ours.

A tick takes what is due, calls the door for all of it at once with no transaction open, and writes what became of it.
A push may come twice (WeChat's own may, too) and is not lost: it is tried again for most of a day, then kept as dead.
"""

import asyncio
import random
from collections.abc import Sequence

from pushjobs import clock
from pushjobs.domain.backoff import forward_delay
from pushjobs.domain.events import PushesNotTaken
from pushjobs.errors import Undecryptable
from pushjobs.request import Terms
from pushjobs.store import pushes
from pushjobs.store.database import Database
from pushjobs.store.envelope import open_push
from pushjobs.store.pushes import Tried, WaitingPush
from pushjobs.store.sealing import Sealer
from pushjobs.telemetry import Emit
from pushjobs.wechat.forward import Forward, Onward
from pushjobs.wechat.loop import LoopThread

__all__ = ["Forwarding"]

_AT_ONCE, _FEW = 32, 8
_PROMISE_SECONDS = 60.0
"""How long what was claimed is left alone: many times what a round of calls can take."""

_LONGEST_SECONDS = 1.0
"""How long a tick goes on while there is more; the next one follows."""


class Forwarding:
    """Forwards one app's callbacks; one a process."""

    def __init__(
        self, database: Database, terms: Terms, loop: LoopThread, forward: Forward, *, sealer: Sealer, emit: Emit
    ) -> None:
        self._database = database
        self._terms = terms
        self._loop = loop
        self._forward = forward
        self._sealer = sealer
        self._emit = emit

    def forward(self) -> int:
        """Forward what is due, until the door fails or a second is over; return how many pushes it took."""
        app_no = self._terms.catalogue.app.app_no
        until, taken = clock.monotonic() + _LONGEST_SECONDS, 0
        while clock.monotonic() < until:
            with self._database.transaction() as connection:
                due = pushes.claim(connection, app_no, limit=_AT_ONCE, few=_FEW, promise=_PROMISE_SECONDS)
            faults = self._loop.run(self._push_all(due)) if due else []
            tried = [_tried(push, fault) for push, fault in zip(due, faults, strict=True)]
            if tried:
                with self._database.transaction() as connection:
                    pushes.settle(connection, tried)
            taken += sum(one.is_taken for one in tried)
            if failed := [fault for fault in faults if fault is not None]:
                dead = sum(not one.is_taken and one.wait is None for one in tried)
                self._emit(PushesNotTaken(app_no=app_no, pushes=len(failed), dead=dead, fault=failed[0]))
            if failed or not due:
                break
        return taken

    async def _push_all(self, due: Sequence[WaitingPush]) -> list[str | None]:
        return list(await asyncio.gather(*map(self._push, due)))

    async def _push(self, push: WaitingPush) -> str | None:
        try:
            record = open_push(self._sealer, push.sealed, appid=self._terms.appid, key=push.key)
        except Undecryptable as fault:
            # It waits for its key with the others that wait for the door.
            return str(fault)
        onward = Onward(body=record["body"], openid=record["openid"], encrypted=record.get("encrypted"))
        return await self._forward.push(onward)


def _tried(push: WaitingPush, fault: str | None) -> Tried:
    if fault is None:
        return Tried(push_no=push.push_no, is_taken=True)
    delay = forward_delay(push.attempts, draw=random.random())  # noqa: S311 - jitter
    return Tried(push_no=push.push_no, is_taken=False, wait=None if delay is None else delay.total_seconds())
