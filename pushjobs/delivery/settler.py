"""Gather answers into slices and settle them, in a thread of its own, so that admission and calls go on meanwhile.

An answer that takes long holds up nobody else's: whatever has come in is settled together. How many jobs may be out is
decided here, and who would admit more waits: few that have not left yet, or their slots would pass while the loop is
busy with those before them; and not too many between admission and settlement, for they are what a crash puts in doubt.

Should the process die, what was out is `sending` in SQL, and `upkeep` puts it in doubt.
"""

import threading
from collections.abc import Callable, Iterator, Sequence

from pushjobs.delivery.calling import Answer
from pushjobs.delivery.settle import Settlement
from pushjobs.domain.events import SettleBroke
from pushjobs.domain.job import Lane
from pushjobs.telemetry import Emit

__all__ = ["Settler", "most_out"]

_GATHER_SECONDS = 0.05
"""How long an answer waits for others to be settled with: a transaction costs the same for one as for many."""

_SLICES_OUT = 4
_SLICES_WAITING = 0.5


def most_out(slice_size: int) -> int:
    """Return how many jobs of one app a process has between admission and settlement at the most."""
    return (_SLICES_OUT + 1) * slice_size


class Settler:
    """Settles what is handed in; one a process. `not_called` hears how many of an app's calls were not made after all.

    Below zero: how many more were made than jobs admitted, since a repeat after a token refresh is a call too.
    """

    def __init__(
        self, settlement: Settlement, *, slice_size: int, not_called: Callable[[int, int], None], emit: Emit
    ) -> None:
        self._settlement = settlement
        self._slice_size = slice_size
        self._not_called = not_called
        self._emit = emit
        self._changed = threading.Condition()
        self._answers: list[Answer] = []
        self._out = self._waiting = 0
        self._thread: threading.Thread | None = None
        self._is_closing = False

    def has_room(self, *, within: float) -> bool:
        """Wait up to so many seconds until another slice may be admitted."""
        with self._changed:
            return self._changed.wait_for(
                lambda: (
                    self._waiting <= _SLICES_WAITING * self._slice_size and self._out < _SLICES_OUT * self._slice_size
                ),
                timeout=within,
            )

    def expect(self, jobs: int) -> None:
        """Count jobs that are admitted; each will be handed in."""
        with self._changed:
            self._out += jobs
            self._waiting += jobs
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="pushjobs-settler", daemon=True)
                self._thread.start()

    def left(self) -> None:
        """Note that a job's call left, or never will."""
        with self._changed:
            self._waiting -= 1
            if self._waiting == int(_SLICES_WAITING * self._slice_size):
                self._changed.notify_all()

    def hand_in(self, answer: Answer) -> None:
        """Take an answer in; from any thread."""
        with self._changed:
            self._answers.append(answer)
            # The thread sleeps through what is between: a wake for each answer would cost more than settling it.
            if len(self._answers) == 1 or self._is_slice():
                self._changed.notify_all()

    def finish(self) -> None:
        """Return when every job that was expected is settled."""
        with self._changed:
            self._changed.wait_for(lambda: not self._out)

    def close(self) -> None:
        """Finish, and end the thread."""
        self.finish()
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _is_slice(self) -> bool:
        """Whether it makes no sense to wait for more: a slice is full, or nobody else is out."""
        return len(self._answers) >= min(self._slice_size, self._out)

    def _work(self) -> None:
        while answers := self._gather():
            for together in _slices(answers):
                self._settle(together)
            with self._changed:
                self._out -= len(answers)
                self._changed.notify_all()

    def _gather(self) -> list[Answer]:
        with self._changed:
            self._changed.wait_for(lambda: self._answers or self._is_closing)
            self._changed.wait_for(self._is_slice, timeout=_GATHER_SECONDS)
            answers, self._answers = self._answers, []
            return answers

    def _settle(self, answers: Sequence[Answer]) -> None:
        app_no, lane = _bucket(answers[0])
        try:
            self._not_called(app_no, len(answers) - sum(answer.calls for answer in answers))
            self._settlement.settle(app_no, lane, answers)
        except Exception as error:  # noqa: BLE001 - a fault of ours in one slice must not end the settling of all others
            # Their leases run out, and they are in doubt: nothing is sent twice.
            self._emit(SettleBroke(app_no=app_no, lane=lane, jobs=len(answers), fault=type(error).__name__))


def _slices(answers: Sequence[Answer]) -> Iterator[Sequence[Answer]]:
    """Part answers by app and lane, each user once: a user's second call, after the first one's lease, comes after."""
    left = list(answers)
    while left:
        bucket = _bucket(left[0])
        chosen: dict[bytes, Answer] = {}
        rest = []
        for answer in left:
            if _bucket(answer) == bucket and answer.job.charge.recipient not in chosen:
                chosen[answer.job.charge.recipient] = answer
            else:
                rest.append(answer)
        yield list(chosen.values())
        left = rest


def _bucket(answer: Answer) -> tuple[int, Lane]:
    return answer.job.charge.app_no, answer.job.lane
