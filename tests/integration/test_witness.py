"""The witness: a database that stepped back admits nothing before an operator's word."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import make_url

from pushjobs import clock
from pushjobs.domain.events import DatabaseSteppedBack, Event
from pushjobs.domain.heartbeat import Step
from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.pause import PauseReason
from pushjobs.errors import NotReady, Unreachable
from pushjobs.local.servers import EmbeddedServers
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.settings import Settings
from pushjobs.store import migrate
from pushjobs.witness import InFile, InRedis, Witness
from tests.integration.dumps import dump, restore
from tests.integration.hands import Batch, admit, ask, claim, deliver, only_job, schedule

Restart = Callable[[], Runtime]


@pytest.fixture
def restarted(worker: Runtime) -> Iterator[Restart]:
    """Make another process' runtime, which remembers nothing itself."""
    made: list[Runtime] = []

    def make() -> Runtime:
        made.append(Runtime(worker.settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    """The Redis that all share."""
    with Redis.from_url(settings.require_redis_url) as opened:
        yield opened


def step_back(runtime: Runtime, *, hours: int = 1) -> None:
    """Do to the heartbeat what an old dump does."""
    ask(runtime, "UPDATE pushjobs.heartbeat SET at = at - make_interval(hours => :hours)", hours=hours)


def held(runtime: Runtime) -> list[PauseReason]:
    """Return why the apps are paused."""
    return [pause.reason for pause in runtime.operations.pauses()]


def test_a_restored_dump_sends_nothing_twice(
    worker: Runtime, sandbox: SandboxClient, servers: EmbeddedServers, tmp_path: Path
) -> None:
    """12.5 A dump restored in place: what was sent since is held, under the running process, until it is resumed."""
    schedule(worker, 3)
    worker.witness.beat()
    file = dump(servers, worker.settings, tmp_path)
    deliver(worker, claim(worker))
    assert sandbox.summary().accepted == 3
    worker.witness.beat()

    restore(servers, worker.settings, file)
    batch = claim(worker)
    assert len(batch) == 3, "the dump knows nothing of the sending"
    deliver(worker, batch)
    assert (sandbox.summary().accepted, held(worker)) == (3, [PauseReason.RESTORED])
    assert {job.reason for job in worker.producer.find(state="scheduled")} == {Reason.PAUSED}
    assert worker.releaser.tick() == 0

    assert worker.operations.resume() == 1
    deliver(worker, claim(worker))
    assert sandbox.summary().repeats == 3, "by the operator's word"
    assert held(worker) == []


def test_nothing_is_admitted_between_the_restore_and_the_noticing(worker: Runtime) -> None:
    """12.5 The look stands in the admitting transaction: the first slice after the step finds it, and goes back."""
    schedule(worker)
    worker.witness.beat()
    batch = claim(worker)
    step_back(worker)
    assert admit(worker, batch) == []
    job = only_job(worker)
    assert (job.state, job.reason) == (JobState.SCHEDULED, Reason.PAUSED)
    [pause] = worker.operations.pauses()
    assert (pause.reason, pause.until, pause.probe_in) == (PauseReason.RESTORED, None, None)
    assert "the database stepped back" in worker.producer.why(job.id).words


def test_the_tick_notices_before_it_releases(worker: Runtime) -> None:
    """A step back is noticed by the next tick at the latest, though nothing is due."""
    schedule(worker, time=clock.now() + timedelta(hours=1))
    worker.witness.beat()
    step_back(worker)
    worker.witness.beat()
    assert held(worker) == [PauseReason.RESTORED]


@pytest.mark.parametrize("lost", ["file", "redis"])
def test_a_process_that_has_just_started_asks_the_witness(
    worker: Runtime, restarted: Restart, redis: Redis, lost: str
) -> None:
    """Memory gone, and one of the two places with it: the other knows."""
    schedule(worker)
    worker.witness.beat()
    batch = claim(worker)
    step_back(worker)
    if lost == "redis":
        redis.flushdb()
    else:
        (worker.settings.directory / "witness.json").unlink()
    other = restarted()
    assert admit(other, batch) == []
    assert held(other) == [PauseReason.RESTORED]


def test_without_any_witness_the_database_is_believed(worker: Runtime, restarted: Restart, redis: Redis) -> None:
    """Redis emptied, no file, every process started anew: nobody can know, and jobs go on."""
    schedule(worker)
    worker.witness.beat()
    step_back(worker)
    redis.flushdb()
    (worker.settings.directory / "witness.json").unlink()
    other = restarted()
    assert len(admit(other, claim(other))) == 1


def test_a_witness_that_cannot_be_asked_holds_a_new_process(worker: Runtime) -> None:
    """A process that cannot learn what was seen admits nothing; one that knows goes on without Redis."""
    schedule(worker, 2)
    worker.witness.beat()
    away = InRedis(Redis(port=9, socket_timeout=0.2))
    with pytest.raises(Unreachable, match="Redis"):
        Witness(worker.database, [away], emit=lambda _: None).beat()
    worker.witness._places = [away]
    worker.witness.beat()
    assert len(admit(worker, claim(worker))) == 2


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ("timeline = '000000FF'", Step.TIMELINE),
        ("server = server + 1", Step.SERVER),
        ("lineage = gen_random_uuid()", Step.DATABASE),
        ("at = at - interval '1 s'", Step.HEARTBEAT),
    ],
)
def test_each_step_is_noticed_and_told_once(worker: Runtime, restarted: Restart, change: str, step: Step) -> None:
    """12.5 Of several processes that notice one tells; released, none of them comes back to it."""
    schedule(worker)
    processes = [worker.witness, restarted().witness, restarted().witness]
    for witness in processes:
        witness.beat()
    told: list[Event] = []
    for witness in processes:
        witness._emit = told.append
    ask(worker, f"UPDATE pushjobs.heartbeat SET {change}")  # noqa: S608 - what stands above
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda witness: witness.notice(), processes))
    assert [event.step for event in told if isinstance(event, DatabaseSteppedBack)] == [step]
    assert held(worker) == [PauseReason.RESTORED]
    worker.operations.resume()
    for witness in processes:
        witness.beat()
    assert len(admit(worker, claim(worker))) == 1
    assert held(worker) == []


def test_a_log_that_ends_early_is_noticed(worker: Runtime) -> None:
    """12.5 An old state of the disk with the same heartbeat still shows by the end of its log."""
    worker.witness.beat()
    [seen] = worker.witness._seen
    ask(worker, "UPDATE pushjobs.heartbeat SET at = :at", at=seen.at)
    told: list[Event] = []
    worker.witness._emit = told.append
    worker.witness._seen = [type(seen)(lineage=seen.lineage, at=seen.at, wal=seen.wal + 2**40)]
    worker.witness.notice()
    assert [event.step for event in told if isinstance(event, DatabaseSteppedBack)] == [Step.WAL]


def test_a_new_database_beside_an_old_witness_is_no_alarm(worker: Runtime, restarted: Restart) -> None:
    """Tables made anew, with Redis and directory left from before: nothing is held; an old dump upgraded is."""
    schedule(worker)
    worker.witness.beat()
    migrate.downgrade(worker.settings.require_database_url, "0009")
    migrate.upgrade(worker.settings.require_database_url)
    restarted().witness.beat()
    assert held(worker) == [PauseReason.RESTORED], "its jobs are older than its heartbeat: a dump of an old release"

    migrate.downgrade(worker.settings.require_database_url, "base")
    migrate.upgrade(worker.settings.require_database_url)
    fresh = restarted()
    schedule(fresh)
    fresh.witness.beat()
    assert held(fresh) == []
    assert len(admit(fresh, claim(fresh))) == 1


def test_in_mid_restore_nobody_goes_on(worker: Runtime) -> None:
    """Jobs back already and the heartbeat not yet: nothing is released or admitted, and nothing is paused."""
    schedule(worker)
    worker.witness.beat()
    batch: Batch = claim(worker)
    ask(worker, "DELETE FROM pushjobs.heartbeat")
    with pytest.raises(NotReady, match="one dump"):
        admit(worker, batch)
    with pytest.raises(NotReady, match="one dump"):
        worker.witness.beat()
    assert held(worker) == []


def test_a_crash_before_the_witness_is_told_costs_one_beat(worker: Runtime, tmp_path: Path) -> None:
    """Killed between the heartbeat and its witness, the next process finds the database ahead: no step back."""
    file = InFile(tmp_path / "witness.json")
    first = Witness(worker.database, [file], emit=lambda _: None)
    first.beat()
    first._places = []
    first.beat()  # and dies before it is kept
    schedule(worker)
    Witness(worker.database, [file], emit=lambda _: None).beat()
    assert held(worker) == []


def test_a_file_in_pieces_is_none(tmp_path: Path, worker: Runtime) -> None:
    """What a power cut left of the file is not taken for a sighting; without the directory none is written."""
    path = tmp_path / "witness.json"
    path.write_bytes(b'{"lineage": "x", "at"')
    assert InFile(path).read() is None
    Witness(worker.database, [InFile(path)], emit=lambda _: None).beat()
    assert InFile(path).read() is not None
    nowhere = InFile(tmp_path / "no" / "witness.json")
    Witness(worker.database, [nowhere], emit=lambda _: None).beat()
    assert nowhere.read() is None


def test_the_heartbeat_never_runs_back(worker: Runtime) -> None:
    """A clock that was set back leaves the heartbeat where it is, a microsecond on."""
    ask(worker, "UPDATE pushjobs.heartbeat SET at = now() + interval '1 day'")
    [(before,)] = ask(worker, "SELECT at FROM pushjobs.heartbeat")
    worker.witness.beat()
    [(after,)] = ask(worker, "SELECT at FROM pushjobs.heartbeat")
    assert timedelta() < after - before < timedelta(seconds=1)


def test_a_role_without_privileges_may_look(worker: Runtime) -> None:
    """Nothing that the heartbeat asks of the server needs more than access to our tables."""
    role = f"plain_{re.sub('[^a-z0-9]', '', make_url(worker.settings.require_database_url).database or '')}"
    ask(worker, f"CREATE ROLE {role}")
    try:
        ask(worker, f"GRANT USAGE ON SCHEMA pushjobs TO {role}")
        ask(worker, f"GRANT SELECT ON pushjobs.heartbeat TO {role}")
        with worker.database.transaction() as connection:
            connection.exec_driver_sql(f"SET LOCAL ROLE {role}")
            worker.witness.recall()
            assert worker.witness.trusts(connection)
    finally:
        ask(worker, f"DROP OWNED BY {role}")
        ask(worker, f"DROP ROLE {role}")
