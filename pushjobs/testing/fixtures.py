"""The fixtures. A session starts what its tests ask for, once; a test that asks for none of them starts nothing."""

from collections.abc import Iterator, Mapping

import pytest

from pushjobs import settings
from pushjobs.producer import Producer
from pushjobs.testing.asked import AcceptedJobs
from pushjobs.testing.counting import Sandbox
from pushjobs.testing.installation import Installation, Keywords

__all__ = [
    "accepted",
    "push",
    "pushjobs_emptied",
    "pushjobs_installation",
    "pushjobs_servers",
    "pushjobs_settings",
    "pushjobs_templates",
    "sandbox",
]


@pytest.fixture(scope="session")
def pushjobs_settings() -> Mapping[str, str]:
    """Give settings of the installation, without their prefix; to be overridden: `return {"DAILY_QUOTA": "3"}`."""
    return {}


@pytest.fixture(scope="session")
def pushjobs_templates() -> Mapping[str, Keywords]:
    """Give your templates' keys by id, to be overridden: `return {"TPL": ["thing1", "time2"]}`.

    In place of a list, a mapping says which texts a key allows: {"thing1": [], "enum2": ["线上", "线下"]}.
    """
    return {}


@pytest.fixture(scope="session")
def pushjobs_servers(
    pushjobs_settings: Mapping[str, str], pushjobs_templates: Mapping[str, Keywords]
) -> Iterator[Installation]:
    """Run PostgreSQL, Valkey and a WeChat sandbox: what accepts jobs, and sends none.

    While it runs the environment leads there, so that application code finds it by `pushjobs.connect()`.
    """
    with Installation(pushjobs_settings, pushjobs_templates) as installation, pytest.MonkeyPatch.context() as patch:
        # What happens to be set must not lead a test to anyone's real servers.
        for name in [name for name in settings.environment() if name.startswith("PUSHJOBS_")]:
            patch.delenv(name)
        for name, value in installation.variables.items():
            patch.setenv(name, value)
        yield installation


@pytest.fixture(scope="session")
def pushjobs_installation(pushjobs_servers: Installation) -> Iterator[Installation]:
    """Run the same with workers, beat and the HTTP door: what `pushjobs up --sandbox` starts, without Flower.

    The environment then leads `pushjobs.client.Client()` there, too.
    """
    pushjobs_servers.start_workers()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in pushjobs_servers.variables.items():
            patch.setenv(name, value)
        yield pushjobs_servers


@pytest.fixture
def pushjobs_emptied(pushjobs_servers: Installation) -> Installation:
    """Give the installation, emptied of the jobs of the test before, and the sandbox as at its start."""
    pushjobs_servers.empty()
    return pushjobs_servers


@pytest.fixture
def push(pushjobs_installation: Installation, pushjobs_emptied: Installation) -> Producer:
    """Give what `pushjobs.connect()` returns, on an installation that has no jobs yet and sends those it gets."""
    del pushjobs_emptied  # it empties
    return pushjobs_installation.push


@pytest.fixture
def sandbox(pushjobs_installation: Installation, pushjobs_emptied: Installation) -> Sandbox:
    """Give WeChat's stand-in, where everything arrives: to count at, and to order refusals and faults from."""
    del pushjobs_emptied  # it empties
    return pushjobs_installation.sandbox


@pytest.fixture
def accepted(pushjobs_emptied: Installation) -> AcceptedJobs:
    """Tell what was accepted, with what it says, and not sent: it starts no workers, and holds back those there are."""
    pushjobs_emptied.runtime.operations.pause(note="a test looks at what was accepted")
    return AcceptedJobs(pushjobs_emptied.accepted, pushjobs_emptied.push)
