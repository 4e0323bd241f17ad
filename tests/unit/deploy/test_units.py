"""The systemd units: the same processes as everywhere, told to drain, closed in, and understood by systemd."""

import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from pushjobs.local import applications
from pushjobs.local.directory import Installation
from tests.deployment import ROOT, services

UNITS = ROOT / "deploy/systemd"
HOME = "/opt/pushjobs/"
WORKERS = {"pushjobs-ticks": "ticks", "pushjobs-urgent": "urgent", "pushjobs-bulk@": "bulk"}
CLOSED = {
    "CapabilityBoundingSet": "",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateTmp": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
    "SystemCallFilter": "@system-service",
    "UMask": "0077",
}


def unit(name: str) -> ConfigParser:
    """Read a unit; a key that comes twice is refused."""
    read = ConfigParser(interpolation=None, strict=True, delimiters=("=",), comment_prefixes=("#",))
    read.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
    read.read_string((UNITS / name).read_text())
    return read


def units() -> dict[str, ConfigParser]:
    """Read the services by their names."""
    return {path.stem: unit(path.name) for path in UNITS.glob("*.service")}


def command(name: str) -> list[str]:
    """Return what a service runs, with systemd's own signs replaced."""
    line = units()[name]["Service"]["ExecStart"]
    return line.replace("%%", "%").replace("%i", "").replace("${BULK_PROCESSES}", "2").split()


def test_the_processes_are_those_of_compose() -> None:
    """Each unit runs what its service in docker-compose.yml runs, which is tried by a test of its own."""
    assert units().keys() == {*WORKERS, "pushjobs-beat", "pushjobs-http", "pushjobs-flower"}
    for name, node in {**{unit: f"worker-{node}" for unit, node in WORKERS.items()}, "pushjobs-beat": "beat"}.items():
        program, *arguments = command(name)
        assert program == f"{HOME}.venv/bin/celery"
        assert ["celery", *arguments] == services()[node].command, name
    flower = [word for word in services()["flower"].command if not word.startswith("--address")]
    assert command("pushjobs-flower") == [f"{HOME}.venv/bin/celery", *flower[1:]]


def test_the_doors_inherit_their_socket(tmp_path: Path) -> None:
    """The socket is systemd's, at this machine's own address, and is handed on under the number 3, as by `up`."""
    socket = unit("pushjobs-http.socket")["Socket"]
    assert socket["ListenStream"] == "127.0.0.1:8080"
    listening = applications.http(Installation(tmp_path), {}, listening=3).command
    assert command("pushjobs-http") == [f"{HOME}.venv/bin/python", *listening[1:]]
    assert units()["pushjobs-http"]["Unit"]["Requires"] == "pushjobs-http.socket"


def test_workers_have_time_to_drain(tmp_path: Path) -> None:
    """The first process alone is told, and has longer than with `up`; a child short of memory takes nobody along."""
    patience = {each.name: each.patience for each in applications.workers(Installation(tmp_path), {}, bulk=2)}
    for name, node in WORKERS.items():
        told = units()[name]["Service"]
        assert (told["KillMode"], told["KillSignal"], told["OOMPolicy"]) == ("mixed", "SIGTERM", "continue")
        assert float(told["TimeoutStopSec"].removesuffix("s")) > patience[node]


def test_each_is_closed_in_and_comes_back() -> None:
    """No root, no capability, nothing to write but its own directory; secrets are credentials; it is started again."""
    for name, read in units().items():
        told = read["Service"]
        assert {key: told[key] for key in CLOSED} == CLOSED, name
        assert (told["User"], told["StateDirectory"], told["StateDirectoryMode"]) == ("pushjobs", "pushjobs", "0700")
        assert told["LoadCredential"] == "pushjobs:/etc/pushjobs/secrets"
        assert "PUSHJOBS_SECRETS_DIR=%d" in told["Environment"].split()
        assert (told["Type"], told["Restart"]) == ("exec", "always")
        assert told["MemoryMax"]
        assert (read["Unit"]["PartOf"], read["Install"]["WantedBy"]) == ("pushjobs.target", "pushjobs.target")
        page = read["Unit"]["Documentation"].removeprefix(f"file:{HOME}")
        assert (ROOT / page).is_file()


def test_systemd_understands_them(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, and finds every program where it lies here."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze on this machine")
    for path in UNITS.iterdir():
        text = path.read_text().replace(f"{HOME}.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / path.name).write_text(text.replace(HOME, f"{ROOT}/"))
    done = subprocess.run([analyze, "verify", *tmp_path.iterdir()], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
