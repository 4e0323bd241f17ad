"""Charges: what a call costs its recipient, taken when it is admitted and settled with its answer.

Three things in one order (fine print 12.9): the recipient's turn and a place of the day, a credit of the consent
ledger, a place of the template's own day. Whoever fails at a later one gives back the earlier ones in the same
transaction, so that nothing is held for a job that stays behind.

A legacy form id is no charge: its message was the job's when it was accepted (`store.form_ids`). But what WeChat calls
void here is void for the form id's other jobs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pushjobs.domain.consent import Standing, judge
from pushjobs.domain.hot_value import hot_value
from pushjobs.domain.job import JobId, JobState, OnQuota, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.moment import next_day_at, quota_day
from pushjobs.settings import LEASE_SECONDS
from pushjobs.store import capped, consents, form_ids, recipients
from pushjobs.store.capped import Place
from pushjobs.store.consents import Change, Turn
from pushjobs.store.database import Transaction
from pushjobs.store.moves import Move
from pushjobs.store.recipients import InTheWay, Settled
from pushjobs.store.slices import Candidate

__all__ = ["Charge", "Charges", "Over", "Rules", "charge", "settle"]

_SOON = 1.0
_SPREAD_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How an app counts: its zone, places a day for each user (None: no limit), when it goes on the next day."""

    zone: ZoneInfo
    daily_quota: int | None
    resume_hour: int


@hot_value
class Charge:
    """What an admitted job was charged, to be settled with its answer. `form_id`: a legacy job's, hashed."""

    app_no: int
    recipient: bytes
    template_no: int
    day: date
    credit_held: bool
    is_capped: bool
    form_id: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """A slice's charges by job, and the moves of the jobs that are held back."""

    charged: dict[JobId, Charge]
    held: list[Move]


def charge(
    connection: Transaction,
    candidates: Sequence[Candidate],
    rules: Rules,
    *,
    moment: datetime,
    draw: float,
    legacy: Mapping[JobId, bytes] | None = None,
) -> Charges:
    """Charge the jobs of a slice for calls at `moment`; `draw` in [0, 1) spreads those that go on another day.

    `legacy`: the hashed form ids of those that have one.
    """
    desk = _Desk(connection, rules, moment, draw, legacy or {})
    open_jobs = desk.with_valid_form_ids(candidates)
    open_jobs = desk.first_of_each_user(open_jobs)
    open_jobs = desk.take_places(open_jobs)
    open_jobs = desk.take_credits(open_jobs)
    desk.take_template_places(open_jobs)
    return Charges(charged=desk.charged, held=desk.held)


@hot_value
class Over:
    """A charged call that is over: what its job was before, what became of it, and when the call left.

    `was` is `in_doubt` when a rescue had given the call up and counted its charge as used. `voids_form_id`: WeChat
    called its form id invalid or used up.
    """

    charge: Charge
    was: JobState
    transition: Transition
    is_without_consent: bool
    called_at: datetime
    voids_form_id: bool = False


def settle(connection: Transaction, app_no: int, over: Sequence[Over]) -> None:
    """Use or give back the charges of calls that are over. A job in doubt keeps its charge."""
    recipients.settle(connection, app_no, [_settled(one) for one in over])
    changes = [change for one in over if (change := _change(one)) is not None]
    consents.settle(connection, app_no, changes)
    unused = [one.charge for one in over if one.charge.is_capped and one.transition not in _USED]
    capped.give_back(connection, app_no, [(Place(one.recipient, one.template_no), one.day) for one in unused])
    void = [one.charge.form_id for one in over if one.voids_form_id and one.charge.form_id is not None]
    form_ids.void(connection, app_no, void)


_USED = {Transition.DELIVER, Transition.DOUBT}


def _settled(one: Over) -> Settled:
    is_used, is_rescued = one.transition in _USED, one.was is JobState.IN_DOUBT
    return Settled(
        recipient=one.charge.recipient,
        day=one.charge.day,
        held=int(not is_rescued),
        sent=int(is_used) - int(is_rescued),
        frees=not is_rescued,
    )


def _change(one: Over) -> Change | None:
    key, held = (one.charge.recipient, one.charge.template_no), one.charge.credit_held
    is_rescued = one.was is JobState.IN_DOUBT
    if one.is_without_consent:
        return Change(key=key, turn=Turn.EMPTIED, held=held and not is_rescued, called_at=one.called_at)
    if not held:
        return None
    if one.transition in _USED:
        return None if is_rescued else Change(key=key, turn=Turn.SPENT, held=True)
    return Change(key=key, turn=Turn.RETURNED if is_rescued else Turn.BACK, held=not is_rescued)


def _give_back(connection: Transaction, app_no: int, charges: Sequence[Charge]) -> None:
    """Take back charges of calls that are not made after all."""
    recipients.settle(
        connection, app_no, [Settled(recipient=one.recipient, day=one.day, held=1, sent=0) for one in charges]
    )
    consents.settle(
        connection,
        app_no,
        [Change(key=(one.recipient, one.template_no), turn=Turn.BACK, held=True) for one in charges if one.credit_held],
    )
    capped.give_back(
        connection, app_no, [(Place(one.recipient, one.template_no), one.day) for one in charges if one.is_capped]
    )


class _Desk:
    """One slice at the desk: who is charged so far, who is held back."""

    def __init__(
        self, connection: Transaction, rules: Rules, moment: datetime, draw: float, legacy: Mapping[JobId, bytes]
    ) -> None:
        self._connection = connection
        self._rules = rules
        self._moment = moment
        self._draw = draw
        self._legacy = legacy
        self.charged: dict[JobId, Charge] = {}
        self.held: list[Move] = []

    def with_valid_form_ids(self, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Refuse the legacy jobs whose form ids WeChat has called void since they were accepted."""
        if not self._legacy:
            return candidates
        void = form_ids.voided(self._connection, candidates[0].app_no, list(self._legacy.values()))
        valid = []
        for job in candidates:
            if self._legacy.get(job.id) in void:
                self._refuse(job, Reason.FORM_ID)
            else:
                valid.append(job)
        return valid

    def first_of_each_user(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Let one job of each user go on; the k-th one waiting comes back k seconds later (fine print 12.10)."""
        seen: dict[bytes, int] = {}
        first = []
        for job in sorted(candidates, key=lambda job: (job.due_in, job.id)):
            waiting = seen.get(job.recipient, 0)
            seen[job.recipient] = waiting + 1
            if waiting:
                self._postpone(job, Reason.USER_BUSY, _SOON * waiting)
            else:
                first.append(job)
        return first

    def take_places(self, jobs: Sequence[Candidate]) -> list[Candidate]:
        """Take a place of the day for each user that nobody is calling."""
        if not jobs:
            return []
        charged = recipients.charge(
            self._connection,
            jobs[0].app_no,
            [job.recipient for job in jobs],
            day=quota_day(self._moment, self._rules.zone),
            cap=self._rules.daily_quota,
            lease=LEASE_SECONDS,
        )
        for job in jobs:
            if (day := charged.days.get(job.recipient)) is not None:
                self.charged[job.id] = Charge(
                    app_no=job.app_no,
                    recipient=job.recipient,
                    template_no=job.template_no,
                    day=day,
                    credit_held=False,
                    is_capped=False,
                    form_id=self._legacy.get(job.id),
                )
                continue
            match charged.in_the_way[job.recipient]:
                case InTheWay.IN_FLIGHT:
                    self._postpone(job, Reason.USER_BUSY, _SOON)
                case InTheWay.HELD:
                    self._postpone(job, Reason.QUOTA_HELD, _SOON)
                case InTheWay.SPENT:
                    self._over_quota(job)
        return [job for job in jobs if job.id in self.charged]

    def take_credits(self, jobs: Sequence[Candidate]) -> list[Candidate]:
        """Hold a credit for each job whose user and template the ledger knows; judge the others by policy."""
        if not jobs:
            return []
        known = consents.hold(self._connection, jobs[0].app_no, [(job.recipient, job.template_no) for job in jobs])
        back = []
        for job in jobs:
            consent = known.get((job.recipient, job.template_no))
            match judge(consent, job.consent):
                case Standing.GO:
                    if consent is not None and not consent.is_standing:
                        self.charged[job.id] = replace(self.charged[job.id], credit_held=True)
                case Standing.WAIT:
                    back.append(self.charged.pop(job.id))
                    self._postpone(job, Reason.CONSENT_HELD, _SOON)
                case Standing.NO:
                    back.append(self.charged.pop(job.id))
                    self._refuse(job, Reason.NO_CONSENT)
        if back:
            _give_back(self._connection, jobs[0].app_no, back)
        return [job for job in jobs if job.id in self.charged]

    def take_template_places(self, jobs: Sequence[Candidate]) -> None:
        """Take a place of the template's day for each job whose template has a cap."""
        limited = [job for job in jobs if job.daily_cap is not None]
        if not limited:
            return
        places = {job.id: Place(job.recipient, job.template_no) for job in limited}
        # The recipient's day may be ahead of ours: its charge is the day that counts.
        wanted = [(places[job.id], self.charged[job.id].day) for job in limited]
        got = capped.charge(self._connection, limited[0].app_no, wanted)
        back = []
        for job in limited:
            if places[job.id] in got:
                self.charged[job.id] = replace(self.charged[job.id], is_capped=True)
            else:
                back.append(self.charged.pop(job.id))
                self._over_quota(job)
        if back:
            _give_back(self._connection, limited[0].app_no, back)

    def _over_quota(self, job: Candidate) -> None:
        resume = next_day_at(self._moment, self._rules.zone, self._rules.resume_hour)
        wait = (resume - self._moment).total_seconds() + self._draw * _SPREAD_SECONDS
        if job.on_quota is OnQuota.REFUSE or wait >= job.expires_in:
            self._refuse(job, Reason.QUOTA)
        else:
            self._postpone(job, Reason.QUOTA, wait)

    def _postpone(self, job: Candidate, reason: Reason, wait: float) -> None:
        self.held.append(_move(job, Transition.POSTPONE, reason, wait))

    def _refuse(self, job: Candidate, reason: Reason) -> None:
        self.held.append(_move(job, Transition.REFUSE, reason, None))


def _move(job: Candidate, transition: Transition, reason: Reason, wait: float | None) -> Move:
    return Move(id=job.id, release_no=job.release_no, transition=transition, reason=reason, due_in=wait)
