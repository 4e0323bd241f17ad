"""Upkeep: take back what dead workers held, resend what may be repeated, erase and prune what is not to be kept.

Every tick here is idempotent.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from pushjobs import clock
from pushjobs.domain.events import JobsErased, JobsPruned, JobsRescued, JobsResent
from pushjobs.domain.job import JobState, Reason
from pushjobs.store import consents, erasing, pruning, recipients, releases, reopening
from pushjobs.store.consents import Change, Turn
from pushjobs.store.database import Database, Transaction
from pushjobs.store.erasing import User
from pushjobs.store.recipients import Settled
from pushjobs.store.releases import Rescued
from pushjobs.telemetry import Emit

__all__ = ["Retention", "Upkeep"]

_AT_ONCE = 1000
_USERS_AT_ONCE = 100
_WALKED_AT_ONCE = 5000
_LONGEST_SECONDS = 5.0
"""How long a prune goes on while there is more; the next one, a minute later, follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how many days a closed job is kept. A dead one may be wanted back; one in doubt is kept until resolved."""

    days: int = 30
    dead_days: int = 90

    def of(self, state: JobState) -> int:
        """Return for how many days a job closed in this state is kept."""
        return self.dead_days if state is JobState.DEAD else self.days


_DEFAULT = Retention()


class Upkeep:
    """Rescues, resends, forgets and prunes; one a process."""

    def __init__(self, database: Database, *, retention: Retention = _DEFAULT, emit: Emit) -> None:
        self._database = database
        self._retention = retention
        self._emit = emit
        self._walk: Iterator[int] = iter(())

    def rescue(self) -> int:
        """Take back the jobs whose lease ran out: not begun, they are scheduled again; in mid-call, in doubt."""
        rescued: Counter[JobState] = Counter()
        while True:
            with self._database.transaction() as connection:
                found = releases.rescue(connection, limit=_AT_ONCE)
                _keep_charges(connection, [job for job in found if job.state is JobState.IN_DOUBT])
            rescued.update(job.state for job in found)
            if len(found) < _AT_ONCE:
                break
        if rescued:
            self._emit(JobsRescued(given_back=rescued[JobState.SCHEDULED], in_doubt=rescued[JobState.IN_DOUBT]))
        return rescued.total()

    def resend_doubts(self) -> int:
        """Schedule doubts again whose templates accept a repeat, a minute after they arose; return how many.

        Until then an answer that is late, or a receipt, may still settle them. One that has used up its attempts stays
        in doubt, for an operator.
        """
        resent = 0
        while True:
            with self._database.transaction() as connection:
                found = reopening.lock_resendable(connection, limit=_AT_ONCE)
                resent += len(reopening.send_again(connection, found, reason=Reason.UNKNOWN_OUTCOME, wait=0.0))
            if len(found) < _AT_ONCE:
                break
        if resent:
            self._emit(JobsResent(jobs=resent))
        return resent

    def forget(self) -> int:
        """Erase what is left of users that are to be forgotten, for at most some seconds; return how many jobs.

        That is what was being sent when it was asked for, what came late, and all that a killed `forget` left.
        """
        until = clock.monotonic() + _LONGEST_SECONDS
        total, last = 0, User(0, b"")
        while clock.monotonic() < until:
            with self._database.transaction() as connection:
                users = erasing.pending(connection, after=last, limit=_USERS_AT_ONCE)
            if not users:
                break
            total, last = total + self._forget(users), users[-1]
        return total

    def _forget(self, users: Sequence[User]) -> int:
        jobs = cancelled = 0
        while True:
            with self._database.transaction() as connection:
                erased = erasing.erase(connection, users, limit=_AT_ONCE)
                if erased.users:
                    erasing.erase_consents(connection, sorted(erased.users))
            jobs, cancelled = jobs + erased.jobs, cancelled + erased.cancelled
            if erased.jobs < _AT_ONCE:
                break
        with self._database.transaction() as connection:
            erasing.finish(connection, users)
        if jobs:
            self._emit(JobsErased(jobs=jobs, cancelled=cancelled))
        return jobs

    def prune(self) -> int:
        """Delete what has served its time, for at most some seconds; return how many rows.

        Closed jobs go by state and age, and figures, keys, form ids and callbacks by their own. Once a day, and by one
        process of all, quota rows of days that are over and contents that no job names.
        """
        until = clock.monotonic() + _LONGEST_SECONDS
        pruned = 0
        for kind in pruning.DISPENSABLE:
            pruned += self._repeat(partial(pruning.prune_kind, kind=kind), until)
        of_jobs = {
            state: self._repeat(partial(pruning.prune_jobs, state=state, days=self._retention.of(state)), until)
            for state in pruning.PRUNABLE
        }
        if any(of_jobs.values()):
            self._emit(JobsPruned(jobs={state: jobs for state, jobs in of_jobs.items() if jobs}))
        return pruned + sum(of_jobs.values()) + self._prune_daily(until)

    def _repeat(self, prune: Callable[..., int], until: float) -> int:
        """Prune a page a transaction until there is no more, or no time."""
        pruned = 0
        while clock.monotonic() < until:
            with self._database.transaction() as connection:
                rows = prune(connection, limit=_AT_ONCE)
            pruned += rows
            if rows < _AT_ONCE:
                break
        return pruned

    def _prune_daily(self, until: float) -> int:
        """Go on with the day's walk, or begin it; what a process that dies had before it, the next day's finds."""
        pruned, days = 0, self._retention.days
        with self._database.transaction() as connection:
            if pruning.begin_day(connection, clock.now().date()):
                pruned = pruning.prune_days(connection, days=days)
                self._walk = pruning.walk(self._database.transaction, days=days, limit=_WALKED_AT_ONCE)
        while clock.monotonic() < until and (rows := next(self._walk, None)) is not None:
            pruned += rows
        return pruned


def _keep_charges(connection: Transaction, doubted: Sequence[Rescued]) -> None:
    """Count the charges of calls given up as used: what may have been sent must not be made room for."""
    for app_no in sorted({job.app_no for job in doubted}):
        charged = [job for job in doubted if job.app_no == app_no and job.charged_day is not None]
        recipients.settle(
            connection,
            app_no,
            [
                Settled(recipient=job.recipient, day=job.charged_day, held=1, sent=1, frees=False)
                for job in charged
                if job.charged_day is not None
            ],
        )
        spent = [
            Change(key=(job.recipient, job.template_no), turn=Turn.SPENT, held=True)
            for job in charged
            if job.credit_held
        ]
        consents.settle(connection, app_no, spent)
