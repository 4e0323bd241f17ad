"""Keys: which sealed values name which, and all of them sealed anew with the newest.

The ring is not decided here: it is what the environment or `keys.json` says. Safe while everything runs, and to be
run again after whatever stopped it: what names the newest key is done.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pushjobs.errors import Undecryptable
from pushjobs.store import resealing
from pushjobs.store.database import Database
from pushjobs.store.resealing import SEALED, Old, SealedColumn, Window
from pushjobs.store.sealing import Sealer

__all__ = ["Key", "Keys", "Resealed"]

_READ_AT_ONCE = 20_000
_WRITTEN_AT_ONCE = 200
"""A page's rows are locked together, for some milliseconds: a worker that wants one of them waits that long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key, and how many sealed values of each table name it. Not `is_held`: no key of that id is in the ring."""

    id: str
    is_first: bool
    is_held: bool
    values: Mapping[str, int]

    @property
    def total(self) -> int:
        """Values of all tables."""
        return sum(self.values.values())


@dataclass(slots=True)
class Resealed:
    """What a round did: values sealed anew.

    `left` to another round, for somebody held or changed them. `unreadable`: no key of the ring opens them.
    """

    values: int = 0
    left: int = 0
    unreadable: int = 0


class Keys:
    """The keys of one installation."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def list(self) -> list[Key]:
        """Return the keys, the ring's in its order and then those that only values name; reads every table once."""
        counts: dict[bytes, Counter[str]] = {name: Counter() for name in self._sealer.key_ids}
        for column in SEALED:
            for window in self._windows(column):
                with self._database.transaction() as connection:
                    for name, found in resealing.counted(connection, column, window).items():
                        counts.setdefault(name, Counter())[column.table] += found
        ring = self._sealer.key_ids
        return [
            Key(
                id=name.hex(),
                is_first=name == ring[0],
                is_held=name in ring,
                values={column.table: found[column.table] for column in SEALED},
            )
            for name, found in counts.items()
        ]

    def reseal(self, told: Callable[[int], object] = lambda _: None) -> Resealed:
        """Seal every value anew that names another key than the newest, a page a transaction, and count.

        `told` hears of the values of each page. Raises Unreachable when PostgreSQL does not answer; what is done is
        done, and another call goes on.
        """
        done = Resealed()
        for column in SEALED:
            for window in self._windows(column):
                with self._database.transaction() as connection:
                    found = resealing.old(connection, column, window, newest=self._sealer.key_ids[0])
                for page in _pages(found):
                    before = done.values
                    self._reseal(column, page, done)
                    told(done.values - before)
        return done

    def _reseal(self, column: SealedColumn, page: Sequence[Old], done: Resealed) -> None:
        fresh = []
        for was in page:
            try:
                fresh.append((was, self._sealer.reseal(was.sealed, was.bound_to)))
            except Undecryptable:
                done.unreadable += 1
        with self._database.transaction() as connection:
            written = resealing.reseal(connection, column, fresh)
        done.values += written
        done.left += len(fresh) - written

    def _windows(self, column: SealedColumn) -> Iterator[Window]:
        after = 0
        while True:
            with self._database.transaction() as connection:
                found = resealing.window(connection, column, after=after, limit=_READ_AT_ONCE)
            if found is None:
                return
            yield found
            after = found.last


def _pages(found: Sequence[Old]) -> Iterator[Sequence[Old]]:
    return (found[start : start + _WRITTEN_AT_ONCE] for start in range(0, len(found), _WRITTEN_AT_ONCE))
