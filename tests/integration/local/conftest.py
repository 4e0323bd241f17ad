"""What the tests of the embedded default share: installations that are short-lived, and the end of what they start."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pushjobs.local.daemon import wait_until
from pushjobs.local.directory import Installation
from pushjobs.local.servers import EmbeddedServers

Eventually = Callable[[Callable[[], bool], str], None]


@pytest.fixture
def eventually() -> Eventually:
    """Wait for a condition, which is described for the report of its failure."""

    def wait(condition: Callable[[], bool], description: str) -> None:
        assert wait_until(condition, 5), f"not within 5 s: {description}"

    return wait


@pytest.fixture(scope="module")
def servers() -> Iterator[EmbeddedServers]:
    """Both servers, started once for the tests of a module that do not end them."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedServers(Installation(directory)) as running:
        yield running


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    """Run what a test registers, whether it fails or not."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "installation")
