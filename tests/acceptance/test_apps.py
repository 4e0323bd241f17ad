"""Two apps in one installation of real processes, the second added while they run; counted at the sandbox."""

import subprocess
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient, SandboxOptions, SandboxProcess
from pushjobs.wechat.crypto import signature
from tests.acceptance.installation import Up, news, wait_for

OURS, OTHER = "wxsandbox00000000", "wxother"
OTHER_SECRET, OTHER_TOKEN = "another-secret", "anothertoken"
RATE, OTHER_RATE = 100, 25
SEEN_SECONDS = 10
"""The doors see another app within five; the rest is for a busy machine."""


@pytest.fixture(scope="module")
def rate() -> int:
    """Of the environment's app."""
    return RATE


@pytest.fixture(scope="module")
def options() -> Sequence[str]:
    """The HTTP doors at a free port."""
    return ["--http", "0"]


@pytest.fixture(scope="module")
def wechat() -> Iterator[SandboxProcess]:
    """A sandbox that knows two apps."""
    with SandboxProcess(SandboxOptions(apps={OURS: "sandbox-secret", OTHER: OTHER_SECRET})) as running:
        yield running


def add_other(up: Up) -> None:
    """Add the second app from the terminal."""
    program = str(Path(sys.executable).with_name("pushjobs"))
    subprocess.run(
        [program, "app", "add", OTHER, "--callbacks", "--rate-per-second", str(OTHER_RATE)],
        input=f"{OTHER_SECRET}\n{OTHER_TOKEN}\n\n",
        env={**up.environment, "PUSHJOBS_DIRECTORY": str(up.directory)},
        text=True,
        check=True,
        capture_output=True,
    )


def fullest_second(arrivals: Sequence[float]) -> int:
    """Count the arrivals of the fullest second, wherever it begins."""
    ordered = sorted(arrivals)
    return max(bisect_left(ordered, moment + 1) - index for index, moment in enumerate(ordered))


def test_two_apps_side_by_side(up: Up, push: Runtime, sandbox: SandboxClient) -> None:
    """Both backlogs go out, each under its own name and at its own rate; the second app's door answers by its token."""
    add_other(up)
    counts = {OURS: 300, OTHER: 100}
    rows = [news(number, appid=appid) for appid, count in counts.items() for number in range(count)]
    report = push.producer.send_many(rows)
    assert (report.accepted, report.rejected) == (400, [])
    producers = {appid: push.producer.app(appid) for appid in counts}
    wait_for(
        "everything is sent",
        lambda: all(each.counts()[JobState.SENT] == counts[appid] for appid, each in producers.items()),
        seconds=60,
    )
    received = list(sandbox.all_received())
    for appid, limit in ((OURS, RATE), (OTHER, OTHER_RATE)):
        own = [each for each in received if each.appid == appid]
        assert len({each.touser for each in own}) == len(own) == counts[appid]
        assert fullest_second([each.arrived_at for each in own]) <= limit
    wait_for("the second app's door is open", lambda: greet(up) == "hello", seconds=SEEN_SECONDS)


def greet(up: Up) -> str:
    """Shake hands with the second app's door; return its answer."""
    timestamp = str(int(clock.now().timestamp()))
    query = {"signature": signature(OTHER_TOKEN, timestamp, "1"), "timestamp": timestamp, "nonce": "1"}
    address = f"{up.address('http')}/callback/{OTHER}"
    return httpx.get(address, params=query | {"echostr": "hello"}, trust_env=False).text
