"""Releasing on a real broker: what a tick publishes, and what becomes of it when the broker is away."""

import json
import socket
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import text

from pushjobs import clock
from pushjobs.domain.job import Job, JobState, Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.queue import QueueName
from pushjobs.runtime import Runtime
from pushjobs.settings import LEASE_SECONDS, Settings
from pushjobs.store import releases
from pushjobs.store.releases import Bucket
from tests.integration.pushes import news

TIME_BOX = 5.0
BULK = Bucket(1, Lane.BULK)

Message = dict[str, Any]


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    """The broker's other end."""
    with Redis.from_url(settings.require_redis_url) as client:
        yield client


@pytest.fixture
def waiting(redis: Redis) -> Callable[[QueueName], list[Message]]:
    """Read the messages that wait in a queue, first in first."""
    return lambda queue: [json.loads(each) for each in redis.lrange(queue, 0, -1)][::-1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where somebody listens, takes every byte and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield listening.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.fixture(params=["silent", "closed"])
def cut_off(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Runtime]:
    """A process that has its database but no broker: nobody listens there, or nobody ever answers."""
    port = request.getfixturevalue(f"{request.param}_port")
    made = Runtime(settings.model_copy(update={"broker_url": f"redis://127.0.0.1:{port}/0"}))
    yield made
    made.close()


def jobs_of(message: Message) -> list[tuple[int, int]]:
    """Read the ids and release numbers out of a message."""
    _app_no, _lane, ids, numbers, _after = json.loads(b64decode(message["body"]))[0]
    return list(zip(ids, numbers, strict=True))


def let_leases_run_out(runtime: Runtime) -> None:
    """Put every lease into the past."""
    with runtime.database.transaction() as connection:
        connection.execute(
            text("UPDATE pushjobs.jobs SET lease_until = now() - interval '1 ms' WHERE lease_until IS NOT NULL")
        )


def test_a_tick_publishes_what_is_due(runtime: Runtime, waiting: Callable[[QueueName], list[Message]]) -> None:
    """A tick releases each lane's due jobs to its queue, numbers and all, and leaves what lies further off."""
    producer = runtime.producer
    producer.send_many([news(number, lane="bulk" if number < 30 else "urgent") for number in range(40)])
    later = producer.send(**news(time=clock.now() + timedelta(minutes=1)))
    assert runtime.releaser.tick() == 40
    for queue, count in ((QueueName.BULK, 30), (QueueName.URGENT, 10)):
        jobs = [job for message in waiting(queue) for job in jobs_of(message)]
        assert len(jobs) == count
        assert {number for _, number in jobs} == {1}
        assert {producer.get(job_id).state for job_id, _ in jobs} == {JobState.RELEASED}
    assert producer.get(later.id).state is JobState.SCHEDULED
    assert runtime.releaser.tick() == 0


def test_a_message_starts_before_its_first_job_and_ends_with_its_lease(
    runtime: Runtime, waiting: Callable[[QueueName], list[Message]]
) -> None:
    """A batch ahead of its time has an ETA just before its first job; every message ends with its lease."""
    time = clock.now() + timedelta(seconds=3)
    runtime.producer.send_many([news(1), news(2, time=time)])
    runtime.releaser.tick()
    now, ahead = (message["headers"] for message in waiting(QueueName.BULK))
    assert now["eta"] is None
    seconds_before = (time - type(time).fromisoformat(ahead["eta"])).total_seconds()
    assert 0 < seconds_before < 0.5
    seconds_after = (type(time).fromisoformat(ahead["expires"]) - time).total_seconds()
    assert seconds_after == pytest.approx(LEASE_SECONDS, abs=0.5)


def test_the_broker_sees_numbers_only(runtime: Runtime, redis: Redis) -> None:
    """Nothing in Redis holds an open id, a content or a template."""
    runtime.producer.send(**news())
    runtime.producer.send_many([news(2)])
    runtime.releaser.tick()
    seen = b"".join(bytes(key) + (redis.dump(key) or b"") for key in redis.scan_iter())
    for message in [json.loads(each) for queue in QueueName for each in redis.lrange(queue, 0, -1)]:
        seen += b64decode(message["body"]) + json.dumps(message["headers"]).encode()
    for secret in ("oReader", "秘密", "\\u79d8", "news"):
        assert secret.encode() not in seen


def test_a_tick_claims_no_more_than_is_drained(settings: Settings) -> None:
    """With nothing drained, a bucket has at most rate x look-ahead out, however much is due."""
    runtime = Runtime(settings.model_copy(update={"rate_per_second": 10.0, "lookahead_seconds": 5.0}))
    try:
        runtime.producer.send_many(news(number) for number in range(200))
        assert [runtime.releaser.tick() for _ in range(2)] == [50, 0]
    finally:
        runtime.close()


def test_a_slow_app_still_sends(settings: Settings) -> None:
    """At less than one job a look-ahead, one at a time is released."""
    runtime = Runtime(settings.model_copy(update={"rate_per_second": 0.1, "lookahead_seconds": 1.0}))
    try:
        runtime.producer.send_many([news(1), news(2)])
        assert [runtime.releaser.tick() for _ in range(2)] == [1, 0]
    finally:
        runtime.close()


def test_a_send_goes_to_a_worker_only_while_there_is_room(settings: Settings) -> None:
    """Past the budget a `send` due now stays scheduled, for the tick to find."""
    runtime = Runtime(settings.model_copy(update={"rate_per_second": 1.0, "lookahead_seconds": 5.0}))
    try:
        sent = [runtime.producer.send(**news(number)) for number in range(8)]
        states = [runtime.producer.get(job.id).state for job in sent]
        assert states == [JobState.RELEASED] * 5 + [JobState.SCHEDULED] * 3
    finally:
        runtime.close()


def test_ticks_at_once_release_each_job_once(runtime: Runtime, waiting: Callable[[QueueName], list[Message]]) -> None:
    """12.15 Several ticks at once, as two beats would cause, publish every job exactly once."""
    runtime.producer.send_many(news(number) for number in range(200))
    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(lambda _: runtime.releaser.tick(), range(4))) == 200
    published = [job for message in waiting(QueueName.BULK) for job in jobs_of(message)]
    assert len(published) == len(set(published)) == 200


def test_a_send_without_a_broker_is_a_send(cut_off: Runtime) -> None:
    """Without a broker `send` returns in time with its job accepted, and the job waits for a tick, with the reason."""
    began = clock.monotonic()
    job = cut_off.producer.send(**news())
    assert clock.monotonic() - began < TIME_BOX
    stored = cut_off.producer.get(job.id)
    assert (stored.state, stored.reason, stored.attempts) == (JobState.SCHEDULED, Reason.NOT_PUBLISHED, 0)
    [entry] = cut_off.producer.history(job.id)
    assert (entry.transition, entry.reason) == (Transition.GIVE_BACK, Reason.NOT_PUBLISHED)


def test_a_tick_without_a_broker_gives_everything_back(cut_off: Runtime, runtime: Runtime) -> None:
    """A tick that cannot publish returns in time with its jobs scheduled again; the next one with a broker has them."""
    cut_off.producer.send_many(news(number) for number in range(50))
    began = clock.monotonic()
    cut_off.releaser.tick()
    assert clock.monotonic() - began < TIME_BOX
    assert cut_off.producer.counts()[JobState.SCHEDULED] == 50
    assert runtime.releaser.tick() == 50
    assert {job.reason for job in runtime.producer.find()} == {None}


def test_a_broker_that_dropped_its_connections_is_used_again(
    runtime: Runtime, redis: Redis, waiting: Callable[[QueueName], list[Message]]
) -> None:
    """After the broker closed every connection a push still leaves, at once or with the next tick."""
    runtime.producer.send(**news(1))
    redis.client_kill_filter(skipme=True, _type="normal")
    job = runtime.producer.send(**news(2))
    runtime.releaser.tick()
    assert runtime.producer.get(job.id).state is JobState.RELEASED
    assert [job_id for message in waiting(QueueName.URGENT) for job_id, _ in jobs_of(message)][-1] == job.id


def test_a_broker_that_stalls_holds_nobody_up(runtime: Runtime, redis: Redis) -> None:
    """When the broker stalls on an open connection, `send` returns in time, and a later tick publishes its job."""
    runtime.producer.send(**news(1))
    redis.client_pause(60_000, all=False)
    try:
        began = clock.monotonic()
        job = runtime.producer.send(**news(2))
        assert clock.monotonic() - began < TIME_BOX
    finally:
        redis.client_unpause()
    assert runtime.producer.get(job.id).state is JobState.SCHEDULED
    assert runtime.releaser.tick() == 1
    assert runtime.producer.get(job.id).state is JobState.RELEASED


def test_a_crash_between_claim_and_publishing_costs_a_lease(
    runtime: Runtime, waiting: Callable[[QueueName], list[Message]]
) -> None:
    """Jobs that were claimed and never published come back when their lease is over, under a new number."""
    runtime.producer.send_many([news(1), news(2)])
    with runtime.database.transaction() as connection:
        assert len(releases.claim(connection, BULK, limit=10, lookahead=5.0)) == 2
    assert (runtime.upkeep.rescue(), runtime.releaser.tick()) == (0, 0)
    let_leases_run_out(runtime)
    assert (runtime.upkeep.rescue(), runtime.releaser.tick()) == (2, 2)
    [message] = waiting(QueueName.BULK)
    assert {number for _, number in jobs_of(message)} == {2}


def test_what_waits_is_said_of_each_job(runtime: Runtime) -> None:
    """A job given back by a rescue says why until it is released again."""
    runtime.producer.send_many([news(1)])
    runtime.releaser.tick()
    let_leases_run_out(runtime)
    runtime.upkeep.rescue()
    [job] = runtime.producer.find()
    assert (job.state, job.reason) == (JobState.SCHEDULED, Reason.LEASE_EXPIRED)
    runtime.releaser.tick()
    released: Job = runtime.producer.get(job.id)
    assert (released.state, released.reason) == (JobState.RELEASED, None)
