"""What a monitoring system asks for: how things stand, in figures with names, the same whichever process is asked.

They are read from SQL and Redis, and not counted in processes that come and go: under prefork a counter in memory is
one child's. Read at most every few seconds, whoever asks how often. No figure is of a user, or names a job.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pushjobs import clock
from pushjobs.domain.lateness import NO_CALL
from pushjobs.domain.moment import SHANGHAI, quota_day
from pushjobs.errors import Unreachable
from pushjobs.queue import QueueName
from pushjobs.store import figures as stored
from pushjobs.store import minutes
from pushjobs.store.database import Database
from pushjobs.store.minutes import Ever

__all__ = ["FIGURES", "Figure", "Figures", "Kind", "Reading", "Steps"]

_FRESH_SECONDS = 5.0


class Kind(StrEnum):
    """What may be done with a figure: a gauge is compared, a counter's and a histogram's growth is what counts."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure by its name: what it says, and what it is told apart by."""

    name: str
    words: str
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.GAUGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A histogram: calls by number of step (`domain.lateness.STEPS`, one more beyond), and their seconds added up."""

    counts: Mapping[int, int]
    seconds: float


OUT = Figure("pushjobs_jobs_out", "Jobs that are released or being sent.", ("app", "lane"))
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
BECAME = Figure(
    "pushjobs_jobs_moved_total",
    "What workers made of jobs: sent are those of `deliver`; a job may be deferred many times.",
    ("app", "lane", "transition", "reason", "errcode"),
    Kind.COUNTER,
)
LATENESS = Figure(
    "pushjobs_lateness_seconds",
    "Time between a job's moment and its call; their count is that of the slots used.",
    ("app", "lane"),
    Kind.HISTOGRAM,
)
SCHEDULED = Figure("pushjobs_jobs_scheduled", "Jobs that are scheduled, as they were counted last.", ("app", "lane"))
COUNTED = Figure("pushjobs_scheduled_age_seconds", "How long ago what is scheduled was counted.")
PACE = Figure("pushjobs_pace_per_second", "Calls a second there may be at this moment.", ("app",))
TOKENS = Figure("pushjobs_tokens_fetched_total", "Access tokens that WeChat gave.", ("app",), Kind.COUNTER)
QUEUES = Figure("pushjobs_queue_messages", "Messages that wait at the broker.", ("queue",))
UP = Figure("pushjobs_up", "Whether it answered when it was read, 1 or 0.", ("part",))

FIGURES = (
    *(OUT, OVERDUE, BECAME, LATENESS, SCHEDULED, COUNTED, TROUBLED, PAUSES, PACE, RUNS, CALLS, TOKENS),
    *(CALLBACKS, PUSHES, HEARTBEAT, QUEUES, UP),
)
"""Every figure there is."""

Reading = Mapping[Figure, Mapping[Any, Any]]
"""The values of each figure by its labels': numbers, `Steps` where it is a histogram."""


class Figures:
    """Reads the figures; safe to share between threads, of which one reads and the others wait for it."""

    def __init__(
        self,
        database: Database,
        *,
        lengths: Callable[[], Mapping[QueueName, int]],
        paces: Callable[[], Mapping[str, float]],
        tokens: Callable[[], Mapping[str, int]],
    ) -> None:
        """Ask of each app its pace and the tokens it was given, of the broker how many messages wait in each queue.

        Each of these raises Unreachable.
        """
        self._database = database
        self._lengths = lengths
        self._paces = paces
        self._tokens = tokens
        self._lock = threading.Lock()
        self._reading: Reading = {}
        self._fresh_until = 0.0

    def read(self) -> Reading:
        """Return the figures, at most some seconds old; without the database or the broker, what is left of them."""
        with self._lock:
            if clock.monotonic() >= self._fresh_until:
                read = {**self._of_database(), **self._of_redis()}
                up = {("database",): float(HEARTBEAT in read), ("broker",): float(QUEUES in read)}
                self._reading = {**read, UP: up}
                self._fresh_until = clock.monotonic() + _FRESH_SECONDS
            return self._reading

    def _of_database(self) -> dict[Figure, Mapping[Any, Any]]:
        try:
            paces = self._paces()
            with self._database.transaction() as connection:
                found = stored.read(connection, today=quota_day(clock.now(), SHANGHAI))
                moved = minutes.ever(connection)
        except Unreachable:
            return {}
        return {
            OUT: found.out,
            OVERDUE: found.overdue,
            TROUBLED: {(state,): jobs for state, jobs in found.troubled.items()},
            BECAME: _became(moved),
            LATENESS: _lateness(moved),
            SCHEDULED: found.scheduled,
            COUNTED: {} if found.counted_ago is None else {(): found.counted_ago},
            PACE: {(appid,): per_second for appid, per_second in paces.items()},
            PAUSES: found.pauses,
            RUNS: found.runs,
            CALLS: {(appid,): calls for appid, calls in found.calls.items()},
            CALLBACKS: {(): found.callbacks},
            PUSHES: {(): found.pushes},
            HEARTBEAT: {(): found.heartbeat_age},
        }

    def _of_redis(self) -> dict[Figure, Mapping[Any, Any]]:
        try:
            return {
                QUEUES: {(str(queue),): length for queue, length in self._lengths().items()},
                TOKENS: {(appid,): fetched for appid, fetched in self._tokens().items()},
            }
        except Unreachable:
            return {}


def _became(moved: Sequence[Ever]) -> dict[tuple[str, ...], int]:
    counted: Counter[tuple[str, ...]] = Counter()
    for each in moved:
        counted[each.appid, each.lane, each.transition, each.reason, str(each.errcode or "")] += each.jobs
    return counted


def _lateness(moved: Sequence[Ever]) -> dict[tuple[str, str], Steps]:
    counts: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    for each in moved:
        if each.step != NO_CALL:
            counts[each.appid, each.lane][each.step] += each.jobs
            seconds[each.appid, each.lane] += each.late
    return {lane: Steps(counts=steps, seconds=seconds[lane]) for lane, steps in counts.items()}
