"""The whole way in: an application's Celery, a real broker, a real worker process, a job in SQL.

What must not be seen is looked for where it could be: in every byte of Redis while the message waits, in Celery's
events, in the worker's log.
"""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from celery import Celery
from redis import Redis

from pushjobs import clock, intake
from pushjobs.domain.job import Job, JobState
from pushjobs.local.daemon import wait_until
from pushjobs.queue import BROKER_OPTIONS
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.settings import Settings

OPEN_ID, WORDS = "oMarkedReader", "marked-content"
CONTENT: dict[str, Any] = {
    "touser": OPEN_ID,
    "template_id": DAILY_NEWS,
    "data": {"thing1": WORDS, "thing2": "news", "date3": "2026年12月1日"},
}
# Where our workers read, and where the onlooker hears the application's events too.
KEYS = {name: BROKER_OPTIONS[name] for name in ("global_keyprefix", "fanout_prefix") if name in BROKER_OPTIONS}
QUEUE, UNACKED = f"{KEYS.get('global_keyprefix', '')}pushjobs.intake", "pushjobs:unacked"
ROOT = Path(intake.__file__).parents[1]

StartWorker = Callable[..., AbstractContextManager[Path]]


@pytest.fixture
def plain_shop(settings: Settings) -> Iterator[Celery]:
    """An application's own Celery on our broker, of which we know nothing."""
    made = Celery("shop", broker=settings.require_broker_url, set_as_current=False)
    made.conf.update(broker_transport_options=KEYS, task_send_sent_event=True, worker_send_task_events=True)
    yield made
    made.close()


@pytest.fixture
def shop(plain_shop: Celery, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Celery:
    """The same, registered."""
    for name, value in environment.items():
        if name.startswith("PUSHJOBS_"):
            monkeypatch.setenv(name, value)
    intake.register(plain_shop)
    return plain_shop


@pytest.fixture
def worker(environment: dict[str, str], sandbox: SandboxClient, tmp_path: Path) -> StartWorker:
    """Start a worker process on the intake; the context gives its log and ends with the process."""
    assert sandbox is not None

    @contextmanager
    def started(pool: str = "solo", **more: str) -> Iterator[Path]:
        log = tmp_path / "worker.log"
        command = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-Q", "pushjobs.intake", "-P", pool]
        with (
            log.open("ab") as file,
            subprocess.Popen(
                [*command, "-c", "1", "--without-mingle", "--without-gossip", "--loglevel=INFO", "-E"],
                env=environment | more,
                cwd=ROOT,
                stdout=file,
                stderr=file,
            ) as process,
        ):
            try:
                yield log
            finally:
                process.terminate()

    return started


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    with Redis.from_url(settings.require_redis_url) as client:
        yield client


@dataclass
class Onlooker:
    """Everybody's events on the broker, as Flower gets them."""

    seen: list[dict[str, Any]] = field(default_factory=list)

    def has_seen(self, kind: str) -> bool:
        """Tell whether an event of that type came by."""
        return any(event["type"] == kind for event in self.seen)


@pytest.fixture
def onlooker(settings: Settings, redis: Redis) -> Iterator[Onlooker]:
    app = Celery("onlooker", broker=settings.require_broker_url, set_as_current=False)
    app.conf.broker_transport_options = BROKER_OPTIONS
    looking = Onlooker()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": looking.seen.append})
        thread = threading.Thread(target=receiver.capture, kwargs={"wakeup": False})
        thread.start()
        eventually(lambda: redis.pubsub_numpat() == 1, "the onlooker's subscription")
        yield looking
        receiver.should_stop = True
        thread.join()
    app.close()


def eventually(condition: Callable[[], bool], description: str) -> None:
    """Wait for a condition, which is described for the report of its failure."""
    assert wait_until(condition, 30), f"not within 30 s: {description}"


def only_job(runtime: Runtime) -> Job:
    """Wait for a job, and return the one there is."""
    eventually(lambda: bool(runtime.producer.find()), "a job in SQL")
    [job] = runtime.producer.find()
    return job


def logged(log: Path, text: str) -> Callable[[], bool]:
    """Return the condition that a worker's log holds a text."""
    return lambda: text in log.read_text()


def is_idle(redis: Redis) -> bool:
    """Tell whether the broker holds no message, waiting or in hand."""
    return not redis.exists(QUEUE, UNACKED)


def waiting(redis: Redis) -> list[dict[str, Any]]:
    """Return the messages of the queue as the broker holds them, their bodies decoded from kombu's base64."""
    raw: Any = redis.lrange(QUEUE, 0, -1)
    messages = [json.loads(each) for each in raw]
    return [message | {"body": base64.b64decode(message["body"]).decode()} for message in messages]


def holds_content(text: str) -> bool:
    """Tell whether the open id or the words of the message stand in a text."""
    return OPEN_ID in text or WORDS in text


def text_of(redis: Redis) -> str:
    """Return all that Redis holds, whatever the key: the queue also as its bodies read when decoded."""
    keys: Any = redis.keys()
    readers: dict[bytes, Callable[[bytes], object]] = {
        b"string": redis.get,
        b"set": redis.smembers,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
    }
    held = {key: readers[redis.type(key)](key) for key in keys}  # type: ignore[index]  # redis types one client for both kinds
    return repr((held, waiting(redis)))


def test_an_eta_becomes_the_jobs_time_and_nobody_sees_the_content(
    shop: Celery, worker: StartWorker, runtime: Runtime, redis: Redis, onlooker: Onlooker
) -> None:
    """The job waits in SQL for its eta; Redis, events and log know neither open id nor content."""
    eta = clock.now() + timedelta(days=3)
    shop.send_task("pushjobs.send", kwargs=CONTENT, eta=eta)
    [message] = waiting(redis)
    assert message["headers"]["eta"] is None
    assert not holds_content(text_of(redis))

    with worker() as log:
        job = only_job(runtime)
        assert (job.time, job.state) == (eta, JobState.SCHEDULED)
        eventually(lambda: onlooker.has_seen("task-succeeded"), "the worker's event of its success")

    for onlookers_view in (repr(onlooker.seen), log.read_text()):
        assert "pushjobs.send" in onlookers_view
        assert not holds_content(onlookers_view)
    assert {"task-sent", "task-received"} <= {event["type"] for event in onlooker.seen}


def test_a_message_that_comes_twice_makes_one_job(
    shop: Celery, worker: StartWorker, runtime: Runtime, redis: Redis
) -> None:
    """The broker's copy of a message runs again, and finds the job that the first one made."""
    shop.send_task("pushjobs.send", kwargs=CONTENT, countdown=3600)
    redis.lpush(QUEUE, redis.lindex(QUEUE, 0))  # type: ignore[arg-type]  # redis types one client for both kinds

    with worker("prefork") as log:
        eventually(lambda: log.read_text().count("succeeded in") == 2, "both copies were run")

    assert len(runtime.producer.find()) == 1
    assert "intake_refused" not in log.read_text()


def test_a_plain_message_is_refused_without_being_shown(
    plain_shop: Celery, worker: StartWorker, runtime: Runtime, redis: Redis, onlooker: Onlooker
) -> None:
    """Unencrypted arguments make no job; the worker's log and events name the fault and not the content."""
    plain_shop.conf.task_send_sent_event = False
    plain_shop.send_task("pushjobs.send", kwargs=CONTENT, queue="pushjobs.intake")
    assert holds_content(text_of(redis)), "the search that the other tests rely on finds nothing"

    with worker() as log:
        eventually(logged(log, "intake_refused"), "the refusal in the log")
        eventually(lambda: onlooker.has_seen("task-succeeded"), "the task ended well")
        eventually(lambda: is_idle(redis), "the message is given up")

    assert runtime.producer.find() == []
    assert '"field": "payload"' in log.read_text()
    for onlookers_view in (repr(onlooker.seen), log.read_text()):
        assert not holds_content(onlookers_view)


def test_a_plain_message_is_taken_where_that_is_allowed(
    plain_shop: Celery, worker: StartWorker, runtime: Runtime
) -> None:
    """With PLAIN_INTAKE on, an application that never heard of us can enqueue."""
    with worker(PUSHJOBS_PLAIN_INTAKE="true"):
        plain_shop.send_task(
            "pushjobs.send", kwargs={**CONTENT, "time": "2126-12-01T08:00:00Z"}, queue="pushjobs.intake"
        )
        assert only_job(runtime).time == datetime(2126, 12, 1, 8, tzinfo=UTC)


def test_what_cannot_be_sent_is_an_event_and_a_fault_of_ours_shows_no_content(
    shop: Celery, worker: StartWorker, runtime: Runtime, onlooker: Onlooker
) -> None:
    """Bad input ends the task quietly; an error with a traceback tells its place, not its arguments."""
    with worker() as log:
        shop.send_task("pushjobs.send", kwargs={**CONTENT, "page": WORDS * 100, "lane": "none"})
        eventually(logged(log, "intake_refused"), "the refusal in the log")
        shop.send_task("pushjobs.send", kwargs={**CONTENT, "session": WORDS})
        eventually(lambda: onlooker.has_seen("task-failed"), "the event of the failure")
        eventually(logged(log, "Traceback"), "the traceback in the log")

    assert runtime.producer.find() == []
    for onlookers_view in (repr(onlooker.seen), log.read_text()):
        assert not holds_content(onlookers_view)


def test_a_message_waits_for_the_database(
    shop: Celery, worker: StartWorker, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    """While PostgreSQL does not answer the message goes round; when it does the job is there, once."""
    runtime.close()
    with worker() as log:
        with gone(settings.require_database_url):
            shop.send_task("pushjobs.send", kwargs=CONTENT, countdown=3600)
            eventually(logged(log, "retry: Retry in"), "the worker gave the message back")
        assert only_job(runtime).state is JobState.SCHEDULED
        eventually(lambda: is_idle(redis), "the message is given up")


def test_a_message_waits_for_its_key(shop: Celery, worker: StartWorker, runtime: Runtime, redis: Redis) -> None:
    """A worker that lacks the key keeps the message, through its own end, for one that has it."""
    shop.send_task("pushjobs.send", kwargs=CONTENT, countdown=3600)
    with worker(PUSHJOBS_ENCRYPTION_KEYS="b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q=") as log:
        eventually(logged(log, "retry: Retry in"), "the worker gave the message back")
    assert runtime.producer.find() == []

    with worker():
        assert only_job(runtime).state is JobState.SCHEDULED
        eventually(lambda: is_idle(redis), "the message is given up")


@contextmanager
def gone(database_url: str) -> Iterator[None]:
    """Take a database away for a while: to a client it is as if the server had none of that name."""
    address = database_url.replace("postgresql+psycopg://", "postgresql://")
    name = address.partition("@/")[2].partition("?")[0]
    with psycopg.connect(address.replace(f"@/{name}?", "@/postgres?"), autocommit=True) as connection:

        def administer(sql: str) -> None:
            connection.execute(sql.encode())

        administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608 - as above
        try:
            yield
        finally:
            administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
