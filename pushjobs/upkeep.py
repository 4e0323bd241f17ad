"""Upkeep: take back what dead workers held, and forget what nobody needs any more. Every tick here is idempotent."""

from collections import Counter

from pushjobs.domain.events import JobsRescued
from pushjobs.domain.job import JobState
from pushjobs.store import pruning, releases
from pushjobs.store.database import Database
from pushjobs.telemetry import Emit

__all__ = ["Upkeep"]

_AT_ONCE = 1000


class Upkeep:
    """Rescues and prunes; one a process."""

    def __init__(self, database: Database, *, emit: Emit) -> None:
        self._database = database
        self._emit = emit

    def rescue(self) -> int:
        """Take back the jobs whose lease ran out: not begun, they are scheduled again; in mid-call, in doubt."""
        rescued: Counter[JobState] = Counter()
        while True:
            with self._database.transaction() as connection:
                found = releases.rescue(connection, limit=_AT_ONCE)
            rescued.update(job.state for job in found)
            if len(found) < _AT_ONCE:
                break
        if rescued:
            self._emit(JobsRescued(given_back=rescued[JobState.SCHEDULED], in_doubt=rescued[JobState.IN_DOUBT]))
        return rescued.total()

    def prune(self) -> int:
        """Delete drain figures and idempotency keys that have served their time; return how many rows."""
        pruned = 0
        while True:
            with self._database.transaction() as connection:
                rows = pruning.prune(connection, limit=_AT_ONCE)
            pruned += rows
            if rows < _AT_ONCE:
                return pruned
