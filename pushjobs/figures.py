"""What a monitoring system asks for: how things stand, in figures with names, the same whichever process is asked.

They are read from SQL and Redis, and not counted in processes that come and go: under prefork a counter in memory is
one child's. Read at most every few seconds, whoever asks how often. No figure is of a user, or names a job.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pushjobs import clock
from pushjobs.domain.moment import SHANGHAI, quota_day
from pushjobs.errors import Unreachable
from pushjobs.queue import QueueName
from pushjobs.store import figures as stored
from pushjobs.store.database import Database

__all__ = ["FIGURES", "Figure", "Figures", "Reading"]

_FRESH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure by its name: what it says, and what it is told apart by."""

    name: str
    words: str
    labels: tuple[str, ...] = ()


OUT = Figure("pushjobs_jobs_out", "Jobs that are released or being sent.", ("app", "lane"))
SETTLED = Figure("pushjobs_jobs_settled_last_minute", "Jobs that were settled in the last 60 s.", ("app", "lane"))
OVERDUE = Figure(
    "pushjobs_overdue_seconds", "How long ago the earliest job fell due that waits and is not held.", ("app", "lane")
)
TROUBLED = Figure(
    "pushjobs_jobs_troubled", f"Jobs that are dead or in doubt, up to {stored.MOST_COUNTED:,}.", ("state",)
)
PAUSES = Figure("pushjobs_pauses", "Pauses in force.", ("app", "reason"))
RUNS = Figure("pushjobs_campaign_runs", "Runs of campaigns that are not finished.", ("app", "state"))
CALLS = Figure("pushjobs_calls_today", "Calls taken from the app's day in Shanghai.", ("app",))
CALLBACKS = Figure("pushjobs_callbacks_waiting", "What WeChat told and what is not applied yet.")
PUSHES = Figure("pushjobs_forwards_waiting", "Callbacks that wait to be forwarded to the app's own door.")
HEARTBEAT = Figure("pushjobs_beat_age_seconds", "How long ago a release tick ran.")
QUEUES = Figure("pushjobs_queue_messages", "Messages that wait at the broker.", ("queue",))
UP = Figure("pushjobs_up", "Whether it answered when it was read, 1 or 0.", ("part",))

FIGURES = (OUT, SETTLED, OVERDUE, TROUBLED, PAUSES, RUNS, CALLS, CALLBACKS, PUSHES, HEARTBEAT, QUEUES, UP)
"""Every figure there is."""

_Values = Mapping[Any, float]
Reading = Mapping[Figure, _Values]
"""The values of each figure by its labels'."""


class Figures:
    """Reads the figures; safe to share between threads, of which one reads and the others wait for it."""

    def __init__(self, database: Database, lengths: Callable[[], Mapping[QueueName, int]]) -> None:
        """`lengths` asks the broker how many messages wait in each queue; raises Unreachable."""
        self._database = database
        self._lengths = lengths
        self._lock = threading.Lock()
        self._reading: Reading = {}
        self._fresh_until = 0.0

    def read(self) -> Reading:
        """Return the figures, at most some seconds old; without the database or the broker, what is left of them."""
        with self._lock:
            if clock.monotonic() >= self._fresh_until:
                read = {**self._of_database(), **self._of_broker()}
                up = {("database",): float(HEARTBEAT in read), ("broker",): float(QUEUES in read)}
                self._reading = {**read, UP: up}
                self._fresh_until = clock.monotonic() + _FRESH_SECONDS
            return self._reading

    def _of_database(self) -> dict[Figure, _Values]:
        try:
            with self._database.transaction() as connection:
                found = stored.read(connection, today=quota_day(clock.now(), SHANGHAI))
        except Unreachable:
            return {}
        return {
            OUT: found.out,
            SETTLED: found.settled,
            OVERDUE: found.overdue,
            TROUBLED: {(state,): jobs for state, jobs in found.troubled.items()},
            PAUSES: found.pauses,
            RUNS: found.runs,
            CALLS: {(appid,): calls for appid, calls in found.calls.items()},
            CALLBACKS: {(): found.callbacks},
            PUSHES: {(): found.pushes},
            HEARTBEAT: {(): found.heartbeat_age},
        }

    def _of_broker(self) -> dict[Figure, _Values]:
        try:
            return {QUEUES: {(str(queue),): length for queue, length in self._lengths().items()}}
        except Unreachable:
            return {}
