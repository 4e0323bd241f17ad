"""The producer on a real database: what is stored, what is refused, what holds against races."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from pushjobs import clock
from pushjobs.domain.job import Job, JobId, JobState, Lane, Reason
from pushjobs.errors import InvalidInput, InvalidMoment, KeyReused, NotFound, NotPossible
from pushjobs.producer import Producer
from pushjobs.queue import QueueName
from pushjobs.runtime import Runtime
from pushjobs.settings import Settings
from pushjobs.store import envelope, releases, slices
from pushjobs.store.releases import Bucket
from pushjobs.store.tables import metadata

OPEN_ID, SECRET_WORD = "oReader000001", "秘密消息"
TOMORROW = clock.now() + timedelta(days=1)
THREADS = 20


def news(number: int = 1, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - arguments of `send`
    """The arguments of a push that can be sent."""
    data = {"thing1": f"{SECRET_WORD}{number}", "thing2": {"value": "今日要闻"}}
    return {"touser": f"oReader{number:06d}", "template_id": "news", "data": data} | more


@pytest.fixture
def producer(runtime: Runtime) -> Producer:
    """The verbs of application code; the catalogue was never read."""
    return runtime.producer


@pytest.fixture
def ask(runtime: Runtime) -> Callable[[str], list[tuple[Any, ...]]]:
    """Put a question in SQL."""

    def rows(sql: str) -> list[tuple[Any, ...]]:
        with runtime.database.transaction() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    return rows


@pytest.fixture
def published(settings: Settings) -> Iterator[Callable[[], int]]:
    """Count the messages that wait for workers."""
    with Redis.from_url(settings.require_redis_url) as redis:
        yield lambda: sum(redis.llen(queue) for queue in (QueueName.URGENT, QueueName.BULK))


@pytest.fixture
def open_session(settings: Settings) -> Iterator[sessionmaker[Session]]:
    """Sessions of an application's own, on our database."""
    engine = create_engine(settings.require_database_url)
    yield sessionmaker(engine)
    engine.dispose()


def put_into(runtime: Runtime, state: JobState, job: Job) -> None:
    """Force a job into a state."""
    with runtime.database.transaction() as connection:
        connection.execute(
            text(
                "UPDATE pushjobs.jobs SET state = cast(:state AS pushjobs.job_state), release_no = 1, "
                "lease_until = CASE WHEN :state IN ('released', 'sending') THEN now() + interval '15 s' END, "
                "closed_at = CASE WHEN :is_final THEN now() END WHERE id = :id"
            ),
            {"state": state, "is_final": state.is_final, "id": job.id},
        )


def test_what_is_stored_tells_nothing(producer: Producer, ask: Callable[[str], list[tuple[Any, ...]]]) -> None:
    """No column of any table holds an open id or a content in the clear; the job is found by its user all the same."""
    job = producer.send(**news(time=TOMORROW, idempotency_key="key", reference="order-1"))
    producer.send_many(news(number) for number in range(1, 30))
    producer.store_content(template_id="news", data={"thing1": SECRET_WORD})
    stored = "".join(str(row) for table in metadata.sorted_tables for row in ask(f"SELECT t::text FROM {table} t"))  # noqa: S608 - our own tables' names
    for secret in (OPEN_ID, SECRET_WORD, "今日要闻"):
        assert secret not in stored
        assert secret.encode().hex() not in stored
    assert "order-1" in stored
    assert job.id in [found.id for found in producer.find(touser=OPEN_ID)]
    assert len(producer.find(touser=OPEN_ID)) == 2
    assert producer.find(touser="oReader999999") == []


def test_sends_back_the_job_it_stored(producer: Producer) -> None:
    """What `send` returns is what `get` finds."""
    sent = producer.send(**news(time=TOMORROW, reference="order-1", lane="bulk", expires=timedelta(hours=1)))
    got = producer.get(sent.id)
    assert (got.time, got.due_at, got.expires) == (TOMORROW, TOMORROW, TOMORROW + timedelta(hours=1))
    assert (got.state, got.lane, got.reference) == (JobState.SCHEDULED, Lane.BULK, "order-1")
    assert (sent.time, sent.state, sent.lane, sent.template_id) == (got.time, got.state, got.lane, "news")


def test_a_bulk_is_streamed_and_its_bad_rows_named(
    producer: Producer,
    ask: Callable[[str], list[tuple[Any, ...]]],
    published: Callable[[], int],
    record_property: Callable[[str, object], None],
) -> None:
    """Of 20,000 rows from a generator the good ones are stored chunk by chunk, the bad ones reported by number."""
    pulled_at_commits: list[int] = []

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(1, 20_001):
            if number % 5000 == 1:
                pulled_at_commits.append(ask("SELECT count(*) FROM pushjobs.jobs")[0][0])
            yield news(number, page="/index") if number % 1000 == 0 else news(number)

    began = clock.monotonic()
    report = producer.send_many(rows())
    rate = int(20_000 / (clock.monotonic() - began))
    record_property("accepted per second", rate)
    print(f"accepted {rate:,} rows/s")  # noqa: T201 - read with -s, and in the report
    assert report.accepted == 19_980
    assert [(each.row, each.field) for each in report.rejected] == [(row, "page") for row in range(1000, 20_001, 1000)]
    assert pulled_at_commits == [0, 4995, 9990, 14_985]
    assert producer.counts()[JobState.SCHEDULED] == 19_980
    assert ask("SELECT DISTINCT lane::text FROM pushjobs.jobs") == [("bulk",)]
    assert published() == 0


def test_a_bulk_that_breaks_off_keeps_the_chunks_before(producer: Producer) -> None:
    """If the iterable raises, the chunks before stay and the error is the caller's own."""

    def rows() -> Iterator[dict[str, Any]]:
        yield from (news(number) for number in range(5001))
        raise LookupError

    with pytest.raises(LookupError):
        producer.send_many(rows())
    assert producer.counts()[JobState.SCHEDULED] == 5000


def test_a_bulk_refuses_every_kind_of_bad_row(producer: Producer) -> None:
    """Rows that are no mapping, name unknown arguments, or hold a wrong value are each named with field and number."""
    bad: list[tuple[Any, str]] = [
        ("oUser", "row"),
        (None, "row"),
        ({}, "template_id"),
        (news(when="now"), "when"),
        (news(touser=None), "touser"),
        (news(touser=5), "touser"),
        (news(template_id=5), "template_id"),
        (news(template_id="a\0b"), "template_id"),
        (news(template_id="t" * 10_000_000), "template_id"),
        (news(data={"thing1": "好" * 21}), "data.thing1"),
        (news(data=[]), "data"),
        (news(time="tomorrow"), "time"),
        (news(time=1_700_000_000), "time"),
        (news(time=datetime(2030, 1, 1)), "time"),  # noqa: DTZ001 - naive on purpose
        (news(expires="2020-01-01 00:00:00"), "expires"),
        (news(lane="fast"), "lane"),
        (news(on_quota=1), "on_quota"),
        (news(reference=""), "reference"),
        (news(reference=5), "reference"),
        (news(idempotency_key="k" * 201), "idempotency_key"),
        (news(idempotency_key="a\0b"), "idempotency_key"),
        (news(appid="wxother"), "appid"),
        (news(content="news"), "content"),
    ]
    report = producer.send_many([*(row for row, _ in bad), news()])
    assert [(each.row, each.field) for each in report.rejected] == [
        (number, field) for number, (_, field) in enumerate(bad, start=1)
    ]
    assert report.accepted == 1


@pytest.mark.parametrize("rows", [[], (), iter(())])
def test_a_bulk_without_a_row_is_refused(producer: Producer, rows: Any) -> None:  # noqa: ANN401 - any iterable
    """An empty iterable is a mistake of its maker and says so."""
    with pytest.raises(InvalidInput, match="rows is empty"):
        producer.send_many(rows)


def test_what_is_no_iterable_is_refused(producer: Producer) -> None:
    """A bulk that is no iterable is refused like any bad input."""
    with pytest.raises(InvalidInput, match="rows"):
        producer.send_many(5)  # type: ignore[arg-type]  # the mistake


def test_nothing_is_stored_of_a_refused_push(
    producer: Producer, ask: Callable[[str], list[tuple[Any, ...]]], published: Callable[[], int]
) -> None:
    """A refused `send` names field and rule, without the value, and leaves no job, no key and no message."""
    with pytest.raises(InvalidInput, match=r"^data\.thing1 .*20 characters") as refused:
        producer.send(**news(data={"thing1": SECRET_WORD * 6}, idempotency_key="key"))
    assert SECRET_WORD not in str(refused.value)
    assert ask("SELECT (SELECT count(*) FROM pushjobs.jobs), (SELECT count(*) FROM pushjobs.idempotency_keys)") == [
        (0, 0)
    ]
    assert published() == 0


def test_an_unknown_argument_is_refused(producer: Producer) -> None:
    """A misspelt argument is refused by name, with the names there are."""
    with pytest.raises(InvalidInput, match=r"^tuoser is no argument: .*touser"):
        producer.send(**news(tuoser="oUser"))


def test_one_key_makes_one_job_however_many_ask(producer: Producer) -> None:
    """Twenty threads with one key and body get one and the same job."""
    barrier = threading.Barrier(THREADS)

    def send(_: int) -> JobId:
        barrier.wait()
        return producer.send(**news(time=TOMORROW, idempotency_key="key")).id

    with ThreadPoolExecutor(THREADS) as threads:
        ids = set(threads.map(send, range(THREADS)))
    assert [job.id for job in producer.find()] == list(ids)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"time": TOMORROW},
        {"time": "2020-01-01 08:00:00"},
        {"expires": timedelta(hours=1)},
        {"time": "2020-01-01 08:00:00", "expires": timedelta(hours=1)},
        {"time": TOMORROW, "expires": TOMORROW + timedelta(hours=1)},
        {"reference": "order-1"},
    ],
    ids=str,
)
def test_the_same_request_later_returns_the_same_job(producer: Producer, more: dict[str, Any]) -> None:
    """A request repeated under its key is known again, also when its time has passed meanwhile."""
    first = producer.send(**news(idempotency_key="key", **more))
    assert producer.send(**news(idempotency_key="key", **more)).id == first.id
    assert producer.send_many([news(idempotency_key="key", lane="urgent", **more)]).known == 1
    assert len(producer.find()) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"time": "2030-01-01 08:00:00"},
        {"expires": timedelta(hours=2)},
        {"touser": "oOther"},
        {"data": {"thing1": "另一条"}},
        {"lane": "bulk"},
        {"reference": "order-2"},
        {"on_quota": "refuse"},
        {"page": "index"},
    ],
    ids=str,
)
def test_another_body_under_the_same_key_is_refused(producer: Producer, more: dict[str, Any]) -> None:
    """A key that stands for one push is refused for another, alone and in bulk, and the first stays as it is."""
    first = producer.send(**news(time=TOMORROW, idempotency_key="key"))
    other = news(time=TOMORROW, idempotency_key="key") | more
    with pytest.raises(KeyReused):
        producer.send(**other)
    report = producer.send_many([{"lane": "urgent"} | other, news(2)])
    assert [(each.row, each.field) for each in report.rejected] == [(1, "idempotency_key")]
    assert report.accepted == 1
    assert producer.get(first.id).time == TOMORROW


def test_a_key_twice_in_one_chunk_makes_one_job(producer: Producer) -> None:
    """Within a chunk the first row of a key makes the job, an equal one is known, another body is refused."""
    rows = [news(1, idempotency_key="a"), news(1, idempotency_key="a"), news(2, idempotency_key="a"), news(3)]
    report = producer.send_many(rows)
    assert (report.accepted, report.known) == (2, 1)
    assert [(each.row, each.field) for each in report.rejected] == [(3, "idempotency_key")]
    again = producer.send_many(rows)
    assert (again.accepted, again.known, len(again.rejected)) == (1, 2, 1)


def test_bulks_with_the_same_keys_at_once_make_each_job_once(producer: Producer) -> None:
    """Several bulks at once, with the same keys in opposite orders, make one job a key and never deadlock."""
    rows = [news(number, idempotency_key=f"key-{number}") for number in range(300)]
    barrier = threading.Barrier(4)

    def send(worker: int) -> int:
        barrier.wait()
        return producer.send_many(rows if worker % 2 else rows[::-1]).accepted

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(send, range(4))) == 300
    assert producer.counts()[JobState.SCHEDULED] == 300


@pytest.mark.parametrize("count", [1, 30])
def test_a_callers_commit_is_the_jobs_commit(
    producer: Producer, open_session: sessionmaker[Session], published: Callable[[], int], count: int
) -> None:
    """With `session=` nothing is seen or published before the caller commits; a tick finds the jobs afterwards."""
    with open_session() as session:
        producer.send(**news(0), session=session)
        producer.send_many([news(number) for number in range(1, count + 1)], session=session)
        assert producer.find() == []
        session.commit()
    assert producer.counts()[JobState.SCHEDULED] == count + 1
    assert published() == 0


def test_a_callers_rollback_takes_jobs_and_keys_back(producer: Producer, open_session: sessionmaker[Session]) -> None:
    """After a rollback neither the jobs nor their idempotency keys are there; the key is free again."""
    with open_session() as session:
        lost = producer.send(**news(idempotency_key="key"), session=session)
        producer.send_many([news(number) for number in range(30)], session=session)
        session.rollback()
    assert producer.find() == []
    assert producer.send(**news(idempotency_key="key")).id != lost.id


def test_a_refusal_leaves_the_callers_transaction_usable(
    producer: Producer, open_session: sessionmaker[Session]
) -> None:
    """A refused push within a caller's transaction does not spoil the rest of it."""
    producer.send(**news(1, idempotency_key="key"))
    with open_session.begin() as session:
        with suppress(InvalidInput):
            producer.send(**news(touser=""), session=session)
        with suppress(KeyReused):
            producer.send(**news(2, idempotency_key="key"), session=session)
        kept = producer.send(**news(3), session=session)
    assert producer.get(kept.id).state is JobState.SCHEDULED


@pytest.mark.parametrize("kind", ["connection", "scoped_session"])
def test_every_kind_of_session_will_do(producer: Producer, open_session: sessionmaker[Session], kind: str) -> None:
    """A SQLAlchemy connection and a scoped session serve as well as a session."""
    scoped = scoped_session(open_session)
    producer.send_many(
        [news(number) for number in range(30)], session=scoped if kind != "connection" else scoped.connection()
    )
    assert producer.find() == []
    scoped.commit()
    scoped.remove()
    assert len(producer.find()) == 30


def test_due_now_goes_straight_to_a_worker(producer: Producer, published: Callable[[], int]) -> None:
    """A plain `send` due now is released and published right after its commit; one for later waits for its tick."""
    producer.send(**news(1, time=TOMORROW))
    assert published() == 0
    now = producer.send(**news(2))
    assert published() == 1
    assert producer.get(now.id).state is JobState.RELEASED


@pytest.mark.parametrize("time", ["2020-01-01 08:00:00", datetime(2020, 1, 1, tzinfo=UTC), None])
def test_a_moment_in_the_past_is_due_now(producer: Producer, time: object) -> None:
    """A past time counts from now, and so does the deadline."""
    before = clock.now()
    job = producer.send(**news(time=time))
    assert before <= job.time <= clock.now()
    assert job.expires - job.time == timedelta(hours=48)


@pytest.mark.parametrize(("time", "word"), [("2027-03-28 02:30:00", "skipped"), ("2027-10-31 02:30:00", "repeated")])
def test_a_time_that_a_clock_change_spoils_is_refused(settings: Settings, time: str, word: str) -> None:
    """A local time that the clocks skip or repeat is refused with both readings."""
    runtime = Runtime(settings.model_copy(update={"timezone": "Europe/Berlin"}))
    try:
        with pytest.raises(InvalidMoment, match=rf"^time is {word} .*\+01:00.*\+02:00|\+02:00.*\+01:00"):
            runtime.producer.send(**news(time=time))
        assert runtime.producer.find() == []
    finally:
        runtime.close()


def test_a_deadline_before_the_time_is_refused(producer: Producer) -> None:
    """A push that would be worthless before it goes is refused."""
    with pytest.raises(InvalidMoment, match=r"^expires does not lie after time"):
        producer.send(**news(time=TOMORROW, expires=TOMORROW - timedelta(seconds=1)))


@pytest.mark.parametrize("state", JobState)
def test_only_what_nobody_has_begun_can_be_cancelled(runtime: Runtime, state: JobState) -> None:
    """A scheduled or released job is cancelled and says why; any other state refuses and stays."""
    producer = runtime.producer
    job = producer.send(**news(time=TOMORROW))
    put_into(runtime, state, job)
    if state in {JobState.SCHEDULED, JobState.RELEASED}:
        assert producer.cancel(job.id) == 1
        cancelled = producer.get(job.id)
        assert (cancelled.state, cancelled.reason) == (JobState.CANCELLED, Reason.REQUESTED)
        assert [entry.transition for entry in producer.history(job.id)] == ["cancel"]
    else:
        with pytest.raises(NotPossible, match=f"is {state}"):
            producer.cancel(job.id)
        assert producer.get(job.id).state is state


@pytest.mark.parametrize("state", JobState)
def test_only_what_nobody_has_begun_can_be_rescheduled(runtime: Runtime, state: JobState) -> None:
    """A scheduled or released job moves, its deadline with it, and outruns its old message; other states refuse."""
    producer, later = runtime.producer, TOMORROW + timedelta(days=1)
    job = producer.send(**news(time=TOMORROW, expires=timedelta(hours=3)))
    put_into(runtime, state, job)
    if state in {JobState.SCHEDULED, JobState.RELEASED}:
        moved = producer.reschedule(job.id, time=later)
        assert (moved.state, moved.time, moved.due_at) == (JobState.SCHEDULED, later, later)
        assert moved.expires == later + timedelta(hours=3)
        with runtime.database.transaction() as connection:
            assert slices.lock(connection, [(job.id, 1)]) == []
    else:
        with pytest.raises(NotPossible, match=f"is {state}"):
            producer.reschedule(job.id, time=later)
        assert producer.get(job.id).time == TOMORROW


def test_rescheduling_takes_times_as_send_does(producer: Producer) -> None:
    """A past time is now, a deadline may be given anew, and what cannot be read is refused."""
    job = producer.send(**news(time=TOMORROW))
    moved = producer.reschedule(job.id, time="2020-01-01 08:00:00", expires=timedelta(minutes=5))
    assert clock.now() - moved.time < timedelta(minutes=1)
    assert moved.expires - moved.time == timedelta(minutes=5)
    for time, expires in [("soon", None), (None, None), (TOMORROW, TOMORROW)]:
        with pytest.raises(InvalidMoment):
            producer.reschedule(job.id, time=time, expires=expires)


@pytest.mark.parametrize("number", [0, -1, 2**53, 2**63, 10**30])
def test_a_number_nobody_has_is_not_found(producer: Producer, number: int) -> None:
    """Asking for, cancelling or moving a job that is not there says so, however odd its number."""
    for ask_for in (producer.get, producer.history, producer.cancel, lambda it: producer.reschedule(it, time=TOMORROW)):
        with pytest.raises(NotFound, match=f"no job {number}"):
            ask_for(number)


def test_cancels_everything_for_a_user_or_an_order(producer: Producer, runtime: Runtime) -> None:
    """Cancelling by user, reference or template takes all that match and were not begun, and no others."""
    mine = [producer.send(**news(1, time=TOMORROW, reference=f"order-{number}")) for number in range(3)]
    producer.send(**news(2, time=TOMORROW, reference="order-0"))
    put_into(runtime, JobState.SENDING, mine[2])
    assert producer.cancel(touser=OPEN_ID) == 2
    assert producer.cancel(touser=OPEN_ID) == 0
    assert producer.cancel(reference="order-0") == 1
    assert producer.cancel(template_id="news") == 0
    assert producer.get(mine[2].id).state is JobState.SENDING
    with pytest.raises(InvalidInput, match="names no job"):
        producer.cancel()


def test_cancels_more_than_one_statement_holds(producer: Producer) -> None:
    """Cancelling by reference takes thousands of jobs."""
    producer.send_many(news(number, reference="campaign") for number in range(2500))
    assert producer.cancel(reference="campaign") == 2500
    assert producer.counts()[JobState.CANCELLED] == 2500


def test_finds_the_newest_that_match(producer: Producer) -> None:
    """Finding narrows by everything given, newest first, at most the limit."""
    jobs = [producer.send(**news(number % 2, time=TOMORROW, reference=f"order-{number}")) for number in range(6)]
    producer.cancel(jobs[0].id)
    newest_first = [job.id for job in jobs[::-1]]
    assert [job.id for job in producer.find()] == newest_first
    assert [job.id for job in producer.find(limit=2)] == newest_first[:2]
    assert [job.id for job in producer.find(touser="oReader000000")] == newest_first[1::2]
    assert [job.id for job in producer.find(state="cancelled")] == [jobs[0].id]
    assert [job.id for job in producer.find(touser="oReader000000", state="scheduled", template_id="news")] == [
        jobs[4].id,
        jobs[2].id,
    ]
    assert producer.find(template_id="other") == []
    for wrong in ({"state": "waiting"}, {"limit": 0}, {"limit": 1001}):
        with pytest.raises(InvalidInput):
            producer.find(**wrong)


def test_a_shared_content_is_stored_once(runtime: Runtime, ask: Callable[[str], list[tuple[Any, ...]]]) -> None:
    """Many jobs name one stored content; each opens to its own recipient with all of that content."""
    producer = runtime.producer
    content = producer.store_content(template_id="news", data={"thing1": SECRET_WORD}, page="index")
    report = producer.send_many({"touser": f"oReader{number:06d}", "content": content} for number in range(100))
    assert report.accepted == 100
    assert ask("SELECT count(*), count(DISTINCT content_no) FROM pushjobs.contents") == [(1, 1)]
    assert ask("SELECT count(DISTINCT content_no), max(octet_length(sealed)) < 100 FROM pushjobs.jobs") == [(1, True)]
    with runtime.database.transaction() as connection:
        [released] = releases.claim(connection, Bucket(1, Lane.BULK), limit=1, lookahead=5.0)
        [job] = slices.lock(connection, [(released.id, released.release_no)])
    message = envelope.open_message(
        runtime.sealer,
        sealed=job.sealed,
        sealed_content=job.sealed_content,
        appid=job.appid,
        recipient=job.recipient,
        template_id=job.template_id,
    )
    assert message.touser.startswith("oReader")
    assert message.content == content.content


@pytest.mark.parametrize("beside", ["template_id", "data", "page", "lang", "form_id", "emphasis_keyword"])
def test_a_stored_content_says_all_there_is_to_say(producer: Producer, beside: str) -> None:
    """What would contradict a stored content, or be dropped beside it, is refused."""
    content = producer.store_content(template_id="news", data={"thing1": "第一条"})
    with pytest.raises(InvalidInput, match=f"^{beside} is given beside a stored content"):
        producer.send(**{"touser": OPEN_ID, "content": content, beside: "x"})


def test_a_flushed_redis_loses_no_job(runtime: Runtime, published: Callable[[], int]) -> None:
    """After FLUSHALL between `send` and its time the next tick publishes everything that is due."""
    runtime.producer.send_many(news(number) for number in range(100))
    runtime.producer.send(**news(1, lane="bulk", time=TOMORROW))
    with Redis.from_url(runtime.settings.require_redis_url) as redis:
        redis.flushall()
    assert runtime.releaser.tick() == 100
    assert published() > 0
    assert runtime.producer.counts()[JobState.RELEASED] == 100
    assert runtime.producer.counts()[JobState.SCHEDULED] == 1
