"""`/v1/jobs`: accepted one by one or in batches, found, looked at, changed.

A batch is one transaction: what is answered with a problem has stored none of it, and what has lost its answer is asked
again with the rows' idempotency keys.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pushjobs import acceptance
from pushjobs.batches import AcceptedJob
from pushjobs.errors import InvalidInput
from pushjobs.http.v1 import job_answers as answers
from pushjobs.http.v1.asked import Asked, cursor_after, only, read_cursor
from pushjobs.http.v1.routes import Answer, Together
from pushjobs.permitted import Permitted

__all__ = [
    "cancel",
    "cancel_matching",
    "create",
    "find",
    "find_by_body",
    "get",
    "history",
    "replay",
    "reschedule",
    "resolve",
    "why",
]

FILTERS = ("reference", "touser", "state", "template_id", "due_after", "due_before")
_PAGE = ("limit", "cursor", "appid")
_NOT_CANCELLED_BY = {"state"}
_USUAL_PAGE, _LONGEST_PAGE = 100, 1000


def create(client: Permitted, asked: Asked) -> Answer:
    """Accept one job, or those of a batch."""
    if isinstance(asked.body, dict) and "jobs" in asked.body:
        return _create_many(client, asked)
    return _created(client.send(_with_key(asked)))


def _asks(client: Permitted, asked: Asked) -> acceptance.Asked | None:
    is_batch = isinstance(asked.body, dict) and "jobs" in asked.body
    return None if is_batch else client.asks_for(_with_key(asked))


def _created(accepted: AcceptedJob) -> Answer:
    job = answers.Job.of(accepted.job)
    status = HTTPStatus.OK if accepted.is_known else HTTPStatus.CREATED
    return Answer(value=job, status=status, headers={"Location": f"/v1/jobs/{job.id}"})


CREATED_TOGETHER = Together(asks=_asks, words=_created)
"""Single sends that come at the same time share a commit: one each would cost a flush of the disk."""


def find(client: Permitted, asked: Asked) -> Answer:
    """Return a page of jobs, by what the query says."""
    query: dict[str, Any] = dict(asked.query)
    if (limit := query.get("limit")) is not None:
        query["limit"] = int(limit) if limit.isascii() and limit.isdecimal() and len(limit) <= len("1000000") else limit
    return _page(client, query)


def find_by_body(client: Permitted, asked: Asked) -> Answer:
    """Return a page of jobs, by what the body says."""
    return _page(client, asked.fields((*FILTERS, *_PAGE)))


def get(client: Permitted, asked: Asked) -> Answer:
    """Return a job."""
    return Answer(value=answers.Job.of(client.get(asked.job_id)))


def history(client: Permitted, asked: Asked) -> Answer:
    """Return a job's history."""
    found = client.history(asked.job_id)
    return Answer(value=answers.History(history=[answers.Happening.of(each) for each in found]))


def why(client: Permitted, asked: Asked) -> Answer:
    """Say why a job is where it is."""
    return Answer(value=answers.Why.of(client.why(asked.job_id)))


def cancel(client: Permitted, asked: Asked) -> Answer:
    """Cancel a job."""
    return Answer(value=answers.Job.of(client.cancel(asked.job_id)))


def cancel_matching(client: Permitted, asked: Asked) -> Answer:
    """Cancel every job that matches."""
    filters = asked.fields(("appid", *(name for name in FILTERS if name not in _NOT_CANCELLED_BY)))
    appid = filters.pop("appid", None)
    return Answer(value=answers.Cancelled(cancelled=client.cancel_matching(appid, filters)))


def reschedule(client: Permitted, asked: Asked) -> Answer:
    """Move a job to another time."""
    given = asked.fields(("time", "expires"))
    if "time" not in given:
        raise InvalidInput("time", "is missing", "give the moment to which the job is moved")
    moved = client.reschedule(asked.job_id, time=given["time"], expires=given.get("expires"))
    return Answer(value=answers.Job.of(moved))


def replay(client: Permitted, asked: Asked) -> Answer:
    """Schedule a dead job again."""
    given = asked.fields(("expires",))
    return Answer(value=answers.Job.of(client.replay(asked.job_id, expires=given.get("expires"))))


def resolve(client: Permitted, asked: Asked) -> Answer:
    """Say what became of a job in doubt."""
    given = asked.fields(("as", "expires"))
    resolved = client.resolve(asked.job_id, as_=given.get("as", ""), expires=given.get("expires"))
    return Answer(value=answers.Job.of(resolved))


def _with_key(asked: Asked) -> Mapping[str, Any]:
    """Return a job's arguments, with the idempotency key of the header where there is one."""
    if not isinstance(asked.body, dict):
        return asked.fields(())
    if (key := asked.headers.get("idempotency-key")) is None:
        return asked.body
    if asked.body.get("idempotency_key") not in (None, key):
        fault, rule = "differs from the header Idempotency-Key", "give the key once"
        raise InvalidInput("idempotency_key", fault, rule)
    return {**asked.body, "idempotency_key": key}


def _create_many(client: Permitted, asked: Asked) -> Answer:
    only(asked.body, ("appid", "jobs"))
    if "idempotency-key" in asked.headers:
        raise InvalidInput("Idempotency-Key", "stands above a batch", "give each job an idempotency_key of its own")
    rows = asked.body["jobs"]
    if not isinstance(rows, list):
        raise InvalidInput("jobs", "is no array", "give an array of jobs")
    outcomes = client.send_batch(asked.body.get("appid"), rows)
    refused = [(row, each) for row, each in enumerate(outcomes) if isinstance(each, InvalidInput)]
    known = sum(not isinstance(each, InvalidInput) and each.is_known for each in outcomes)
    report = answers.BatchReport(
        accepted=len(outcomes) - len(refused) - known,
        known=known,
        rejected=len(refused),
        ids=[None if isinstance(each, InvalidInput) else each.job_id for each in outcomes],
        errors=[
            answers.RowError(row=row, field=f"jobs[{row}].{each.field}", fault=each.fault, rule=each.rule)
            for row, each in refused
        ],
    )
    return Answer(value=report)


def _page(client: Permitted, given: dict[str, Any]) -> Answer:
    appid, limit = given.pop("appid", None), given.pop("limit", _USUAL_PAGE)
    before = read_cursor(given.pop("cursor", None))
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 < limit <= _LONGEST_PAGE:
        raise InvalidInput("limit", "is no length of a page", f"give a number from 1 to {_LONGEST_PAGE}")
    found = client.find(appid, given, limit=limit, before=before)
    # A full page may be the last: the next one is empty then, which costs less than looking one further each time.
    following = cursor_after(found[-1].id) if len(found) == limit else None
    return Answer(value=answers.JobPage(jobs=[answers.Job.of(each) for each in found], next=following))
