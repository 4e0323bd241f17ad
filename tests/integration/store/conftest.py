"""A bucket of jobs for each test of the store."""

import pytest

from pushjobs.runtime import Runtime
from tests.integration.store.shelf import Shelf


@pytest.fixture
def shelf(runtime: Runtime) -> Shelf:
    """An empty bucket on an empty database."""
    return Shelf(runtime.database)
