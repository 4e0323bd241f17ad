"""Why a job is where it is: the rule that holds it, when it is tried next, its place, and how it came there.

Nothing is written down to answer this: the rules are asked in the order in which admission asks them, of the same rows,
so that the answer is what a worker would find this moment. `explanations` holds the words.

Refuses to guess: where no moment is known (a pause that somebody must end), `when` is None and the words say so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from pushjobs import clock
from pushjobs.delivery.admission import Admittance
from pushjobs.domain.job import Job, JobId, JobState
from pushjobs.domain.message import read_touser
from pushjobs.domain.moment import SHANGHAI, next_day_at, next_midnight, quota_day
from pushjobs.domain.pause import paused_templates
from pushjobs.domain.receipt import PushState
from pushjobs.domain.rule import Rule
from pushjobs.errors import NotFound
from pushjobs.explanations import Case, explain
from pushjobs.pace import Limit
from pushjobs.request import Terms
from pushjobs.store import budgets, events, inspecting, jobs, paces, pauses, pushes, templates
from pushjobs.store.database import Database
from pushjobs.store.events import Left
from pushjobs.store.inspecting import MOST_COUNTED
from pushjobs.store.jobs import Happening
from pushjobs.store.paces import StoredPace
from pushjobs.store.sealing import Lookup
from pushjobs.store.templates import Standing

__all__ = ["AppQuota", "CallbacksNow", "Inspection", "Quota", "QuotaSource", "Rule", "Why"]

_BEYOND_IDS = 2**53
_MOST_LEFT = 100
_WAITING = {JobState.SCHEDULED, JobState.RELEASED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a `job` is where it is, its `state`, this moment.

    `rule`: what holds it; `words`: the same in English, with the figures. `when`: the moment it is tried next, as
    things stand; None where that is not known, or the job is closed. `place`: jobs of its app and lane that go before
    it, while it waits. `history`: what happened beyond the happy path, oldest first.
    """

    job: Job
    state: JobState
    rule: Rule
    words: str
    when: datetime | None
    place: int | None
    history: Sequence[Happening]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A user's day: messages `sent`, and `held` by calls under way, of `cap` (None: no limit); the next at `begins`."""

    day: date
    sent: int
    held: int
    cap: int | None
    begins: datetime


class QuotaSource(StrEnum):
    """Who says how many calls an app may make a day."""

    SETTING = "setting"
    WECHAT = "wechat"
    DOCUMENTED = "documented"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppQuota:
    """An app's day in Shanghai: calls `used`, those that workers have in hand included, of `cap`; the next at `begins`.

    `wechat_limit`: what WeChat says it allows, None: it has not said; `used_elsewhere`: what it had counted beyond our
    own calls when it was `asked_at`.
    """

    day: date
    used: int
    cap: int
    source: QuotaSource
    wechat_limit: int | None
    used_elsewhere: int
    asked_at: datetime | None
    begins: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbacksNow:
    """How WeChat's callbacks stand.

    `waiting` events are not applied yet, `left` receipts found no job (the last of them), `to_forward` pushes wait for
    the app's own door, `dead` ones it did not take for most of a day.
    """

    waiting: int
    left: Sequence[Left]
    to_forward: int
    dead: int


class Inspection:
    """Every question about what is going on, for one app; safe to share between threads.

    `limit` tells the calls a second there may be this moment; `app_daily_limit` is the setting.
    """

    def __init__(
        self,
        database: Database,
        terms: Terms,
        admittance: Admittance,
        *,
        lookup: Lookup,
        limit: Callable[[], Limit],
        app_daily_limit: int | None,
    ) -> None:
        self._database = database
        self._terms = terms
        self._admittance = admittance
        self._lookup = lookup
        self._limit = limit
        self._app_daily_limit = app_daily_limit

    def why(self, job_id: int, *, most: int = MOST_COUNTED) -> Why:
        """Say why a job is where it is; raises NotFound. `most`: how many that go before it are counted at most."""
        limit = self._limit()
        with self._database.transaction() as connection:
            # PostgreSQL would refuse to compare what is no bigint.
            job = jobs.get(connection, JobId(job_id)) if 0 < job_id < _BEYOND_IDS else None
            if job is None:
                raise NotFound(f"there is no job {job_id}")
            facts = inspecting.facts(connection, job.id)
            in_force = pauses.active(connection, facts.app_no)
            # Behind a pause of its own template it stands in line with it.
            paused = paused_templates(in_force, job.lane) - {facts.template_no}
            is_waiting = job.state in _WAITING
            place = inspecting.ahead(connection, facts, job, paused=paused, most=most) if is_waiting else None
            case = Case(
                job=job,
                facts=facts,
                pauses=in_force,
                place=place or 0,
                most=most,
                per_second=1 / limit.spacing,
                rules=self._admittance.rules,
                quiet_hours=self._admittance.quiet_hours,
            )
            history = jobs.history(connection, job.id)
        found = explain(case)
        return Why(
            job=job,
            state=job.state,
            rule=found.rule,
            words=found.words,
            when=found.when,
            place=place,
            history=history,
        )

    def limit(self) -> Limit:
        """Return the calls a second there may be, less what WeChat made us slow down to."""
        return self._limit()

    def pace(self) -> StoredPace:
        """Return what an operator set the pace to, and to which share of it WeChat made us slow down."""
        with self._database.transaction() as connection:
            return paces.read(connection, self._terms.catalogue.app.app_no)

    def templates(self) -> Mapping[str, Standing]:
        """Return by which rules each template is sent, and its faults in a row, by WeChat's id."""
        with self._database.transaction() as connection:
            return templates.standings(connection, self._terms.catalogue.app.app_no)

    def callbacks(self) -> CallbacksNow:
        """Return what WeChat told and what is not done with."""
        app_no = self._terms.catalogue.app.app_no
        with self._database.transaction() as connection:
            counted = pushes.counts(connection, app_no)
            return CallbacksNow(
                waiting=events.waiting_count(connection, app_no),
                left=events.left(connection, app_no, limit=_MOST_LEFT),
                to_forward=counted[PushState.WAITING],
                dead=counted[PushState.DEAD],
            )

    def quota(self, touser: str) -> Quota:
        """Return how much of the day's quota a user has had."""
        recipient = self._lookup.recipient(self._terms.appid, read_touser({"touser": touser}))
        rules, now = self._admittance.rules, clock.now()
        today = quota_day(now, rules.zone)
        with self._database.transaction() as connection:
            user = inspecting.day(connection, self._terms.catalogue.app.app_no, recipient)
        sent, held = user.used_on(today)
        begins = next_day_at(now, rules.zone, rules.resume_hour)
        return Quota(day=today, sent=sent, held=held, cap=rules.daily_quota, begins=begins)

    def app_quota(self) -> AppQuota:
        """Return how much of the day's calls the app has made, and who says how many there are."""
        now, setting = clock.now(), self._app_daily_limit
        today = quota_day(now, SHANGHAI)
        app_no = self._terms.catalogue.app.app_no
        with self._database.transaction() as connection:
            day = budgets.read(connection, app_no, today, setting=setting)
        if setting is not None:
            source = QuotaSource.SETTING
        else:
            source = QuotaSource.DOCUMENTED if day.daily_limit is None else QuotaSource.WECHAT
        return AppQuota(
            day=today,
            used=day.taken,
            cap=day.allowance,
            source=source,
            wechat_limit=day.daily_limit,
            used_elsewhere=day.elsewhere,
            asked_at=day.asked_at,
            begins=next_midnight(now, SHANGHAI),
        )
