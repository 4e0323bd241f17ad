"""Accepting pushes on a real database: what is stored, what is refused, and what goes at once."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from pushjobs import clock
from pushjobs.domain.job import JobState, Lane
from pushjobs.errors import InvalidInput, InvalidMoment
from pushjobs.producer import Producer
from pushjobs.runtime import Runtime
from pushjobs.settings import Settings
from pushjobs.store import envelope, releases, slices
from pushjobs.store.releases import Bucket
from pushjobs.store.tables import metadata
from tests.integration.pushes import OPEN_ID, SECRET_WORD, TOMORROW, news


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
    assert job.sealed is not None
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
    spoilt: Any = {"touser": OPEN_ID, "content": content, beside: "x"}
    with pytest.raises(InvalidInput, match=f"^{beside} is given beside a stored content"):
        producer.send(**spoilt)


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
