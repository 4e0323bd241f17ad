"""A run's audience read, and made jobs chunk by chunk, ahead of its instant.

What the audience is, is settled by reading it once: a file as it was opened, a query as its transaction saw it, an
iterable as it was gone through. Later changes are the next run's. All that is read is one transaction, and each chunk
of jobs is one; a process that dies leaves what it had finished, and the next tick goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from pushjobs import clock
from pushjobs.campaigns.audiences import Recipient
from pushjobs.campaigns.parts import Opened
from pushjobs.domain.campaign import RunReason
from pushjobs.domain.events import AudienceUnreadable, RunExpanded, RunFailed
from pushjobs.domain.job import JobId
from pushjobs.domain.message import Message
from pushjobs.domain.steps import JobsAccepted, NewJob
from pushjobs.errors import AudienceUnread, InvalidInput
from pushjobs.store import envelope, runs, snapshots
from pushjobs.store.database import Database
from pushjobs.store.runs import OpenRun
from pushjobs.store.sealing import Lookup, Sealer
from pushjobs.store.snapshots import Member
from pushjobs.telemetry import Emit, follow, is_followed

__all__ = ["Expansion", "drop_snapshot"]

CHUNK = 10_000
"""Jobs a transaction: some 150 ms, for which a pause or a cancellation waits at most."""

_LONGEST_SECONDS = 5.0
"""How long one task makes jobs; the next tick goes on, and a bulk worker sends in between."""

_READ_AGAIN_SECONDS = 15.0
_MOST_FAULTS = 100


class _Stopped(Exception):
    """The run was stopped, or the process is to end: what was copied in is dropped with its transaction."""


class Expansion:
    """Reads audiences and makes jobs; one a process."""

    def __init__(
        self,
        database: Database,
        *,
        sealer: Sealer,
        lookup: Lookup,
        is_draining: Callable[[], bool],
        emit: Emit,
        chunk: int = CHUNK,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._lookup = lookup
        self._is_draining = is_draining
        self._emit = emit
        self._chunk = chunk

    def read(self, run: OpenRun, opened: Opened) -> bool:
        """Read a run's audience; False where another process does, or it is to be tried again, or was stopped."""
        with self._database.transaction() as connection:
            if not runs.begin(connection, run.run_no):
                return False
            if not opened.recipe.columns:
                runs.share_content(connection, run.run_no)
        members = _Members(run, opened, self._sealer, self._lookup)
        try:
            with self._database.transaction() as connection:
                if not runs.lock(connection, run.run_no):
                    return False
                loaded = snapshots.load(connection, run.run_no, run.app_no, self._watched(run, members))
                snapshots.reject(connection, run.run_no, members.rejected, members.faults)
        except AudienceUnread as unread:
            self.put_off(run, str(unread))
            return False
        except _Stopped:
            return False
        return loaded is not None

    def expand(self, run: OpenRun) -> int:
        """Make jobs of a run that is read, for at most some seconds; return how many."""
        until = clock.monotonic() + _LONGEST_SECONDS
        made = 0
        while clock.monotonic() < until and not self._is_draining():
            since = clock.monotonic()
            with self._database.transaction() as connection:
                chunk = snapshots.expand(connection, run.run_no, limit=self._chunk, wants_ids=is_followed())
            if chunk is None:
                break
            follow(partial(_accepted, run, chunk.ids, since))
            made += chunk.jobs
            if chunk.is_last:
                drop_snapshot(self._database, run.run_no)
                self._emit(RunExpanded(run_no=run.run_no, key=run.key))
                break
        return made

    def put_off(self, run: OpenRun, why: str) -> None:
        """Have the audience tried again, or fail the run where its grace is over."""
        self._emit(AudienceUnreadable(run_no=run.run_no, key=run.key, why=why))
        with self._database.transaction() as connection:
            if run.now < run.begins_at + run.policies.grace:
                runs.read_later(connection, run.run_no, _READ_AGAIN_SECONDS, why)
            elif runs.fail(connection, run.run_no, RunReason.NO_AUDIENCE, why):
                self._emit(RunFailed(run_no=run.run_no, key=run.key, reason=RunReason.NO_AUDIENCE, why=why))

    def _watched(self, run: OpenRun, members: Iterable[Member]) -> Iterator[Member]:
        """Hand members on while nobody stops the run or this process; looked at every few thousand."""
        for number, member in enumerate(members):
            if number % self._chunk == 0 and (self._is_draining() or not self._is_wanted(run)):
                raise _Stopped
            yield member

    def _is_wanted(self, run: OpenRun) -> bool:
        with self._database.transaction() as connection:
            return runs.is_wanted(connection, run.run_no)


def _accepted(run: OpenRun, ids: Sequence[int], since: float) -> JobsAccepted:
    lane = run.policies.lane
    jobs = (NewJob(JobId(job_id), lane, run.template_id, None) for job_id in ids)
    return JobsAccepted(appid=run.appid, jobs=jobs, since=since, at=clock.monotonic())


def drop_snapshot(database: Database, run_no: int) -> None:
    """Delete a run's snapshot, page by page; what a process that dies leaves of it goes when the run ends."""
    while True:
        with database.transaction() as connection:
            if snapshots.drop(connection, run_no, limit=CHUNK) < CHUNK:
                return


class _Members:
    """The users of an audience, sealed as their jobs will be; what is none is counted and told."""

    def __init__(self, run: OpenRun, opened: Opened, sealer: Sealer, lookup: Lookup) -> None:
        self._run = run
        self._opened = opened
        self._sealer = sealer
        self._lookup = lookup
        self.rejected = 0
        self.faults: list[dict[str, Any]] = []

    def __iter__(self) -> Iterator[Member]:
        return self._personal() if self._opened.recipe.columns else self._alike()

    def _alike(self) -> Iterator[Member]:
        appid, recipient, seal = self._run.appid, self._lookup.recipient, self._sealer.seal
        bound_to = envelope.bound_job
        for row in self._opened.audience.rows():
            if isinstance(row, Recipient):
                hashed = recipient(appid, row.touser)
                yield hashed, seal({"touser": row.touser}, bound_to(appid, hashed))
            else:
                self._reject(row.number, row.refusal)

    def _personal(self) -> Iterator[Member]:
        appid, fill = self._run.appid, self._opened.recipe.personal
        for row in self._opened.audience.rows():
            if not isinstance(row, Recipient):
                self._reject(row.number, row.refusal)
                continue
            content = fill(row.columns)
            if isinstance(content, InvalidInput):
                self._reject(row.number, content)
                continue
            hashed = self._lookup.recipient(appid, row.touser)
            message = Message(touser=row.touser, content=content)
            yield (
                hashed,
                envelope.seal_message(self._sealer, message, appid=appid, recipient=hashed, is_shared=False),
            )

    def _reject(self, number: int, refusal: InvalidInput) -> None:
        self.rejected += 1
        if len(self.faults) < _MOST_FAULTS:
            told = {"number": number, "field": refusal.field, "fault": refusal.fault, "rule": refusal.rule}
            self.faults.append(told)
