"""Alerts of a running installation: whoever is left tells, and one of all."""

import json
import os
import signal
from collections.abc import Iterator, Mapping

import pytest

from pushjobs import clock
from pushjobs.runtime import Runtime
from pushjobs.store import examining
from tests.acceptance.installation import Up, command_of, is_running, news, wait_for
from tests.integration.own_door import OwnDoor

WITHIN = 30.0


@pytest.fixture(scope="module")
def monitor() -> Iterator[OwnDoor]:
    """Whoever is told, at an address within."""
    with OwnDoor() as door:
        yield door


@pytest.fixture(scope="module")
def more_settings(monitor: OwnDoor) -> dict[str, str]:
    """It is told of alerts."""
    return {"ALERT_URL": monitor.url}


@pytest.fixture(scope="module")
def options() -> list[str]:
    """With the HTTP doors, which keep watch too."""
    return ["--http", "0"]


def told(monitor: OwnDoor, kind: str) -> list[str]:
    """Return what was told of a kind, in order."""
    bodies = [json.loads(taken.callback.body) for taken in monitor.taken]
    alerts: list[Mapping[str, str]] = [alert for body in bodies for alert in body["data"]["alerts"]]
    return [alert["what"] for alert in alerts if alert["kind"] == kind]


def beat_age(push: Runtime) -> float:
    """Return how many seconds ago the last release tick was."""
    with push.database.transaction() as connection:
        return examining.heartbeat_age(connection) or 0.0


def processes(up: Up, word: bytes) -> list[int]:
    """Return the installation's processes of that command."""
    return [pid for pid in up.applications() if word in command_of(pid)]


def test_a_beat_that_stands_still_is_told_within_seconds(up: Up, push: Runtime, monitor: OwnDoor) -> None:
    """Beat stopped: one message within 30 s, from whoever keeps watch; beat again: one that it is over."""
    wait_for("beat ticks", lambda: beat_age(push) < 2.0)
    [beat] = processes(up, b"\0beat\0")
    stopped_at = clock.monotonic()
    os.kill(beat, signal.SIGSTOP)
    try:
        wait_for("the silence is told", lambda: bool(told(monitor, "beat_silent")), WITHIN)
        print(f"told after {clock.monotonic() - stopped_at:.1f} s")  # noqa: T201 - shown by `pytest -s`
    finally:
        os.kill(beat, signal.SIGCONT)
    went_on_at = clock.monotonic()
    wait_for("its end is told", lambda: "ended" in told(monitor, "beat_silent"), 60)
    print(f"over after {clock.monotonic() - went_on_at:.1f} s")  # noqa: T201 - as above
    assert told(monitor, "beat_silent") == ["began", "ended"]


def test_with_every_worker_standing_still_the_doors_tell(up: Up, push: Runtime, monitor: OwnDoor) -> None:
    """All workers stopped, parents and children: the doors' process tells of the silence and of what is late."""
    monitor.taken.clear()
    workers = [pid for pid in processes(up, b"celery") if is_running(pid)]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        push.producer.send_many([news(1)])
        wait_for("the silence is told", lambda: told(monitor, "beat_silent") == ["began"], WITHIN)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
