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

ROOT = Path(__file__).parents[2]
HOW_TO, ELSEWHERE = ROOT / "docs/how-to/use-the-api.md", ROOT / "examples/send_from_another_service.py"
PREFIX = "PUSHJOBS_"


EXAMPLES = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)


def run(program: str, environment: dict[str, str]) -> list[str]:
    """Run an example; return the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_page_s_example_runs(worker: Runtime, door: httpx.Client, environment: dict[str, str]) -> None:
    """A client as it is added without more words schedules, reads a batch's report, moves, cancels, runs a campaign."""
    worker.catalogue.sync()
    made = worker.clients.add("shop")
    assert made.client.rights == DEFAULT_RIGHTS
    who = {"PUSH_HOST": str(door.base_url), "PUSH_ID": made.client.id, "PUSH_KEY": made.key, "NO_PROXY": "*"}
    example = "\n".join(each for each in EXAMPLES if "pushjobs.client" not in each and "import hmac" not in each)
    ids, errors, page, why, rows = run(example, environment | who)
    assert ids.count("None") == 1
    assert "'field': 'jobs[2].data.date2'" in errors
    assert page == "3 None"
    assert "2040-12-02 08:00:00" in why
    assert "'number': 3" in rows


def test_the_page_s_client_runs(worker: Runtime, door: httpx.Client, environment: dict[str, str]) -> None:
    """The same from the Python client, which reads who it is from the environment; and the script in examples/."""
    worker.catalogue.sync()
    made = worker.clients.add("shop")
    who = {f"{PREFIX}URL": str(door.base_url), f"{PREFIX}CLIENT_ID": made.client.id, f"{PREFIX}CLIENT_KEY": made.key}
    [example] = [each for each in EXAMPLES if "pushjobs.client" in each]
    moved, report, refused, last = run(example, environment | who)
    assert moved.startswith("scheduled 2040-12-02 00:00:00+00:00 It is not due before 2040-12-02 08:00:00")
    assert (report, last.partition("] ")[2]) == ("1000 []", "1")
    assert refused.startswith("page | begins with a slash | WeChat takes pages without one")
    made_there = run(ELSEWHERE.read_text(encoding="utf-8"), environment | who)
    assert [line.split()[0] for line in made_there] == ["job", "It", "moved"]
