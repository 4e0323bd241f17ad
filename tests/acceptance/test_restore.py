"""A dump restored under a running system, in real processes, counted at the sandbox: nothing goes twice."""

from datetime import timedelta
from pathlib import Path

from redis import Redis

from pushjobs import clock
from pushjobs.domain.job import JobState
from pushjobs.domain.pause import PauseReason
from pushjobs.local.directory import Installation
from pushjobs.local.servers import EmbeddedServers
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from tests.acceptance.installation import Up, news, wait_for
from tests.integration.dumps import program

BEFORE, SINCE, LATER = 40, 60, 30


def address(up: Up) -> list[str]:
    """How PostgreSQL's own programs reach the installation's server."""
    sockets = Installation(up.directory).sockets()
    return ["--host", str(sockets), "--username", "pushjobs", "--dbname", "pushjobs"]


def restore(up: Up, file: Path) -> bool:
    """Put the schema back as it was, whoever is connected; False where it met their locks, and nothing was changed."""
    how = ("--clean", "--if-exists", "--single-transaction", "--exit-on-error")
    return program("pg_restore", *how, *address(up), str(file)).returncode == 0


def sent(push: Runtime) -> int:
    """Return how many jobs the database calls sent."""
    return push.producer.counts()[JobState.SENT]


def held(push: Runtime) -> bool:
    """Whether the restore was noticed."""
    return [pause.reason for pause in push.operations.pauses()] == [PauseReason.RESTORED]


def is_known(push: Runtime) -> bool:
    """Whether a tick has told Redis of the heartbeat."""
    with Redis.from_url(push.settings.require_redis_url) as redis:
        return bool(redis.exists("pushjobs:witness"))


def test_a_dump_restored_under_running_workers_sends_nothing_twice(
    up: Up, push: Runtime, sandbox: SandboxClient, tmp_path: Path
) -> None:
    """12.5 What was sent since the dump is not sent again, what falls due meanwhile waits; released, the rest goes."""
    file = tmp_path / "pushjobs.dump"
    push.producer.send_many([news(number) for number in range(BEFORE)])
    wait_for("what was before the dump is sent", lambda: sent(push) == BEFORE)
    # In the dump these are yet to come.
    moment = clock.now() + timedelta(seconds=6)
    push.producer.send_many([news(BEFORE + number, time=moment) for number in range(SINCE)])
    assert program("pg_dump", "--format=custom", "--schema=pushjobs", f"--file={file}", *address(up)).returncode == 0
    wait_for("what was after the dump is sent", lambda: sent(push) == BEFORE + SINCE)

    wait_for("the dump is restored", lambda: restore(up, file))
    wait_for("the step back is noticed", lambda: held(push))
    push.database.close()  # of a restored table its statements know nothing yet
    assert sent(push) == BEFORE
    push.producer.send_many([news(BEFORE + SINCE + number) for number in range(LATER)])
    with Redis.from_url(push.settings.require_redis_url) as redis:
        redis.flushall()
    wait_for("ticks go on", lambda: is_known(push))
    assert sandbox.summary().accepted == BEFORE + SINCE

    end = moment + timedelta(milliseconds=1)
    # What the operator does: nothing that was due before the restore is to go; the rest is.
    due = push.producer.find(state=JobState.SCHEDULED, due_before=end)
    assert len(due) == SINCE
    assert push.producer.cancel(due_before=end) == SINCE
    assert push.operations.resume() == 1
    wait_for("the rest is sent", lambda: sent(push) == BEFORE + LATER)
    summary = sandbox.summary()
    assert (summary.accepted, summary.repeats) == (BEFORE + SINCE + LATER, 0)


def test_a_dump_restored_while_everything_is_down_sends_nothing_twice(
    up: Up, push: Runtime, sandbox: SandboxClient, tmp_path: Path
) -> None:
    """12.5 Stopped, restored, started: the witness that outlived the processes holds what they would send again."""
    file = tmp_path / "pushjobs.dump"
    moment = clock.now() + timedelta(seconds=5)
    push.producer.send_many([news(number, time=moment) for number in range(SINCE)])
    assert program("pg_dump", "--format=custom", "--schema=pushjobs", f"--file={file}", *address(up)).returncode == 0
    wait_for("what was after the dump is sent", lambda: sent(push) == SINCE)
    assert up.stop() == 0
    with EmbeddedServers(Installation(up.directory), valkey=False):
        assert restore(up, file)
    up.start()
    push.database.close()
    wait_for("the step back is noticed", lambda: held(push))
    assert push.producer.counts()[JobState.SCHEDULED] == SINCE
    assert sandbox.summary().accepted == SINCE
