"""Upkeep: take back what dead workers held, resend what may be repeated, forget what nobody needs any more.

Every tick here is idempotent.
"""

from collections import Counter
from collections.abc import Sequence

from pushjobs.domain.events import JobsRescued, JobsResent
from pushjobs.domain.job import JobState, Reason
from pushjobs.store import consents, pruning, recipients, releases, reopening
from pushjobs.store.consents import Change, Turn
from pushjobs.store.database import Database, Transaction
from pushjobs.store.recipients import Settled
from pushjobs.store.releases import Rescued
from pushjobs.telemetry import Emit

__all__ = ["Upkeep"]

_AT_ONCE = 1000


class Upkeep:
    """Rescues, resends and prunes; one a process."""

    def __init__(self, database: Database, *, emit: Emit) -> None:
        self._database = database
        self._emit = emit

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

    def prune(self) -> int:
        """Delete what has served its time: drain figures, keys, form ids, callbacks; return how many rows."""
        pruned = 0
        while True:
            with self._database.transaction() as connection:
                rows = pruning.prune(connection, limit=_AT_ONCE)
            pruned += rows
            if rows < _AT_ONCE:
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
