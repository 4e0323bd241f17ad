"""What each verb asks of the door, and what it makes of the answers: generators that open nothing and wait for nothing.

A conversation yields what is to be done next, a request or a rest, is sent what came of it, and returns what the verb
returns. So there is one of each, for threads and event loops alike.

What is repeated: a request of which nobody heard, and one that is answered with 429 or 503; a few times, with growing
rests, never before `Retry-After`. Everything that is repeated means the same the second time: a new job has an
idempotency key. Whatever else the door says is final.
"""

import base64
import random
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import uuid4

import orjson

from pushjobs.client.answers import Answer, note_batch, read_cancelled, read_job, read_page, read_why, refusal
from pushjobs.client.bodies import written, written_job, written_move
from pushjobs.domain.backoff import asking_delay
from pushjobs.domain.job import Job, JobState
from pushjobs.errors import InvalidInput, InvalidMoment, NotPossible, Unreachable
from pushjobs.rejections import Report

if TYPE_CHECKING:
    from pushjobs.inspection import Why

__all__ = ["Conversation", "Lost", "Request", "Rest", "Said", "Step", "Verbs"]

_T = TypeVar("_T")

_ROWS = 5000
_BYTES = 8 * 1024 * 1024
"""Half of what the door takes in one body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to make. `is_repeatable`: whether it means the same when it was done before."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)
    is_repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Rest:
    """So many seconds to let pass."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A request without an answer. `is_unread`: it surely never left. `may_pass`: another try may fare better."""

    words: str
    is_unread: bool
    may_pass: bool


Step = Request | Rest
Said = Answer | Lost | None
Conversation = Generator[Step, Said, _T]


class _Told(NamedTuple):
    """The last word on a request, and whether one before it may have been done without our hearing of it."""

    answer: Answer
    was_repeated: bool

    def value(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Return what the answer holds, or raise what it stands for."""
        if not self.answer.is_good:
            raise refusal(self.answer)
        return self.answer.value()


class Verbs:
    """The conversation of each verb, for what names no app about this one (None: the one the client means)."""

    def __init__(self, appid: str | None = None) -> None:
        self._app = {} if appid is None else {"appid": appid}

    def send(self, arguments: Mapping[str, Any]) -> Conversation[Job]:
        """Have a job made; raises Unreachable where it is not known whether there is one."""
        named = arguments if arguments.get("appid") is not None else {**arguments, **self._app}
        body = written_job(named, uuid4().hex)
        told = yield from _ask(Request(method="POST", path="/v1/jobs", body=body))
        try:
            return read_job(told.value())
        except InvalidMoment as refused:
            if not told.was_repeated or refused.field != "expires":
                raise
        # In time the first time, perhaps, and stored: "nothing was stored" is not to be said.
        raise Unreachable("an answer was lost, and the deadline has passed since: whether there is a job is not known")

    def send_many(self, rows: Iterable[Mapping[str, Any]]) -> Conversation[Report]:
        """Have many jobs made, in as many batches as it takes; raises InvalidInput for no row at all."""
        if not isinstance(rows, Iterable):
            raise InvalidInput("rows", f"is no iterable ({type(rows).__name__})", "give a row for each push")
        report = Report()
        for batch in _batches(rows, report):
            body = orjson.dumps({**self._app, "jobs": [orjson.Fragment(each) for each in batch.bodies]})
            told = yield from _ask(Request(method="POST", path="/v1/jobs", body=body))
            note_batch(told.value(), report, batch.numbers, own_keys=frozenset(batch.own_keys))
        if not (report.accepted or report.known or report.rejected):
            raise InvalidInput("rows", "is empty", "give at least one row")
        return report

    def get(self, job_id: int) -> Conversation[Job]:
        """Have a job told."""
        told = yield from _ask(Request(method="GET", path=f"/v1/jobs/{job_id:d}"))
        return read_job(told.value())

    def why(self, job_id: int) -> "Conversation[Why]":
        """Have a job explained."""
        told = yield from _ask(Request(method="GET", path=f"/v1/jobs/{job_id:d}/why"))
        return read_why(told.value())

    def find(self, filters: Mapping[str, object], *, before: int | None, limit: int) -> Conversation[list[Job]]:
        """Have jobs listed: by a body, because an address stands in logs."""
        page = {"limit": limit, "cursor": None if before is None else _cursor(before)}
        body = written({**self._app, **_given({**filters, **page})})
        told = yield from _ask(Request(method="POST", path="/v1/jobs/find", body=body))
        return read_page(told.value())

    def cancel(self, job_id: int) -> Conversation[int]:
        """Have one job cancelled."""
        told = yield from _ask(Request(method="POST", path=f"/v1/jobs/{job_id:d}/cancel"))
        try:
            read_job(told.value())
        except NotPossible:
            # The first request may have done it, and only its answer was lost.
            if not told.was_repeated or (yield from self.get(job_id)).state is not JobState.CANCELLED:
                raise
        return 1

    def cancel_matching(self, filters: Mapping[str, object]) -> Conversation[int]:
        """Have every job that matches cancelled: not repeated, for what was cancelled would not be counted again."""
        body = written({**self._app, **_given(filters)})
        told = yield from _ask(Request(method="POST", path="/v1/jobs/cancel", body=body, is_repeatable=False))
        return read_cancelled(told.value())

    def reschedule(self, job_id: int, *, time: object, expires: object) -> Conversation[Job]:
        """Have a job moved."""
        body = written_move(time, expires)
        told = yield from _ask(Request(method="POST", path=f"/v1/jobs/{job_id:d}/reschedule", body=body))
        return read_job(told.value())


def _ask(request: Request) -> Conversation[_Told]:
    """Ask until there is an answer that is worth having; raises Unreachable where none comes."""
    was_repeated, attempt = False, 0
    while True:
        attempt += 1
        said = yield request
        if isinstance(said, Answer):
            is_worth, is_undone, at_least = said.is_busy, said.is_undone, said.retry_after or 0.0
        elif isinstance(said, Lost):
            is_worth, is_undone, at_least = said.may_pass, said.is_unread, 0.0
        else:
            raise TypeError("a request was answered with nothing")
        is_worth = is_worth and (is_undone or request.is_repeatable)
        draw = random.random()  # noqa: S311 - jitter, no secret
        delay = asking_delay(attempt, draw=draw, at_least=at_least) if is_worth else None
        if delay is None:
            if isinstance(said, Lost):
                raise Unreachable(said.words)
            return _Told(said, was_repeated)
        was_repeated = was_repeated or not is_undone
        yield Rest(delay.total_seconds())


@dataclass(slots=True)
class _Batch:
    """Rows of one request: their JSON, their numbers, and the places of those whose idempotency keys are ours."""

    bodies: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    own_keys: set[int] = field(default_factory=set)
    size: int = 0

    def add(self, number: int, body: bytes, *, has_own_key: bool) -> None:
        if has_own_key:
            self.own_keys.add(len(self.bodies))
        self.bodies.append(body)
        self.numbers.append(number)
        self.size += len(body) + 1


def _batches(rows: Iterable[Mapping[str, Any]], report: Report) -> Iterator[_Batch]:
    """Gather rows into batches that a door takes; those that cannot be written are noted as rejected."""
    batch, run = _Batch(), uuid4().hex
    for number, row in enumerate(rows, start=1):
        try:
            body = written_job(row, f"{run}-{number}")
        except InvalidInput as refused:
            report.rejected.add(number, refused)
            continue
        if batch.bodies and (len(batch.bodies) >= _ROWS or batch.size + len(body) > _BYTES):
            yield batch
            batch = _Batch()
        batch.add(number, body, has_own_key=row.get("idempotency_key") is None)
    if batch.bodies:
        yield batch


def _cursor(before: int) -> str:
    """Write where a page begins as the door does: whoever looks on from a job need not have had the page before."""
    return base64.urlsafe_b64encode(b"before:%d" % before).decode().rstrip("=")


def _given(filters: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in filters.items() if value is not None}
