"""The witness: what was last seen of the database, kept outside it, so that a step back is noticed (fine print 12.5).

After a restore, or a failover that lost commits, jobs are scheduled again that were sent. Nothing in the database says
so; this does. It lives in three places: in the memory of every process that admits, in Redis, and in a file of the
installation's directory where there is one. Any of them is enough. With none (Redis emptied, no file, every process
started anew) the database is believed, but for what its own row says of server and timeline.

The invariant: no job is admitted in a transaction in which the database shows less than this process has seen. What is
noticed becomes a pause of every app, in one transaction with the heartbeat's new beginning; from then on the database
itself knows, and only an operator's word lifts it.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Protocol

from redis import Redis
from redis.exceptions import RedisError

from pushjobs.domain.events import DatabaseSteppedBack
from pushjobs.domain.heartbeat import Heartbeat, Sighting, Step, judge
from pushjobs.errors import NotReady, Unreachable
from pushjobs.store import heartbeats, pauses
from pushjobs.store.database import Database, Transaction
from pushjobs.telemetry import Emit

__all__ = ["InFile", "InRedis", "Place", "Witness"]

_KEY = "pushjobs:witness"
_KEPT_SECONDS = 400 * 86_400
"""An installation that stood still for a year is looked at before it goes on anyway."""


class Place(Protocol):
    """Where a sighting outlives its process."""

    def read(self) -> Sighting | None:
        """Return what is kept; raises Unreachable when that cannot be known."""

    def write(self, seen: Sighting) -> None:
        """Keep it; a failure is no matter, for there are other places, and the next second."""


class InRedis:
    """The key all processes share."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def read(self) -> Sighting | None:
        """Return what is kept; raises Unreachable when Redis does not answer."""
        try:
            kept = self._redis.get(_KEY)
        except (RedisError, OSError) as error:
            raise Unreachable(f"Redis does not answer ({type(error).__name__}): it knows the last heartbeat") from None
        return _read(kept)

    def write(self, seen: Sighting) -> None:
        """Keep it, if Redis answers."""
        with suppress(RedisError, OSError):
            self._redis.set(_KEY, _written(seen), ex=_KEPT_SECONDS)


class InFile:
    """A file of an installation's directory; none is made without the directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Sighting | None:
        """Return what is kept; None where the file is not there, or a crash has left it in pieces.

        Raises Unreachable where it is there and cannot be read.
        """
        try:
            return _read(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unreachable(f"{self._path} cannot be read ({error.strerror}): it knows the last heartbeat") from None

    def write(self, seen: Sighting) -> None:
        """Keep it, whole or not at all."""
        if not self._path.parent.is_dir():
            return
        new = self._path.with_suffix(f".{os.getpid()}.new")
        with suppress(OSError):
            new.write_bytes(_written(seen))
            new.replace(self._path)


class Witness:
    """Watches one database; one a process, for any thread."""

    def __init__(self, database: Database, places: Sequence[Place], *, emit: Emit) -> None:
        self._database = database
        self._places = places
        self._emit = emit
        self._is_recalled = False
        # Each of them, for they may differ: a machine that was off for a while has an older file than Redis knows.
        self._seen: list[Sighting] = []

    def recall(self) -> None:
        """Learn once what others have seen, before the first look; raises Unreachable when that cannot be known."""
        if not self._is_recalled:
            found = [place.read() for place in self._places]
            self._seen = [each for each in found if each is not None]
            self._is_recalled = True

    def trusts(self, connection: Transaction) -> bool:
        """Whether the database is at least as far as it was seen, in this transaction; after `recall`.

        What is read in it later comes from the same database: a restore needs a lock that this look holds off.
        """
        seen = self._seen  # taken before the row is read, or another thread's newer sighting would seem to be ahead
        now = heartbeats.read(connection)
        if now is None or self._step(connection, now, seen) is not None:
            return False
        self._seen = [now.sighting]
        return True

    def beat(self) -> None:
        """Raise the heartbeat and keep what it shows; where the database has stepped back, hold everything instead."""
        self.recall()
        seen = self._seen
        with self._database.transaction() as connection:
            now = _present(heartbeats.read(connection, locked=True))
            is_behind = self._step(connection, now, seen) is not None
            at = now.at if is_behind else heartbeats.raise_(connection)
        # Died here: outside the database the beat before is known, a second less.
        if is_behind:
            self.notice()
        else:
            self._keep(Sighting(lineage=now.lineage, at=at, wal=now.wal))

    def notice(self) -> None:
        """Pause every app as `restored`, if the database has stepped back and nobody else has noticed; and go on there.

        Raises NotReady in the middle of a restore.
        """
        self.recall()
        seen = self._seen
        with self._database.transaction() as connection:
            now = _present(heartbeats.read(connection, locked=True))
            step = self._step(connection, now, seen)
            if step is not None:
                last = max([each.at for each in seen], default=now.at)
                heartbeats.accept(connection, now, seen=last)
                pauses.hold_all(connection, note=_note(step, now, last))
            after = _present(heartbeats.read(connection))
        self._keep(after.sighting)
        if step is not None:
            self._emit(DatabaseSteppedBack(step=step, as_of=_moment(now.at), last_seen=_moment(last)))

    def _step(self, connection: Transaction, now: Heartbeat, seen: Sequence[Sighting]) -> Step | None:
        sightings: Sequence[Sighting | None] = seen or [None]  # without any, its own row still says something
        for each in sightings:
            if (step := judge(now, each)) is not None:
                return step
        is_new = any(each.lineage != now.lineage for each in seen) and now.accepted_at == now.since
        return Step.DATABASE if is_new and heartbeats.holds_older_jobs(connection) else None

    def _keep(self, seen: Sighting) -> None:
        self._seen = [seen]
        for place in self._places:
            place.write(seen)


def _present(now: Heartbeat | None) -> Heartbeat:
    if now is None:
        raise NotReady("the table pushjobs.heartbeat is empty: restore the whole schema, from one dump")
    return now


def _note(step: Step, now: Heartbeat, last: datetime) -> str:
    return f"noticed by its {step}: as of {_moment(now.at)}, last seen at {_moment(last)}"


def _moment(at: datetime) -> str:
    """Write a moment so that it can be given to a command as it is."""
    return at.isoformat(timespec="seconds")


def _written(seen: Sighting) -> bytes:
    return json.dumps({**asdict(seen), "at": seen.at.isoformat()}).encode()


def _read(kept: object) -> Sighting | None:
    if not isinstance(kept, bytes | str):
        return None
    try:
        values = json.loads(kept)
        return Sighting(lineage=str(values["lineage"]), at=datetime.fromisoformat(values["at"]), wal=int(values["wal"]))
    except (ValueError, LookupError, TypeError):
        return None
