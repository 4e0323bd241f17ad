"""Which tests stay together when they run in several processes: those that share what is costly to start.

Not by marks: xdist 3.8 writes a group's name into pytest's node ids in a way that pytest 9.2 no longer reads, and then
silently spreads the group over all processes, each of which starts what was to be shared.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

__all__ = ["Together"]

STORY = "tests/story/"


class Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """A file's tests stay in one process, and so does the whole story; in the order they were collected in."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        # xdist's own order is by the number of tests, and the costly files have few.
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return STORY if nodeid.startswith(STORY) else nodeid.partition("::")[0]
