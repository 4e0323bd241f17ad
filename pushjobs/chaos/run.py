"""A run: everything started, jobs handed over and faults done side by side, then calm, then the count.

Everything lives in a directory of the caller's and in processes of this one's. The sandbox is the one part that no
fault kills: it is where everything is counted.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pushjobs import clock, settings
from pushjobs.chaos.faults import Faults, Noted
from pushjobs.chaos.ledger import Deaths, Doubts, Ledger, Records, Result
from pushjobs.chaos.plan import SECOND_BEAT, Plan
from pushjobs.chaos.traffic import LEAD, Traffic
from pushjobs.errors import NotPossible, Unreachable
from pushjobs.local import applications
from pushjobs.local.daemon import wait_until
from pushjobs.local.directory import Installation
from pushjobs.local.processes import Ended, Supervisor
from pushjobs.local.servers import EmbeddedServers
from pushjobs.local.up import Up, UpOptions
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.store import ledger
from pushjobs.telemetry.logs import write_to

__all__ = ["Progress", "storm"]

_HEADROOM = 2.0
"""How much more than comes in may leave: what faults hold up must be made up for."""

_LATENCY_MS, _JITTER_MS = 50, 100
_FEED_SECONDS = 0.25
_COUNT_SECONDS = 1.0
_STALL_SECONDS = 0.1
_CALM_SECONDS = 120.0
_COME_BACK_SECONDS = 15.0
_KILLED = -9


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands: messages accepted by the sandbox, jobs closed, faults done."""

    received: int
    closed: int
    faults: int


def storm(plan: Plan, directory: Path, *, workers: int, show: Callable[[Progress], None]) -> Result:
    """Run a plan in a directory that nobody else uses; `show` hears each second where it stands.

    Raises KeyboardInterrupt when a stop is asked for, NotPossible where there are jobs already.
    """
    begun = clock.monotonic()
    ended: list[Ended] = []
    most_per_second = _HEADROOM * plan.load.rate
    more = {
        "PUSHJOBS_RATE_PER_SECOND": str(most_per_second),
        # A worker that is killed leaves a directory of billiard's there.
        "TMPDIR": str(Installation(directory).run),
    }
    options = UpOptions(
        directory=directory,
        environment=settings.environment() | more,
        workers=workers,
        http=0,
        flower=None,
        sandbox=True,
    )
    with _journal(directory) as say:

        def report(end: Ended) -> None:
            ended.append(end)
            say(f"{end.name} ended with status {end.status}, again in {end.delay:g} s")

        with Up(options, report) as running, _second_beat(running, report) as beats:
            running.ready()
            runtime = Runtime(settings.load(directory))
            try:
                run = _Run(plan, running, (running.supervisor, beats), runtime, show, say)
                run.prepare()
                run.rage()
                run.calm_down()
                missing = run.missing()
                records, doubts, deaths = run.count()
            finally:
                runtime.close()
    by_themselves = (f"{each.name} ({each.status})" for each in ended if each.status not in {None, _KILLED})
    return Result(
        plan=plan,
        ledger=Ledger.of(records),
        doubts=doubts,
        deaths=deaths,
        done=run.noted.done,
        missed=run.noted.missed,
        unread=run.noted.unread,
        peak_per_second=records.summary.peak_per_second,
        most_per_second=most_per_second,
        failed_calls=run.failures,
        ended_by_themselves=Counter(by_themselves),
        missing=missing,
        seconds=clock.monotonic() - begun,
    )


@contextmanager
def _journal(directory: Path) -> Iterator[Callable[[str], None]]:
    """Write what happens beside the processes' logs, with this process' own log lines: outages are no news here."""
    with Installation(directory).log("chaos").open("a", buffering=1) as file:
        write_to(file)
        yield lambda line: print(f"{_time(clock.now().timestamp())} {line}", file=file)


def _time(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S.%f}"


@contextmanager
def _second_beat(running: Up, report: Callable[[Ended], None]) -> Iterator[Supervisor]:
    beat = applications.beat(running.installation, running.environment)
    second = replace(beat, name=SECOND_BEAT, log=running.installation.log(SECOND_BEAT))
    supervisor = Supervisor([second], report)
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()


class _Run:
    """The parts of a run that need the installation up."""

    def __init__(
        self,
        plan: Plan,
        running: Up,
        supervisors: tuple[Supervisor, ...],
        runtime: Runtime,
        show: Callable[[Progress], None],
        say: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._running = running
        self._supervisors = supervisors
        self._runtime = runtime
        self._show = show
        self._say = say
        self._sandbox = SandboxClient(running.addresses["sandbox"])
        self._begin = clock.now() + LEAD
        self._traffic = Traffic(runtime.producer, plan.load, self._begin)
        servers = EmbeddedServers(running.installation)
        self._faults = Faults(servers, supervisors, self._sandbox, runtime.database, say=say)
        self._names = self._living()
        self._closed = 0

    def prepare(self) -> None:
        """Have the sandbox take its time, and know who refuses messages."""
        if sum(self._runtime.producer.counts().values()):
            place = self._running.installation.path
            raise NotPossible(f"{place} holds jobs already: give chaos a directory of its own")
        self._runtime.catalogue.sync()
        self._sandbox.change_settings(latency_ms=_LATENCY_MS, jitter_ms=_JITTER_MS)
        self._traffic.prepare(self._sandbox)

    def rage(self) -> None:
        """Hand all jobs over, and do every fault of the plan at its time."""
        stopping = threading.Event()
        with ThreadPoolExecutor(thread_name_prefix="chaos") as pool:
            raging = pool.submit(self._faults.do_all, self._plan.faults, self._begin, stopping)
            try:
                self._until(lambda: self._traffic.is_over and raging.done())
            finally:
                stopping.set()
        raging.result()

    def calm_down(self) -> None:
        """Wait until every job has come to its end, or until patience no longer explains that one has not."""
        until = clock.monotonic() + _CALM_SECONDS
        self._until(lambda: self._closed >= self._plan.load.jobs or clock.monotonic() > until)

    def missing(self) -> list[str]:
        """Return the processes that have not come back, even now that nobody kills them."""
        wait_until(lambda: self._living() == self._names, _COME_BACK_SECONDS)
        return sorted(self._names - self._living())

    def count(self) -> tuple[Records, Doubts, Deaths]:
        """Read what the count needs: the sandbox's log, and where our records say each job stands."""
        with self._runtime.database.transaction() as connection:
            rows = list(ledger.read(connection))
            doubted = ledger.doubts(connection)
            decided = ledger.decided(connection, list(self.noted.in_hand.items()))
        pace = self._sandbox.pace()
        if pace.peak_at is not None:
            self._say(f"most in a second: {pace.peak}, the one that ended at {_time(pace.peak_at)}")
        records = Records(
            planned=self._plan.load.jobs,
            cancelled=self._traffic.cancelled,
            rows=rows,
            received=list(self._sandbox.all_received()),
            summary=self._sandbox.summary(),
        )
        doubts = Doubts.of(doubted, self.noted.in_hand.keys(), records)
        return records, doubts, Deaths.of(decided)

    @property
    def noted(self) -> Noted:
        """What was done, and what was in hand."""
        return self._faults.noted

    @property
    def failures(self) -> int:
        """How often a call of the producer's failed, and was made again."""
        return self._traffic.failures

    def _until(self, condition: Callable[[], bool]) -> None:
        counted_at = 0.0
        while not condition():
            self._traffic.feed()
            if clock.monotonic() >= counted_at + _COUNT_SECONDS:
                self._look()
                counted_at = clock.monotonic()
            if self._running.is_stop_asked:
                raise KeyboardInterrupt
            clock.pause(_FEED_SECONDS)

    def _look(self) -> None:
        with suppress(Unreachable):
            counts = self._runtime.producer.counts()
            self._closed = sum(count for state, count in counts.items() if state.is_final)
        since = clock.monotonic()
        received = self._sandbox.summary().accepted
        if (took := clock.monotonic() - since) > _STALL_SECONDS:
            self._say(f"the sandbox took {took:.3f} s to answer")
        self._show(Progress(received=received, closed=self._closed, faults=self.noted.done.total()))

    def _living(self) -> set[str]:
        return {name for each in self._supervisors for name in each.pids}
