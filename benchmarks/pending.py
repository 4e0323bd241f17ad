"""What millions of pending jobs cost, and what a Redis that loses everything does.

A thousand pending jobs first, then a million, then ten.
"""

import statistics
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from redis import Redis

from benchmarks.figure import Figure, Line, Values
from benchmarks.installation import FAR_OFF, Running, installation, multiply, news
from benchmarks.measure import wait_for_all, workers_memory
from pushjobs import clock

__all__ = ["PENDING", "ticks"]

_FEW, _MANY, _MOST = 1_000, 1_000_000, 10_000_000
_TICKS, _EACH = 30, 50
_DUE = 200
_RATE = 500


def _measure(directory: Path) -> Values:
    rate = {"PUSHJOBS_RATE_PER_SECOND": str(_RATE)}
    with installation(directory, workers=2, environment=rate) as running:
        running.made.producer.send(**news(0, time=FAR_OFF))
        multiply(running.made, _FEW - 1)
        _send(running, _DUE)
        before = workers_memory()
        multiply(running.made, _MANY - _FEW)
        _send(running, _DUE)
        after = workers_memory()
        back = _flush(running)
        multiply(running.made, _MOST - _MANY)
        took = ticks(running, first=10_000)
    return {
        "memory": after / before,
        "memory bytes": float(after),
        "back": back,
        "tick": statistics.median(took),
        "tick worst": max(took),
    }


def _send(running: Running, count: int) -> None:
    """Have every worker deliver something, so that what it holds is there."""
    running.sandbox.reset()
    running.made.producer.send_many(news(number) for number in range(count))
    wait_for_all(running.sandbox, count)


def _flush(running: Running) -> float:
    """Flush Redis while jobs are due; return the seconds until one due after it is out.

    Raises TimeoutError where one never comes.
    """
    sandbox, producer = running.sandbox, running.made.producer
    sandbox.reset()
    producer.send_many(news(number) for number in range(5 * _DUE))
    with Redis.from_url(running.made.settings.require_redis_url) as redis:
        _until(lambda: sandbox.summary().received > 0)
        redis.flushall()
    flushed_at = clock.now().timestamp()
    later = [news(5 * _DUE + number) for number in range(_DUE)]
    producer.send_many(later)
    wait_for_all(sandbox, 6 * _DUE)
    users = {each["touser"] for each in later}
    return min(each.arrived_at for each in sandbox.all_received() if each.touser in users) - flushed_at


def ticks(running: Running, *, first: int) -> Sequence[float]:
    """Time the tick as the tick process runs it, with jobs due at each, to users from `first` on; in seconds."""
    running.sandbox.reset()
    seconds = []
    for number in range(_TICKS):
        running.made.producer.send_many(news(first + number * _EACH + each) for each in range(_EACH))
        begun = clock.monotonic()
        running.made.releaser.tick()
        seconds.append(clock.monotonic() - begun)
    wait_for_all(running.sandbox, _TICKS * _EACH)
    return seconds


def _until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)


PENDING = Figure(
    name="pending",
    about=f"""Two bulk workers at a rate of {_RATE} a second; {_FEW:,} pending jobs, then {_MANY:,}, then {_MOST:,},
copies as long as a real job, as sealed and as indexed. Memory is shared in proportion (PSS), after each worker has
delivered something. A tick is timed {_TICKS} times with {_EACH} jobs due in each. FLUSHALL comes while jobs leave.""",
    measure=_measure,
    runs=1,
    lines=(
        Line(
            key="memory",
            words=f"memory of the workers at {_MANY:,} pending against {_FEW:,}",
            unit="{:.3f} ×",
            at_most=1.05,
        ),
        Line(key="tick", words=f"release tick with {_MOST:,} pending, median", unit="{:.4f} s", at_most=0.050),
        Line(key="tick worst", words="release tick, the worst", unit="{:.4f} s"),
        Line(key="back", words=f"FLUSHALL with {_MANY:,} pending: until it goes on", unit="{:.1f} s", at_most=30.0),
    ),
)
