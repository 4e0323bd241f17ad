"""Servers that hang, and connections that are lost: what waits, how long, and what is tried again."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pushjobs import clock
from pushjobs.domain.job import JobState, Reason
from pushjobs.errors import Unreachable
from pushjobs.local.directory import Installation
from pushjobs.local.valkey import ValkeyServer
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.settings import Settings
from tests.integration.hands import ask, claim, deliver, only_job, schedule

TIME_BOX = 5.0
NEWS = {"thing1": "第1条", "thing2": "今日要闻", "date3": "2026年12月1日"}


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A Valkey of the test's own, to be stopped in its tracks."""
    with tempfile.TemporaryDirectory(prefix="pushjobs-hang-") as directory:
        installation = Installation(Path(directory))
        with ValkeyServer(installation) as server:
            yield server
        installation.clear_sockets()


@pytest.fixture
def process(settings: Settings, valkey: ValkeyServer) -> Iterator[Runtime]:
    """A process whose Redis is that one."""
    made = Runtime(settings.model_copy(update={"redis_url": valkey.url}))
    yield made
    made.close()


def cut(settings: Settings) -> int:
    """Close every connection of ours to the database, as a restart of it does; return how many there were."""
    engine = create_engine(settings.require_database_url)
    asked = text(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'pushjobs'"
    )
    with engine.begin() as connection:
        count = int(connection.execute(asked).scalar_one())
    engine.dispose()
    return count


def test_a_redis_that_hangs_stalls_no_send(process: Runtime, valkey: ValkeyServer) -> None:
    """Redis stopped in its tracks, its connections open: `send` is in time, and once it goes on a tick publishes."""
    process.witness.beat()
    first = process.producer.send(touser="oReader000001", template_id=DAILY_NEWS, data=NEWS)
    assert process.producer.get(first.id).state is JobState.RELEASED
    pid = valkey.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        began = clock.monotonic()
        job = process.producer.send(touser="oReader000002", template_id=DAILY_NEWS, data=NEWS)
        assert clock.monotonic() - began < TIME_BOX
        stored = process.producer.get(job.id)
        assert (stored.state, stored.reason) == (JobState.SCHEDULED, Reason.NOT_PUBLISHED)
        began = clock.monotonic()
        process.witness.beat()
        assert process.releaser.tick() == 1
        assert clock.monotonic() - began < TIME_BOX
        assert process.producer.get(job.id).state is JobState.SCHEDULED
    finally:
        os.kill(pid, signal.SIGCONT)
    assert process.releaser.tick() == 1
    assert process.producer.get(job.id).state is JobState.RELEASED


def test_connections_closed_between_statements_are_replaced(
    worker: Runtime, sandbox: SandboxClient, settings: Settings
) -> None:
    """A database that was restarted while nobody asked it anything is asked again, and nobody notices."""
    schedule(worker)
    for step in (worker.releaser.tick, worker.witness.beat, worker.upkeep.rescue):
        assert cut(settings) > 0
        step()
    assert only_job(worker).state is JobState.RELEASED
    ask(worker, "UPDATE pushjobs.jobs SET state = 'scheduled', lease_until = NULL")
    batch = claim(worker)
    assert cut(settings) > 0
    deliver(worker, batch)
    assert sandbox.summary().accepted == 1
    assert only_job(worker).state is JobState.SENT


def test_a_connection_lost_within_a_transaction_is_told(runtime: Runtime, settings: Settings) -> None:
    """What was begun is undone and not begun again behind the caller's back: only the caller knows if it may be."""
    schedule(runtime)
    times = []

    def begin() -> None:
        with runtime.database.transaction() as connection:
            connection.execute(text("UPDATE pushjobs.jobs SET attempts = 7"))
            times.append(cut(settings))
            connection.execute(text("SELECT 1"))

    with pytest.raises(Unreachable):
        begin()
    assert len(times) == 1
    assert only_job(runtime).attempts == 0


def test_a_statement_has_an_end(settings: Settings) -> None:
    """A statement that takes longer than it may is ended by the server, and told as a database that does not answer."""
    runtime = Runtime(settings.model_copy(update={"statement_timeout_seconds": 0.2}))
    try:
        with pytest.raises(Unreachable, match="statement timeout"):
            ask(runtime, "SELECT pg_sleep(30)")
    finally:
        runtime.close()
