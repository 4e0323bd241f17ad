"""The verbs of application code: send, check, get, find, cancel, reschedule, why; grant, revoke, consent; forget.

`send` is `schedule(at=now)`: one path in. What is accepted is in SQL, in one transaction, before the call returns; a
job that is due now is published straight after its commit, and if that fails the next tick finds it. With `session=`
everything commits with the caller's own transaction, and only ticks publish.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Self, Unpack

from pushjobs import batches, clock, making
from pushjobs.app_parts import AppParts
from pushjobs.batches import AcceptedJob, Batches, Outcome, note
from pushjobs.campaigns.campaigns import Campaigns
from pushjobs.checking import Checked, check
from pushjobs.claims import Row
from pushjobs.consenting import Granted
from pushjobs.domain.client import Client
from pushjobs.domain.consent import Consent
from pushjobs.domain.job import Job, JobId, JobState, Lane, read_state
from pushjobs.domain.message import read_template_id, read_touser
from pushjobs.domain.moment import read_deadline, read_moment
from pushjobs.errors import InvalidInput, NotFound, NotPossible
from pushjobs.forgetting import Forgotten
from pushjobs.inspection import Why
from pushjobs.rejections import Rejection, Report
from pushjobs.release import Releaser
from pushjobs.request import (
    ContentArguments,
    JobArguments,
    StoredContent,
    named_app,
    read_name,
    read_request,
    read_shared,
)
from pushjobs.store import accepting, envelope
from pushjobs.store import jobs as stored
from pushjobs.store.database import CallersSession, Database, Transaction, joined
from pushjobs.store.releases import Bucket, Released
from pushjobs.store.sealing import Lookup, Sealer
from pushjobs.telemetry import follow
from pushjobs.wechat.login import Login

__all__ = ["Producer", "Rejection", "Report"]

_CHUNK = 5000
_MOST_FOUND = 1000
_MOST_IN_BATCH = 10_000
_BEYOND_IDS = 2**53


class Producer:
    """Accepts jobs and changes them; `connect` returns one. Safe to share between threads, not between processes.

    What names no `appid` is for one app, the environment's; `app` returns the same verbs for another one. A `job_id` is
    enough, whichever app the job is of. `touser` is a user's open id, `template_id` WeChat's id of a template. A
    `session` is a transaction of the caller's own on our database (SQLAlchemy's `Session`, `scoped_session` or
    `Connection`): what is accepted within it commits with it, or not at all, and leaves with the first tick after that.

    Every method raises Unreachable when PostgreSQL does not answer, and NotReady when our tables are not there.
    Whatever raises has changed nothing, unless the method says otherwise.
    """

    def __init__(  # noqa: PLR0913 - what the verbs use
        self,
        database: Database,
        parts: Callable[[object], AppParts],
        releaser: Releaser,
        *,
        campaigns: Campaigns,
        sealer: Sealer,
        lookup: Lookup,
        client: Client | None = None,
    ) -> None:
        """`parts` gives those of an app by its appid, None for the one that is meant; raises InvalidInput."""
        self.campaigns = campaigns
        """What is sent to many users again and again, in every app of the installation."""
        self._database = database
        self._parts = parts
        self._releaser = releaser
        self._sealer = sealer
        self._lookup = lookup
        self._client = client
        self._batches = Batches(parts, sealer=sealer, lookup=lookup, client=client)
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; only for what `connect` returned, which owns them."""
        self._closing.close()

    def owns(self, close: Callable[[], None]) -> Self:
        """Have `close` called when this is closed; return this. For `connect`."""
        self._closing.callback(close)
        return self

    def app(self, appid: str) -> "Producer":
        """Return the same verbs for the app `appid`, over these connections; raises InvalidInput where it is none."""
        self._parts(appid)
        parts = self._parts
        return self._like(lambda other: parts(appid if other is None else other), self._client)

    def on_behalf_of(self, client: Client) -> "Producer":
        """Return the same verbs for a client: what is accepted is its own. Whether it may is asked before."""
        return self._like(self._parts, client)

    def send(self, *, session: CallersSession | None = None, **arguments: Unpack[JobArguments]) -> Job:
        """Schedule one push, for now unless `time` says later; return its job.

        `arguments` are those of `JobArguments`, by their names. Raises InvalidInput with field, fault and rule (nothing
        was stored); KeyReused, one of its kind, when the idempotency key stands for another body. The same key with the
        same body returns the job it made the first time.
        """
        return self.accept(arguments, session=session).job

    def accept(self, arguments: Mapping[str, Any], *, session: CallersSession | None = None) -> AcceptedJob:
        """Do what `send` does with these arguments, and tell whether the job was known by its idempotency key."""
        since = clock.monotonic()
        app = self._parts(named_app(arguments))
        request = read_request(arguments, app.terms, lane=Lane.URGENT)
        if refused := app.vetting.vet({0: request}):
            raise refused[0]
        bucket = Bucket(app.app_no, request.lane)
        goes_now = request.is_due and session is None and self._releaser.has_room(bucket)
        with self._within(session) as connection:
            [job_id] = accepting.draw_ids(connection, 1)
            rows = {job_id: Row(number=1, arguments=arguments, request=request)}
            if (known := self._batches.claim(connection, app, rows).get(job_id)) is not None:
                return AcceptedJob(self._known(connection, known), is_known=True)
            accepting.insert(connection, [self._batches.new_job(app, job_id, request, released=goes_now)])
        if goes_now:
            self._releaser.publish(bucket, [Released(id=job_id, release_no=1, due_in=0.0)])
        job = making.described(job_id, request, app.terms, client=self._client)
        follow(lambda: making.accepted(job, since=since))
        return AcceptedJob(job, is_known=False)

    def send_many(self, rows: Iterable[Mapping[str, Any]], *, session: CallersSession | None = None) -> Report:
        """Schedule many pushes; `rows` is any iterable of mappings with `send`'s arguments, streamed by 5,000.

        A bad row is reported with its number, from 1, and refused; the good ones are accepted. Each 5,000 are one
        transaction (with `session=`, all are the caller's): if the iterable raises, those before stay. Raises
        InvalidInput for no row at all. The lane is bulk unless a row says otherwise; all leaves with ticks.
        """
        if not isinstance(rows, Iterable):
            raise InvalidInput("rows", f"is no iterable ({type(rows).__name__})", "give a row for each push")
        report = Report()
        numbered = enumerate(rows, start=1)
        while chunk := list(islice(numbered, _CHUNK)):
            note(self._accept(chunk, session), report)
        if not (report.accepted or report.known or report.rejected):
            raise InvalidInput("rows", "is empty", "give at least one row")
        return report

    def accept_batch(self, rows: Sequence[Mapping[str, Any] | InvalidInput]) -> list[Outcome]:
        """Schedule up to 10,000 pushes in one transaction; return what became of each row, in their order.

        What raises has stored none of them. A row that its caller has refused already is passed over.
        """
        if not 0 < len(rows) <= _MOST_IN_BATCH:
            raise InvalidInput("jobs", f"are {len(rows):,}", f"give 1 to {_MOST_IN_BATCH:,} at once")
        refused = {number: row for number, row in enumerate(rows) if isinstance(row, InvalidInput)}
        outcomes = self._accept([each for each in enumerate(rows) if each[0] not in refused], None)
        return [refused[number] if number in refused else outcomes[number] for number in range(len(rows))]

    def check(self, rows: Iterable[Mapping[str, Any]]) -> Checked:
        """Look through `rows` as `send_many` takes them, and report all faults of each; nothing is stored or sent.

        Of keys that stand for another body it says nothing, nor is WeChat asked about texts. Raises InvalidInput for
        no row at all.
        """
        return check(rows, lambda appid: self._parts(appid).terms)

    def store_content(self, *, openid: str | None = None, **arguments: Unpack[ContentArguments]) -> StoredContent:
        """Store a content once for many jobs, which name it as `content=` in place of template, data and page.

        `arguments` are those of `ContentArguments`, by their names. It is kept while a job names it, and 30 days at
        least (PUSHJOBS_RETENTION_DAYS). Raises InvalidInput, as `send` does for a message.

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
        """Return the job `job_id`; raises NotFound, also when it is closed for longer than jobs are kept."""
        with self._database.transaction() as connection:
            return self._get(connection, JobId(job_id))

    def history(self, job_id: int) -> list[stored.Happening]:
        """Return what happened to the job `job_id` beyond the happy path, oldest first; raises NotFound."""
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
        template_ids: Collection[str] | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Return the app's newest jobs that match everything given, at most `limit` (1 to 1,000), the newest first.

        `reference` and `touser` as they were sent; `state` a `JobState` or its name; `template_id` or, for any of
        several, `template_ids`. `due_after` (included) and `due_before` (excluded), written as `time` is, bound when a
        job is tried next, or was last. `before`: the number of a job, for those made before it, the next page. Raises
        InvalidInput for a filter that cannot be read.
        """
        if not 0 < limit <= _MOST_FOUND:
            raise InvalidInput("limit", f"is {limit}", f"it is between 1 and {_MOST_FOUND}")
        wanted = self._filter(
            reference=reference, touser=touser, template_id=template_id, due_after=due_after, due_before=due_before
        )
        state, wanted_ids = read_state(state), None if template_ids is None else tuple(template_ids)
        wanted = replace(wanted, state=state, template_ids=wanted_ids, before=before)
        with self._database.transaction() as connection:
            return stored.find(connection, wanted, limit)

    def cancel(  # noqa: PLR0913 - one argument a filter
        self,
        job_id: int | None = None,
        *,
        reference: str | None = None,
        touser: str | None = None,
        template_id: str | None = None,
        due_after: object = None,
        due_before: object = None,
        template_ids: Collection[str] | None = None,
    ) -> int:
        """Cancel the job `job_id`, or every job that matches and that nobody has begun to send; return how many.

        The filters `reference`, `touser`, `template_id`, `due_after`, `due_before` and `template_ids` are those of
        `find`; all that are given must match. With none, or `template_ids` alone, InvalidInput is raised. One job by
        its number: raises NotFound, or NotPossible when it was begun or is closed.
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
        wanted = self._filter(
            reference=reference, touser=touser, template_id=template_id, due_after=due_after, due_before=due_before
        )
        wanted = replace(wanted, template_ids=None if template_ids is None else tuple(template_ids))
        with self._database.transaction() as connection:
            return stored.cancel_matching(connection, wanted)

    def reschedule(self, job_id: int, *, time: object, expires: object = None) -> Job:
        """Move the job `job_id`, which nobody has begun to send, to another `time`; return it as it is then.

        Written as in `send`; its deadline moves along unless `expires` is given. Raises NotFound, NotPossible when it
        was begun or is closed, InvalidMoment.
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
        """Say why the job `job_id` is where it is, which rule holds it, and when it is tried next; raises NotFound."""
        return self._parts(self.get(job_id).appid).inspection.why(job_id)

    def grant(self, touser: str, template_id: str, credits: int = 1, *, standing: bool = False) -> None:  # noqa: A002 - the house's word
        """Note that the user `touser` said yes to `credits` (1 to 1,000) more of the template's messages.

        With `standing`, to all of them; `credits` then does not matter. Raises InvalidInput.
        """
        self._parts(None).ledger.grant(touser, template_id, credits, standing=standing)

    def grant_many(self, rows: Iterable[Mapping[str, Any]]) -> Granted:
        """Grant from `rows`, any iterable of mappings with `grant`'s arguments; bad ones are refused by number."""
        return self._parts(None).ledger.grant_many(rows)

    def revoke(self, touser: str, template_id: str) -> None:
        """Note that `touser` takes back every consent to the template's messages; raises InvalidInput."""
        self._parts(None).ledger.revoke(touser, template_id)

    def consent(self, touser: str) -> Mapping[str, Consent]:
        """Return what the ledger knows of the consents of `touser`, by template id; empty: nothing."""
        return self._parts(None).ledger.read(touser)

    def map_template(
        self, legacy_id: str, template_id: str, keywords: Mapping[str, str | None], *, shorten: bool = False
    ) -> None:
        """Have messages of the legacy template `legacy_id` sent as those of the subscribe template `template_id`.

        `keywords` says which keyword becomes which: {"keyword1": "thing1", "keyword2": None}; one that becomes None is
        left out. With `shorten` a text too long for its `thing` or `name` is cut, with an ellipsis; else it is refused.
        Other processes follow within a minute; jobs that were accepted before stay as they are. Raises InvalidInput.
        """
        self._parts(None).mappings.put(legacy_id, template_id, keywords, shorten=shorten)

    def unmap_template(self, legacy_id: str) -> None:
        """Translate messages of the legacy template `legacy_id` no longer; raises NotFound where they were not."""
        self._parts(None).mappings.take_away(legacy_id)

    def exchange_code(self, code: str, *, with_session_key: bool = False) -> Login:
        """Return the user whom a `code` of `wx.login` stands for; a code is good once, for five minutes.

        The session key is stored nowhere, and returned only with `with_session_key`. Raises CallRefused for a code that
        is wrong, used or too old, Unreachable when WeChat does not answer.
        """
        return self._parts(None).exchange_code(code, with_session_key=with_session_key)

    def forget(self, *tousers: str) -> Forgotten:
        """Forget users: what waits for `tousers` is cancelled; open ids, contents, consents and form ids are gone.

        States, times and counts stay. What is being sent this moment is let end, and erased within seconds. Raises
        InvalidInput for what is no open id; after any error some may be forgotten, and it may be done again.
        """
        return self._parts(None).forgetting.forget(tousers)

    def counts(self) -> Mapping[JobState, int]:
        """Return how many of the app's jobs are in each state."""
        with self._database.transaction() as connection:
            return stored.count_by_state(connection, self._parts(None).app_no)

    def _like(self, parts: Callable[[object], AppParts], client: Client | None) -> "Producer":
        sealer, lookup = self._sealer, self._lookup
        database, releaser, campaigns = self._database, self._releaser, self.campaigns
        return Producer(database, parts, releaser, campaigns=campaigns, sealer=sealer, lookup=lookup, client=client)

    def _accept(self, numbered: Iterable[tuple[int, Any]], session: CallersSession | None) -> dict[int, Outcome]:
        """Accept rows in one transaction, the caller's or one of their own."""
        since = clock.monotonic()
        readable, outcomes = self._batches.read(numbered)
        if any(rows for _, rows in readable):
            with self._within(session) as connection:
                for app, rows in readable:
                    outcomes |= self._batches.store(connection, app, rows)
        for app, rows in readable:
            follow(partial(batches.accepted, app.terms.appid, rows, outcomes, since=since))
        return outcomes

    def _within(self, session: CallersSession | None) -> AbstractContextManager[Transaction]:
        return self._database.transaction() if session is None else nullcontext(joined(session))

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
        self, *, reference: object, touser: object, template_id: object, due_after: object, due_before: object
    ) -> stored.Filter:
        app = self._parts(None)
        zone, given = app.terms.zone, {"reference": reference, "touser": touser, "template_id": template_id}
        return stored.Filter(
            app_no=app.app_no,
            reference=read_name(given, "reference"),
            recipient=None if touser is None else self._lookup.recipient(app.terms.appid, read_touser(given)),
            template_id=None if template_id is None else read_template_id(given),
            due_after=None if due_after is None else read_moment(due_after, zone, field="due_after"),
            due_before=None if due_before is None else read_moment(due_before, zone, field="due_before"),
        )
