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

from sqlalchemy import Connection, TextClause

from pushjobs.domain.job import JobId, JobState
from pushjobs.store.database import statement

__all__ = [
    "LOOKED_AT",
    "Order",
    "Place",
    "Run",
    "Stretch",
    "Wanted",
    "order_of",
    "page",
]

LOOKED_AT = 10_000
"""How many rows one page compares at most where no index tells which match."""

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
         WHERE true {of_source}) AS due ORDER BY due_at, id LIMIT :limit"""

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
# The last row that was looked at; none where there were fewer.
_REACH = "SELECT id, {moment} AS at FROM ({inner}) AS looked ORDER BY {order} OFFSET :look - 1 LIMIT 1"


def order_of(wanted: Wanted) -> Order:
    """Return the order in which such jobs are shown: one that an index has for them."""
    if wanted.recipient is not None or wanted.reference is not None:
        return Order.NUMBER
    if wanted.state is JobState.SCHEDULED:
        return Order.DUE
    if wanted.state in _OUT:
        return Order.OUT
    if wanted.state is not None and wanted.run is None:
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
    reach = connection.execute(_statement(_REACH, order, served, ()), values).one_or_none()
    if reach is None:
        return Stretch(ids=ids, next=None)
    return Stretch(ids=ids, next=Place(id=JobId(reach.id), at=reach.at), looked_at=look)


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
    return ()


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
        )
    )
