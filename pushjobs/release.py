"""Release: claim what falls due, publish it, give back what was not published.

A tick takes each app's each lane in turn. It claims no more than the workers can drain within the look-ahead, so the
queue stays short: leases stay short, a lost broker costs seconds, an urgent job has little before it. Ticks may
overlap (two beats, a slow tick): the bucket's lock and the release numbers make the second one harmless.

A crash between the claim's commit and the publishing leaves jobs `released` with nobody coming: their lease runs out,
`upkeep` gives them back, and the next tick claims them again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pushjobs import clock
from pushjobs.domain.events import JobsReleased, JobsUnpublished
from pushjobs.domain.job import Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.pause import Pause, paused_templates
from pushjobs.domain.steps import JobsPublished
from pushjobs.errors import Unreachable
from pushjobs.queue import Batch, Publisher
from pushjobs.settings import LEASE_SECONDS
from pushjobs.store import moves, pauses, releases
from pushjobs.store.database import Database, Transaction
from pushjobs.store.releases import Bucket, Load, Released
from pushjobs.telemetry import Emit, follow

__all__ = ["Releaser", "batches", "budget"]

TOGETHER_SECONDS = 0.25
"""Jobs of one batch fall due within this of each other (fine print 12.12)."""

_LARGEST_BATCH = 500
_FLOOR = 2000
_TICK_SECONDS = 1.25
_ROOM_SECONDS = 0.5


@dataclass(slots=True)
class _Room:
    """How many jobs producers of this process may still hand straight to a worker, until it is measured again."""

    left: int
    until: float


class Releaser:
    """Claims and publishes; one a process.

    `rate` tells how many calls a second there may be for an app, over all workers; None: it cannot be sent for, and its
    jobs wait.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        *,
        rate: Callable[[int], float | None],
        lookahead_seconds: float,
        emit: Emit,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._rate = rate
        self._lookahead = lookahead_seconds
        self._emit = emit
        self._rooms: dict[Bucket, _Room] = {}

    def tick(self) -> int:
        """Release what falls due within the look-ahead, urgent lanes first; return how many jobs."""
        with self._database.transaction() as connection:
            due = releases.buckets(connection)
        return sum(self._release(bucket) for bucket in due)

    def publish(self, bucket: Bucket, released: Sequence[Released]) -> bool:
        """Publish jobs that are released already; on failure give them back and return False.

        The caller's claim or insert is committed, and no transaction is open: a broker that hangs holds no locks.
        """
        made = list(batches(bucket, released, largest=self._largest_batch(bucket)))
        since = clock.monotonic()
        try:
            self._publisher.publish(made)
        except Unreachable:
            # Whether some of the messages got through is unknown and does not matter: giving back leaves the release
            # number behind, and the next release raises it.
            back = [
                moves.Move(
                    id=job.id,
                    release_no=job.release_no,
                    transition=Transition.GIVE_BACK,
                    reason=Reason.NOT_PUBLISHED,
                )
                for job in released
            ]
            # With the database gone as well, the leases run out and `upkeep` gives the jobs back.
            with suppress(Unreachable), self._database.transaction() as connection:
                moves.apply(connection, back)
            self._emit(JobsUnpublished(app_no=bucket.app_no, lane=bucket.lane, jobs=len(released)))
            follow(lambda: _published(bucket, released, since, is_taken=False))
            return False
        self._emit(JobsReleased(app_no=bucket.app_no, lane=bucket.lane, jobs=len(released)))
        follow(lambda: _published(bucket, released, since, is_taken=True))
        return True

    def has_room(self, bucket: Bucket) -> bool:
        """Whether one more job may go straight to a worker, past the tick; takes that place (fine print 12.8)."""
        room = self._rooms.get(bucket)
        if room is None or room.until < clock.monotonic():
            with self._database.transaction() as connection:
                left = self._left(connection, bucket, pauses.active(connection, bucket.app_no))
            room = self._rooms[bucket] = _Room(left, clock.monotonic() + _ROOM_SECONDS)
        room.left -= 1
        return room.left >= 0

    def _largest_batch(self, bucket: Bucket) -> int:
        return max(1, min(_LARGEST_BATCH, int(self._rate(bucket.app_no) or 0.0)))

    def _left(self, connection: Transaction, bucket: Bucket, in_force: Sequence[Pause]) -> int:
        """Return how many more jobs the bucket may have out: none while it is paused, one to probe a breaker."""
        rate = self._rate(bucket.app_no)
        if rate is None:
            return 0
        holding = [pause for pause in in_force if pause.holds_lane(bucket.lane)]
        if any(pause.probe_in is None or pause.probe_in > 0 for pause in holding):
            return 0
        load = releases.load(connection, bucket)
        left = budget(load, rate=rate, lookahead_seconds=self._lookahead)
        return min(left, 1) if holding else left

    def _release(self, bucket: Bucket) -> int:
        with self._database.transaction() as connection:
            if not releases.lock(connection, bucket):
                return 0
            in_force = pauses.active(connection, bucket.app_no)
            limit = self._left(connection, bucket, in_force)
            if limit <= 0:
                return 0
            paused = paused_templates(in_force, bucket.lane)
            claimed = releases.claim(connection, bucket, limit=limit, lookahead=self._lookahead, paused=paused)
        if claimed:
            self.publish(bucket, claimed)
        return len(claimed)


def budget(load: Load, *, rate: float, lookahead_seconds: float) -> int:
    """Return how many more jobs a bucket may have out; zero or less means none.

    At most what the rate drains within the look-ahead, and at most twice what was really drained over the last
    seconds, with a floor to begin from: what the rate drains until the next tick (fine print 12.8).
    """
    # One at least: at a rate of less than one job a look-ahead the bucket would never move.
    most = max(1.0, rate * lookahead_seconds)
    floor = max(_FLOOR, rate * _TICK_SECONDS)
    return int(min(most, max(floor, 2 * load.settled))) - load.outstanding


def batches(bucket: Bucket, released: Sequence[Released], *, largest: int) -> Iterator[Batch]:
    """Cut jobs, soonest first, into batches that fall due together."""
    begin = 0
    for end in range(1, len(released) + 1):
        is_last = end == len(released)
        if is_last or end - begin == largest or _due(released[end]) - _due(released[begin]) > TOGETHER_SECONDS:
            first = _due(released[begin])
            yield Batch(
                app_no=bucket.app_no,
                lane=bucket.lane,
                jobs=[(job.id, job.release_no, _due(job) - first) for job in released[begin:end]],
                due_in=first,
                expires_in=first + LEASE_SECONDS,
            )
            begin = end


def _published(bucket: Bucket, released: Sequence[Released], since: float, *, is_taken: bool) -> JobsPublished:
    ids, at = (job.id for job in released), clock.monotonic()
    return JobsPublished(lane=bucket.lane, jobs=ids, is_taken=is_taken, since=since, at=at)


def _due(job: Released) -> float:
    """Overdue jobs are due now, together."""
    return max(job.due_in, 0.0)
