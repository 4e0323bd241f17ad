"""Everything at once, in small: `pushjobs chaos` with a fixed seed. `make chaos` is the same with 50,000 jobs."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# It holds the system to its seconds: a dead worker's jobs are decided within 20 s of the death.
pytestmark = pytest.mark.timing

PROGRAM = str(Path(sys.executable).with_name("pushjobs"))
JOBS, RATE, SEED = 900, 100, 3
OPTIONS = ["--kill-every", "1.5", "--json"]


def test_no_promise_is_broken_by_a_storm(tmp_path: Path) -> None:
    """Processes and servers killed, a flush, a slow and dropping sandbox, two beats: every job is accounted for.

    Settings of the environment lead it nowhere: they name servers and an app that do not exist.
    """
    elsewhere = {
        "PUSHJOBS_DATABASE_URL": "postgresql+psycopg://nobody@/nothing?host=/nonexistent",
        "PUSHJOBS_REDIS_URL": "redis://127.0.0.1:9",
        "PUSHJOBS_WECHAT_BASE_URL": "http://127.0.0.1:9",
        # Short: the sockets of its servers live below it.
        "TMPDIR": tempfile.mkdtemp(prefix="chaos-"),
    }
    done = subprocess.run(
        [PROGRAM, "chaos", "--jobs", str(JOBS), "--per-second", str(RATE), "--seed", str(SEED), *OPTIONS],
        env={**os.environ, **elsewhere},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=118,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["broken"] == []
    assert result["planned"] == sum(result["counts"].values()) == JOBS
    for state in ("sent", "refused", "cancelled"):
        assert result["counts"][state] > 0
    for state in ("scheduled", "released", "sending"):
        assert result["counts"][state] == 0
    assert len(result["faults"]) > 7
    assert result["sending_at_kills"] >= result["doubts_by_kill"]
    Path(elsewhere["TMPDIR"]).rmdir()  # fails unless it is empty
    assert not list(tmp_path.iterdir())
