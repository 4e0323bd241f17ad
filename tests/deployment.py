"""What lies ready for other machines, read by its own programs: docker-compose.yml by docker-compose, units by systemd.

No Docker engine and no systemd is needed. `docker-compose` comes with the development packages, for the machines it is
built for; elsewhere whoever needs it is skipped.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

__all__ = ["DEMO", "OURS", "ROOT", "Service", "compose", "instructions", "ordered", "project", "services"]

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "deploy/demo.env"
OURS = "pushjobs:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of the file, as docker-compose understands it."""

    name: str
    told: Mapping[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether it runs our image."""
        return str(self.told["image"]).startswith(OURS)

    @property
    def command(self) -> list[str]:
        """What it runs."""
        return list(self.told["command"] or ())

    @property
    def environment(self) -> dict[str, str]:
        """What stands in its environment besides what the image says."""
        return dict(self.told.get("environment") or {})

    @property
    def secrets(self) -> list[str]:
        """The files it sees below /run/secrets."""
        return [each["source"] for each in self.told.get("secrets") or ()]

    @property
    def after(self) -> dict[str, str]:
        """Those it begins after, and stops before, each with the condition."""
        return {name: each["condition"] for name, each in (self.told.get("depends_on") or {}).items()}

    @property
    def patience(self) -> float:
        """Seconds between the signal to stop and the kill."""
        found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", self.told["stop_grace_period"])
        assert found
        return 60.0 * int(found[1] or 0) + int(found[2] or 0)

    @property
    def check(self) -> list[str]:
        """The command that says whether it is well, as the engine runs it."""
        kind, *words = self.told["healthcheck"]["test"]
        words = [word.replace("$$", "$") for word in words]
        return ["/bin/sh", "-c", *words] if kind == "CMD-SHELL" else words


def compose(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run docker-compose on our file; skips where there is none for this machine."""
    spec = find_spec("compose")
    if spec is None or spec.origin is None:
        pytest.skip("docker-compose is installed with the development packages on x86-64 Linux only")
    program = Path(spec.origin).with_name("docker-compose")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PUSHJOBS_", "COMPOSE_"))}
    command = [str(program), "--file", str(ROOT / "docker-compose.yml"), *arguments]
    return subprocess.run(
        command, env={**kept, **(environment or {})}, capture_output=True, text=True, timeout=60, check=False
    )


@cache
def project(env_file: Path = DEMO) -> dict[str, Any]:
    """Return the whole file as docker-compose reads it, with all profiles and these settings."""
    done = compose("--env-file", str(env_file), "--profile", "*", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def services() -> dict[str, Service]:
    """Return the services by name."""
    return {name: Service(name=name, told=told) for name, told in project()["services"].items()}


def ordered() -> Sequence[Service]:
    """Return the services, each after those it begins after."""
    waiting = services()
    done: list[Service] = []
    while waiting:
        ready = [each for each in waiting.values() if not each.after.keys() & waiting.keys()]
        assert ready, f"they wait for each other: {sorted(waiting)}"
        done.extend(waiting.pop(each.name) for each in ready)
    return done


def instructions() -> Iterator[tuple[str, str]]:
    """Yield the Dockerfile's instructions and their words, lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        name, _, words = line.partition(" ")
        if name:
            yield name, " ".join(words.split())
