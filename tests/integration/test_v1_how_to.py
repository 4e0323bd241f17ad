"""What docs/how-to/use-the-api.md shows runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import httpx

from pushjobs.domain.client import DEFAULT_RIGHTS
from pushjobs.runtime import Runtime
from tests.integration.own_api import door

__all__ = ["door"]

HOW_TO = Path(__file__).parents[2] / "docs/how-to/use-the-api.md"


def test_the_page_s_example_runs(worker: Runtime, door: httpx.Client, environment: dict[str, str]) -> None:
    """A client as it is added without more words schedules, reads the report of a batch, moves, pages and cancels."""
    worker.catalogue.sync()
    made = worker.clients.add("shop")
    assert made.client.rights == DEFAULT_RIGHTS
    example, _ = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    who = {"PUSH_HOST": str(door.base_url), "PUSH_ID": made.client.id, "PUSH_KEY": made.key, "NO_PROXY": "*"}
    done = subprocess.run(
        [sys.executable, "-c", example],
        env=environment | who,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    ids, errors, page, why = done.stdout.splitlines()
    assert ids.count("None") == 1
    assert "'field': 'jobs[2].data.date2'" in errors
    assert page == "3 None"
    assert "2040-12-02 08:00:00" in why
