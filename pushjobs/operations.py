"""What operators do: replay, resolve, pause, resume, set the pace and the policies of templates.

Each verb reads all of its words before it changes anything: what cannot be done as asked is refused with the reason
and leaves everything as it was. Jobs named one by one change together or not at all; jobs that match a filter change a
page at a time, each page for itself, those that cannot staying as they are.

Refuses to send: what it changes are rows, which claims and gates obey within a tick.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypedDict, TypeVar, Unpack

from pushjobs import clock
from pushjobs.domain.consent import ConsentPolicy
from pushjobs.domain.content_check import CheckPolicy, ContentCheck
from pushjobs.domain.job import DoubtPolicy, JobId, Lane, Reason
from pushjobs.domain.lifecycle import Transition, sources
from pushjobs.domain.message import read_template_id, read_touser
from pushjobs.domain.moment import read_deadline, read_moment
from pushjobs.domain.pause import Pause, PauseReason
from pushjobs.errors import InvalidInput, InvalidMoment, NotFound, NotPossible
from pushjobs.pace import Limit
from pushjobs.request import Terms
from pushjobs.store import jobs, paces, pauses, pushes, reopening, templates
from pushjobs.store.database import Database, Transaction
from pushjobs.store.jobs import Filter
from pushjobs.store.reopening import SEND_AGAIN_SECONDS
from pushjobs.store.sealing import Lookup

__all__ = ["SEND_AGAIN_SECONDS", "Act", "Operations", "Policies", "Reopened", "Resolution", "Which"]

_AT_ONCE = 1000
_MOST_IDS = 10_000
_BEYOND_IDS = 2**53
_LONGEST_NOTE = 200
_HIGHEST_CAP = 1000


class Resolution(StrEnum):
    """What an operator says of a job in doubt."""

    SENT = "sent"
    """It arrived."""
    AGAIN = "again"
    """It did not arrive, or may arrive twice: send it again."""


class Act(StrEnum):
    """What an operator does to many jobs at once, in the words of the lifecycle."""

    CANCEL = Transition.CANCEL.value
    REPLAY = Transition.REPLAY.value
    CONFIRM = Transition.CONFIRM.value
    SEND_AGAIN = Transition.SEND_AGAIN.value


class Which(TypedDict, total=False):
    """Which jobs are meant, by what they have in common."""

    reference: str | None
    touser: str | None
    template_id: str | None


class Policies(TypedDict, total=False):
    """What a template is accepted and sent by.

    `daily_cap`: how many of it a user may get a day, None for no cap of its own. `content_check`: as what WeChat judges
    its texts when a job is accepted; `on_review` and `on_unchecked`: what becomes of those it neither passes nor fails.
    """

    consent: str | ConsentPolicy
    in_doubt: str | DoubtPolicy
    daily_cap: int | None
    content_check: str | ContentCheck
    on_review: str | CheckPolicy
    on_unchecked: str | CheckPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """How many `jobs` changed; and how many match and are `overdue`: they stay, unless given another deadline."""

    jobs: int
    overdue: int = 0


_Change = Callable[[Transaction, Sequence[JobId]], set[JobId]]
_Word = TypeVar("_Word", bound=StrEnum)
_POLICY_WORDS: dict[str, type[StrEnum]] = {
    "consent": ConsentPolicy,
    "in_doubt": DoubtPolicy,
    "content_check": ContentCheck,
    "on_review": CheckPolicy,
    "on_unchecked": CheckPolicy,
}


class Operations:
    """The verbs of operators, for one app; safe to share between threads.

    Every method raises Unreachable when PostgreSQL does not answer, and InvalidInput for what makes no sense.
    """

    def __init__(self, database: Database, terms: Terms, *, lookup: Lookup) -> None:
        self._database = database
        self._terms = terms
        self._lookup = lookup

    def replay(self, ids: Iterable[int] = (), *, expires: object = None, **which: Unpack[Which]) -> Reopened:
        """Schedule dead jobs again, due now and with all their attempts: these, or every one that matches.

        A job whose deadline has passed needs another, `expires`, as in `send`. Of jobs named by id, one that is not
        there (NotFound), not dead, or past its deadline (NotPossible) leaves all of them as they are.
        """
        now = clock.now()
        expires_at = None if expires is None else read_deadline(expires, now, self._terms.zone)

        def change(connection: Transaction, chosen: Sequence[JobId]) -> set[JobId]:
            return reopening.replay(connection, chosen, expires_at=expires_at)

        return self._reopen(Transition.REPLAY, change, ids, which)

    def resolve(
        self, ids: Iterable[int] = (), *, as_: str | Resolution, expires: object = None, **which: Unpack[Which]
    ) -> Reopened:
        """Say what became of jobs in doubt: these, or every one that matches; they were "sent", or go "again".

        Again means in a minute, for an answer may still come, with what the first call was charged given back; and
        needs another deadline, `expires`, where the job's own comes before that. Raises NotFound and NotPossible like
        `replay`.
        """
        if _word(as_, Resolution, "as") is Resolution.SENT:
            if expires is not None:
                raise InvalidInput("expires", "is given for jobs that were sent", "leave it out")
            return self._reopen(Transition.CONFIRM, reopening.confirm, ids, which)
        earliest = clock.now() + timedelta(seconds=SEND_AGAIN_SECONDS)
        expires_at = None if expires is None else read_deadline(expires, earliest, self._terms.zone)

        def change(connection: Transaction, chosen: Sequence[JobId]) -> set[JobId]:
            return reopening.send_again(
                connection, chosen, reason=Reason.RESOLVED, wait=SEND_AGAIN_SECONDS, expires_at=expires_at
            )

        return self._reopen(Transition.SEND_AGAIN, change, ids, which)

    def change(self, act: Act, ids: Sequence[JobId], *, expires: object = None) -> int:
        """Do one thing to jobs that were chosen, a thousand a transaction; return how many changed.

        Those to which it does not apply any more stay as they are, and so do those past their deadline unless `expires`
        gives another.
        """
        change = self._change(act, expires)
        changed = 0
        for begin in range(0, len(ids), _AT_ONCE):
            with self._database.transaction() as connection:
                changed += len(change(connection, ids[begin : begin + _AT_ONCE]))
        return changed

    def _change(self, act: Act, expires: object) -> _Change:
        if act is Act.CANCEL:
            return jobs.cancel
        if act is Act.CONFIRM:
            return reopening.confirm
        wait = SEND_AGAIN_SECONDS if act is Act.SEND_AGAIN else 0.0
        earliest = clock.now() + timedelta(seconds=wait)
        expires_at = None if expires is None else read_deadline(expires, earliest, self._terms.zone)

        def reopen(connection: Transaction, chosen: Sequence[JobId]) -> set[JobId]:
            if act is Act.REPLAY:
                return reopening.replay(connection, chosen, expires_at=expires_at)
            return reopening.send_again(connection, chosen, reason=Reason.RESOLVED, wait=wait, expires_at=expires_at)

        return reopen

    def pause(
        self,
        *,
        template_id: str | None = None,
        lane: str | Lane | None = None,
        note: str | None = None,
        until: object = None,
    ) -> Pause:
        """Hold back a template's jobs, a lane's, a template's of a lane, or all of the app's; return the pause.

        It lasts until the moment `until`, written as `time` is, else until `resume`. Pausing again what is paused keeps
        the later end. `note` is shown with it.
        """
        narrowed = self._narrowed(template_id, lane)
        values = {"note": _note(note), "until": None if until is None else self._read_until(until)}
        app_no = self._terms.catalogue.app.app_no
        with self._database.transaction() as connection:
            pauses.pause(connection, app_no, PauseReason.OPERATOR, **narrowed, **values)
            [made] = [each for each in pauses.active(connection, app_no) if _is_on(each, narrowed, by_operator=True)]
            return made

    def resume(self, *, template_id: str | None = None, lane: str | Lane | None = None) -> int:
        """Lift every pause on exactly this, breakers too; return how many. Raises NotPossible when there is none.

        What they held back goes with the next tick, in the order in which it fell due.
        """
        narrowed = self._narrowed(template_id, lane)
        app_no = self._terms.catalogue.app.app_no
        with self._database.transaction() as connection:
            lifted = [each for each in pauses.active(connection, app_no) if _is_on(each, narrowed)]
            if not lifted:
                raise NotPossible("nothing is paused there: see `pushjobs pauses`")
            pauses.lift(connection, app_no, **narrowed)
        return len(lifted)

    def pauses(self) -> list[Pause]:
        """Return what is paused, the oldest first."""
        with self._database.transaction() as connection:
            return pauses.active(connection, self._terms.catalogue.app.app_no)

    def set_pace(self, per_second: float | None) -> None:
        """Set how many calls the app may make in a second; None goes back to the setting. Holds within a second."""
        if per_second is not None:
            if isinstance(per_second, bool) or not isinstance(per_second, int | float):
                raise InvalidInput("per_second", f"is no number ({type(per_second).__name__})", "give calls a second")
            Limit(per_second=per_second, urgent_share=0)
        with self._database.transaction() as connection:
            paces.set_pace(connection, self._terms.catalogue.app.app_no, per_second)

    def set_policies(self, template_id: str, **policies: Unpack[Policies]) -> None:
        """Set what a template is accepted and sent by; what is not given stays as it is."""
        values: dict[str, Any] = {
            name: _word(policies[name], words, name)  # type: ignore[literal-required] # mypy knows no such loop
            for name, words in _POLICY_WORDS.items()
            if name in policies
        }
        if "daily_cap" in policies:
            values["daily_cap"] = _cap(policies["daily_cap"])
        if not values:
            raise InvalidInput("policies", "are missing", f"give {', '.join(_POLICY_WORDS)} or daily_cap")
        template_no = self._template_no(template_id)
        with self._database.transaction() as connection:
            templates.set_policies(connection, template_no, **values)
        self._terms.catalogue.reload()

    def forward_again(self) -> int:
        """Try the app's own door again with every callback it did not take for most of a day; return how many."""
        with self._database.transaction() as connection:
            return pushes.revive(connection, self._terms.catalogue.app.app_no)

    def _reopen(self, transition: Transition, change: _Change, ids: Iterable[int], which: Which) -> Reopened:
        named = _ids(ids)
        given = {name: value for name, value in which.items() if value is not None}
        if bool(named) == bool(given):
            fault = "stand beside a filter" if named else "are missing"
            raise InvalidInput("ids", fault, "name jobs by number, or by reference, touser or template_id")
        if given:
            return self._reopen_matching(transition, change, self._filter(which))
        with self._database.transaction() as connection:
            for job_id in sorted(set(named) - change(connection, named)):
                raise self._why_not(connection, job_id, transition)  # and with it everything goes back
        return Reopened(jobs=len(set(named)))

    def _reopen_matching(self, transition: Transition, change: _Change, wanted: Filter) -> Reopened:
        changed, seen, last = 0, 0, JobId(0)
        while True:
            with self._database.transaction() as connection:
                page = reopening.matching(connection, wanted, transition, after=last, limit=_AT_ONCE)
                if not page:
                    return Reopened(jobs=changed, overdue=seen - changed)
                changed += len(change(connection, page))
            seen, last = seen + len(page), page[-1]

    def _why_not(self, connection: Transaction, job_id: JobId, transition: Transition) -> NotFound | NotPossible:
        job = jobs.get(connection, job_id)
        if job is None:
            return NotFound(f"there is no job {job_id}")
        verb = "replayed" if transition is Transition.REPLAY else "resolved"
        [needed] = sources(transition)
        if job.state != needed:
            return NotPossible(f"job {job_id} is {job.state}: only a job that is {needed} can be {verb}")
        if job.is_forgotten:
            return NotPossible(f"the user of job {job_id} is forgotten: there is nothing left to send")
        return NotPossible(f"the deadline of job {job_id} has passed, or is too near: give it another with `expires`")

    def _filter(self, which: Which) -> Filter:
        touser = which.get("touser")
        if touser is not None:
            touser = read_touser(which)
        return Filter(
            app_no=self._terms.catalogue.app.app_no,
            reference=which.get("reference"),
            recipient=None if touser is None else self._lookup.recipient(self._terms.appid, touser),
            template_id=which.get("template_id"),
        )

    def _narrowed(self, template_id: str | None, lane: str | Lane | None) -> dict[str, Any]:
        return {
            "template_no": None if template_id is None else self._template_no(template_id),
            "lane": None if lane is None else _word(lane, Lane, "lane"),
        }

    def _template_no(self, template_id: str) -> int:
        return self._terms.catalogue.number(read_template_id({"template_id": template_id}))

    def _read_until(self, until: object) -> datetime:
        moment = read_moment(until, self._terms.zone, field="until")
        if moment <= clock.now():
            raise InvalidMoment("until", "has passed", "give a moment to come, or leave it out")
        return moment


def _is_on(pause: Pause, narrowed: dict[str, Any], *, by_operator: bool = False) -> bool:
    is_exact = (pause.template_no, pause.lane) == (narrowed["template_no"], narrowed["lane"])
    return is_exact and (not by_operator or pause.reason is PauseReason.OPERATOR)


def _ids(ids: Iterable[int]) -> list[JobId]:
    named = list(ids)
    if len(named) > _MOST_IDS:
        raise InvalidInput("ids", f"are {len(named):,}", f"name up to {_MOST_IDS:,} at once, or use a filter")
    for each in named:
        if isinstance(each, bool) or not isinstance(each, int):
            raise InvalidInput("ids", f"hold what is no number ({type(each).__name__})", "give the numbers of jobs")
        if not 0 < each < _BEYOND_IDS:
            raise NotFound(f"there is no job {each}")
    return [JobId(each) for each in named]


def _word(value: object, words: type[_Word], field: str) -> _Word:
    for word in words:
        if value == word:
            return word
    raise InvalidInput(field, "is not one of its values", f"use {' or '.join(words)}")


def _cap(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _HIGHEST_CAP:
        raise InvalidInput(
            "daily_cap", "is no number of messages a day", f"give 1 to {_HIGHEST_CAP:,}, or None for no cap"
        )
    return value


def _note(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= _LONGEST_NOTE:
        raise InvalidInput("note", "is no short text", f"give 1 to {_LONGEST_NOTE} printable characters")
    return value
