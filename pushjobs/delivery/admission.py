"""Admit: one transaction that locks a slice, passes it through the gates, charges it and marks it as `sending`."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from pushjobs import clock
from pushjobs.delivery import charging
from pushjobs.delivery.charging import Charge, Rules
from pushjobs.delivery.gates import Now, pass_gates
from pushjobs.domain.events import MessageUnreadable
from pushjobs.domain.hot_value import hot_value
from pushjobs.domain.job import JobId, Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.message import Message
from pushjobs.domain.moment import QuietHours, next_midnight
from pushjobs.domain.pause import Pause
from pushjobs.domain.steps import JobsHeld
from pushjobs.errors import Undecryptable
from pushjobs.pace import Slot
from pushjobs.settings import LEASE_SECONDS
from pushjobs.store import envelope, moves, pauses, releases, slices
from pushjobs.store.database import Database, Transaction
from pushjobs.store.releases import Bucket
from pushjobs.store.sealing import Lookup, Sealer
from pushjobs.store.slices import Candidate
from pushjobs.telemetry import Emit, follow
from pushjobs.witness import Witness

__all__ = ["PROBE_SECONDS", "Admission", "Admittance", "Admitted"]

PROBE_SECONDS = 10.0
"""How often one job may try past an open breaker (fine print 12.13)."""

_KEY_WAIT_SECONDS = 600.0
_SPARE_SECONDS = 1.0

_LAST_OF_A_DAY = 0.25
"""No call that counts for a day starts in its last quarter of a second (fine print 12.11)."""

_FARTHEST_SLOT = 0.75


@hot_value
class Admitted:
    """A job that may be called. Instants are on the process's monotonic clock.

    `admitted_at`: when it was. `not_before`: its moment. `slot`: when it may leave. `call_by`: after this no call may
    begin, for its answer could come after the lease.
    """

    id: JobId
    release_no: int
    attempts: int
    appid: str
    template_no: int
    faults_in_a_row: int
    message: Message = field(repr=False)
    charge: Charge
    slot: Slot
    admitted_at: float
    not_before: float
    call_by: float
    lane: Lane
    is_probe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Admittance:
    """What may be admitted with: the slots there are, and what the app's rules say."""

    rules: Rules
    quiet_hours: QuietHours | None


class Admission:
    """Admits slices; one a process."""

    def __init__(  # noqa: PLR0913 - what a slice is looked at with
        self,
        database: Database,
        sealer: Sealer,
        terms: Admittance,
        *,
        lookup: Lookup,
        witness: Witness,
        call_timeout_seconds: float,
        emit: Emit,
    ) -> None:
        self._database = database
        self._witness = witness
        self._sealer = sealer
        self._terms = terms
        self._lookup = lookup
        self._longest_wait = LEASE_SECONDS - call_timeout_seconds - _SPARE_SECONDS
        self._emit = emit

    def admit(self, asked: Sequence[tuple[JobId, int]], slots: Sequence[Slot]) -> list[Admitted]:
        """Admit those of the jobs that still are released under their number and that no gate holds, soonest first.

        Each gets one of the slots, of which there are as many as jobs; the first ones are used. Raises Unreachable
        where a process that has just started cannot learn how far the database was.
        """
        self._witness.recall()
        admitted = self._admit(asked, slots)
        if admitted is None:
            self._witness.notice()
            admitted = self._admit(asked, slots)  # behind the pause now: they go back
        return admitted or []

    def _admit(self, asked: Sequence[tuple[JobId, int]], slots: Sequence[Slot]) -> list[Admitted] | None:
        """Admit, in one transaction; None, and nothing is changed, where the database has stepped back."""
        # Read before the transaction that starts the lease: it can only end later than we believe (fine print 12.1).
        call_by = clock.monotonic() + min(self._longest_wait, self._until_day_ends() - _LAST_OF_A_DAY)
        moment, draw = clock.now(), random.random()  # noqa: S311 - jitter
        with self._database.transaction() as connection:
            # First, and in this transaction: between a restore and whoever notices it nobody admits (fine print 12.5).
            if not self._witness.trusts(connection):
                return None
            candidates = slices.lock(connection, asked)
            read_at = clock.monotonic()
            if not candidates:
                return []
            in_force, is_probe = self._pauses(connection, candidates)
            rules = self._terms.rules
            now = Now(moment=moment, zone=rules.zone, pauses=in_force, quiet_hours=self._terms.quiet_hours)
            passing, held = pass_gates(candidates, now)
            trying = passing[:1] if is_probe else passing
            readable = [(job, message) for job in trying if (message := self._open(job)) is not None]
            names = {job.id for job, _ in readable}
            held += [_behind(job, is_probed=job not in trying) for job in passing if job.id not in names]
            legacy = {
                job.id: self._lookup.form_id(job.appid, message.form_id)
                for job, message in readable
                if message.form_id is not None
            }
            charges = charging.charge(
                connection, [job for job, _ in readable], rules, moment=moment, draw=draw, legacy=legacy
            )
            messages = {job.id: (job, message) for job, message in readable}
            open_jobs = sorted(charges.charged, key=lambda job_id: (messages[job_id][0].due_in, job_id))
            admitted = [
                _admitted(
                    *messages[job_id],
                    charges.charged[job_id],
                    slot,
                    read_at=read_at,
                    call_by=call_by,
                    is_probe=is_probe,
                )
                for job_id, slot in zip(open_jobs, slots, strict=False)
            ]
            moves.apply(connection, [*held, *charges.held])
            slices.begin(connection, [_begun(job) for job in admitted], lease=LEASE_SECONDS)
        follow(lambda: _held(candidates[0].lane, [*held, *charges.held]))
        return admitted

    def until_next_day(self) -> float:
        """Return seconds to wait where the quota day is ending: no call may slip into the day after its charge."""
        left = self._until_day_ends()
        return left if left < _LAST_OF_A_DAY + _FARTHEST_SLOT else 0.0

    def _until_day_ends(self) -> float:
        now = clock.now()
        return (next_midnight(now, self._terms.rules.zone) - now).total_seconds()

    def renew(self, asked: Sequence[tuple[JobId, int]]) -> None:
        """Prolong the leases of a batch that waited long before anyone began it."""
        with self._database.transaction() as connection:
            releases.renew(connection, [job_id for job_id, _ in asked])

    def give_back(self, asked: Sequence[tuple[JobId, int]], reason: Reason) -> None:
        """Return jobs that nobody has begun; the next tick releases them again."""
        back = [
            moves.Move(id=job_id, release_no=number, transition=Transition.GIVE_BACK, reason=reason)
            for job_id, number in asked
        ]
        with self._database.transaction() as connection:
            moves.apply(connection, back)

    def others_wait(self, app_no: int, lane: Lane) -> bool:
        """Whether jobs of other apps are released and due, and nobody has begun them."""
        with self._database.transaction() as connection:
            return releases.others_wait(connection, Bucket(app_no, lane))

    def _pauses(self, connection: Transaction, candidates: Sequence[Candidate]) -> tuple[list[Pause], bool]:
        """Return the pauses in force; and whether one job may pass as a probe, because all that hold are breakers."""
        first = candidates[0]
        in_force = pauses.active(connection, first.app_no)
        holding = [pause for pause in in_force if pause.holds_lane(first.lane)]
        can_probe = bool(holding) and all(pause.probe_in is not None and pause.probe_in <= 0 for pause in holding)
        if can_probe and self._take_probe(holding):
            return [pause for pause in in_force if pause not in holding], True
        return in_force, False

    def _take_probe(self, holding: Sequence[Pause]) -> bool:
        # In a transaction of its own: a pause's row is locked by nobody who waits for a recipient's.
        with self._database.transaction() as connection:
            return pauses.take_probe(connection, holding, again_in=PROBE_SECONDS)

    def _open(self, job: Candidate) -> Message | None:
        if job.sealed is None:
            return None
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


def _admitted(  # noqa: PLR0913 - what an admitted job is made of
    job: Candidate, message: Message, charge: Charge, slot: Slot, *, read_at: float, call_by: float, is_probe: bool
) -> Admitted:
    return Admitted(
        id=job.id,
        release_no=job.release_no,
        attempts=job.attempts,
        appid=job.appid,
        template_no=job.template_no,
        faults_in_a_row=job.faults_in_a_row,
        message=message,
        charge=charge,
        slot=slot,
        admitted_at=read_at,
        # The distance was measured by the database before we read our clock: never early, late by the way back.
        not_before=read_at + job.due_in,
        call_by=call_by,
        lane=job.lane,
        is_probe=is_probe,
    )


def _begun(job: Admitted) -> slices.Begun:
    return slices.Begun(id=job.id, day=job.charge.day, credit_held=job.charge.credit_held)


def _held(lane: Lane, held: Sequence[moves.Move]) -> JobsHeld:
    jobs = ((move.id, move.transition, move.reason) for move in held)
    return JobsHeld(lane=lane, jobs=jobs, at=clock.monotonic())


def _behind(job: Candidate, *, is_probed: bool) -> moves.Move:
    """Hold a job whose message cannot be read until its key is there, or one behind a probe until the next tick.

    One that was forgotten when it was in doubt, and came back by a late answer, has nothing left to send.
    """
    if is_probed:
        return moves.Move(id=job.id, release_no=job.release_no, transition=Transition.GIVE_BACK, reason=Reason.PAUSED)
    if job.sealed is None:
        return moves.Move(id=job.id, release_no=job.release_no, transition=Transition.CANCEL, reason=Reason.FORGOTTEN)
    return moves.Move(
        id=job.id,
        release_no=job.release_no,
        transition=Transition.POSTPONE,
        reason=Reason.UNDECRYPTABLE,
        due_in=_KEY_WAIT_SECONDS,
    )
