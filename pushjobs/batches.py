"""Rows made jobs: each read by the terms of its app, vetted, claimed for and stored, and what became of it.

Whose transaction it is, and how many rows are one, is the verbs' affair; a bad row never hinders a good one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pushjobs import claims, clock
from pushjobs.app_parts import AppParts
from pushjobs.claims import Row
from pushjobs.domain.client import Client
from pushjobs.domain.job import Job, JobId, Lane
from pushjobs.domain.steps import JobsAccepted
from pushjobs.domain.steps import NewJob as Followed
from pushjobs.errors import InvalidInput
from pushjobs.making import new_job
from pushjobs.rejections import Report
from pushjobs.request import Request, named_app, read_request
from pushjobs.store import accepting
from pushjobs.store.accepting import NewJob
from pushjobs.store.database import Transaction
from pushjobs.store.sealing import Lookup, Sealer

__all__ = ["Accepted", "AcceptedJob", "Batches", "Outcome", "accepted", "note"]


class Accepted(NamedTuple):
    """A row that was accepted: its job; `is_known`: made before, under the same idempotency key."""

    job_id: JobId
    is_known: bool


class AcceptedJob(NamedTuple):
    """A job that was accepted; `is_known`: made before, under the same idempotency key."""

    job: Job
    is_known: bool


Outcome = Accepted | InvalidInput
"""What became of a row."""


class Batches:
    """Accepts rows for `client`, None for nobody in particular; safe to share between threads."""

    def __init__(
        self, parts: Callable[[object], AppParts], *, sealer: Sealer, lookup: Lookup, client: Client | None
    ) -> None:
        self._parts = parts
        self._sealer = sealer
        self._lookup = lookup
        self._client = client

    def read(self, rows: Iterable[tuple[int, Any]]) -> tuple[list[tuple[AppParts, list[Row]]], dict[int, Outcome]]:
        """Read numbered rows by the terms of their apps; return the readable ones, and the refusals of the others.

        The apps come in one order, for locks.
        """
        readable: dict[str, tuple[AppParts, list[Row]]] = {}
        refused: dict[int, Outcome] = {}
        meant: AppParts | None = None
        for number, arguments in rows:
            try:
                if (appid := named_app(arguments)) is not None or meant is None:
                    app = self._parts(appid)
                    meant = app if appid is None else meant
                else:
                    app = meant
                request = read_request(arguments, app.terms, lane=Lane.BULK)
            except InvalidInput as refusal:
                refused[number] = refusal
            else:
                _, its_rows = readable.setdefault(app.terms.appid, (app, []))
                its_rows.append(Row(number=number, arguments=arguments, request=request))
        return [(app, _vetted(app, its_rows, refused)) for _, (app, its_rows) in sorted(readable.items())], refused

    def store(self, connection: Transaction, app: AppParts, readable: Sequence[Row]) -> dict[int, Outcome]:
        """Store the jobs of an app's rows, but for those that are known or refused; return what became of each."""
        outcomes: dict[int, Outcome] = {}
        rows = dict(zip(accepting.draw_ids(connection, len(readable)), readable, strict=True))
        for job_id, known in sorted(self.claim(connection, app, rows).items()):
            number = rows.pop(job_id).number
            outcomes[number] = known if isinstance(known, InvalidInput) else Accepted(known, is_known=True)
        accepting.insert(connection, [self.new_job(app, job_id, row.request) for job_id, row in rows.items()])
        for job_id, row in rows.items():
            outcomes[row.number] = Accepted(job_id, is_known=False)
        return outcomes

    def claim(
        self, connection: Transaction, app: AppParts, rows: Mapping[JobId, Row]
    ) -> dict[JobId, JobId | InvalidInput]:
        """Claim what the rows' jobs need; return those not to be stored."""
        return claims.claim(connection, app.terms.catalogue.app, rows, lookup=self._lookup)

    def new_job(self, app: AppParts, job_id: JobId, request: Request, *, released: bool = False) -> NewJob:
        """Make a row of a request."""
        who, sealer, lookup = self._client, self._sealer, self._lookup
        return new_job(job_id, request, app.terms, sealer=sealer, lookup=lookup, released=released, client=who)


def accepted(appid: str, rows: Sequence[Row], outcomes: Mapping[int, Outcome], *, since: float) -> JobsAccepted:
    """Say which jobs are stored of an app's rows, which were asked for at `since`."""
    jobs = (
        Followed(made.job_id, row.request.lane, row.request.message.content.template_id, row.request.planned_at)
        for row in rows
        if isinstance(made := outcomes[row.number], Accepted) and not made.is_known
    )
    return JobsAccepted(appid=appid, jobs=jobs, since=since, at=clock.monotonic())


def note(outcomes: Mapping[int, Outcome], report: Report) -> None:
    """Count what became of rows, and list those that were refused."""
    for number, outcome in outcomes.items():
        if isinstance(outcome, InvalidInput):
            report.rejected.add(number, outcome)
        elif outcome.is_known:
            report.known += 1
        else:
            report.accepted += 1


def _vetted(app: AppParts, readable: list[Row], refused: dict[int, Outcome]) -> list[Row]:
    found = app.vetting.vet({row.number: row.request for row in readable})
    refused.update(found)
    return [row for row in readable if row.number not in found] if found else readable
