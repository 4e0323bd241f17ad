"""Gathers what is asked for at the same time and has it accepted in one transaction.

What comes while one commits goes into the next. Nothing is waited for to fill a transaction: a lone request is accepted
at once. What WeChat has to be asked about first is accepted by itself, a few at a time, so that nobody else waits for
WeChat. Of both kinds a bounded number waits; beyond it the answer is no, at once: a queue that grows only makes
everybody late.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pushjobs import clock, making
from pushjobs.acceptance import Acceptance, Asked, Verdict
from pushjobs.batches import AcceptedJob
from pushjobs.domain.events import RequestsNotAccepted
from pushjobs.errors import Overloaded, PushJobsError
from pushjobs.telemetry import Emit, follow

__all__ = ["Gathering"]

_AT_ONCE = 100
_MOST_WAITING = 500
"""Half a second's work at a thousand requests a second; each holds a body of up to 64 KiB."""

_SLOW_AT_ONCE = 4
_MOST_SLOW = 64


class Gathering:
    """Used from one event loop. `acceptance` blocks while it accepts."""

    def __init__(self, acceptance: Callable[[], Acceptance], *, emit: Emit) -> None:
        """Have `acceptance` made at the first request: without its settings the other doors are open."""
        self._acceptance = acceptance
        self._emit = emit
        # One: a second would only split the same work.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="accept")
        self._slow_threads = ThreadPoolExecutor(_SLOW_AT_ONCE, thread_name_prefix="accept-alone")
        self._waiting: list[tuple[Asked, asyncio.Future[Verdict]]] = []
        self._in_work = 0
        self._slow = 0
        self._accepter: asyncio.Task[None] | None = None

    async def accept(self, asked: Asked) -> AcceptedJob:
        """Return the job that a request became; raises what `Producer.send` raises, and Overloaded."""
        if len(self._waiting) + self._in_work >= _MOST_WAITING:
            raise Overloaded("too many requests wait here: ask again later")
        since = clock.monotonic()
        decided: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, decided))
        if self._accepter is None or self._accepter.done():
            self._accepter = asyncio.create_task(self._accept_on())
        made = _job(await decided or await self._alone(asked))
        if not made.is_known:
            # Here, where the request that asked is known, and not in the thread, which accepts for many.
            follow(lambda: making.accepted(made.job, since=since))
        return made

    def close(self) -> None:
        """End the threads, when they have accepted what they have in hand."""
        self._thread.shutdown(cancel_futures=True)
        self._slow_threads.shutdown(cancel_futures=True)

    async def _alone(self, asked: Asked) -> Verdict:
        if self._slow >= _MOST_SLOW:
            raise Overloaded("too many requests wait for WeChat here: ask again later")
        self._slow += 1
        try:
            loop = asyncio.get_running_loop()
            [verdict] = await loop.run_in_executor(self._slow_threads, self._try, [asked], False)  # noqa: FBT003
        finally:
            self._slow -= 1
        return verdict

    async def _accept_on(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            slice_, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            # Who has stopped waiting hears of nothing: it is not to become a job.
            slice_ = [each for each in slice_ if not each[1].done()]
            self._in_work = len(slice_)
            verdicts = await loop.run_in_executor(self._thread, self._try, [asked for asked, _ in slice_], True)  # noqa: FBT003
            self._in_work = 0
            for (_, decided), verdict in zip(slice_, verdicts, strict=True):
                if not decided.done():
                    decided.set_result(verdict)

    def _try(self, asked: Sequence[Asked], from_memory: bool) -> list[Verdict]:
        try:
            return self._acceptance().accept(asked, from_memory=from_memory)
        except PushJobsError as fault:
            self._emit(RequestsNotAccepted(requests=len(asked), fault=type(fault).__name__))
            return [fault] * len(asked)
        except Exception as fault:  # noqa: BLE001 - whatever it was, it is one of them, and the others are to be accepted
            if len(asked) == 1:
                self._emit(RequestsNotAccepted(requests=1, fault=type(fault).__name__))
                return [PushJobsError("an error of our own making: see the log")]
            return [verdict for each in asked for verdict in self._try([each], from_memory)]


def _job(verdict: Verdict) -> AcceptedJob:
    if isinstance(verdict, AcceptedJob):
        return verdict
    raise verdict or PushJobsError("nothing was decided")
