"""Admit: one transaction that locks a slice, passes it through the gates and marks the rest as `sending`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pushjobs import clock
from pushjobs.delivery.gates import GATES
from pushjobs.domain.events import MessageUnreadable
from pushjobs.domain.job import JobId, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.message import Message
from pushjobs.errors import Undecryptable
from pushjobs.settings import LEASE_SECONDS
from pushjobs.store import envelope, moves, releases, slices
from pushjobs.store.database import Database
from pushjobs.store.sealing import Sealer
from pushjobs.store.slices import Candidate
from pushjobs.telemetry import Emit

__all__ = ["Admission", "Admitted"]

_KEY_WAIT_SECONDS = 600.0
_SPARE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A job that may be called. Instants are on the process's monotonic clock.

    `not_before`: its moment. `call_by`: after this no call may begin, for its answer could come after the lease.
    `expires_in`: seconds from admission to the deadline.
    """

    id: JobId
    release_no: int
    attempts: int
    appid: str
    recipient: bytes
    message: Message = field(repr=False)
    planned_at: datetime
    not_before: float
    call_by: float
    expires_in: float


class Admission:
    """Admits slices; one a process."""

    def __init__(self, database: Database, sealer: Sealer, *, call_timeout_seconds: float, emit: Emit) -> None:
        self._database = database
        self._sealer = sealer
        self._longest_wait = LEASE_SECONDS - call_timeout_seconds - _SPARE_SECONDS
        self._emit = emit

    def admit(self, asked: Sequence[tuple[JobId, int]]) -> list[Admitted]:
        """Admit those of the jobs that still are released under their number and that no gate holds."""
        # Read before the transaction that starts the lease: the lease can only end later than we believe (design 12.1).
        call_by = clock.monotonic() + self._longest_wait
        admitted = []
        with self._database.transaction() as connection:
            candidates = slices.lock(connection, asked)
            read_at = clock.monotonic()
            held: list[moves.Move] = []
            for gate in GATES:
                stopped = gate(candidates)
                held += stopped
                names = {move.id for move in stopped}
                candidates = [job for job in candidates if job.id not in names]
            for job in candidates:
                message = self._open(job)
                if message is None:
                    held.append(_wait_for_key(job))
                else:
                    admitted.append(_admitted(job, message, read_at=read_at, call_by=call_by))
            moves.apply(connection, [*held, *(_sending(job) for job in admitted)])
        return admitted

    def renew(self, asked: Sequence[tuple[JobId, int]]) -> None:
        """Prolong the leases of a batch that waited long before anyone began it."""
        with self._database.transaction() as connection:
            releases.renew(connection, [job_id for job_id, _ in asked])

    def give_back(self, asked: Sequence[tuple[JobId, int]]) -> None:
        """Return jobs that nobody has begun; the next tick releases them again."""
        back = [
            moves.Move(id=job_id, release_no=number, transition=Transition.GIVE_BACK, reason=Reason.DRAINED)
            for job_id, number in asked
        ]
        with self._database.transaction() as connection:
            moves.apply(connection, back)

    def _open(self, job: Candidate) -> Message | None:
        try:
            return envelope.open_message(
                self._sealer,
                sealed=job.sealed,
                sealed_content=job.sealed_content,
                appid=job.appid,
                recipient=job.recipient,
                template_id=job.template_id,
            )
        except Undecryptable:
            self._emit(MessageUnreadable(job_id=job.id))
            return None


def _admitted(job: Candidate, message: Message, *, read_at: float, call_by: float) -> Admitted:
    return Admitted(
        id=job.id,
        release_no=job.release_no,
        attempts=job.attempts,
        appid=job.appid,
        recipient=job.recipient,
        message=message,
        planned_at=job.planned_at,
        # The distance was measured by the database before we read our clock: never early, late by the way back.
        not_before=read_at + job.due_in,
        call_by=call_by,
        expires_in=job.expires_in,
    )


def _sending(job: Admitted) -> moves.Move:
    return moves.Move(id=job.id, release_no=job.release_no, transition=Transition.ADMIT, lease=LEASE_SECONDS)


def _wait_for_key(job: Candidate) -> moves.Move:
    return moves.Move(
        id=job.id,
        release_no=job.release_no,
        transition=Transition.POSTPONE,
        reason=Reason.UNDECRYPTABLE,
        due_in=min(_KEY_WAIT_SECONDS, max(job.expires_in, 0.0)),
    )
