"""Keeps what callbacks told, many in one transaction: what comes while one commits goes into the next.

A commit each would cost ten times the processor's time and a flush of the disk a callback. Nothing is waited for to
fill a transaction: a lone callback is kept at once. One thread, because a second would only split the same work.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pushjobs.domain.events import CallbacksNotKept
from pushjobs.errors import PushJobsError
from pushjobs.receipts import Taking
from pushjobs.telemetry import Emit

__all__ = ["Keeping"]

_AT_ONCE = 500


class Keeping:
    """Used from one event loop. `store` keeps several in one transaction, and blocks while it does."""

    def __init__(self, store: Callable[[Sequence[Taking]], None], *, emit: Emit) -> None:
        self._store = store
        self._emit = emit
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keep-callbacks")
        self._waiting: list[tuple[Taking, asyncio.Future[bool]]] = []
        self._keeper: asyncio.Task[None] | None = None

    async def keep(self, taking: Taking) -> bool:
        """Return whether it is kept. Who stops waiting while it still waits has it forgotten."""
        if taking.is_empty:
            return True
        is_kept = asyncio.get_running_loop().create_future()
        self._waiting.append((taking, is_kept))
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_on())
        return bool(await is_kept)

    def close(self) -> None:
        """End the thread, when it has kept what it has in hand."""
        self._thread.shutdown(cancel_futures=True)

    async def _keep_on(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            slice_, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            awaited = [each for each in slice_ if not each[1].done()]
            are_kept = await loop.run_in_executor(self._thread, self._try, [taking for taking, _ in awaited])
            for _, is_kept in awaited:
                if not is_kept.done():
                    is_kept.set_result(are_kept)

    def _try(self, takings: Sequence[Taking]) -> bool:
        try:
            self._store(takings)
        except Exception as error:  # noqa: BLE001 - whatever it was: nothing is kept, and WeChat pushes again
            fault = str(error) if isinstance(error, PushJobsError) else type(error).__name__
            self._emit(CallbacksNotKept(callbacks=len(takings), fault=fault))
            return False
        return True
