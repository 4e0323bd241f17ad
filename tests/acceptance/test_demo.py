"""The first thing a newcomer runs."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("pushjobs"))


def test_the_demo_accounts_for_every_notice(tmp_path: Path) -> None:
    """It ends with 0, everything sent once, nothing early, no user over quota, and leaves nothing behind.

    Settings of the environment lead it nowhere: they name servers and an app that do not exist.
    """
    elsewhere = {
        "PUSHJOBS_DATABASE_URL": "postgresql+psycopg://nobody@/nothing?host=/nonexistent",
        "PUSHJOBS_REDIS_URL": "redis://127.0.0.1:9",
        "PUSHJOBS_WECHAT_BASE_URL": "http://127.0.0.1:9",
        "PUSHJOBS_WECHAT_APPID": "wx0000000000000000",
        "PUSHJOBS_WECHAT_SECRET": "real",
        # Short: the sockets of its servers live below it.
        "TMPDIR": tempfile.mkdtemp(prefix="demo-"),
    }
    done = subprocess.run(
        [PROGRAM, "demo"],
        env={**os.environ, **elsewhere},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = done.stdout.splitlines()[-1]
    total = r"(\d+) planned = (\d+) sent \+ 7 refused \+ 2 deferred \+ 1 cancelled: every notice accounted for"
    numbers = re.match(total, verdict)
    assert numbers, verdict
    planned, sent = map(int, numbers.groups())
    assert planned == sent + 10 > 300
    assert "3 of 3 a day" in done.stdout
    for held in ("2   refused     daily quota", "2   deferred    daily quota", "1   cancelled   on request"):
        assert held in done.stdout
    figures = re.search(r"p50 ([\d.]+) ms.*p99 ([\d.]+) ms.*earliest \+([\d.]+) ms", done.stdout)
    assert figures, done.stdout
    # That they are small is for test_timing to say, which measures alone on the machine.
    assert 0 <= float(figures[3]) <= float(figures[1]) <= float(figures[2])
    for reason in ("is not in the app's catalogue", "23 characters", "is missing", "a slash", "cannot be read"):
        assert reason in done.stdout
    Path(elsewhere["TMPDIR"]).rmdir()  # fails unless it is empty
    assert not list(tmp_path.iterdir())
