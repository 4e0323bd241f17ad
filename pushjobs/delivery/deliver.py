"""One batch from the queue to the last settled answer."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass

from pushjobs import clock
from pushjobs.delivery.admission import Admission
from pushjobs.delivery.allowance import Allowance
from pushjobs.delivery.calling import Caller, Calling
from pushjobs.delivery.settle import Settlement
from pushjobs.domain.events import BatchDropped
from pushjobs.domain.job import JobId, Lane, Reason
from pushjobs.errors import Unreachable
from pushjobs.pace import Pace, Slot, Wait
from pushjobs.telemetry import Emit

__all__ = ["Delivery", "Waiting"]

_TOGETHER_SECONDS = 0.02
"""Jobs of one slice fall due within this of each other: a slot is valid as long."""

_SHORTEST_ADMISSION, _LONGEST_ADMISSION = 0.010, 0.150
"""Bounds of what an admission is expected to take, by the last ones: no slot is asked for that opens before."""

_BEGIN_SECONDS = 0.1
"""How long before a slice's first job its slots are reserved."""

_MOST_UNDER_WAY = 4
_REDIS_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A job of a batch that nobody has begun; `due` is its moment on the process's monotonic clock, as far as known."""

    id: JobId
    release_no: int
    due: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _UnderWay:
    """A slice whose calls are running, and when it was admitted."""

    calling: Calling
    since: float


class Delivery:
    """Delivers batches; one a process. `is_draining` is asked between slices: once true, no new slice begins."""

    def __init__(  # noqa: PLR0913 - the parts of the pipeline
        self,
        pace: Pace,
        allowance: Allowance,
        admission: Admission,
        caller: Caller,
        settlement: Settlement,
        *,
        slice_size: int,
        is_draining: Callable[[], bool],
        emit: Emit,
    ) -> None:
        self._pace = pace
        self._allowance = allowance
        self._admission = admission
        self._caller = caller
        self._settlement = settlement
        self._slice_size = slice_size
        self._admission_seconds = _SHORTEST_ADMISSION
        self._is_draining = is_draining
        self._emit = emit

    def deliver(self, app_no: int, lane: Lane, batch: Sequence[Waiting]) -> None:
        """Send a batch of released jobs, soonest first. Release numbers that are out of date are ignored."""
        if len(batch) > self._slice_size:
            # The first slice is admitted at once; the others' leases must last until their turn.
            self._admission.renew(_numbers(batch))
        pending = deque(batch)
        under_way: deque[_UnderWay] = deque()
        slots: deque[Slot] = deque()
        try:
            while pending:
                if self._is_draining():
                    self._drop(app_no, lane, pending, Reason.DRAINED)
                    break
                pause = self._begin(app_no, lane, pending, slots, under_way)
                self._settle_what_is_done(app_no, lane, under_way, pause)
        finally:
            # Whatever ended the loop, answers that are on their way must be written.
            while under_way:
                self._settle(app_no, lane, under_way.popleft())

    def _begin(
        self,
        app_no: int,
        lane: Lane,
        pending: deque[Waiting],
        slots: deque[Slot],
        under_way: deque[_UnderWay],
    ) -> float:
        """Begin a slice if there are slots for it; return how long to wait before the next try."""
        now = clock.monotonic()
        if (early := pending[0].due - now - _BEGIN_SECONDS) > 0:
            return early
        if (rest_of_the_day := self._admission.until_next_day()) > 0:
            return rest_of_the_day
        until = max(pending[0].due, now) + _TOGETHER_SECONDS
        together = len(_due_by(pending, until, self._slice_size))
        while slots and slots[0].opens < now + self._admission_seconds:
            slots.popleft()  # forfeited: by the time its job is admitted it would be over
        if not slots and (pause := self._reserve(together, lane, pending[0].due - now, slots)) > 0:
            return pause
        count = self._allowance.take(app_no, min(together, len(slots)))
        if count == 0:
            self._drop(app_no, lane, pending, Reason.APP_BUDGET)
            return 0.0
        chunk = [pending.popleft() for _ in range(count)]
        since = clock.monotonic()
        admitted = self._admission.admit(_numbers(chunk), list(slots)[:count])
        self._expect(clock.monotonic() - since)
        for _ in admitted:
            slots.popleft()
        self._allowance.put_back(app_no, count - len(admitted))
        if admitted:
            under_way.append(_UnderWay(calling=self._caller.start(admitted), since=since))
        return 0.0

    def _expect(self, took: float) -> None:
        """Learn how long admissions take: half as long again as the last few did, on this machine at this hour."""
        learned = 0.7 * self._admission_seconds + 0.3 * 1.5 * took
        self._admission_seconds = min(max(learned, _SHORTEST_ADMISSION), _LONGEST_ADMISSION)

    def _reserve(self, count: int, lane: Lane, due_in: float, slots: deque[Slot]) -> float:
        """Add slots to those at hand; return how long to wait where there are none yet."""
        after = max(min(due_in, _BEGIN_SECONDS), self._admission_seconds)
        try:
            given = self._pace.reserve(count, lane, after=after)
        except Unreachable:
            # Fail closed: without Redis nobody sends. The leases decide how long it is worth waiting.
            return _REDIS_SECONDS
        if isinstance(given, Wait):
            return given.seconds
        slots.extend(given.slot(index) for index in range(given.count))
        return 0.0

    def _settle_what_is_done(self, app_no: int, lane: Lane, under_way: deque[_UnderWay], pause: float) -> None:
        """Settle slices whose answers are in; wait `pause` seconds at most for one, longer when too many are out."""
        deadline = clock.monotonic() + pause
        while under_way:
            if len(under_way) < _MOST_UNDER_WAY:
                left = max(deadline - clock.monotonic(), 0.0)
                if not wait([under_way[0].calling], timeout=left).done:
                    return
            self._settle(app_no, lane, under_way.popleft())
        if (left := deadline - clock.monotonic()) > 0:
            clock.pause(left)

    def _settle(self, app_no: int, lane: Lane, under_way: _UnderWay) -> None:
        answers = under_way.calling.result()
        self._allowance.put_back(app_no, sum(answer.called_at is None for answer in answers))
        self._settlement.settle(app_no, lane, answers, since=under_way.since)

    def _drop(self, app_no: int, lane: Lane, pending: deque[Waiting], reason: Reason) -> None:
        self._admission.give_back(_numbers(pending), reason)
        self._emit(BatchDropped(app_no=app_no, lane=lane, jobs=len(pending)))
        pending.clear()


def _due_by(pending: deque[Waiting], until: float, most: int) -> list[Waiting]:
    ready: list[Waiting] = []
    for job in pending:
        if job.due > until or len(ready) == most:
            break
        ready.append(job)
    return ready


def _numbers(jobs: Sequence[Waiting] | deque[Waiting]) -> list[tuple[JobId, int]]:
    return [(job.id, job.release_no) for job in jobs]
