"""The verbs of application code: send, check, get, find, cancel, reschedule, why; grant, revoke, consent; forget.

`send` is `schedule(at=now)`: one path in. What is accepted is in SQL, in one transaction, before the call returns; a
job that is due now is published straight after its commit, and if that fails the next tick finds it. With `session=`
everything commits with the caller's own transaction, and only ticks publish.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Self, Unpack

from pushjobs import claims, clock
from pushjobs.checking import Checked, check
from pushjobs.claims import Row
from pushjobs.consenting import Granted, Ledger
from pushjobs.domain.consent import Consent
from pushjobs.domain.job import Job, JobId, JobState, Lane
from pushjobs.domain.moment import read_deadline, read_moment
from pushjobs.errors import InvalidInput, NotFound, NotPossible
from pushjobs.forgetting import Forgetting, Forgotten
from pushjobs.inspection import Inspection, Why
from pushjobs.mapping import Mappings
from pushjobs.release import Releaser
from pushjobs.request import (
    ContentArguments,
    JobArguments,
    Rejection,
    Request,
    StoredContent,
    Terms,
    read_request,
    read_shared,
)
from pushjobs.store import accepting, envelope
from pushjobs.store import jobs as stored
from pushjobs.store.accepting import NewJob
from pushjobs.store.database import CallersSession, Database, Transaction, joined
from pushjobs.store.releases import Bucket, Released
from pushjobs.store.sealing import Lookup, Sealer
from pushjobs.vetting import Vetting
from pushjobs.wechat.login import Login

__all__ = ["Producer", "Rejection", "Report"]

_CHUNK = 5000
_MOST_FOUND = 1000
_BEYOND_IDS = 2**53


@dataclass(slots=True)
class Report:
    """What `send_many` did: jobs newly `accepted`, jobs `known` already by their idempotency key, rows `rejected`."""

    accepted: int = 0
    known: int = 0
    rejected: list[Rejection] = field(default_factory=list)


class Producer:
    """Accepts jobs for one app and changes them; safe to share between threads.

    Every method raises Unreachable when PostgreSQL does not answer, and NotReady when our tables are not there.
    """

    def __init__(  # noqa: PLR0913 - the parts it is made of
        self,
        database: Database,
        terms: Terms,
        releaser: Releaser,
        *,
        inspection: Inspection,
        sealer: Sealer,
        lookup: Lookup,
        vetting: Vetting,
        forgetting: Forgetting,
        exchange_code: Callable[..., Login],
    ) -> None:
        self._database = database
        self._terms = terms
        self._releaser = releaser
        self._inspection = inspection
        self._sealer = sealer
        self._lookup = lookup
        self._vetting = vetting
        self._forgetting = forgetting
        self._exchange_code = exchange_code
        self._mappings = Mappings(database, terms.catalogue)
        self._ledger = Ledger(database, terms, lookup=lookup)
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; only for what `connect` returned, which owns them."""
        self._closing.close()

    def owns(self, close: Callable[[], None]) -> Self:
        """Have `close` called when this is closed; return this."""
        self._closing.callback(close)
        return self

    def send(self, *, session: CallersSession | None = None, **arguments: Unpack[JobArguments]) -> Job:
        """Schedule one push, for now unless `time` says later; return its job.

        Raises InvalidInput (nothing was stored), or KeyReused when the idempotency key stands for another body. The
        same key with the same body returns the job it made the first time.
        """
        request = read_request(arguments, self._terms, lane=Lane.URGENT)
        if refused := self._vetting.vet({0: request}):
            raise refused[0]
        bucket = Bucket(self._terms.catalogue.app.app_no, request.lane)
        goes_now = request.is_due and session is None and self._releaser.has_room(bucket)
        with self._within(session) as connection:
            [job_id] = accepting.draw_ids(connection, 1)
            rows = {job_id: Row(number=1, arguments=arguments, request=request)}
            if (known := self._claim(connection, rows).get(job_id)) is not None:
                return self._known(connection, known)
            accepting.insert(connection, [self._new_job(job_id, request, released=goes_now)])
        if goes_now:
            self._releaser.publish(bucket, [Released(id=job_id, release_no=1, due_in=0.0)])
        return self._as_job(job_id, request)

    def send_many(self, rows: Iterable[Mapping[str, Any]], *, session: CallersSession | None = None) -> Report:
        """Schedule many pushes, each row the keyword arguments of `send`; any iterable, streamed in chunks.

        A bad row is reported with its number and refused, the good ones are accepted. Each chunk is one transaction
        (with `session=`, all are the caller's): if the iterable raises, the chunks before stay. An iterable without a
        row is refused. The lane is bulk unless a row says otherwise.
        """
        if not isinstance(rows, Iterable):
            raise InvalidInput("rows", f"is no iterable ({type(rows).__name__})", "give a row for each push")
        report = Report()
        numbered = enumerate(rows, start=1)
        while chunk := list(islice(numbered, _CHUNK)):
            readable = self._vetted(list(self._read(chunk, report)), report)
            if readable:
                with self._within(session) as connection:
                    self._accept(connection, readable, report)
        if not (report.accepted or report.known or report.rejected):
            raise InvalidInput("rows", "is empty", "give at least one row")
        return report

    def check(self, rows: Iterable[Mapping[str, Any]]) -> Checked:
        """Look through rows as `send_many` takes them, and report all faults of each; nothing is stored or sent."""
        return check(rows, self._terms)

    def store_content(self, *, openid: str | None = None, **arguments: Unpack[ContentArguments]) -> StoredContent:
        """Store a content once for many jobs, which name it as `content=` in place of template, data and page.

        Where the template's texts are checked by WeChat, that is done here, once, for the user `openid`: one who was
        in the Mini Program within the last two hours, a colleague say. It is not stored.
        """
        content, template_no = read_shared(arguments, catalogue=self._terms.catalogue)
        self._vetting.vet_content(content, openid)
        sealed = envelope.seal_content(self._sealer, content, appid=self._terms.appid)
        app_no = self._terms.catalogue.app.app_no
        with self._database.transaction() as connection:
            number = accepting.store_content(connection, app_no=app_no, template_no=template_no, sealed=sealed)
        return StoredContent(content_no=number, template_no=template_no, content=content)

    def get(self, job_id: int) -> Job:
        """Return a job; raises NotFound."""
        with self._database.transaction() as connection:
            return self._get(connection, JobId(job_id))

    def history(self, job_id: int) -> list[stored.Happening]:
        """Return what happened to a job beyond the happy path, oldest first; raises NotFound."""
        with self._database.transaction() as connection:
            self._get(connection, JobId(job_id))
            return stored.history(connection, JobId(job_id))

    def find(
        self,
        *,
        reference: str | None = None,
        touser: str | None = None,
        state: str | JobState | None = None,
        template_id: str | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Return the newest jobs that match everything given, at most `limit` (up to 1,000)."""
        if not 0 < limit <= _MOST_FOUND:
            raise InvalidInput("limit", f"is {limit}", f"it is between 1 and {_MOST_FOUND}")
        wanted = self._filter(reference=reference, touser=touser, template_id=template_id, state=_state(state))
        with self._database.transaction() as connection:
            return stored.find(connection, wanted, limit)

    def cancel(
        self,
        job_id: int | None = None,
        *,
        reference: str | None = None,
        touser: str | None = None,
        template_id: str | None = None,
    ) -> int:
        """Cancel one job, or every job that matches and has not been begun; return how many.

        One job by its number: raises NotFound, or NotPossible when it was begun or is closed.
        """
        if job_id is not None:
            with self._database.transaction() as connection:
                job = self._get(connection, JobId(job_id))
                if not stored.cancel(connection, [job.id]):
                    raise NotPossible(f"job {job_id} is {self._get(connection, job.id).state}: it cannot be cancelled")
            return 1
        if reference is None and touser is None and template_id is None:
            raise InvalidInput("cancel", "names no job", "give an id, a reference, a touser or a template_id")
        wanted = self._filter(reference=reference, touser=touser, template_id=template_id, state=None)
        with self._database.transaction() as connection:
            return stored.cancel_matching(connection, wanted)

    def reschedule(self, job_id: int, *, time: object, expires: object = None) -> Job:
        """Move a job that nobody has begun to another time; its deadline moves along unless `expires` is given.

        Raises NotFound, NotPossible when it was begun or is closed, InvalidMoment for an unreadable time.
        """
        zone = self._terms.zone
        planned_at = max(read_moment(time, zone), clock.now())
        with self._database.transaction() as connection:
            job = self._get(connection, JobId(job_id))
            life = job.expires - job.time if expires is None else expires
            expires_at = read_deadline(life, planned_at, zone)
            if not stored.reschedule(connection, job.id, planned_at=planned_at, expires_at=expires_at):
                raise NotPossible(f"job {job_id} is {self._get(connection, job.id).state}: it cannot be rescheduled")
            return self._get(connection, job.id)

    def why(self, job_id: int) -> Why:
        """Say why a job is where it is, which rule holds it, and when it will be tried next; raises NotFound."""
        return self._inspection.why(job_id)

    def grant(self, touser: str, template_id: str, credits: int = 1, *, standing: bool = False) -> None:  # noqa: A002 - the house's word
        """Note that the user said yes to so many of the template's messages; with `standing`, to all of them."""
        self._ledger.grant(touser, template_id, credits, standing=standing)

    def grant_many(self, rows: Iterable[Mapping[str, Any]]) -> Granted:
        """Grant from many rows of `grant`'s arguments, any iterable; a bad row is refused with its number."""
        return self._ledger.grant_many(rows)

    def revoke(self, touser: str, template_id: str) -> None:
        """Note that the user takes back every consent to the template's messages."""
        self._ledger.revoke(touser, template_id)

    def consent(self, touser: str) -> Mapping[str, Consent]:
        """Return what is known of the user's consents, by template id."""
        return self._ledger.read(touser)

    def map_template(
        self, legacy_id: str, template_id: str, keywords: Mapping[str, str | None], *, shorten: bool = False
    ) -> None:
        """Have messages of a legacy template sent as a subscribe template's: {"keyword1": "thing1", "keyword2": None}.

        A keyword that becomes None is left out. With `shorten` a text too long for its `thing` or `name` is cut, with
        an ellipsis; else it is refused. Other processes follow within a minute. Raises InvalidInput.
        """
        self._mappings.put(legacy_id, template_id, keywords, shorten=shorten)

    def unmap_template(self, legacy_id: str) -> None:
        """Have messages of a legacy template translated no longer; raises NotFound where they were not."""
        self._mappings.take_away(legacy_id)

    def exchange_code(self, code: str, *, with_session_key: bool = False) -> Login:
        """Return the open id of the user whom a code of `wx.login` stands for; a code is good once, for five minutes.

        The session key is stored nowhere, and returned only where it is asked for. Raises CallRefused, Unreachable.
        """
        return self._exchange_code(code, with_session_key=with_session_key)

    def forget(self, *tousers: str) -> Forgotten:
        """Forget users: what waits for them is cancelled, and open ids, contents, consents and form ids are gone.

        States, times and counts stay. What is being sent this moment is let end, and erased within seconds.
        """
        return self._forgetting.forget(tousers)

    def counts(self) -> Mapping[JobState, int]:
        """Return how many jobs are in each state."""
        with self._database.transaction() as connection:
            return stored.count_by_state(connection)

    def _within(self, session: CallersSession | None) -> AbstractContextManager[Transaction]:
        return self._database.transaction() if session is None else nullcontext(joined(session))

    def _read(self, chunk: Iterable[tuple[int, Mapping[str, Any]]], report: Report) -> Iterator[Row]:
        for number, arguments in chunk:
            try:
                request = read_request(arguments, self._terms, lane=Lane.BULK)
            except InvalidInput as refusal:
                report.rejected.append(Rejection.of(number, refusal))
            else:
                yield Row(number=number, arguments=arguments, request=request)

    def _vetted(self, readable: list[Row], report: Report) -> list[Row]:
        refused = self._vetting.vet({row.number: row.request for row in readable})
        report.rejected += [Rejection.of(number, refusal) for number, refusal in refused.items()]
        return [row for row in readable if row.number not in refused] if refused else readable

    def _accept(self, connection: Transaction, readable: list[Row], report: Report) -> None:
        rows = dict(zip(accepting.draw_ids(connection, len(readable)), readable, strict=True))
        for job_id, known in sorted(self._claim(connection, rows).items()):
            row = rows.pop(job_id)
            if isinstance(known, InvalidInput):
                report.rejected.append(Rejection.of(row.number, known))
            else:
                report.known += 1
        accepting.insert(connection, [self._new_job(job_id, row.request) for job_id, row in rows.items()])
        report.accepted += len(rows)

    def _claim(self, connection: Transaction, rows: Mapping[JobId, Row]) -> dict[JobId, JobId | InvalidInput]:
        app = self._terms.catalogue.app
        return claims.claim(connection, app, rows, lookup=self._lookup)

    def _known(self, connection: Transaction, known: JobId | InvalidInput) -> Job:
        if isinstance(known, InvalidInput):
            raise known
        job = stored.get(connection, known)
        if job is None:
            fault = f"made job {known}, which is closed and deleted since"
            raise InvalidInput("idempotency_key", fault, "use a new key for a new push")
        return job

    def _get(self, connection: Transaction, job_id: JobId) -> Job:
        # PostgreSQL would refuse to compare what is no bigint.
        job = stored.get(connection, job_id) if 0 < job_id < _BEYOND_IDS else None
        if job is None:
            raise NotFound(f"there is no job {job_id}")
        return job

    def _filter(
        self, *, reference: str | None, touser: str | None, template_id: str | None, state: JobState | None
    ) -> stored.Filter:
        return stored.Filter(
            app_no=self._terms.catalogue.app.app_no,
            reference=reference,
            recipient=None if touser is None else self._lookup.recipient(self._terms.appid, touser),
            template_id=template_id,
            state=state,
        )

    def _new_job(self, job_id: JobId, request: Request, *, released: bool = False) -> NewJob:
        appid, shared = self._terms.appid, request.content
        recipient = self._lookup.recipient(appid, request.message.touser)
        return NewJob(
            id=job_id,
            app_no=self._terms.catalogue.app.app_no,
            template_no=request.template_no,
            content_no=None if shared is None else shared.content_no,
            lane=request.lane,
            on_quota=request.on_quota,
            planned_at=request.planned_at,
            expires_at=request.expires_at,
            recipient=recipient,
            sealed=envelope.seal_message(
                self._sealer, request.message, appid=appid, recipient=recipient, is_shared=shared is not None
            ),
            reference=request.reference,
            released=released,
        )

    def _as_job(self, job_id: JobId, request: Request) -> Job:
        """Describe a job just stored, without asking for it."""
        return Job(
            id=job_id,
            appid=self._terms.appid,
            template_id=request.message.content.template_id,
            state=JobState.SCHEDULED,
            lane=request.lane,
            time=request.planned_at,
            due_at=request.planned_at,
            expires=request.expires_at,
            attempts=0,
            reason=None,
            errcode=None,
            msgid=None,
            reference=request.reference,
            created_at=clock.now(),
            called_at=None,
            closed_at=None,
        )


def _state(value: str | JobState | None) -> JobState | None:
    if value is None:
        return None
    try:
        return JobState(value)
    except ValueError:
        raise InvalidInput("state", "is no state of a job", f"use {', '.join(JobState)}") from None
