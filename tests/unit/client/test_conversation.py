"""What the client asks again and what it does not, and what it makes of answers: conversations held by hand."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest

from pushjobs import errors
from pushjobs.client.answers import Answer
from pushjobs.client.conversation import Conversation, Lost, Request, Rest, Said, Verbs
from pushjobs.domain.backoff import MAX_ASKS
from pushjobs.domain.job import Job
from pushjobs.http.v1 import examples, problems
from pushjobs.http.v1.problems import KINDS, Kind

PUSH: dict[str, Any] = {"touser": "oReader1", "template_id": "news", "data": {"thing1": "秘密"}}
UNHEARD = Lost(words="the door at x does not answer (ReadError)", is_unread=False, may_pass=True)
UNREAD = Lost(words="the door at x does not answer (ConnectError)", is_unread=True, may_pass=True)
HOPELESS = Lost(words="the door at x does not answer (UnsupportedProtocol)", is_unread=False, may_pass=False)


def good(value: object) -> Answer:
    """An answer that holds this."""
    return Answer(status=200, media_type="application/json", body=orjson.dumps(value))


def bad(kind: Kind, detail: str = "so it is", **more: object) -> Answer:
    """A problem as the door words it."""
    response = problems.problem(kind, detail, **more)  # type: ignore[arg-type]  # `errors`, of some shape
    wait = response.headers.get("retry-after")
    return Answer(
        status=response.status_code,
        media_type=response.headers["content-type"],
        body=bytes(response.body),
        retry_after=None if wait is None else float(wait),
    )


def foreign(status: int, *, retry_after: float | None = None) -> Answer:
    """What a proxy may answer."""
    return Answer(status=status, media_type="text/html", body=b"<h1>Bad Gateway</h1>", retry_after=retry_after)


def in_turn(*said: Said) -> Iterator[Said]:
    """Say these words, one after the other."""
    return iter(said)


def hold(
    conversation: Conversation[Any], said: Iterator[Said] | Callable[[Request], Said]
) -> tuple[Any, list[Request], list[float]]:
    """Hold a conversation with these words of the other side; return its end, what was asked, and the rests."""
    asked: list[Request] = []
    rests: list[float] = []
    answer: Said = None
    try:
        while True:
            step = conversation.send(answer)
            if isinstance(step, Rest):
                rests.append(step.seconds)
                answer = None
            else:
                asked.append(step)
                answer = said(step) if callable(said) else next(said)
    except StopIteration as ended:
        return ended.value, asked, rests
    except errors.PushJobsError as error:
        return error, asked, rests


@pytest.mark.parametrize(
    "first",
    [
        UNHEARD,
        UNREAD,
        bad(problems.TOO_FAST),
        bad(problems.OVERLOADED),
        bad(problems.UNREACHABLE),
        foreign(503),
        foreign(429, retry_after=2.0),
    ],
    ids=repr,
)
def test_what_is_asked_again(first: Said) -> None:
    """Loss, 429 and 503: the very same request, after a rest of at least what the door wished for."""
    job, asked, rests = hold(Verbs().send(PUSH), in_turn(first, good(examples.JOB)))
    assert isinstance(job, Job)
    assert asked[0] == asked[1]
    assert orjson.loads(asked[0].body or b"")["idempotency_key"]
    assert len(rests) == 1
    at_least = (first.retry_after or 0.0) if isinstance(first, Answer) else 0.0
    assert at_least + 0.1 <= rests[0] <= at_least + 0.2


@pytest.mark.parametrize(
    "first",
    [
        *[bad(each) for each in KINDS if each.status not in {429, 503}],
        bad(problems.UNCHECKED),
        foreign(500),
        foreign(502),
        foreign(301),
        foreign(200),
        HOPELESS,
    ],
    ids=repr,
)
def test_what_is_final(first: Said) -> None:
    """Every other answer is the last word; so is a wish to be left alone for a minute, and what no try will mend."""
    error, asked, rests = hold(Verbs().send(PUSH), in_turn(first))
    assert isinstance(error, errors.PushJobsError)
    assert (len(asked), rests) == (1, [])


@pytest.mark.parametrize(
    ("said", "raised"),
    [(UNHEARD, errors.Unreachable), (UNREAD, errors.Unreachable), (bad(problems.OVERLOADED), errors.Overloaded)],
)
def test_it_gives_up(said: Said, raised: type[Exception]) -> None:
    """After six requests, and some seconds of growing rests between them."""
    error, asked, rests = hold(Verbs().send(PUSH), in_turn(*[said] * 10))
    assert type(error) is raised
    assert (len(asked), len(rests)) == (MAX_ASKS, MAX_ASKS - 1)
    assert rests == sorted(rests)
    assert 3 < sum(rests) < 12


@pytest.mark.parametrize(
    ("first", "raised"), [(UNHEARD, errors.Unreachable), (UNREAD, errors.InvalidMoment), (None, errors.InvalidMoment)]
)
def test_a_deadline_that_passes_in_between_is_no_refusal(first: Said, raised: type[Exception]) -> None:
    """A job whose first answer was lost may be stored: that its deadline is past by now does not say that it is not."""
    fault = {"field": "expires", "fault": "does not lie after time", "rule": "give a later moment"}
    said = [each for each in (first, bad(problems.INVALID, errors=[fault])) if each is not None]
    assert type(hold(Verbs().send(PUSH), in_turn(*said))[0]) is raised


def test_a_key_of_the_caller_s_stays() -> None:
    """A job's own idempotency key is sent as it is; without one, two sends have two keys."""
    [given] = hold(Verbs().send({**PUSH, "idempotency_key": "mine"}), in_turn(good(examples.JOB)))[1]
    assert orjson.loads(given.body or b"")["idempotency_key"] == "mine"
    keys = set()
    for _ in range(2):
        [made] = hold(Verbs().send({**PUSH, "idempotency_key": None}), in_turn(good(examples.JOB)))[1]
        keys.add(orjson.loads(made.body or b"")["idempotency_key"])
    assert len(keys) == 2


def test_open_ids_are_in_no_address_and_no_representation() -> None:
    """A user's jobs are asked for in a body, and a request's representation does not hold it."""
    [asked] = hold(
        Verbs().find({"touser": "oReader1"}, before=None, limit=5), iter([good({"jobs": [], "next": None})])
    )[1]
    assert (asked.method, asked.path) == ("POST", "/v1/jobs/find")
    assert orjson.loads(asked.body or b"") == {"touser": "oReader1", "limit": 5}
    assert "oReader1" not in repr(asked)


@pytest.mark.parametrize("last", [good({"cancelled": 2}), bad(problems.INVALID)], ids=repr)
@pytest.mark.parametrize("first", [UNREAD, bad(problems.OVERLOADED), bad(problems.TOO_FAST)], ids=repr)
def test_a_cancellation_by_filters_that_never_began_is_asked_again(first: Said, last: Answer) -> None:
    """Where it is certain that nothing was cancelled, the count that comes in the end is the whole of it."""
    end, asked, _ = hold(Verbs().cancel_matching({"reference": "r"}), in_turn(first, last))
    assert len(asked) == 2
    assert end == 2 if last.is_good else isinstance(end, errors.PushJobsError)


@pytest.mark.parametrize("first", [UNHEARD, bad(problems.UNREACHABLE), foreign(503)], ids=repr)
def test_a_cancellation_by_filters_that_may_have_happened_is_not_asked_again(first: Said) -> None:
    """What was cancelled by it would be missing from the count."""
    error, asked, _ = hold(Verbs().cancel_matching({"reference": "r"}), in_turn(first))
    assert (type(error), len(asked)) == (errors.Unreachable, 1)


def test_a_cancellation_whose_answer_was_lost_is_looked_up() -> None:
    """Refused the second time, it counts if the job is cancelled, and is refused if the job is anything else."""
    refused = bad(problems.NOT_POSSIBLE, "job 1201 is cancelled: it cannot be cancelled")
    end, asked, _ = hold(Verbs().cancel(1201), in_turn(UNHEARD, refused, good(examples.CANCELLED)))
    assert (end, [each.method for each in asked]) == (1, ["POST", "POST", "GET"])
    end, _, _ = hold(Verbs().cancel(1201), in_turn(UNHEARD, refused, good(examples.SENT)))
    assert type(end) is errors.NotPossible
    end, asked, _ = hold(Verbs().cancel(1201), in_turn(UNREAD, refused))
    assert (type(end), len(asked)) == (errors.NotPossible, 2)


def accept_all(requests: list[list[Any]]) -> Callable[[Request], Answer]:
    """A door that accepts every row, and notes them."""

    def answer(request: Request) -> Answer:
        rows = orjson.loads(request.body or b"")["jobs"]
        requests.append(rows)
        return good({"accepted": len(rows), "known": 0, "rejected": 0, "ids": [*range(len(rows))], "errors": []})

    return answer


@pytest.mark.parametrize(("count", "page", "sizes"), [(12_001, "p", [5000, 5000, 2001]), (9, "p" * 2**21, [3, 3, 3])])
def test_many_rows_go_in_batches_that_a_door_takes(count: int, page: str, sizes: list[int]) -> None:
    """Five thousand rows, or eight mebibytes; each row once, with a key that no other has."""
    requests: list[list[Any]] = []
    rows = ({**PUSH, "page": page} for _ in range(count))
    report, asked, _ = hold(Verbs("wx1").send_many(rows), accept_all(requests))
    assert report.accepted == count
    assert max(len(each.body or b"") for each in asked) < 16 * 2**20
    assert [len(each) for each in requests] == sizes
    assert len({row["idempotency_key"] for rows in requests for row in rows}) == count


def test_rows_that_json_does_not_carry_are_reported() -> None:
    """They are counted among the rejected with their numbers, and the others go."""
    rows: list[Any] = [PUSH, 7, {**PUSH, "data": {"thing1": object()}}, {**PUSH, "content": object()}]
    rows += [{**PUSH, "expires": timedelta(hours=1), "time": "2100-12-01 08:00:00"}, {**PUSH, "reference": 2**70}]
    one = good({"accepted": 1, "known": 0, "rejected": 0, "ids": [1], "errors": []})
    report, [asked], _ = hold(Verbs().send_many(rows), in_turn(one))
    assert [row["touser"] for row in orjson.loads(asked.body or b"")["jobs"]] == ["oReader1"]
    assert report.accepted == 1
    fields = ["row", "data", "content", "expires", "reference"]
    assert [(each.row, each.field) for each in report.rejected] == list(enumerate(fields, start=2))


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"id": 1}', orjson.dumps({**examples.JOB, "state": "asleep"})])
def test_an_answer_in_other_words_is_not_guessed(answer: bytes) -> None:
    """A state that is not known here, a job without its fields: an error that says to update."""
    end, _, _ = hold(
        Verbs().get(1), iter([Answer(status=200, media_type="application/json", body=answer, retry_after=None)])
    )
    assert type(end) is errors.PushJobsError
    assert "update pushjobs here" in str(end)


def test_more_than_is_known_is_passed_over() -> None:
    """A newer door may say more."""
    job, _, _ = hold(Verbs().get(1), in_turn(good({**examples.SENT, "mood": "fine"})))
    assert (job.id, job.msgid, job.receipt.status) == (1201, 3401234567890123456, "success")
