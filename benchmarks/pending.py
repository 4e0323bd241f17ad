"""`python -m benchmarks.pending`: what millions of pending jobs cost, and what a Redis that loses everything does.

Real processes, real servers with fsync. A thousand pending jobs first, then a million, then ten: the memory of the
workers, the release tick with jobs due in it, and after FLUSHALL the time until the schedule goes on. Prints a table
in which a target that is not met says so; nothing is adjusted afterwards.
"""

import statistics
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.measure import wait_for_all, workers_memory
from pushjobs import clock, settings
from pushjobs.domain.job import JobState
from pushjobs.local.processes import Ended
from pushjobs.local.up import Up, UpOptions
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS

_FEW, _MANY, _MOST = 1_000, 1_000_000, 10_000_000
_TICKS = 30
_DUE = 200
_RATE = 500
_MEMORY_TIMES, _BACK_SECONDS, _TICK_SECONDS = 1.05, 30.0, 0.050

# Copies of a job that was accepted as any is, due one a second from a day hence: as sealed, as long, as indexed.
_MULTIPLY = """
INSERT INTO pushjobs.jobs (app_no, template_no, lane, state, on_quota, release_no, planned_at, due_at, expires_at,
                           recipient, sealed)
SELECT app_no, template_no, lane, state, on_quota, 0, moment, moment, moment + interval '2 days',
       decode(lpad(to_hex(n), 32, '0'), 'hex'), sealed
  FROM (SELECT * FROM pushjobs.jobs ORDER BY id LIMIT 1) first,
       generate_series(1, {count}) n, LATERAL (SELECT now() + interval '1 day' + make_interval(secs => n) AS moment)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table: what was measured, its target, and whether it was met."""

    what: str
    figure: str
    target: str
    is_met: bool


def _main() -> None:
    settings.forget_environment()
    with tempfile.TemporaryDirectory(prefix="pushjobs-pending-") as directory:
        rows = _measure(Path(directory))
    print("\n| | measured | target | |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.figure} | {row.target} | {'met' if row.is_met else '**not met**'} |")


def _measure(directory: Path) -> list[Row]:
    environment = settings.environment() | {"PUSHJOBS_RATE_PER_SECOND": str(_RATE)}
    options = UpOptions(directory=directory, environment=environment, workers=2, http=None, flower=None, sandbox=True)
    with Up(options, _report) as running:
        running.ready()
        sandbox = SandboxClient(running.addresses["sandbox"])
        made = Runtime(settings.load(directory))
        try:
            return _steps(made, sandbox)
        finally:
            made.close()


def _steps(made: Runtime, sandbox: SandboxClient) -> list[Row]:
    made.producer.send(**_news(0), time="2099-01-01 08:00:00")
    _multiply(made, _FEW - 1)
    _send(made, sandbox, _DUE)
    before = workers_memory()
    _multiply(made, _MANY - _FEW)
    _send(made, sandbox, _DUE)
    after = workers_memory()
    back, lost = _flush(made, sandbox)
    _multiply(made, _MOST - _MANY)
    ticks = _ticks(made)
    pending = made.producer.counts()[JobState.SCHEDULED]
    return [
        Row(
            what=f"memory of the workers at {_MANY:,} pending against {_FEW:,}",
            figure=f"{after / before:.3f} × ({before / 1e6:,.0f} MB, {after / 1e6:,.0f} MB)",
            target=f"≤ {_MEMORY_TIMES} ×",
            is_met=after <= _MEMORY_TIMES * before,
        ),
        Row(
            what=f"FLUSHALL with {_MANY:,} pending: until what falls due goes out again",
            figure=f"{back:.1f} s, {lost} lost",
            target=f"≤ {_BACK_SECONDS:.0f} s, 0 lost",
            is_met=back <= _BACK_SECONDS and not lost,
        ),
        Row(
            what=f"release tick with {pending:,} pending and jobs due, median (worst) of {len(ticks)}",
            figure=f"{statistics.median(ticks) * 1000:.1f} ms ({max(ticks) * 1000:.1f} ms)",
            target=f"≤ {_TICK_SECONDS * 1000:.0f} ms",
            is_met=statistics.median(ticks) <= _TICK_SECONDS,
        ),
    ]


def _multiply(made: Runtime, count: int) -> None:
    print(f"adding {count:,} pending jobs …", flush=True)
    step = 500_000  # within the statement time-out of an application's connection
    for begin in range(0, count, step):
        with made.database.transaction() as connection:
            connection.exec_driver_sql(_MULTIPLY.format(count=min(step, count - begin)))
    with made.database.transaction() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("ANALYZE pushjobs.jobs")


def _news(number: int) -> dict[str, Any]:
    data = {"thing1": f"第{number}期", "thing2": "今日要闻", "date3": "2026年12月1日"}
    return {"touser": f"oReader{number:07d}", "template_id": DAILY_NEWS, "data": data}


def _send(made: Runtime, sandbox: SandboxClient, count: int) -> None:
    """Have every worker deliver something, so that what it holds is there."""
    sandbox.reset()
    made.producer.send_many(_news(number) for number in range(count))
    wait_for_all(sandbox, count)


def _flush(made: Runtime, sandbox: SandboxClient) -> tuple[float, int]:
    """Flush Redis while jobs are due; return the seconds until a job due after it is out, and how many never came."""
    sandbox.reset()
    made.producer.send_many(_news(number) for number in range(5 * _DUE))
    with Redis.from_url(made.settings.require_redis_url) as redis:
        _until(lambda: sandbox.summary().received > 0)
        redis.flushall()
    flushed_at = clock.now().timestamp()
    made.producer.send_many(_news(5 * _DUE + number) for number in range(_DUE))
    wait_for_all(sandbox, 6 * _DUE)
    later = [each.arrived_at for each in sandbox.all_received() if each.touser >= f"oReader{5 * _DUE:07d}"]
    return min(later) - flushed_at, 6 * _DUE - len({each.touser for each in sandbox.all_received()})


def _ticks(made: Runtime) -> Sequence[float]:
    """Time the tick as the tick process runs it, with jobs due at each."""
    seconds = []
    for number in range(_TICKS):
        made.producer.send_many(_news(10_000 + number * 50 + each) for each in range(50))
        begun = clock.monotonic()
        made.releaser.tick()
        seconds.append(clock.monotonic() - begun)
    return seconds


def _until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)


def _report(ended: Ended) -> None:
    print(f"{ended.name} ended with status {ended.status}: this run is worth nothing")


if __name__ == "__main__":
    _main()
