"""Open ids and contents are nowhere to be read: marked ones are looked for in every byte that a run leaves or shows."""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from celery import Celery
from redis import Redis

from pushjobs import clock, intake
from pushjobs.domain.job import JobState
from pushjobs.errors import InvalidInput
from pushjobs.queue import BROKER_OPTIONS
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import LEGACY_REFUND
from tests.acceptance.installation import Up, news, wait_for
from tests.collector import Collector
from tests.conftest import APPID
from tests.integration.campaigns.hands import plan_at
from tests.integration.telling import AES_KEY, TOKEN

USER, WORDS, FORM = "oMarkedReader", "marked-words", "marked-form"
MARKS = [mark.encode() for mark in (USER, WORDS, FORM)]
SEND = {"path": "/cgi-bin/message/subscribe/send"}
PAGES = ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks?limit=1000", "/api/queues/length")


OURS = ("beat", "ticks", "urgent", "bulk", "http", "flower")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where the installation's spans go."""
    with Collector() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def more_settings(collector: Collector) -> dict[str, str]:
    """Callbacks are taken, whose addresses and bodies hold open ids; every job is traced, every line written."""
    assert collector.url
    told_of_all = {"LOG_LEVEL": "debug", "TRACE_SHARE": "1", "TRACE_BULK_SHARE": "1"}
    return {"CALLBACK_TOKEN": TOKEN, "CALLBACK_AES_KEY": AES_KEY} | told_of_all


@pytest.fixture(scope="module")
def options() -> Sequence[str]:
    """The HTTP doors and Flower, at free ports."""
    return ["--http", "0", "--flower", "0"]


@contextmanager
def overheard(redis: Redis) -> Iterator[list[bytes]]:
    """Hear every command that Redis is given meanwhile."""
    heard: list[bytes] = []
    leaving = threading.Event()

    def listen() -> None:
        with redis.monitor() as monitor:  # type: ignore[no-untyped-call]  # redis types only parts of itself
            ready.set()
            while not leaving.is_set():
                heard.append(str(monitor.next_command()["command"]).encode())

    ready = threading.Event()
    listener = threading.Thread(target=listen)
    listener.start()
    assert ready.wait(5)
    try:
        yield heard
    finally:
        leaving.set()
        redis.ping()  # one more command, so that it looks
        listener.join()


def marked(number: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - arguments of `send`
    """A push whose user and words would be found anywhere."""
    data = {"thing1": f"{WORDS} {number}", "thing2": WORDS, "date3": "2026年12月1日"}
    return {**news(number), "touser": f"{USER}{number:03d}", "data": data, **more}


def found_in(places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return the names of the places that hold a mark."""
    return [name for name, held in places if any(mark in held for mark in MARKS)]


def stored(database_url: str) -> Iterator[tuple[str, bytes]]:
    """Dump every table of every schema as text."""
    with psycopg.connect(database_url.replace("postgresql+psycopg://", "postgresql://")) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
        ).fetchall()
        for schema, name in tables:
            with connection.cursor().copy(f'COPY "{schema}"."{name}" TO STDOUT') as copy:
                yield f"{schema}.{name}", b"".join(map(bytes, copy))


def written(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Read every file of the installation: PostgreSQL's data and log, Valkey's, ours."""
    for path in directory.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(directory)), path.read_bytes()


def shown_by_flower(up: Up) -> Iterator[tuple[str, bytes]]:
    """Read Flower's pages and its API, a page for each task among them."""
    account = json.loads((up.directory / "flower.json").read_text())
    login = (account["user"], account["password"])
    with httpx.Client(base_url=up.address("flower"), auth=login, trust_env=False, timeout=30) as client:
        tasks = client.get("/api/tasks?limit=1000").json()
        assert any(each["name"] == "pushjobs.deliver" for each in tasks.values())
        for page in [*PAGES, *(f"/task/{task}" for task in tasks)]:
            yield page, client.get(page).content


def run(up: Up, push: Runtime, sandbox: SandboxClient, people: Path, told: list[str]) -> None:
    """Send, be refused, lose connections, take callbacks, enqueue through Celery, and break in mid-delivery."""
    door = f"{up.address('http')}/callback/{APPID}"
    where: Mapping[str, Any] = {"callback_url": door, "callback_token": TOKEN, "callback_aes_key": AES_KEY}
    sandbox.change_settings(**where, callback_mode="secure")
    sandbox.order_fault("errcode", SEND, errcode=43101, times=3)
    sandbox.order_fault("errcode", SEND, errcode=47003, times=2)
    sandbox.order_fault("drop_after_read", SEND, times=2)
    sandbox.order_fault("not_json", SEND, times=1)
    sandbox.add_form_id(FORM, f"{USER}900")
    producer = push.producer
    producer.grant(f"{USER}000", str(marked(0)["template_id"]))
    producer.send_many([marked(number, lane="bulk") for number in range(30)])
    producer.send(**marked(31))
    producer.send(
        touser=f"{USER}900", template_id=LEGACY_REFUND, form_id=FORM, data={"keyword1": WORDS, "keyword2": WORDS}
    )
    shop = Celery("shop", broker=push.settings.require_broker_url, set_as_current=False)
    shop.conf.broker_transport_options = BROKER_OPTIONS
    intake.register(shop, up.directory)
    shop.send_task("pushjobs.send", kwargs=marked(40))
    shop.close()
    for wrong in (marked(50, page="/p"), marked(51, data={"thing1": WORDS * 9}), marked(52, time=WORDS)):
        with pytest.raises(InvalidInput) as refused:
            producer.send(**wrong)
        told.append(str(refused.value))
    send_the_news(push, people)
    wait_for("all are closed", lambda: sum(producer.counts()[state] for state in JobState if state.is_final) == 53, 60)
    told.append(str(producer.find(touser=f"{USER}000")) + repr(producer.why(producer.find()[0].id)))
    break_deliveries(push)


def send_the_news(push: Runtime, directory: Path) -> None:
    """Have a campaign run, with users and words of an audience, rows that are none, and a rehearsal before it."""
    people = directory / "people.csv"
    rows = [f"{USER}8{number:02d},{WORDS} {number}" for number in range(20)]
    people.write_text("\n".join(["touser,name", *rows, f"{USER}900,{WORDS * 9}", f",{WORDS}"]), encoding="utf-8")
    template_id = str(marked(0)["template_id"])
    content = {"data": {"thing1": "{name}", "thing2": WORDS, "date3": "2026年12月1日"}}
    audience = {"file": str(people)}
    push.campaigns.add("news", cron="0 8 29 2 *", template_id=template_id, audience=audience, content=content)
    assert push.campaigns.rehearse("news").users == 20
    plan_at(push, clock.now() + timedelta(seconds=3))
    wait_for("the run is over", lambda: push.campaigns.runs("news")[0].finished_at is not None, 60)


def break_deliveries(push: Runtime) -> None:
    """Take a table away while jobs are delivered: every worker that needs it writes a traceback."""
    with push.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE pushjobs.recipients RENAME TO gone")
    push.producer.send(**marked(60))
    push.producer.send_many([marked(number) for number in range(61, 70)])
    logs = [push.settings.directory / "logs" / f"{node}.log" for node in ("urgent", "bulk")]
    wait_for("workers complain", lambda: all("Traceback" in log.read_text() for log in logs), 60)
    with push.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE pushjobs.gone RENAME TO recipients")


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Read a process's log; each line must be JSON."""
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_nobody_s_name_and_words_are_to_be_read(
    up: Up, push: Runtime, sandbox: SandboxClient, collector: Collector, tmp_path: Path
) -> None:
    """Not in Redis nor in a command to it, not in SQL, in no file or log, trace or page, in no error's words.

    What every process of ours wrote meanwhile is in the one form, a level and a moment to each line.
    """
    told: list[str] = []
    with Redis.from_url(push.settings.require_redis_url) as redis:
        with overheard(redis) as heard:
            run(up, push, sandbox, tmp_path, told)
        redis.save()
    received = b"".join(json.dumps(each.body).encode() for each in sandbox.all_received())
    assert len(found_in([("WeChat", received)])) == 1  # what is looked for can be found where it belongs
    assert len(heard) > 100
    assert found_in([("Redis", b"\n".join(heard)), ("errors", "\n".join(told).encode())]) == []
    assert found_in(stored(push.settings.require_database_url)) == []
    assert found_in(shown_by_flower(up)) == []
    assert found_in(written(up.directory)) == []
    # Those of the campaign and of the intake among them.
    wait_for("each is traced", lambda: min(len(collector.named(name)) for name in ("accept", "call")) >= 53)
    assert {"accept", "release", "admit", "call", "settle", "receipt"} <= {
        span.name.removeprefix("pushjobs ") for span in collector.spans
    }
    assert found_in([("traces", bytes(collector.bytes))]) == []
    logs = {name: lines_of(push.settings.directory / "logs" / f"{name}.log") for name in OURS}
    assert all({"event", "level", "timestamp"} <= line.keys() for lines in logs.values() for line in lines)
    broken = [line for line in logs["bulk"] if line.get("task") == "pushjobs.deliver"]
    assert broken
    assert all(line["logger"].startswith("celery.") and "Traceback" in line["exception"] for line in broken)
