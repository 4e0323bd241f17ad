"""Floor 2: delivery, straight down the page: admit → call → settle.

The two neighbouring slices overlap: while one is calling, the one before it is settled and the one after it admitted.
No transaction is open during a call, for WeChat may take its whole time-out.

What if the process dies? Before the admitting commit: nothing happened, the lease runs out, the jobs go back. After
it: the jobs are `sending`, nobody knows how far their calls got, and `upkeep` puts them in doubt. After the settling
commit: all is written. Slices are small so that the middle case is rare.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pushjobs import clock
from pushjobs.delivery.admission import Admission
from pushjobs.delivery.calling import Caller, Calling
from pushjobs.delivery.settle import Settlement
from pushjobs.domain.events import BatchDropped
from pushjobs.domain.job import JobId, Lane
from pushjobs.telemetry import Emit

__all__ = ["Delivery"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _UnderWay:
    """A slice whose calls are running, and when it was admitted."""

    calling: Calling
    since: float


class Delivery:
    """Delivers batches; one a process. `is_draining` is asked between slices: once true, no new slice begins."""

    def __init__(
        self,
        admission: Admission,
        caller: Caller,
        settlement: Settlement,
        *,
        slice_size: int,
        is_draining: Callable[[], bool],
        emit: Emit,
    ) -> None:
        self._admission = admission
        self._caller = caller
        self._settlement = settlement
        self._slice_size = slice_size
        self._is_draining = is_draining
        self._emit = emit

    def deliver(self, app_no: int, lane: Lane, batch: Sequence[tuple[JobId, int]]) -> None:
        """Send a batch of released jobs: (id, release number) each. Numbers that are out of date are ignored."""
        if len(batch) > self._slice_size:
            # The first slice is admitted at once; the others' leases must last until their turn.
            self._admission.renew(batch)
        before: _UnderWay | None = None
        try:
            for begin, chunk in self._slices(batch):
                if self._is_draining():
                    self._admission.give_back(batch[begin:])
                    self._emit(BatchDropped(app_no=app_no, lane=lane, jobs=len(batch) - begin))
                    break
                since = clock.monotonic()
                calling = self._caller.start(self._admission.admit(chunk))
                if before is not None:
                    self._settle(app_no, lane, before)
                before = _UnderWay(calling=calling, since=since)
        finally:
            # Whatever ended the loop, answers that are on their way must be written.
            if before is not None:
                self._settle(app_no, lane, before)

    def _slices(self, batch: Sequence[tuple[JobId, int]]) -> Iterator[tuple[int, Sequence[tuple[JobId, int]]]]:
        for begin in range(0, len(batch), self._slice_size):
            yield begin, batch[begin : begin + self._slice_size]

    def _settle(self, app_no: int, lane: Lane, under_way: _UnderWay) -> None:
        answers = under_way.calling.result()
        if answers:
            self._settlement.settle(app_no, lane, answers, since=under_way.since)
