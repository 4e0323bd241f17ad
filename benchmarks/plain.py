"""Run the plain Celery application: its Valkey, its worker, its messages."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from celery import Celery

from benchmarks.measure import DAILY_QUOTA, PROCESSES, RATE_PER_SECOND, Arrived, Load, arrivals, cpu_spent, wait_for_all
from pushjobs import clock, settings
from pushjobs.local.daemon import wait_until
from pushjobs.local.directory import Installation
from pushjobs.local.valkey import ValkeyServer
from pushjobs.sandbox import SandboxProcess
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.sandbox.options import DEFAULT_APPID, DEFAULT_SECRET

__all__ = ["measure_plain"]

_PUBLISHED_PER_SECOND = 500
_READY_SECONDS = 30.0


def measure_plain(load: Load, directory: Path) -> Arrived:
    """Publish the messages as ETA tasks for one moment, and count what the sandbox receives from then on."""
    installation = Installation(directory)
    with ValkeyServer(installation) as valkey, SandboxProcess() as sandbox:
        sandbox.client.change_settings(latency_ms=load.latency_ms, keep_bodies=False)
        broker_url = valkey.url.replace("unix://", "redis+socket://")
        environment = {
            "PLAIN_BROKER_URL": broker_url,
            "PLAIN_REDIS_URL": valkey.url,
            "PLAIN_WECHAT_URL": sandbox.base_url,
            "PLAIN_APPID": DEFAULT_APPID,
            "PLAIN_SECRET": DEFAULT_SECRET,
            "PLAIN_RATE_PER_SECOND": str(RATE_PER_SECOND),
            "PLAIN_DAILY_QUOTA": str(DAILY_QUOTA),
        }
        with Celery("plain", broker=broker_url, set_as_current=False) as app, _worker(app, environment, directory):
            _publish(app, load.messages)
            with cpu_spent() as spent:
                wait_for_all(sandbox.client, load.messages)
                cpu = spent()
        return arrivals(sandbox.client, load.messages, cpu)


def _publish(app: Celery, messages: int) -> None:
    moment = clock.now() + timedelta(seconds=3 + messages / _PUBLISHED_PER_SECOND)
    data = {"thing2": {"value": "今日要闻"}, "date3": {"value": "2026年12月1日"}}
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(messages):
            app.send_task(
                "benchmarks.plain_celery.send_push",
                args=[f"oReader{number:07d}", DAILY_NEWS, {"thing1": {"value": f"第{number}期"}, **data}],
                eta=moment,
                ignore_result=True,
                producer=producer,
            )


@contextmanager
def _worker(app: Celery, environment: dict[str, str], directory: Path) -> Iterator[None]:
    command = [
        *(sys.executable, "-m", "celery", "-A", "benchmarks.plain_celery", "worker"),
        *("--pool", "prefork", "-c", str(PROCESSES), "-n", "plain@%h", "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    with (directory / "plain.log").open("ab") as log:
        worker = subprocess.Popen(command, env=settings.environment() | environment, stdout=log, stderr=log)
        try:
            if not wait_until(lambda: bool(app.control.ping(timeout=0.5)), _READY_SECONDS):
                raise TimeoutError(f"the plain worker is not ready: {os.fspath(directory)}/plain.log says why")
            yield
        finally:
            worker.terminate()
            worker.wait()
