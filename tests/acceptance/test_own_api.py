"""`/v1` of a running installation, its processes killed meanwhile: batches in, outcomes out, all of them counted."""

import json
import os
import signal
from collections import Counter
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
from tests.acceptance.installation import Up, is_running, news, wait_for
from tests.integration.hands import ask
from tests.integration.own_door import OwnDoor

CALLERS, BATCHES, ROWS = 4, 12, 50
JOBS = BATCHES * ROWS


@pytest.fixture(scope="module")
def more_settings() -> dict[str, str]:
    """Clients' webhooks may be on this machine."""
    return {"PRIVATE_WEBHOOKS": "1"}


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


def test_a_killed_teller_loses_no_outcome(up: Up, push: Runtime) -> None:
    """Whoever tells a client is killed in the middle of a POST: every end is told, twice only under the same id."""
    push.catalogue.sync()
    made = push.clients.add("told")
    who = {"Authorization": f"Bearer {made.client.id}.{made.key}"}
    killed: list[int] = []

    def answer(_: object) -> tuple[int, str]:
        if not killed:
            # Whichever it is: all who might be telling.
            killed.extend(up.children_of("bulk"))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
        return 200, ""

    def told() -> set[tuple[str, int, str]]:
        bodies = [(taken.headers["webhook-id"], json.loads(taken.callback.body)) for taken in door.taken]
        return {(post, job["id"], job["closed_at"]) for post, body in bodies for job in body["data"]["jobs"]}

    with OwnDoor(answer=answer) as door:
        push.webhooks.place(made.client.id, door.url)
        rows = {"jobs": [news(number) for number in range(JOBS)]}
        answered = httpx.post(f"{up.address('http')}/v1/jobs", json=rows, headers=who, timeout=30, trust_env=False)
        assert answered.json()["accepted"] == JOBS
        wait_for("a teller is killed", lambda: bool(killed), 60)
        wait_for("its transactions are over", lambda: not any(map(is_running, killed)))
        # As if the minute were over for which nobody else tells the same.
        ask(push, "UPDATE pushjobs.webhooks SET try_at = now()")
        wait_for("every end is told", lambda: len({job for _, job, _ in told()}) == JOBS, 60)
        wait_for("nothing waits", lambda: ask(push, "SELECT count(*) FROM pushjobs.outcomes") == [(0,)], 60)
    ends = Counter((job, closed_at) for _, job, closed_at in told())
    assert set(ends.values()) == {1}
    assert len(door.taken) > len({post for post, _, _ in told()})
