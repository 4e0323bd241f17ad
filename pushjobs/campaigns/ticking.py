"""What ticks do for campaigns: short steps in one, those that take long in another. Both are idempotent.

A run's row says what it needs (`domain.campaign`), so whichever process looks first does it, and what a dead one left
is taken up by the next tick.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pushjobs import clock
from pushjobs.campaigns.expansion import Expansion
from pushjobs.campaigns.opening import Opening
from pushjobs.campaigns.parts import Opened, Parts, opened
from pushjobs.campaigns.planning import plan_runs
from pushjobs.domain.campaign import Step, next_steps
from pushjobs.domain.events import RunBroke
from pushjobs.errors import InvalidInput, PushJobsError, Undecryptable
from pushjobs.store import runs
from pushjobs.store.database import Database
from pushjobs.store.runs import OpenRun
from pushjobs.store.sealing import Sealer
from pushjobs.telemetry import Emit

__all__ = ["Ticking"]

_DECLARE_SECONDS = 60.0


class Ticking:
    """Takes runs from their instant to their last job; one a process."""

    def __init__(  # noqa: PLR0913 - what runs are taken along with
        self,
        database: Database,
        parts: Callable[[int], Parts | None],
        expansion: Expansion,
        opening: Opening,
        *,
        sealer: Sealer,
        declare: Callable[[], bool],
        is_draining: Callable[[], bool],
        emit: Emit,
    ) -> None:
        self._database = database
        self._parts = parts
        self._expansion = expansion
        self._opening = opening
        self._sealer = sealer
        self._declare = declare
        self._declare_at: float | None = 0.0
        self._is_draining = is_draining
        self._emit = emit

    def tick(self) -> None:
        """Plan runs, fetch contents, open and close runs."""
        self._declare_if_due()
        plan_runs(self._database, emit=self._emit, is_draining=self._is_draining)
        for run, steps in self._waiting():
            with self._apart(run):
                if Step.FETCH in steps and (found := self._open(run, self._opening.put_off)) is not None:
                    self._opening.fetch(run, found)
                if Step.OPEN in steps:
                    self._opening.open(run)
                if Step.FINISH in steps:
                    self._opening.finish(run)

    def expand(self) -> None:
        """Read audiences, make jobs, end those of stopped runs; the earliest run first, some seconds for each."""
        for run, steps in self._waiting():
            with self._apart(run):
                if Step.SWEEP in steps:
                    self._opening.sweep(run)
                is_read = Step.EXPAND in steps
                if Step.READ in steps and (found := self._open(run, self._expansion.put_off)) is not None:
                    is_read = self._expansion.read(run, found)
                if is_read:
                    self._expansion.expand(run)

    def _declare_if_due(self) -> None:
        """Take in the campaigns declared in code, once, and again in a minute while one of them cannot be taken.

        Not with every tick: while an older release runs beside a newer one, the one that was started last has its way.
        """
        if self._declare_at is not None and clock.monotonic() >= self._declare_at:
            self._declare_at = clock.monotonic() + _DECLARE_SECONDS
            if self._declare():
                self._declare_at = None

    @contextmanager
    def _apart(self, run: OpenRun) -> Iterator[None]:
        """Tell what broke at one run, and go on with the others: none waits behind a fault of ours, or of a library."""
        try:
            yield
        except PushJobsError:
            raise  # a server that does not answer: the next tick tries again
        except Exception as fault:  # noqa: BLE001 - whatever it was
            self._emit(RunBroke(run_no=run.run_no, key=run.key, fault=type(fault).__name__))

    def _waiting(self) -> list[tuple[OpenRun, set[Step]]]:
        with self._database.transaction() as connection:
            found = runs.unfinished(connection)
        return [(run, next_steps(run.standing, run.now)) for run in found]

    def _open(self, run: OpenRun, put_off: Callable[[OpenRun, str], None]) -> Opened | None:
        """Open a run's definition; one that cannot be waits for its key, or fails where its template is another now."""
        parts = self._parts(run.app_no)
        if parts is None:
            return None
        try:
            return opened(self._sealer, run.sealed, parts, key=run.key, template_id=run.template_id, zone=run.zone)
        except (InvalidInput, Undecryptable) as trouble:
            put_off(run, str(trouble))
            return None
