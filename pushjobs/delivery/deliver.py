"""One batch from the queue to its last call; what comes back is settled beside it."""

from collections import deque
from collections.abc import Callable, Sequence

from pushjobs import clock
from pushjobs.delivery.admission import Admission
from pushjobs.delivery.allowance import Allowance
from pushjobs.delivery.calling import Caller
from pushjobs.delivery.settler import Settler
from pushjobs.domain.events import BatchDropped
from pushjobs.domain.hot_value import hot_value
from pushjobs.domain.job import JobId, Lane, Reason
from pushjobs.domain.steps import SliceAdmitted
from pushjobs.errors import Unreachable
from pushjobs.pace import Pace, Slot, Wait
from pushjobs.telemetry import Emit, follow

__all__ = ["Delivery", "Waiting"]

_TOGETHER_SECONDS = 0.02
"""Jobs of one slice fall due within this of each other: a slot is valid as long."""

_SHORTEST_ADMISSION, _LONGEST_ADMISSION = 0.010, 0.150
"""Bounds of what an admission is expected to take, by the last ones: no slot is asked for that opens before."""

_BEGIN_SECONDS = 0.1
"""How long before a slice's first job its slots are reserved."""

_LOOK_SECONDS = 0.25
"""How often a batch that waits for room looks whether the process drains."""

_PATIENCE_SECONDS = 1.0
"""How long a batch waits for room, because calls do not come back, while other apps have work for its process."""

_REDIS_SECONDS = 0.25


@hot_value
class Waiting:
    """A job of a batch that nobody has begun; `due` is its moment on the process's monotonic clock, as far as known."""

    id: JobId
    release_no: int
    due: float


class Delivery:
    """Delivers batches; one a process. `is_draining` is asked between slices: once true, no new slice begins."""

    def __init__(  # noqa: PLR0913 - the parts of the pipeline
        self,
        pace: Pace,
        allowance: Allowance,
        admission: Admission,
        caller: Caller,
        settler: Settler,
        *,
        slice_size: int,
        is_draining: Callable[[], bool],
        emit: Emit,
    ) -> None:
        self._pace = pace
        self._allowance = allowance
        self._admission = admission
        self._caller = caller
        self._settler = settler
        self._slice_size = slice_size
        self._admission_seconds = _SHORTEST_ADMISSION
        self._is_draining = is_draining
        self._emit = emit

    def deliver(self, app_no: int, lane: Lane, batch: Sequence[Waiting]) -> None:
        """Send a batch of released jobs, soonest first. Release numbers that are out of date are ignored.

        Returns when the last slice is calling: the next batch's admission overlaps with it. `close` waits for the rest.
        """
        if len(batch) > self._slice_size:
            # The first slice is admitted at once; the others' leases must last until their turn.
            self._admission.renew(_numbers(batch))
        pending = deque(batch)
        slots: deque[Slot] = deque()
        had_room = clock.monotonic()
        while pending:
            if self._is_draining():
                self._drop(app_no, lane, pending, Reason.DRAINED)
            elif self._settler.has_room(within=_LOOK_SECONDS):
                if pause := self._begin(app_no, lane, pending, slots):
                    clock.pause(pause)
                had_room = clock.monotonic()
            elif clock.monotonic() - had_room > _PATIENCE_SECONDS:
                # Nobody has answered for so long: other apps' jobs must not wait for that (fine print 12.13).
                if self._admission.others_wait(app_no, lane):
                    self._drop(app_no, lane, pending, Reason.NO_ROOM)
                had_room = clock.monotonic()

    def finish(self) -> None:
        """Return when everything that was called is settled."""
        self._settler.finish()

    def close(self) -> None:
        """Finish, and begin nothing more."""
        self._settler.close()

    def _begin(self, app_no: int, lane: Lane, pending: deque[Waiting], slots: deque[Slot]) -> float:
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
            self._settler.expect(len(admitted))
            self._caller.start(admitted, self._settler)
            ids, at = (job.id for job in admitted), clock.monotonic()
            follow(lambda: SliceAdmitted(lane=lane, jobs=ids, since=since, at=at))
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
