"""How fast the sandbox is: it must never be what a benchmark of ours measures."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pushjobs.sandbox import SandboxClient, SandboxProcess

SENDS = 20_000


@pytest.mark.timing
def test_takes_thousands_of_sends_a_second(sandbox_process: SandboxProcess, control: SandboxClient, token: str) -> None:
    """Strict, over 100 kept-alive connections, it takes 4,000 sends a second even on a busy machine."""
    port = urlsplit(sandbox_process.base_url).port
    script = Path(__file__).with_name("hammer.py")
    command = [sys.executable, str(script), str(port), token, str(SENDS), "100"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert result["faults"] == 0
    assert (control.summary().accepted, control.summary().repeats) == (SENDS, 0)
    assert SENDS / result["seconds"] >= 4000
