"""The verbs of application code: send, check, get, find, cancel, reschedule, why; grant, revoke, consent; forget.

`send` is `schedule(at=now)`: one path in. What is accepted is in SQL, in one transaction, before the call returns; a
job that is due now is published straight after its commit, and if that fails the next tick finds it. With `session=`
everything commits with the caller's own transaction, and only ticks publish.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Self, Unpack

from pushjobs import claims, clock
from pushjobs.app_parts import AppParts
from pushjobs.campaigns.campaigns import Campaigns
from pushjobs.checking import Checked, check
from pushjobs.claims import Row
from pushjobs.consenting import Granted
from pushjobs.domain.consent import Consent
from pushjobs.domain.job import Job, JobId, JobState, Lane, read_state
from pushjobs.domain.moment import read_deadline, read_moment
from pushjobs.errors import InvalidInput, NotFound, NotPossible
from pushjobs.forgetting import Forgotten
from pushjobs.inspection import Why
from pushjobs.making import described, new_job
from pushjobs.rejections import Rejected, Rejection
from pushjobs.release import Releaser
from pushjobs.request import (
    ContentArguments,
    JobArguments,
    Request,
    StoredContent,
    named_app,
    read_request,
    read_shared,
)
from pushjobs.store import accepting, envelope
from pushjobs.store import jobs as stored
from pushjobs.store.accepting import NewJob
from pushjobs.store.database import CallersSession, Database, Transaction, joined
from pushjobs.store.releases import Bucket, Released
from pushjobs.store.sealing import Lookup, Sealer
from pushjobs.wechat.login import Login

__all__ = ["Producer", "Rejection", "Report"]

_CHUNK = 5000
_MOST_FOUND = 1000
_BEYOND_IDS = 2**53


@dataclass(slots=True)
class Report:
    """What `send_many` did: jobs newly `accepted`, jobs `known` already by their idempotency key, rows `rejected`.

    Of those the first 100,000 are listed; `rejected.total` counts them all.
    """

    accepted: int = 0
    known: int = 0
    rejected: Rejected = field(default_factory=Rejected)


class Producer:
    """Accepts jobs and changes them; safe to share between threads.

    What names no `appid` is for one app, the environment's; `app` returns the same verbs for another one. A job's
    number is enough, whichever app it is of.

    Every method raises Unreachable when PostgreSQL does not answer, and NotReady when our tables are not there.
    """

    def __init__(
        self,
        database: Database,
        parts: Callable[[object], AppParts],
        releaser: Releaser,
        *,
        campaigns: Campaigns,
        sealer: Sealer,
        lookup: Lookup,
    ) -> None:
        """`parts` gives those of an app by its appid, None for the one that is meant; raises InvalidInput."""
        self.campaigns = campaigns
        """What is sent to many users again and again, in every app of the installation."""
        self._database = database
        self._parts = parts
        self._releaser = releaser
        self._sealer = sealer
        self._lookup = lookup
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

    def app(self, appid: str) -> "Producer":
        """Return the same verbs for another app of the installation; raises InvalidInput where it is none.

        What it returns need not be closed: the connections are this one's.
        """
        self._parts(appid)
        parts = self._parts
        return Producer(
            self._database,
            lambda other: parts(appid if other is None else other),
            self._releaser,
            campaigns=self.campaigns,
            sealer=self._sealer,
            lookup=self._lookup,
        )

    def send(self, *, session: CallersSession | None = None, **arguments: Unpack[JobArguments]) -> Job:
        """Schedule one push, for now unless `time` says later; return its job.

        Raises InvalidInput (nothing was stored), or KeyReused when the idempotency key stands for another body. The
        same key with the same body returns the job it made the first time.
        """
        app = self._parts(arguments.get("appid"))
        request = read_request(arguments, app.terms, lane=Lane.URGENT)
        if refused := app.vetting.vet({0: request}):
            raise refused[0]
        bucket = Bucket(app.app_no, request.lane)
        goes_now = request.is_due and session is None and self._releaser.has_room(bucket)
        with self._within(session) as connection:
            [job_id] = accepting.draw_ids(connection, 1)
            rows = {job_id: Row(number=1, arguments=arguments, request=request)}
            if (known := self._claim(connection, app, rows).get(job_id)) is not None:
                return self._known(connection, known)
            accepting.insert(connection, [self._new_job(app, job_id, request, released=goes_now)])
        if goes_now:
            self._releaser.publish(bucket, [Released(id=job_id, release_no=1, due_in=0.0)])
        return described(job_id, request, app.terms)

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
            readable = self._read(chunk, report)
            if any(its_rows for _, its_rows in readable):
                with self._within(session) as connection:
                    for app, its_rows in readable:
                        self._accept(connection, app, its_rows, report)
        if not (report.accepted or report.known or report.rejected):
            raise InvalidInput("rows", "is empty", "give at least one row")
        return report

    def check(self, rows: Iterable[Mapping[str, Any]]) -> Checked:
        """Look through rows as `send_many` takes them, and report all faults of each; nothing is stored or sent."""
        return check(rows, lambda appid: self._parts(appid).terms)

    def store_content(self, *, openid: str | None = None, **arguments: Unpack[ContentArguments]) -> StoredContent:
        """Store a content once for many jobs, which name it as `content=` in place of template, data and page.

        Where the template's texts are checked by WeChat, that is done here, once, for the user `openid`: one who was
        in the Mini Program within the last two hours, a colleague say. It is not stored.
        """
        app = self._parts(None)
        appid = app.terms.appid
        content, template_no = read_shared(arguments, catalogue=app.terms.catalogue)
        app.vetting.vet_content(content, openid)
        sealed = envelope.seal_content(self._sealer, content, appid=appid)
        with self._database.transaction() as connection:
            number = accepting.store_content(connection, app_no=app.app_no, template_no=template_no, sealed=sealed)
        return StoredContent(appid=appid, content_no=number, template_no=template_no, content=content)

    def get(self, job_id: int) -> Job:
        """Return a job; raises NotFound."""
        with self._database.transaction() as connection:
            return self._get(connection, JobId(job_id))

    def history(self, job_id: int) -> list[stored.Happening]:
        """Return what happened to a job beyond the happy path, oldest first; raises NotFound."""
        with self._database.transaction() as connection:
            self._get(connection, JobId(job_id))
            return stored.history(connection, JobId(job_id))

    def find(  # noqa: PLR0913 - one argument a filter
        self,
        *,
        reference: str | None = None,
        touser: str | None = None,
        state: str | JobState | None = None,
        template_id: str | None = None,
        due_after: object = None,
        due_before: object = None,
        limit: int = 100,
    ) -> list[Job]:
        """Return the newest jobs that match everything given, at most `limit` (up to 1,000).

        `due_after` and `due_before`, written as `time` is, bound when a job is tried next, or was last.
        """
        if not 0 < limit <= _MOST_FOUND:
            raise InvalidInput("limit", f"is {limit}", f"it is between 1 and {_MOST_FOUND}")
        equal = {"reference": reference, "template_id": template_id, "state": read_state(state)}
        wanted = self._filter(touser=touser, due_after=due_after, due_before=due_before, **equal)
        with self._database.transaction() as connection:
            return stored.find(connection, wanted, limit)

    def cancel(
        self,
        job_id: int | None = None,
        *,
        reference: str | None = None,
        touser: str | None = None,
        template_id: str | None = None,
        due_after: object = None,
        due_before: object = None,
    ) -> int:
        """Cancel one job, or every job that matches (as in `find`) and has not been begun; return how many.

        One job by its number: raises NotFound, or NotPossible when it was begun or is closed.
        """
        if job_id is not None:
            with self._database.transaction() as connection:
                job = self._get(connection, JobId(job_id))
                if not stored.cancel(connection, [job.id]):
                    raise NotPossible(f"job {job_id} is {self._get(connection, job.id).state}: it cannot be cancelled")
            return 1
        if all(each is None for each in (reference, touser, template_id, due_after, due_before)):
            rule = "give an id, a reference, a touser, a template_id, due_after or due_before"
            raise InvalidInput("cancel", "names no job", rule)
        equal = {"reference": reference, "template_id": template_id}
        wanted = self._filter(touser=touser, due_after=due_after, due_before=due_before, **equal)
        with self._database.transaction() as connection:
            return stored.cancel_matching(connection, wanted)

    def reschedule(self, job_id: int, *, time: object, expires: object = None) -> Job:
        """Move a job that nobody has begun to another time; its deadline moves along unless `expires` is given.

        Raises NotFound, NotPossible when it was begun or is closed, InvalidMoment for an unreadable time.
        """
        with self._database.transaction() as connection:
            job = self._get(connection, JobId(job_id))
            zone = self._parts(job.appid).terms.zone
            planned_at = max(read_moment(time, zone), clock.now())
            life = job.expires - job.time if expires is None else expires
            expires_at = read_deadline(life, planned_at, zone)
            if not stored.reschedule(connection, job.id, planned_at=planned_at, expires_at=expires_at):
                raise NotPossible(f"job {job_id} is {self._get(connection, job.id).state}: it cannot be rescheduled")
            return self._get(connection, job.id)

    def why(self, job_id: int) -> Why:
        """Say why a job is where it is, which rule holds it, and when it will be tried next; raises NotFound."""
        return self._parts(self.get(job_id).appid).inspection.why(job_id)

    def grant(self, touser: str, template_id: str, credits: int = 1, *, standing: bool = False) -> None:  # noqa: A002 - the house's word
        """Note that the user said yes to so many of the template's messages; with `standing`, to all of them."""
        self._parts(None).ledger.grant(touser, template_id, credits, standing=standing)

    def grant_many(self, rows: Iterable[Mapping[str, Any]]) -> Granted:
        """Grant from many rows of `grant`'s arguments, any iterable; a bad row is refused with its number."""
        return self._parts(None).ledger.grant_many(rows)

    def revoke(self, touser: str, template_id: str) -> None:
        """Note that the user takes back every consent to the template's messages."""
        self._parts(None).ledger.revoke(touser, template_id)

    def consent(self, touser: str) -> Mapping[str, Consent]:
        """Return what is known of the user's consents, by template id."""
        return self._parts(None).ledger.read(touser)

    def map_template(
        self, legacy_id: str, template_id: str, keywords: Mapping[str, str | None], *, shorten: bool = False
    ) -> None:
        """Have messages of a legacy template sent as a subscribe template's: {"keyword1": "thing1", "keyword2": None}.

        A keyword that becomes None is left out. With `shorten` a text too long for its `thing` or `name` is cut, with
        an ellipsis; else it is refused. Other processes follow within a minute. Raises InvalidInput.
        """
        self._parts(None).mappings.put(legacy_id, template_id, keywords, shorten=shorten)

    def unmap_template(self, legacy_id: str) -> None:
        """Have messages of a legacy template translated no longer; raises NotFound where they were not."""
        self._parts(None).mappings.take_away(legacy_id)

    def exchange_code(self, code: str, *, with_session_key: bool = False) -> Login:
        """Return the open id of the user whom a code of `wx.login` stands for; a code is good once, for five minutes.

        The session key is stored nowhere, and returned only where it is asked for. Raises CallRefused, Unreachable.
        """
        return self._parts(None).exchange_code(code, with_session_key=with_session_key)

    def forget(self, *tousers: str) -> Forgotten:
        """Forget users: what waits for them is cancelled, and open ids, contents, consents and form ids are gone.

        States, times and counts stay. What is being sent this moment is let end, and erased within seconds.
        """
        return self._parts(None).forgetting.forget(tousers)

    def counts(self) -> Mapping[JobState, int]:
        """Return how many of the app's jobs are in each state."""
        with self._database.transaction() as connection:
            return stored.count_by_state(connection, self._parts(None).app_no)

    def _within(self, session: CallersSession | None) -> AbstractContextManager[Transaction]:
        return self._database.transaction() if session is None else nullcontext(joined(session))

    def _read(self, chunk: Iterable[tuple[int, Mapping[str, Any]]], report: Report) -> list[tuple[AppParts, list[Row]]]:
        """Read a chunk's rows by the terms of their apps and report those refused; the apps in one order, for locks."""
        readable: dict[str, tuple[AppParts, list[Row]]] = {}
        for number, arguments in chunk:
            try:
                app = self._parts(named_app(arguments))
                request = read_request(arguments, app.terms, lane=Lane.BULK)
            except InvalidInput as refusal:
                report.rejected.add(number, refusal)
            else:
                _, rows = readable.setdefault(app.terms.appid, (app, []))
                rows.append(Row(number=number, arguments=arguments, request=request))
        return [(app, _vetted(app, rows, report)) for _, (app, rows) in sorted(readable.items())]

    def _accept(self, connection: Transaction, app: AppParts, readable: list[Row], report: Report) -> None:
        rows = dict(zip(accepting.draw_ids(connection, len(readable)), readable, strict=True))
        for job_id, known in sorted(self._claim(connection, app, rows).items()):
            row = rows.pop(job_id)
            if isinstance(known, InvalidInput):
                report.rejected.add(row.number, known)
            else:
                report.known += 1
        accepting.insert(connection, [self._new_job(app, job_id, row.request) for job_id, row in rows.items()])
        report.accepted += len(rows)

    def _claim(
        self, connection: Transaction, app: AppParts, rows: Mapping[JobId, Row]
    ) -> dict[JobId, JobId | InvalidInput]:
        return claims.claim(connection, app.terms.catalogue.app, rows, lookup=self._lookup)

    def _new_job(self, app: AppParts, job_id: JobId, request: Request, *, released: bool = False) -> NewJob:
        return new_job(job_id, request, app.terms, sealer=self._sealer, lookup=self._lookup, released=released)

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

    def _filter(self, *, touser: str | None, due_after: object, due_before: object, **equal: Any) -> stored.Filter:  # noqa: ANN401 - reference, template_id, state
        app = self._parts(None)
        given, zone = {"due_after": due_after, "due_before": due_before}, app.terms.zone
        due: dict[str, Any] = {
            name: read_moment(each, zone, field=name) for name, each in given.items() if each is not None
        }
        recipient = None if touser is None else self._lookup.recipient(app.terms.appid, touser)
        return stored.Filter(app_no=app.app_no, recipient=recipient, **due, **equal)


def _vetted(app: AppParts, readable: list[Row], report: Report) -> list[Row]:
    refused = app.vetting.vet({row.number: row.request for row in readable})
    for number, refusal in refused.items():
        report.rejected.add(number, refusal)
    return [row for row in readable if row.number not in refused] if refused else readable
