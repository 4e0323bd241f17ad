"""Accepting a push once: idempotency keys against races and repeats, and the caller's own transaction."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from pushjobs.domain.job import JobId, JobState
from pushjobs.errors import InvalidInput, KeyReused
from pushjobs.producer import Producer
from tests.integration.pushes import TOMORROW, news

THREADS = 20


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
    ids=",".join,
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
    ids=",".join,
)
def test_another_body_under_the_same_key_is_refused(producer: Producer, more: dict[str, Any]) -> None:
    """12.19 A key that stands for one push is refused for another, alone and in bulk, and the first stays as it is."""
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
