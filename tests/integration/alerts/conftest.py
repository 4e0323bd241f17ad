"""An installation whose alerts are told to a WeCom robot on this machine."""

from collections.abc import Iterator

import pytest

from tests.integration.alerts.robots import KEY, TAKEN
from tests.integration.own_door import OwnDoor


@pytest.fixture
def robot() -> Iterator[OwnDoor]:
    """The robot, which takes what it gets."""
    with OwnDoor(answer=lambda _: (200, TAKEN)) as door:
        yield door


@pytest.fixture
def environment(environment: dict[str, str], robot: OwnDoor) -> dict[str, str]:
    """Alerts are told there."""
    return environment | {"PUSHJOBS_ALERT_URL": f"wecom+{robot.url}?key={KEY}"}
