"""Jobs looked through by people: filters read, pages turned, choices counted before anything is done to them.

What is typed becomes a `Sought`, which may stand in an address: an open id is hashed where it is typed, and only its
hash goes on. Everything is within one app and the templates of it that somebody may see.

Refuses to count to the end: what no index serves is looked through page by page, and a choice has five thousand jobs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pushjobs.domain.job import Job, JobId, JobState, Reason, read_state
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.message import read_touser
from pushjobs.domain.moment import read_moment
from pushjobs.errors import InvalidInput, NotFound, Undecryptable
from pushjobs.operations import SEND_AGAIN_SECONDS, Act
from pushjobs.request import Terms, read_name
from pushjobs.store import browsing, catalogue, choosing, envelope, jobs, runs
from pushjobs.store.browsing import Order, Place, Run, Wanted
from pushjobs.store.choosing import Group, Share, Whose
from pushjobs.store.database import Database, Transaction
from pushjobs.store.sealing import Lookup, Sealer

__all__ = ["MOST_CHOSEN", "Browsing", "Choice", "Group", "Order", "Page", "Seen", "Share", "Sought"]

MOST_CHOSEN = 5000
"""How many jobs are changed in one go."""

_MOST_LOOKED_AT = 50_000
_HASH_DIGITS = 32
_BEYOND_RUNS = 2**31
_CALLS = {Act.REPLAY, Act.SEND_AGAIN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A filter as it is written: what is empty does not narrow. `recipient` is a hash in hexadecimal digits."""

    state: str = ""
    template: str = ""
    run: str = ""
    recipient: str = field(default="", repr=False)
    reference: str = ""
    reason: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Sought":
        """Read the names that are a filter's; others are passed over."""
        return cls(**{name: given.get(name, "").strip() for name in cls.__slots__})

    def given(self) -> dict[str, str]:
        """Return what narrows, by name."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Jobs in their order; `next`: where the next page begins, None: there is none.

    `looked_at`: that many were compared, and the page was not full: further back there may be more.
    """

    jobs: Sequence[Job]
    order: Order
    next: str | None
    looked_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Jobs that somebody chose, by template; `is_all`: False where there may be more than a choice has."""

    ids: Sequence[JobId]
    shares: Sequence[Share]
    is_all: bool

    @property
    def fit(self) -> int:
        """How many of them the act applies to."""
        return sum(share.fit for share in self.shares)

    @property
    def overdue(self) -> int:
        """How many of those need another deadline."""
        return sum(share.overdue for share in self.shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a job says, and to whom; for who may see it."""

    touser: str = field(repr=False)
    page: str | None = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)


class Browsing:
    """Looks through one app's jobs; safe to share between threads."""

    def __init__(self, database: Database, terms: Terms, *, sealer: Sealer, lookup: Lookup) -> None:
        self._database = database
        self._terms = terms
        self._sealer = sealer
        self._lookup = lookup

    def recipient(self, touser: str) -> str:
        """Return what stands for a user in a `Sought`; raises InvalidInput."""
        return self._lookup.recipient(self._terms.appid, read_touser({"touser": touser})).hex()

    def page(
        self, sought: Sought, template_ids: Collection[str] | None, *, after: str | None = None, limit: int = 50
    ) -> Page:
        """Return a page of what is sought behind a place; `template_ids`: those that may be seen, None: all.

        Raises InvalidInput for a filter that cannot be read, or that no page can be made of.
        """
        with self._database.transaction() as connection:
            wanted = self._read(connection, sought, template_ids)
            stretch = browsing.page(connection, wanted, after=_place(after), limit=limit)
            found = jobs.get_several(connection, stretch.ids)
        return Page(
            jobs=[found[each] for each in stretch.ids if each in found],
            order=browsing.order_of(wanted),
            next=None if stretch.next is None else _written(stretch.next),
            looked_at=stretch.looked_at,
        )

    def choose(
        self, act: Act, template_ids: Collection[str] | None, *, ids: Sequence[JobId] = (), sought: Sought | None = None
    ) -> Choice:
        """Return what was chosen, by number or as everything that is sought; up to five thousand, and counted."""
        is_all = True
        with self._database.transaction() as connection:
            whose = self._whose(connection, template_ids)
            if sought is None:
                ids = choosing.allowed(connection, ids[:MOST_CHOSEN], whose)
            else:
                ids, is_all = self._gather(connection, self._read(connection, sought, template_ids))
            shares = choosing.made_of(
                connection,
                Transition(act),
                ids,
                whose,
                calls=act in _CALLS,
                wait=SEND_AGAIN_SECONDS if act is Act.SEND_AGAIN else 0.0,
            )
        return Choice(ids=ids, shares=shares, is_all=is_all)

    def groups(self, state: JobState, template_ids: Collection[str] | None) -> Sequence[Group]:
        """Return the jobs that are dead, or in doubt, by template and reason: of the newest ten thousand."""
        with self._database.transaction() as connection:
            return choosing.groups(connection, state, self._whose(connection, template_ids))

    def templates(self) -> Mapping[str, str | None]:
        """Return the titles of all templates that are listed or were ever sent, by id."""
        with self._database.transaction() as connection:
            found = catalogue.known(connection, self._terms.catalogue.app.app_no)
        return {key: each.title for key, each in sorted(found.items(), key=lambda one: one[1].title or one[0])}

    def open(self, job_id: JobId) -> Seen:
        """Return what a job says and to whom; raises NotFound where that is gone, or cannot be opened."""
        with self._database.transaction() as connection:
            row = choosing.sealed(connection, job_id)
        if row is None or row.sealed is None:
            raise NotFound(f"nothing is kept of what job {job_id} says")
        try:
            message = envelope.open_message(
                self._sealer,
                sealed=row.sealed,
                sealed_content=row.sealed_content,
                appid=self._terms.appid,
                recipient=row.recipient,
                template_id=row.template_id,
            )
        except Undecryptable:
            raise NotFound(f"no key of this installation opens what job {job_id} says") from None
        return Seen(touser=message.touser, page=message.content.page, data=dict(message.content.data))

    def _gather(self, connection: Transaction, wanted: Wanted) -> tuple[list[JobId], bool]:
        stretch = browsing.page(connection, wanted, after=None, limit=MOST_CHOSEN, look=_MOST_LOOKED_AT)
        return list(stretch.ids), stretch.next is None

    def _whose(self, connection: Transaction, template_ids: Collection[str] | None) -> Whose:
        return Whose(app_no=self._terms.catalogue.app.app_no, template_nos=self._numbers(connection, template_ids, ""))

    def _numbers(self, connection: Transaction, may: Collection[str] | None, one: str) -> tuple[int, ...] | None:
        if may is None and not one:
            return None
        known = catalogue.known(connection, self._terms.catalogue.app.app_no)
        return tuple(
            each.template_no
            for template_id, each in known.items()
            if (may is None or template_id in may) and (not one or template_id == one)
        )

    def _read(self, connection: Transaction, sought: Sought, template_ids: Collection[str] | None) -> Wanted:
        state, zone = read_state(sought.state or None), self._terms.zone
        wanted = Wanted(
            app_no=self._terms.catalogue.app.app_no,
            state=state,
            template_nos=self._numbers(connection, template_ids, sought.template),
            run=self._run(connection, sought.run) if sought.run else None,
            reference=read_name({"reference": sought.reference or None}, "reference"),
            recipient=_hash(sought.recipient) if sought.recipient else None,
            reason=_reason(sought.reason, state) if sought.reason else None,
            since=read_moment(sought.since, zone, field="since") if sought.since else None,
            until=read_moment(sought.until, zone, field="until") if sought.until else None,
        )
        if wanted.since is not None and wanted.until is not None and wanted.until <= wanted.since:
            raise InvalidInput("until", "is not behind since", "give a later moment, or leave one out")
        return wanted

    def _run(self, connection: Transaction, written: str) -> Run:
        number = int(written) if written.isascii() and written.isdecimal() and len(written) <= len("2147483648") else 0
        found = runs.find(connection, number) if 0 < number < _BEYOND_RUNS else None
        if found is None or found.appid != self._terms.appid:
            raise InvalidInput("run", "is no run of a campaign of this app", "give a run's number")
        first = None if found.first_job is None else JobId(found.first_job)
        last = None if found.last_job is None else JobId(found.last_job)
        return Run(run_no=number, first=first, last=last)


def _hash(written: str) -> bytes:
    try:
        if len(written) == _HASH_DIGITS:
            return bytes.fromhex(written)
    except ValueError:
        pass
    raise InvalidInput("recipient", "is no hash of a user", "look the user up by the open id")


def _reason(written: str, state: JobState | None) -> str:
    if state is None or not state.is_final:
        raise InvalidInput("reason", "is given without a closing state", "choose a state too: reasons are of those")
    try:
        return Reason(written)
    except ValueError:
        raise InvalidInput("reason", "is none of its values", "choose one of the list") from None


def _written(place: Place) -> str:
    return str(place.id) if place.at is None else f"{place.at.isoformat()}_{place.id}"


def _place(written: str | None) -> Place | None:
    if not written:
        return None
    moment, _, number = written.rpartition("_")
    try:
        if number.isascii() and number.isdecimal() and len(number) <= len("9007199254740992"):
            return Place(id=JobId(int(number)), at=datetime.fromisoformat(moment) if moment else None)
    except ValueError:
        pass
    raise InvalidInput("after", "is none of ours", "begin at the first page again")
