"""A run opened at its instant, and closed when nothing of it is left: its content, its counts, the sweep of a stop.

The content is fetched once, a minute before the first job, and stored with the word that it is there. A fetch that
fails is tried again until the instant; then the run fails, and its jobs are refused with it. Nothing here needs to be
done by one process alone: each step is a condition on the run's row, and whoever comes second finds it met.
"""

from collections.abc import Callable

from pushjobs import clock
from pushjobs.campaigns.expansion import drop_snapshot
from pushjobs.campaigns.feeds import Fetched, Known, NothingNew, fetch
from pushjobs.campaigns.parts import Opened, Parts
from pushjobs.domain.campaign import RunReason, RunState
from pushjobs.domain.events import ContentUnread, RunEnded, RunFailed, RunOpened
from pushjobs.domain.message import Content
from pushjobs.errors import ContentUnfetched, InvalidInput
from pushjobs.store import campaigns as stored
from pushjobs.store import envelope, run_jobs, runs
from pushjobs.store.database import Database
from pushjobs.store.runs import OpenRun
from pushjobs.store.sealing import Sealer
from pushjobs.telemetry import Emit

__all__ = ["Opening"]

_FETCH_SECONDS = 45.0
"""For how long a fetch is one process's: longer than it may take (36 s, with the reading of what came)."""

_AGAIN_SECONDS = 10.0
_SWEPT_AT_ONCE = 5_000
_LONGEST_SECONDS = 5.0
_COUNT_SHARE = 20
"""Counting a run again waits this many times as long as it took: it may cost a twentieth of a processor."""


class Opening:
    """Fetches contents, opens runs, finishes them; one a process."""

    def __init__(
        self,
        database: Database,
        parts: Callable[[int], Parts | None],
        *,
        sealer: Sealer,
        allow_private: bool,
        is_draining: Callable[[], bool],
        emit: Emit,
    ) -> None:
        self._database = database
        self._parts = parts
        self._sealer = sealer
        self._allow_private = allow_private
        self._is_draining = is_draining
        self._emit = emit
        self._count_from: dict[int, float] = {}

    def fetch(self, run: OpenRun, opened: Opened) -> None:
        """Learn what the run says and store it, if nobody else is at it."""
        parts = self._parts(run.app_no)
        if parts is None:
            return
        with self._database.transaction() as connection:
            if not runs.take_fetch(connection, run.run_no, _FETCH_SECONDS):
                return
        if opened.recipe.columns:
            self._keep(run, None, None)
            return
        try:
            content, known = self._content(run, opened, parts)
        except (ContentUnfetched, InvalidInput) as trouble:
            self.put_off(run, str(trouble))
            return
        if content is None:
            self._skip(run, known)
        else:
            self._keep(run, content, known)

    def open(self, run: OpenRun) -> None:
        """Let the run's jobs leave as they fall due."""
        with self._database.transaction() as connection:
            is_open = runs.open_run(connection, run.run_no)
        if is_open:
            self._emit(RunOpened(run_no=run.run_no, key=run.key))

    def finish(self, run: OpenRun) -> None:
        """Close a run whose every job is closed, and count it for the last time; count the others now and then."""
        with self._database.transaction() as connection:
            is_done = run_jobs.is_done(connection, run)
        if is_done:
            drop_snapshot(self._database, run.run_no)
            self.count(run.run_no)
            self._count_from.pop(run.run_no, None)
            with self._database.transaction() as connection:
                is_over = runs.finish(connection, run.run_no)
            if is_over:
                self._emit(RunEnded(run_no=run.run_no, key=run.key, state=_ended(run.standing.state)))
        elif clock.monotonic() >= self._count_from.get(run.run_no, 0.0):
            self.count(run.run_no)

    def sweep(self, run: OpenRun) -> None:
        """End the jobs of a stopped run that nobody has begun, for at most some seconds; then finish it."""
        until, after = clock.monotonic() + _LONGEST_SECONDS, 0
        with self._database.transaction() as connection:
            found = runs.find(connection, run.run_no)
        if found is None:
            return
        while clock.monotonic() < until and not self._is_draining():
            with self._database.transaction() as connection:
                last = run_jobs.sweep(connection, found, run.standing.state, after=after, limit=_SWEPT_AT_ONCE)
            if last is None:
                self.finish(run)
                return
            after = last

    def put_off(self, run: OpenRun, why: str) -> None:
        """Have the content tried again, or fail the run where its instant has come."""
        self._emit(ContentUnread(run_no=run.run_no, key=run.key, why=why))
        with self._database.transaction() as connection:
            runs.fetch_later(connection, run.run_no, _AGAIN_SECONDS, why)
            has_failed = run.now >= run.begins_at and runs.fail(connection, run.run_no, RunReason.NO_CONTENT, why)
        if has_failed:
            self._emit(RunFailed(run_no=run.run_no, key=run.key, reason=RunReason.NO_CONTENT, why=why))

    def count(self, run_no: int) -> None:
        """Count a run's jobs and keep the figures."""
        began = clock.monotonic()
        with self._database.transaction() as connection:
            run_jobs.keep_counts(connection, run_no, run_jobs.count(connection, run_no))
        now = clock.monotonic()
        self._count_from[run_no] = now + _COUNT_SHARE * (now - began)

    def _content(self, run: OpenRun, opened: Opened, parts: Parts) -> tuple[Content | None, Known | None]:
        """Return what the run says, None where there is nothing new, and what to remember of its feed."""
        recipe = opened.recipe
        if recipe.feed is None:
            return recipe.fixed, None
        known = None if run.feed is None else Known.from_record(run.feed)
        match fetch(recipe.feed, known, allow_private=self._allow_private):
            case NothingNew(known=kept):
                return None, kept
            case Fetched(entry=entry, known=kept):
                content = recipe.from_entry(entry)
                parts.vetting.vet_content(content, None)
                return content, kept

    def _keep(self, run: OpenRun, content: Content | None, known: Known | None) -> None:
        sealed = None if content is None else envelope.seal_content(self._sealer, content, appid=run.appid)
        with self._database.transaction() as connection:
            if sealed is not None:
                runs.share_content(connection, run.run_no)
            runs.keep_content(connection, run.run_no, sealed)
            if known is not None:
                stored.keep_feed(connection, run.campaign_no, known.as_record())

    def _skip(self, run: OpenRun, known: Known | None) -> None:
        with self._database.transaction() as connection:
            is_skipped = runs.skip(connection, run.run_no, RunReason.NOTHING_NEW)
            if known is not None:
                stored.keep_feed(connection, run.campaign_no, known.as_record())
        if is_skipped:
            self._emit(RunEnded(run_no=run.run_no, key=run.key, state=RunState.SKIPPED))


def _ended(state: RunState) -> RunState:
    return RunState.FINISHED if state is RunState.OPEN else state
