"""Summaries kept: what became of jobs added up, what is scheduled counted, so that no page ever counts all jobs.

Both are idempotent, and any process may do either: one at a time does.
"""

from pushjobs import clock
from pushjobs.store import census, minutes
from pushjobs.store.database import Database

__all__ = ["Summaries"]

_SETTLED_SECONDS = 70.0
"""How long what a slice left stays where it is: back-pressure and the last minute's figures read it."""

_AT_ONCE = 20_000
_LONGEST_SECONDS = 2.0

_APART_SECONDS = 5.0
_SHARE = 20.0
"""Counting what is scheduled takes at most a twentieth of one process's time."""


class Summaries:
    """Brings the summaries up to date; one a process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bring_up_to_date(self) -> None:
        """Add up what slices have left, for at most some seconds, and count what is scheduled, if that is due."""
        until = clock.monotonic() + _LONGEST_SECONDS
        while clock.monotonic() < until:
            with self._database.transaction() as connection:
                if minutes.roll_up(connection, age=_SETTLED_SECONDS, limit=_AT_ONCE) < _AT_ONCE:
                    break
        with self._database.transaction() as connection:
            if census.is_stale(connection, apart=_APART_SECONDS, share=_SHARE):
                census.take(connection)
