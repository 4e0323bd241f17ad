"""Pages of jobs for people: in an order that an index has, never more than a page beyond what is looked at.

Three orders, each with its index: by number, the newest first; what waits, by when it is due; what is closed, by when
it was. What an index serves is asked of it. What none serves is compared row by row, with so many rows at most as are
`LOOKED_AT`: then the page says how far it looked, and goes on from there. Nothing is ever counted to its end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, TextClause

from pushjobs.domain.job import JobId, JobState
from pushjobs.domain.lifecycle import Transition
from pushjobs.store.database import statement
from pushjobs.store.pruning import PRUNABLE

__all__ = [
    "LOOKED_AT",
    "Group",
    "Order",
    "Place",
    "Run",
    "Share",
    "Stretch",
    "Wanted",
    "Whose",
    "allowed",
    "groups",
    "made_of",
    "order_of",
    "page",
    "sealed",
]

LOOKED_AT = 10_000
"""How many rows one page compares at most where no index tells which match."""

_TROUBLED = (JobState.REFUSED, JobState.EXPIRED, JobState.DEAD, JobState.IN_DOUBT)
_OUT = (JobState.RELEASED, JobState.SENDING)
_BEYOND_IDS = JobId(2**53)


class Order(StrEnum):
    """In what order jobs are shown."""

    NUMBER = "number"
    """The newest first."""
    DUE = "due"
    """What is due next first."""
    CLOSED = "closed"
    """What was closed last first."""
    OUT = "out"
    """What is out with workers, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A campaign's run, and the bounds of its jobs' numbers; None: it has none yet."""

    run_no: int
    first: JobId | None
    last: JobId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs are looked for; what is None does not narrow.

    `since` and `until` bound when a job was closed, or is due where it is not.
    """

    app_no: int
    state: JobState | None = None
    template_nos: tuple[int, ...] | None = None
    run: Run | None = None
    reference: str | None = None
    recipient: bytes | None = field(default=None, repr=False)
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page ended, for the next one to begin: a job, and its moment where the order goes by moments."""

    id: JobId
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A page: its jobs in their order, and where the next one begins; None: there is none.

    `looked_at`: rows that were compared without coming to the end of the page; None: the page is full, or the last.
    """

    ids: Sequence[JobId]
    next: Place | None
    looked_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """An app, and the templates of it that somebody may see; None: all of them."""

    app_no: int
    template_nos: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of some jobs are of one template; `fit`: what is asked applies to them."""

    template_no: int
    template_id: str
    title: str | None
    jobs: int
    fit: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Jobs in trouble that have template, reason and WeChat's code in common, and since when."""

    template_no: int
    template_id: str
    title: str | None
    reason: str | None
    errcode: int | None
    jobs: int
    last_hour: int
    last_day: int
    oldest: datetime
    newest: datetime


_NUMBERS = """
    SELECT {columns} FROM pushjobs.jobs WHERE id < :id {served} ORDER BY id DESC LIMIT :look"""

# What is out is little (back-pressure sees to that); sorted behind a fence, or the planner would look for it by number.
_OUT_NOW = """
    SELECT {columns} FROM (
        WITH out AS MATERIALIZED (SELECT * FROM pushjobs.jobs WHERE app_no = :app_no {served})
        SELECT * FROM out WHERE id < :id ORDER BY id DESC LIMIT :look) AS out"""

# Each source in its own stretch of the claim's index, a page of each at most. A job that was replayed may be of a run
# that is long over, so the sources are read off the index itself: a row a look.
_DUE_SOON = """
    SELECT {columns} FROM (
        WITH RECURSIVE sources AS (
            (SELECT lane, template_no, run_no FROM pushjobs.jobs WHERE state = 'scheduled' AND app_no = :app_no
              ORDER BY lane, template_no, run_no LIMIT 1)
             UNION ALL
            SELECT following.* FROM sources s, LATERAL (
                SELECT lane, template_no, run_no FROM pushjobs.jobs
                 WHERE state = 'scheduled' AND app_no = :app_no
                   AND (lane, template_no, run_no) > (s.lane, s.template_no, s.run_no)
                 ORDER BY lane, template_no, run_no LIMIT 1) AS following)
        SELECT j.* FROM sources s, LATERAL (
            SELECT * FROM pushjobs.jobs
             WHERE state = 'scheduled' AND app_no = :app_no AND lane = s.lane AND template_no = s.template_no
               AND run_no = s.run_no AND (due_at, id) > (:at, :id) {served}
             ORDER BY due_at, id LIMIT :limit) AS j
         WHERE true {of_source}) AS due ORDER BY due_at, id LIMIT :look"""

_CLOSED_LATE = """
    SELECT {columns} FROM pushjobs.jobs
     WHERE closed_at <= :at AND (closed_at, id) < (:at, :id) {served} ORDER BY closed_at DESC, id DESC LIMIT :look"""

_INNER = {
    Order.NUMBER: (_NUMBERS, "id DESC"),
    Order.OUT: (_OUT_NOW, "id DESC"),
    Order.DUE: (_DUE_SOON, "due_at, id"),
    Order.CLOSED: (_CLOSED_LATE, "closed_at DESC, id DESC"),
}
_MOMENTS = {Order.DUE: "due_at", Order.CLOSED: "closed_at"}
_FIRST_AT = {Order.DUE: "-infinity", Order.CLOSED: "infinity"}

_PAGE = "SELECT id, {moment} AS at FROM ({inner}) AS looked WHERE {rest} ORDER BY {order} LIMIT :limit"
_REACH = """
SELECT count(*) AS looked, (array_agg(id ORDER BY {backwards}))[1] AS id,
       (array_agg({moment} ORDER BY {backwards}))[1] AS at
  FROM ({inner}) AS looked"""
_BACKWARDS = {"id DESC": "id", "due_at, id": "due_at DESC, id DESC", "closed_at DESC, id DESC": "closed_at, id"}

# What a choice is made of, for whoever is asked whether it is meant. What cannot go anywhere is told apart.
_MADE_OF = {
    transition: statement(
        f"""
SELECT j.template_no, t.template_id, t.title, count(*) AS jobs,
       count(*) FILTER (WHERE j.state {{{transition}.sources}} AND (j.sealed IS NOT NULL OR NOT :calls)) AS fit,
       count(*) FILTER (WHERE j.state {{{transition}.sources}} AND (j.sealed IS NOT NULL OR NOT :calls)
                          AND j.expires_at <= now() + make_interval(secs => :wait)) AS overdue
  FROM pushjobs.jobs j JOIN pushjobs.templates t USING (template_no)
 WHERE j.id = ANY (:ids) AND j.app_no = :app_no
   AND (CAST(:template_nos AS int[]) IS NULL OR j.template_no = ANY (:template_nos))
 GROUP BY j.template_no, t.template_id, t.title ORDER BY jobs DESC, t.template_id""",  # noqa: S608 - a word of ours
        transition,
    )
    for transition in (Transition.CANCEL, Transition.REPLAY, Transition.CONFIRM, Transition.SEND_AGAIN)
}

_ALLOWED = statement("""
SELECT id FROM pushjobs.jobs
 WHERE id = ANY (:ids) AND app_no = :app_no
   AND (CAST(:template_nos AS int[]) IS NULL OR template_no = ANY (:template_nos))""")

_SEALED = statement("""
SELECT j.recipient, j.sealed, c.sealed AS sealed_content, t.template_id
  FROM pushjobs.jobs j JOIN pushjobs.templates t USING (template_no)
  LEFT JOIN pushjobs.contents c ON c.content_no = j.content_no
 WHERE j.id = :id""")

# The newest of a state, in groups: how many there are in all is nobody's question when there are ten thousand.
_GROUPS = {
    state: statement(f"""
SELECT g.template_no, t.template_id, t.title, g.reason, g.errcode, g.jobs, g.last_hour, g.last_day, g.oldest, g.newest
  FROM (SELECT template_no, reason, errcode, count(*) AS jobs,
               count(*) FILTER (WHERE closed_at > now() - interval '1 hour') AS last_hour,
               count(*) FILTER (WHERE closed_at > now() - interval '1 day') AS last_day,
               min(closed_at) AS oldest, max(closed_at) AS newest
          FROM (SELECT app_no, template_no, reason, errcode, closed_at FROM pushjobs.jobs
                 WHERE state = '{state}' ORDER BY id DESC LIMIT :look) AS looked
         WHERE app_no = :app_no AND (CAST(:template_nos AS int[]) IS NULL OR template_no = ANY (:template_nos))
         GROUP BY template_no, reason, errcode) AS g
  JOIN pushjobs.templates t USING (template_no)
 ORDER BY g.jobs DESC, t.template_id, g.reason""")  # noqa: S608 - a state of ours
    for state in (JobState.DEAD, JobState.IN_DOUBT)
}


def order_of(wanted: Wanted) -> Order:
    """Return the order in which such jobs are shown: one that an index has for them."""
    if wanted.recipient is not None or wanted.reference is not None:
        return Order.NUMBER
    if wanted.state is JobState.SCHEDULED:
        return Order.DUE
    if wanted.state in _OUT:
        return Order.OUT
    if wanted.state in PRUNABLE and wanted.run is None:
        return Order.CLOSED
    return Order.NUMBER


def page(connection: Connection, wanted: Wanted, *, after: Place | None, limit: int, look: int = LOOKED_AT) -> Stretch:
    """Return a page of jobs behind a place, the first one without; at most `limit` of them."""
    order = order_of(wanted)
    served, rest = _split(wanted, order)
    values = _values(wanted, order, after) | {"limit": limit + 1, "look": look}
    found = list(connection.execute(_statement(_PAGE, order, served, rest), values))
    if len(found) > limit:
        last = found[limit - 1]
        return Stretch(ids=[row.id for row in found[:limit]], next=Place(id=last.id, at=last.at))
    ids = [JobId(row.id) for row in found]
    if order is Order.DUE:
        return Stretch(ids=ids, next=None)  # its index serves everything that may be asked of it
    reach = connection.execute(_statement(_REACH, order, served, ()), values | {"limit": look}).one()
    if reach.looked < look:
        return Stretch(ids=ids, next=None)
    return Stretch(ids=ids, next=Place(id=JobId(reach.id), at=reach.at), looked_at=look)


def made_of(
    connection: Connection, transition: Transition, ids: Sequence[JobId], whose: Whose, *, calls: bool, wait: float
) -> list[Share]:
    """Return what jobs are made of, by template; `overdue` counts those that need another deadline to go again.

    `calls`: whether the transition leads to another call, `wait`: seconds until then.
    """
    values = {**_whose(whose), "ids": list(ids), "calls": calls, "wait": wait}
    return [Share(**row._asdict()) for row in connection.execute(_MADE_OF[transition], values)]


def allowed(connection: Connection, ids: Sequence[JobId], whose: Whose) -> list[JobId]:
    """Return those of the jobs that are somebody's."""
    return [JobId(number) for number in connection.execute(_ALLOWED, {**_whose(whose), "ids": list(ids)}).scalars()]


def groups(connection: Connection, state: JobState, whose: Whose, *, look: int = LOOKED_AT) -> list[Group]:
    """Return the newest jobs in trouble by template, reason and code, the largest group first."""
    rows = connection.execute(_GROUPS[state], {**_whose(whose), "look": look})
    return [Group(**row._asdict()) for row in rows]


def sealed(connection: Connection, job_id: JobId) -> Row[Any] | None:
    """Return what a job and its content seal, with what they are bound to; None where there is no such job."""
    return connection.execute(_SEALED, {"id": job_id}).one_or_none()


def _whose(whose: Whose) -> dict[str, Any]:
    return {
        "app_no": whose.app_no,
        "template_nos": None if whose.template_nos is None else list(whose.template_nos),
    }


def _split(wanted: Wanted, order: Order) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the conditions that the order's index serves, and those that are compared row by row."""
    conditions = dict(_conditions(wanted, order))
    names = {
        Order.NUMBER: _served_by_number(wanted),
        Order.OUT: ("state",),
        Order.DUE: ("since", "until", "template_nos", "run"),
        Order.CLOSED: ("state", "since", "until"),
    }[order]
    served = tuple(name for name in names if name in conditions)
    if order is Order.DUE:
        conditions.pop("state")  # the order's own
    return (
        tuple(conditions[name] for name in served),
        tuple(condition for name, condition in conditions.items() if name not in served),
    )


def _served_by_number(wanted: Wanted) -> tuple[str, ...]:
    if wanted.recipient is not None:
        return ("recipient",)
    if wanted.reference is not None:
        return ("reference",)
    if wanted.run is not None:
        return ("run_bounds",)
    return ("state",) if wanted.state in _TROUBLED else ()


def _conditions(wanted: Wanted, order: Order) -> Iterator[tuple[str, str]]:
    # The state is a literal: a partial index is proven from nothing else.
    moment = _MOMENTS.get(order, "coalesce(closed_at, due_at)")
    yield "app_no", "app_no = :app_no"
    if wanted.state is not None:
        yield "state", f"state = '{JobState(wanted.state)}'"
    if wanted.template_nos is not None:
        yield "template_nos", "template_no = ANY (:template_nos)"
    if wanted.run is not None:
        yield "run", "run_no = :run_no"
        yield "run_bounds", "id BETWEEN :first AND :last"
    for name in ("reference", "recipient", "reason"):
        if getattr(wanted, name) is not None:
            yield name, f"{name} = :{name}"
    if wanted.since is not None:
        yield "since", f"{moment} >= :since"
    if wanted.until is not None:
        yield "until", f"{moment} < :until"


def _values(wanted: Wanted, order: Order, after: Place | None) -> dict[str, Any]:
    first_id = JobId(0) if order is Order.DUE else _BEYOND_IDS
    run = wanted.run
    return {
        "app_no": wanted.app_no,
        "template_nos": None if wanted.template_nos is None else list(wanted.template_nos),
        "run_no": None if run is None else run.run_no,
        # A run without bounds has no jobs.
        "first": None if run is None else run.first,
        "last": None if run is None else run.last,
        "reference": wanted.reference,
        "recipient": wanted.recipient,
        "reason": wanted.reason,
        "since": wanted.since,
        "until": wanted.until,
        "id": first_id if after is None else after.id,
        "at": _FIRST_AT.get(order) if after is None else after.at,
    }


@cache
def _statement(outer: str, order: Order, served: tuple[str, ...], rest: tuple[str, ...]) -> TextClause:
    inner, ordered = _INNER[order]
    of_source = [each for each in served if order is Order.DUE and each.startswith(("template_no", "run_no"))]
    within = [each for each in served if each not in of_source]
    return statement(
        outer.format(
            inner=inner.format(
                columns="*" if outer == _PAGE else ", ".join(filter(None, ("id", _MOMENTS.get(order)))),
                served="".join(f" AND {each}" for each in within),
                of_source="".join(f" AND s.{each}" for each in of_source),
            ),
            moment=_MOMENTS.get(order, "CAST(NULL AS timestamptz)"),
            rest=" AND ".join(rest) or "true",
            order=ordered,
            backwards=_BACKWARDS[ordered],
        )
    )
