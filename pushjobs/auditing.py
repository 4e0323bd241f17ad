"""What operators did at the console, line by line: who, when, what, and what came of it.

A line is committed before what it tells of is begun, whatever that is: the verbs have transactions of their own, and
many have several. So there is no action without its line. When the action is over its outcome is added, or the words
of its refusal; a line without either means that its process died on the way, and says so where it is read.

Lines hold numbers, ids of templates and campaigns, counts and the names of filters. An open id or a content is never
among them: who looked at a job's content is told, what was seen is not.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pushjobs.domain.client import Client
from pushjobs.errors import PushJobsError
from pushjobs.store import audit
from pushjobs.store.audit import Line
from pushjobs.store.database import Database

__all__ = ["AuditLog", "Line"]

_MOST_IDS = 1000


class AuditLog:
    """Writes and reads the lines; safe to share between threads. `door`: where what it writes was asked for."""

    def __init__(self, database: Database, *, door: str = "console") -> None:
        self._database = database
        self._door = door

    @contextmanager
    def line(self, client: Client, action: str, **what: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
        """Write a line, and what comes of the block with it; what is put into the dictionary given is its outcome."""
        with self._database.transaction() as connection:
            entry_no = audit.begin(
                connection,
                client_no=client.client_no,
                client=client.name,
                door=self._door,
                action=action,
                what={name: _short(value) for name, value in what.items() if value not in (None, "")},
            )
        outcome: dict[str, Any] = {}
        try:
            yield outcome
        except PushJobsError as refusal:
            # Messages of ours hold no open id and no content (`errors`).
            self._end(entry_no, {"refused": str(refusal)})
            raise
        # Anything else is a fault of ours: nobody knows how far it came, and the line stays without an end.
        self._end(entry_no, outcome)

    def read(self, client: Client, *, before: int | None = None, limit: int = 50) -> Sequence[Line]:
        """Return a page of lines, the latest first: everybody's, or its own for a client of some apps or templates."""
        is_narrow = client.apps is not None or client.templates is not None
        with self._database.transaction() as connection:
            return audit.read(connection, client_no=client.client_no if is_narrow else None, before=before, limit=limit)

    def _end(self, entry_no: int, outcome: Mapping[str, Any]) -> None:
        with self._database.transaction() as connection:
            audit.end(connection, entry_no, outcome)


def _short(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Keep the first thousand of many numbers: how many there were is told beside them."""
    return list(value)[:_MOST_IDS] if isinstance(value, list | tuple | set | frozenset) else value
