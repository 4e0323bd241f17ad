"""Several requests accepted in one transaction, each with an answer of its own: for doors at which many come at once.

Where `send_many` counts and lists what was refused, this returns for each request its job or its refusal, in order. A
commit of its own would cost each of them a flush of the disk.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pushjobs import claims
from pushjobs.app_parts import AppParts
from pushjobs.batches import AcceptedJob
from pushjobs.claims import Row
from pushjobs.domain.client import Client
from pushjobs.domain.hot_value import hot_value
from pushjobs.domain.job import JobId, Lane
from pushjobs.errors import InvalidInput, NotReady, PushJobsError, Unreachable
from pushjobs.making import described, new_job
from pushjobs.release import Releaser
from pushjobs.request import read_request
from pushjobs.store import accepting
from pushjobs.store import jobs as stored
from pushjobs.store.accepting import NewJob
from pushjobs.store.database import Database, Transaction
from pushjobs.store.releases import Bucket, Released
from pushjobs.store.sealing import Lookup, Sealer

__all__ = ["Acceptance", "Asked", "Verdict"]

Verdict = AcceptedJob | PushJobsError | None
"""A request's job, or why there is none; None: it is not decided yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: the arguments of `send`, and the client it comes from."""

    arguments: Mapping[str, Any]
    client: Client | None = None


@hot_value
class _Row(Row):
    """A request that can be read, on its way in."""

    app: AppParts
    client: Client | None


class Acceptance:
    """Accepts requests for any app; safe to share between threads. Its parts are those of `Producer`."""

    def __init__(
        self,
        database: Database,
        parts: Callable[[object], AppParts],
        releaser: Releaser,
        *,
        sealer: Sealer,
        lookup: Lookup,
    ) -> None:
        self._database = database
        self._parts = parts
        self._releaser = releaser
        self._sealer = sealer
        self._lookup = lookup

    def accept(self, asked: Sequence[Asked], *, from_memory: bool = False) -> list[Verdict]:
        """Accept what can be accepted, due now unless its `time` says later, in one transaction, and publish it.

        With `from_memory`, what WeChat would have to be asked about is left undecided, so that nobody waits for it but
        who asked. Raises Unreachable, NotReady: then nothing is accepted, or, where the connection broke in the commit,
        nobody knows; an idempotency key makes it safe to ask again.
        """
        verdicts: list[Verdict] = [None] * len(asked)
        by_app = self._read(asked, verdicts, from_memory=from_memory)
        for app, rows in by_app:
            for number, refusal in app.vetting.vet({row.number: row.request for row in rows}).items():
                verdicts[number] = refusal
        sound = [(app, [row for row in rows if verdicts[row.number] is None]) for app, rows in by_app]
        for number, verdict in self._store(sound).items():
            verdicts[number] = verdict
        return verdicts

    def _read(
        self, asked: Sequence[Asked], verdicts: list[Verdict], *, from_memory: bool
    ) -> list[tuple[AppParts, list[_Row]]]:
        """Read what can be read, by its app, the apps in one order, for locks; the verdicts get what is refused."""
        found: dict[str, tuple[AppParts, list[_Row]]] = {}
        for number, each in enumerate(asked):
            try:
                app = self._parts(each.arguments.get("appid"))
                if from_memory and not app.terms.catalogue.knows(str(each.arguments.get("template_id"))):
                    continue
                request = read_request(each.arguments, app.terms, lane=Lane.URGENT)
            except (Unreachable, NotReady):
                raise
            except PushJobsError as refusal:
                verdicts[number] = refusal
            else:
                _, rows = found.setdefault(app.terms.appid, (app, []))
                rows.append(_Row(number=number, arguments=each.arguments, request=request, app=app, client=each.client))
        return [each for _, each in sorted(found.items(), key=lambda item: item[0])]

    def _store(self, by_app: Sequence[tuple[AppParts, list[_Row]]]) -> dict[int, Verdict]:
        """Store the rows' jobs and publish those that are due; return each row's verdict."""
        rows = [row for _, its_rows in by_app for row in its_rows]
        if not rows:
            return {}
        going = {row.number: bucket for row in rows if (bucket := self._goes_now(row)) is not None}
        verdicts: dict[int, Verdict] = {}
        known: dict[int, JobId] = {}
        new: dict[JobId, _Row] = {}
        with self._database.transaction() as connection:
            ids = accepting.draw_ids(connection, len(rows))
            for app, its_rows in by_app:
                numbered, ids = dict(zip(ids, its_rows, strict=False)), ids[len(its_rows) :]
                claimed = claims.claim(connection, app.terms.catalogue.app, numbered, lookup=self._lookup)
                for job_id, row in numbered.items():
                    match claimed.get(job_id):
                        case None:
                            new[job_id] = row
                        case InvalidInput() as refusal:
                            verdicts[row.number] = refusal
                        case maker:
                            known[row.number] = maker
            accepting.insert(connection, [self._new_job(job_id, row, going) for job_id, row in new.items()])
            verdicts |= _known(connection, known)
        self._publish(new, going)
        for job_id, row in new.items():
            job = described(job_id, row.request, row.app.terms, client=row.client)
            verdicts[row.number] = AcceptedJob(job, is_known=False)
        return verdicts

    def _publish(self, new: Mapping[JobId, _Row], going: Mapping[int, Bucket]) -> None:
        leaving: dict[Bucket, list[Released]] = {}
        for job_id, row in new.items():
            if (bucket := going.get(row.number)) is not None:
                leaving.setdefault(bucket, []).append(Released(id=job_id, release_no=1, due_in=0.0))
        for bucket, released in leaving.items():
            self._releaser.publish(bucket, released)

    def _goes_now(self, row: _Row) -> Bucket | None:
        bucket = Bucket(row.app.app_no, row.request.lane)
        return bucket if row.request.is_due and self._releaser.has_room(bucket) else None

    def _new_job(self, job_id: JobId, row: _Row, going: Mapping[int, Bucket]) -> NewJob:
        return new_job(
            job_id,
            row.request,
            row.app.terms,
            sealer=self._sealer,
            lookup=self._lookup,
            released=row.number in going,
            client=row.client,
        )


def _known(connection: Transaction, known: Mapping[int, JobId]) -> dict[int, Verdict]:
    """Return the jobs that were made before under the same keys, a moment ago in this transaction perhaps."""
    if not known:
        return {}
    found = stored.get_several(connection, list(set(known.values())))
    return {
        number: AcceptedJob(found[job_id], is_known=True) if job_id in found else _gone(job_id)
        for number, job_id in known.items()
    }


def _gone(job_id: JobId) -> InvalidInput:
    fault = f"made job {job_id}, which is closed and deleted since"
    return InvalidInput("idempotency_key", fault, "use a new key for a new push")
