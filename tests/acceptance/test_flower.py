"""Flower of a running `up`: who is let in, what there is to see, and that nothing can be done there."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from pushjobs.domain.job import JobState
from pushjobs.runtime import Runtime
from tests.acceptance.installation import Up, command_of, news, wait_for

PAGES = ("/", "/workers", "/tasks", "/broker", "/api/workers?refresh=1", "/api/tasks", "/api/queues/length", "/metrics")
ACTIONS = (
    "/api/task/async-apply/pushjobs.prune",
    "/api/task/apply/pushjobs.prune",
    "/api/task/send-task/pushjobs.prune",
    "/api/worker/shutdown/{worker}",
    "/api/worker/pool/restart/{worker}",
    "/api/worker/pool/grow/{worker}?n=1",
    "/api/worker/pool/shrink/{worker}?n=1",
    "/api/worker/queue/add-consumer/{worker}?queue=celery",
    "/api/worker/queue/cancel-consumer/{worker}?queue=pushjobs.bulk",
    "/api/task/revoke/{task}?terminate=true",
    "/api/task/rate-limit/pushjobs.deliver?workername={worker}&ratelimit=1/h",
)
NODES = {"ticks", "urgent", "bulk"}


@pytest.fixture(scope="module")
def options() -> Sequence[str]:
    """Flower at a free port, and no doors."""
    return ["--no-http", "--flower", "0"]


@pytest.fixture
def stranger(up: Up) -> Iterator[httpx.Client]:
    """Somebody who has found Flower's address."""
    with httpx.Client(base_url=up.address("flower"), trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def operator(up: Up, stranger: httpx.Client) -> httpx.Client:
    """Somebody who has read what `up` prints."""
    password = up.address("flower_password").partition(",")[0]
    stranger.auth = httpx.BasicAuth(up.address("flower_user"), password)
    return stranger


def tasks_of(client: httpx.Client) -> list[dict[str, Any]]:
    """Return the deliveries that Flower knows."""
    found = client.get("/api/tasks", params={"limit": 1000, "taskname": "pushjobs.deliver"}).json()
    return list(found.values())


def test_nobody_is_let_in_without_the_password(up: Up, stranger: httpx.Client) -> None:
    """Every page, the API and the figures ask for it; a wrong one is refused; it is in no command line."""
    wait_for("Flower answers", lambda: stranger.get("/healthcheck").text == "OK")
    for page in (*PAGES, "/task/1", "/worker/bulk"):
        assert stranger.get(page).status_code == 401, page
        assert stranger.get(page, auth=("pushjobs", "password")).status_code == 401, page
    assert stranger.post("/api/task/async-apply/pushjobs.prune").status_code == 401
    password = json.loads((up.directory / "flower.json").read_text())["password"]
    assert password == up.address("flower_password").partition(",")[0]
    assert (up.directory / "flower.json").stat().st_mode & 0o077 == 0
    commands = [command_of(int(path.name)) for path in Path("/proc").glob("[0-9]*")]
    assert any(b"flowerconfig.py" in command for command in commands)
    assert not [command for command in commands if password.encode() in command]


def test_it_listens_on_this_machine_only(up: Up) -> None:
    """What is bound is the loopback address, whatever other addresses the machine has."""
    port = up.address("flower").rpartition(":")[2]
    [listening] = [
        line.split()[1]
        for path in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(path).read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{int(port):04X}") and line.split()[3] == "0A"
    ]
    assert listening == f"0100007F:{int(port):04X}"


def test_deliveries_are_found(push: Runtime, operator: httpx.Client) -> None:
    """Workers, queues and deliveries are there by useful names; a task says how many jobs and which, and nobody's name.

    Neither an open id nor a word of a message is in anything that Flower says.
    """
    push.producer.send_many([news(number, lane="bulk") for number in range(40)])
    push.producer.send_many([news(41, lane="urgent")])
    wait_for("all are sent", lambda: push.producer.counts()[JobState.SENT] == 41, 60)
    wait_for(
        "Flower has heard of both lanes", lambda: {each["args"][1:5] for each in tasks_of(operator)} >= {"urge", "bulk"}
    )
    deliveries = tasks_of(operator)
    jobs = {str(job.id) for job in push.producer.find(limit=100)}
    for each in deliveries:
        lane, _, rest = each["args"].strip("()").partition(", ")
        count, first = rest.split(" jobs from ")
        assert lane in {"urgent", "bulk"}
        assert 1 <= int(count) <= 41
        assert first in jobs
        assert (each["kwargs"], each["state"]) == ("{}", "SUCCESS")
        assert each["worker"].partition("@")[0] == lane
    workers = operator.get("/api/workers", params={"refresh": "1"}).json()
    assert {name.partition("@")[0] for name in workers} == NODES
    read = {queue["name"] for worker in workers.values() for queue in worker["active_queues"]}
    lengths = {each["name"] for each in operator.get("/api/queues/length").json()["active_queues"]}
    assert lengths == read >= {"pushjobs.urgent", "pushjobs.bulk", "pushjobs.ticks", "pushjobs.intake"}

    shown = {page: operator.get(page) for page in (*PAGES, *(f"/task/{each['uuid']}" for each in deliveries))}
    assert {page for page, answer in shown.items() if answer.status_code != 200} == set()
    assert all(name in shown["/workers"].text for name in workers)
    table = operator.get("/tasks/datatable", params=DATATABLE)
    assert "pushjobs.deliver" in table.text
    texts = [answer.text for answer in (*shown.values(), table)]
    assert not [text for text in texts for mark in ("oReader", "要闻", "\\u8981\\u95fb") if mark in text]


DATATABLE = {
    "draw": "1",
    "start": "0",
    "length": "100",
    "search[value]": "pushjobs.deliver",
    "order[0][column]": "0",
    "order[0][dir]": "desc",
    "columns[0][data]": "name",
}


def test_nothing_can_be_done_there(push: Runtime, operator: httpx.Client) -> None:
    """With the password too every POST is refused, and the workers are as they were."""
    push.producer.send_many([news(1)])
    wait_for("Flower has heard of it", lambda: bool(tasks_of(operator)))
    before = operator.get("/api/workers", params={"refresh": "1"}).json()
    worker = next(name for name in before if name.startswith("bulk@"))
    for action in ACTIONS:
        path = action.format(worker=worker, task=tasks_of(operator)[0]["uuid"])
        assert operator.post(path, json={"args": []}).status_code == 403, path
    after = operator.get("/api/workers", params={"refresh": "1"}).json()
    assert {name: each["active_queues"] for name, each in after.items()} == {
        name: each["active_queues"] for name, each in before.items()
    }
    assert after[worker]["stats"]["pool"]["processes"] == before[worker]["stats"]["pool"]["processes"]


def test_a_password_that_is_set_is_taken_and_not_shown(up: Up, tmp_path: Path) -> None:
    """Flower by itself, as a service manager starts it: with a password from a file, and acting, as it was told to."""
    (tmp_path / "pushjobs_flower_password").write_text("a-password-of-our-own\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PUSHJOBS_")},
        "PUSHJOBS_DIRECTORY": str(up.directory),
        "PUSHJOBS_SECRETS_DIR": str(tmp_path),
        "PUSHJOBS_FLOWER_READ_ONLY": "false",
    }
    with (
        subprocess.Popen([*FLOWER, f"--port={port}"], env=environment, stderr=subprocess.PIPE) as flower,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client,
    ):
        try:
            wait_for("Flower answers", lambda: answers(client))
            assert client.get("/workers").status_code == 401
            client.auth = httpx.BasicAuth("pushjobs", "a-password-of-our-own")
            wait_for("it knows the workers", lambda: len(client.get("/api/workers?refresh=1").json()) == len(NODES))
            ran = client.post("/api/task/async-apply/pushjobs.rescue", json={"args": []})
            assert (ran.status_code, set(ran.json())) == (200, {"task-id"})
        finally:
            flower.terminate()


def test_without_a_password_it_does_not_begin(up: Up) -> None:
    """Nobody set one: it ends with a line that names the variable, instead of being open to everybody."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PUSHJOBS_")}
    environment["PUSHJOBS_DIRECTORY"] = str(up.directory)
    done = subprocess.run(
        [*FLOWER, "--port=0"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1] == (
        "flower: PUSHJOBS_FLOWER_PASSWORD is not set: Flower would be open to everybody"
    )


FLOWER = [
    *(sys.executable, "-m", "celery", "-A", "workers.app", "flower"),
    f"--conf={Path(__file__).parents[2] / 'workers' / 'flowerconfig.py'}",
]


def answers(client: httpx.Client) -> bool:
    """Whether anybody is there."""
    try:
        return client.get("/healthcheck").text == "OK"
    except httpx.TransportError:
        return False
