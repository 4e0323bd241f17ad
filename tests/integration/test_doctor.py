"""`pushjobs doctor`: what it finds on real servers, in order and out of order."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from pushjobs import doctor
from pushjobs.doctor import Doctor, Finding, Verdict
from pushjobs.domain.pause import PauseReason
from pushjobs.queue import QueueName
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient, SandboxOptions, SandboxProcess
from pushjobs.settings import Settings
from pushjobs.store import migrate, pauses
from tests.conftest import APPID, SECRET
from tests.integration.commands import Run, runner
from tests.integration.hands import ask, schedule

OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL
OTHER, OTHER_SECRET = "wxother", "another-secret"


@pytest.fixture(scope="module")
def sandbox_process() -> Iterator[SandboxProcess]:
    """A sandbox that knows two apps."""
    with SandboxProcess(SandboxOptions(apps={APPID: SECRET, OTHER: OTHER_SECRET})) as running:
        yield running


@pytest.fixture
def run(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], worker: Runtime
) -> Run:
    """Runs a command on the runtime's database and sandbox; returns status, output, errors."""
    assert worker is not None
    return runner(environment, monkeypatch, capfd)


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    """The Redis, whose configuration is put back."""
    with Redis.from_url(settings.require_redis_url) as opened:
        before = {name: opened.config_get(name)[name] for name in ("maxmemory", "maxmemory-policy", "appendonly")}
        yield opened
        for name, value in before.items():
            opened.config_set(name, value)


def examined(runtime: Runtime) -> dict[str, Finding]:
    """Look, and return what is found by subject; of several of one, the last."""
    return {each.subject: each for each in Doctor(runtime).examine()}


def test_finds_an_installation_in_order_but_for_its_workers(worker: Runtime, run: Run) -> None:
    """With servers, tables, keys, credentials and a tick all is well; nobody reads the queues here, which fails."""
    worker.witness.beat()
    found = examined(worker)
    bad = {subject: each for subject, each in found.items() if each.verdict is not OK}
    assert set(bad) == {"durability", *QueueName}, bad  # tests run without fsync
    assert all(bad[queue].words.startswith("nobody reads it, 0 messages wait") for queue in QueueName)
    assert all(each.advice for each in bad.values())
    assert not any(each.advice for each in found.values() if each.verdict is OK)

    status, out, _ = run("doctor", "--json")
    assert status == 1
    assert {each["subject"] for each in json.loads(out)} == set(found)
    status, out, err = run("doctor")
    assert (status, err) == (1, "")
    assert "run `celery -A workers.app worker -Q pushjobs.ticks`" in out


def test_tells_tables_of_another_release(worker: Runtime) -> None:
    """Tables behind this release fail, with the command that mends them; what needs them fails for itself."""
    migrate.downgrade(worker.settings.require_database_url, "0009")
    found = examined(worker)
    assert (found["tables"].verdict, found["tables"].advice) == (FAIL, "run `pushjobs db upgrade`")
    assert found["heartbeat"].verdict is FAIL
    assert found["credentials"].verdict is OK


@pytest.mark.parametrize(("age", "verdict"), [(0, OK), (5, WARN), (60, FAIL)])
def test_tells_when_the_last_tick_was(worker: Runtime, age: int, verdict: Verdict) -> None:
    """A tick that is late is a warning, one that does not come any more a failure."""
    worker.witness.beat()
    ask(worker, "UPDATE pushjobs.heartbeat SET at = now() - make_interval(secs => :age)", age=age)
    assert examined(worker)["heartbeat"].verdict is verdict


def test_tells_what_is_paused(worker: Runtime) -> None:
    """A pause is a warning; one after a restore fails, for nothing goes before somebody has decided."""
    schedule(worker)
    worker.operations.pause(lane="bulk", note="stock-taking")
    found = examined(worker)["pauses"]
    assert (found.verdict, found.words) == (WARN, "the bulk lane is paused: operator (stock-taking)")
    with worker.database.transaction() as connection:
        pauses.pause(connection, 1, PauseReason.RESTORED)
    found = examined(worker)["pauses"]
    assert (found.verdict, found.words) == (FAIL, "the app is paused: restored")


@pytest.mark.parametrize(
    ("settings_of_redis", "subject", "verdict"),
    [
        ({"maxmemory-policy": "allkeys-lru"}, "redis's memory", WARN),
        ({"maxmemory-policy": "allkeys-lru", "maxmemory": "100mb"}, "redis's memory", FAIL),
        ({"appendonly": "no"}, "redis's disk", WARN),
    ],
)
def test_tells_how_redis_is_set(
    worker: Runtime, redis: Redis, settings_of_redis: dict[str, str], subject: str, verdict: Verdict
) -> None:
    """A Redis that evicts, or keeps nothing over a restart, is told with the setting that mends it."""
    for name, value in settings_of_redis.items():
        redis.config_set(name, value)
    found = examined(worker)[subject]
    assert (found.verdict, found.advice.startswith("set ")) == (verdict, True)


def test_one_server_away_keeps_no_other_from_being_looked_at(settings: Settings) -> None:
    """A Redis that takes every byte and never answers is told within seconds, and the rest is looked at."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        away = {"redis_url": f"redis://127.0.0.1:{port}", "database_url": "postgresql://nobody@127.0.0.1:9/none"}
        runtime = Runtime(settings.model_copy(update=away))
        found = examined(runtime)
        runtime.close()
    assert [found[name].verdict for name in ("database", "tables", "redis", "workers")] == [FAIL] * 4
    assert "without it nothing is sent" in found["redis"].words
    assert found["encryption keys"].verdict is OK


def test_tells_what_wechat_says_of_the_credentials(worker: Runtime, sandbox: SandboxClient) -> None:
    """WeChat's refusal of a token fails with its code and meaning, though one is kept that still works."""
    assert examined(worker)["credentials"].verdict is OK
    sandbox.order_fault("errcode", {"path": "/cgi-bin/stable_token"}, errcode=40164)
    found = examined(worker)["credentials"]
    assert found.verdict is FAIL
    assert "40164" in found.words
    assert "allow-list" in found.words


def test_tells_a_key_of_another_installation(worker: Runtime, settings: Settings) -> None:
    """A lookup key that is not the database's fails by its fingerprint."""
    assert examined(worker)["lookup key"].verdict is OK
    other = Runtime(Settings.model_validate({**settings.model_dump(), "lookup_key": "A" * 43 + "="}))
    found = examined(other)
    other.close()
    assert found["keys"].verdict is FAIL


@pytest.mark.parametrize(("seconds", "verdict"), [(0, OK), (0.4, OK), (2, WARN), (-60, FAIL), (60, FAIL)])
def test_compares_clocks(seconds: float, verdict: Verdict) -> None:
    """A clock counts as off by what lies outside the question's own duration, in either direction."""
    asked = datetime(2026, 12, 1, tzinfo=UTC)
    answered = asked + timedelta(milliseconds=50)
    assert doctor._skew("clock", asked + timedelta(seconds=seconds), asked, answered).verdict is verdict


def test_looks_at_the_credentials_of_every_app(worker: Runtime, sandbox: SandboxClient) -> None:
    """An app whose secret WeChat does not accept any more, or no key opens, is named; the others are as they were."""
    assert sandbox is not None
    worker.apps.add(OTHER, OTHER_SECRET)
    assert examined(worker)[f"credentials of {OTHER}"].verdict is OK
    ask(worker, "UPDATE pushjobs.apps SET sealed = sealed || 'x'::bytea WHERE appid = :appid", appid=OTHER)
    worker.apps.refresh()
    found = examined(worker)
    assert found["credentials"].verdict is OK
    assert found[f"credentials of {OTHER}"].verdict is FAIL
    assert "keys.json" in found[f"credentials of {OTHER}"].advice


def test_looks_at_a_broker_of_its_own(settings: Settings, redis: Redis) -> None:
    """Where the queues are at another server than the pace, that one is looked at too."""
    redis.config_set("maxmemory-policy", "allkeys-lru")
    apart = Runtime(settings.model_copy(update={"broker_url": f"{settings.require_redis_url}?client_name=broker"}))
    found = examined(apart)
    apart.close()
    assert found["broker's memory"].verdict is WARN
    assert found["broker"].verdict is OK


@pytest.mark.parametrize(("free", "verdict"), [(50, OK), (0.9, WARN), (0.1, FAIL)])
def test_looks_at_the_disk(worker: Runtime, monkeypatch: pytest.MonkeyPatch, free: float, verdict: Verdict) -> None:
    """Little room is a warning, hardly any a failure: the database stops when there is none."""
    monkeypatch.setattr(doctor, "disk_usage", lambda _: (100 * 2**30, 0, free * 2**30))
    found = examined(worker)["disk"]
    assert (found.verdict, "GiB" in found.words) == (verdict, True)


def test_tells_of_jobs_that_wait_for_a_word(worker: Runtime) -> None:
    """Dead jobs and doubts are counted, with the commands that deal with them."""
    assert examined(worker)["jobs"].verdict is OK
    schedule(worker, 3)
    ask(worker, "UPDATE pushjobs.jobs SET state = 'dead', closed_at = now() WHERE id <= 2")
    ask(worker, "UPDATE pushjobs.jobs SET state = 'in_doubt', closed_at = now() WHERE id > 2")
    worker.figures._fresh_until = 0.0
    found = examined(worker)
    assert (found["dead jobs"].verdict, found["dead jobs"].words) == (WARN, "2 are dead: given up, and kept")
    assert "pushjobs resolve" in found["jobs in doubt"].advice


def test_tells_who_may_read_the_keys(worker: Runtime) -> None:
    """A key file that others may read is a warning."""
    file = worker.settings.directory / "keys.json"
    file.touch()
    try:
        file.chmod(0o644)
        assert examined(worker)["keys.json"].verdict is WARN
        file.chmod(0o600)
        assert "keys.json" not in examined(worker)
    finally:
        # The directory is every test's, and the next one would read what is no key ring.
        file.unlink()


def test_says_what_to_do_about_everything(settings: Settings) -> None:
    """With nothing there at all, each thing that fails says what would mend it."""
    away = {"redis_url": "redis://127.0.0.1:9", "database_url": "postgresql://nobody@127.0.0.1:9/none"}
    runtime = Runtime(settings.model_copy(update=away))
    found = examined(runtime)
    runtime.close()
    assert all(each.advice for each in found.values() if each.verdict is not OK)
    assert len([each for each in found.values() if each.verdict is FAIL]) > 5
