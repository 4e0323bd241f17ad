"""What takes longer than a page: begun by one request, asked after by the next ones, of this process.

An errand is its client's, by name; begun again while it runs it goes on as it is. What comes of it is kept for
an hour, in memory alone: it may hold what messages say.
"""

import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from pushjobs import clock
from pushjobs.errors import NotPossible

__all__ = ["Errand", "Errands"]

_THREADS = 3
_MOST = 20
_KEPT_SECONDS = 3600.0
_LATELY_TIMES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Something under way, or done: `result` raises what it raised. `began`: on the process's monotonic clock."""

    future: Future[object]
    began: float

    @property
    def seconds(self) -> float:
        """For how long it has been under way."""
        return clock.monotonic() - self.began


class Errands:
    """Those of one process; safe to share between threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="errand")
        self._lock = threading.Lock()
        self._errands: dict[tuple[str, str], Errand] = {}
        self._lately: dict[str, list[Errand]] = {}

    def begin(self, client_id: str, name: str, work: Callable[[], object], *, wait: float) -> None:
        """Begin an errand, and give it some seconds to be done at once; raises NotPossible where there are too many."""
        with self._lock:
            known = self._errands.get((client_id, name))
            if known is None or known.future.done():
                self._make_room()
                known = Errand(future=self._threads.submit(work), began=clock.monotonic())
                self._errands[client_id, name] = known
        futures.wait([known.future], timeout=wait)

    def find(self, client_id: str, name: str) -> Errand | None:
        """Return an errand; None: this process has none of that name."""
        with self._lock:
            return self._errands.get((client_id, name))

    def forget(self, client_id: str, name: str) -> None:
        """Keep nothing more of an errand."""
        with self._lock:
            self._errands.pop((client_id, name), None)

    def lately(self, name: str, work: Callable[[], object], *, fresh: float) -> object | None:
        """Return what some work gave last, None: not lately, or it failed; after `fresh` seconds it is done again.

        For what a page shows and does not wait for: whoever asks first, or after a while, is told nothing yet. It is
        everybody's.
        """
        with self._lock:
            errands = self._lately.setdefault(name, [])
            if not errands or (errands[-1].future.done() and errands[-1].seconds > fresh):
                errands.append(Errand(future=self._threads.submit(work), began=clock.monotonic()))
                del errands[:-2]
            for each in reversed(errands):
                if each.future.done() and each.seconds < _LATELY_TIMES * fresh:
                    return None if each.future.exception() else each.future.result()
        return None

    def close(self) -> None:
        """Begin nothing more; what is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _make_room(self) -> None:
        for key, errand in list(self._errands.items()):
            if errand.future.done() and errand.seconds > _KEPT_SECONDS:
                del self._errands[key]
        if len(self._errands) >= _MOST:
            done = [key for key, errand in self._errands.items() if errand.future.done()]
            if not done:
                raise NotPossible("too many rehearsals are under way: wait until one of them is done")
            del self._errands[done[0]]
