"""`/v1` of a running installation, its process killed while callers send batches; counted at the sandbox."""

import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import Any

import httpx
import pytest

from pushjobs.domain.job import JobState
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from tests.acceptance.installation import Up, news, wait_for

CALLERS, BATCHES, ROWS = 4, 12, 50
JOBS = BATCHES * ROWS


@pytest.fixture(scope="module")
def options() -> Sequence[str]:
    """With the doors."""
    return ["--http", "0", "--no-flower"]


def test_all_is_ready(up: Up) -> None:
    """`/readyz` names everything that messages need; with beat and every worker there, each is well."""
    url = f"{up.address('http')}/readyz"
    wait_for("all is ready", lambda: httpx.get(url, timeout=5, trust_env=False).status_code == 200)
    found = httpx.get(url, timeout=5, trust_env=False).json()
    assert found == dict.fromkeys(("database", "redis", "beat", "workers"), "ok")


def test_a_batch_is_accepted_whole_or_not_at_all(up: Up, push: Runtime, sandbox: SandboxClient) -> None:
    """The process is killed twice among batches, each asked for again with its rows' keys until it is answered.

    Every answered number is a job that arrives, and every user gets one message; of no batch is a part there.
    """
    push.catalogue.sync()
    made = push.clients.add("killed", rights=("read", "write"))
    who = {"Authorization": f"Bearer {made.client.id}.{made.key}"}
    host, first, done = up.address("http"), up.door(), count()

    def send(batch: int) -> list[int]:
        rows = [news(number, idempotency_key=f"row {number}") for number in range(batch * ROWS, (batch + 1) * ROWS)]
        answers: list[dict[str, Any]] = []

        def is_answered() -> bool:
            with suppress(httpx.TransportError):
                answer = httpx.post(f"{host}/v1/jobs", json={"jobs": rows}, headers=who, timeout=10, trust_env=False)
                if answer.status_code == 200:
                    answers.append(answer.json())
            return bool(answers)

        wait_for(f"batch {batch} is answered", is_answered, 60)
        [report] = answers
        # A batch that was accepted before its answer was lost is known as a whole.
        assert (report["accepted"], report["known"]) in {(ROWS, 0), (0, ROWS)}
        if next(done) in {BATCHES // 4, BATCHES // 2} and (door := up.door()) is not None:
            with suppress(ProcessLookupError):
                os.kill(door, signal.SIGKILL)
        ids: list[int] = report["ids"]
        return ids

    with ThreadPoolExecutor(CALLERS) as pool:
        ids = [each for several in pool.map(send, range(BATCHES)) for each in several]
    assert len(set(ids)) == JOBS
    wait_for("all arrived", lambda: sandbox.summary().accepted >= JOBS, 60)
    wait_for("all are settled", lambda: push.producer.counts()[JobState.SENT] == JOBS, 60)
    summary = sandbox.summary()
    assert (summary.accepted, summary.repeats) == (JOBS, 0)
    assert up.door() != first
    found = httpx.get(f"{host}/v1/jobs/{ids[0]}", headers=who, timeout=10, trust_env=False).json()
    assert (found["state"], found["client"]) == ("sent", "killed")
