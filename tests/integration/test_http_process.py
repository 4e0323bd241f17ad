"""`python -m pushjobs.http` as a process: how it ends, and what it says when it cannot begin."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.acceptance.installation import wait_for

COMMAND = [sys.executable, "-m", "pushjobs.http"]


def is_healthy(address: str) -> bool:
    """Whether the process answers; it may still be on its way."""
    try:
        return httpx.get(f"{address}/healthz", timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_sigterm_closes_the_doors(environment: dict[str, str]) -> None:
    """It answers at a socket it inherits; told to stop, it ends at once, says nothing, and nobody answers any more."""
    environment["PUSHJOBS_ACCESS_LOG"] = "false"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, number = listening.getsockname()[1], listening.fileno()
        process = subprocess.Popen(
            [*COMMAND, "--socket", str(number)], env=environment, pass_fds=[number], stderr=subprocess.PIPE, text=True
        )
    try:
        wait_for("it answers", lambda: is_healthy(f"http://127.0.0.1:{port}"))
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=5)
    finally:
        process.kill()
    assert (process.returncode, said) == (-signal.SIGTERM, "")
    assert not is_healthy(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("arguments", "changes", "status", "said"),
    [
        ([], {"PUSHJOBS_DATABASE_URL": ""}, 2, "nothing runs in"),
        ([], {"PUSHJOBS_CALLBACK_AES_KEY": "k" * 43}, 2, "PUSHJOBS_CALLBACK_TOKEN is missing"),
        (["--port", "70000"], {}, 1, "cannot listen at 127.0.0.1, port 70000"),
        (["--host", "192.0.2.1"], {}, 1, "cannot listen at 192.0.2.1"),
    ],
)
def test_what_keeps_it_from_beginning_is_one_line(
    environment: dict[str, str],
    tmp_path: Path,
    arguments: list[str],
    changes: dict[str, str],
    status: int,
    said: str,
) -> None:
    """A wrong setting ends it with 2, an address it cannot have with 1; one line says which, and no traceback."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment | {"PUSHJOBS_DIRECTORY": str(tmp_path)} | changes,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1)
    assert done.stderr.startswith("pushjobs.http: ")
    assert said in done.stderr
