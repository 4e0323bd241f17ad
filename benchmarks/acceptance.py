"""Acceptance in process: many at once, by one caller and by two, one with its own commit, and one that is due now."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks.figure import Figure, Line, Values
from benchmarks.installation import FAR_OFF, installation, news
from benchmarks.measure import cpu_spent
from pushjobs import clock, settings
from pushjobs.runtime import Runtime

__all__ = ["ACCEPTANCE"]

_MANY, _SINGLE, _NOW = 200_000, 3_000, 1_500
_CALLERS = 2
_START_SECONDS = 60.0


def _measure(directory: Path) -> Values:
    with installation(directory, workers=1) as running:
        producer = running.made.producer
        producer.send_many(news(number, time=FAR_OFF) for number in range(1_000))
        rows = [news(number, time=FAR_OFF) for number in range(_MANY)]
        with cpu_spent() as spent_since:
            many = _MANY / _seconds(lambda: producer.send_many(rows))
            spent = spent_since().seconds
        single = _SINGLE / _seconds(
            lambda: [producer.send(**news(_MANY + number, time=FAR_OFF)) for number in range(_SINGLE)]
        )
        now = _NOW / _seconds(lambda: [producer.send(**news(number)) for number in range(_NOW)])
        together = _together(directory)
    return {
        "many": many,
        "together": together,
        "many us caller": spent["benchmark"] / _MANY * 1e6,
        "many us postgresql": spent["postgresql"] / _MANY * 1e6,
        "single": single,
        "now": now,
    }


def _together(directory: Path) -> float:
    """Have several processes accept at the same time, half of the jobs each; return how many a second they did."""
    spawning = multiprocessing.get_context("spawn")
    barrier = spawning.Barrier(_CALLERS + 1)
    callers = [spawning.Process(target=_call, args=(directory, number, barrier)) for number in range(1, _CALLERS + 1)]
    for caller in callers:
        caller.start()
    barrier.wait(_START_SECONDS)
    rate = _MANY / _seconds(lambda: barrier.wait(_START_SECONDS))
    for caller in callers:
        caller.join()
    return rate


def _call(directory: Path, number: int, barrier: Barrier) -> None:
    """Accept a share of the jobs between two meetings of all callers."""
    made = Runtime(settings.load(directory))
    first = number * 10 * _MANY
    made.producer.send_many([news(first, time=FAR_OFF)])
    rows = [news(first + each, time=FAR_OFF) for each in range(1, 1 + _MANY // _CALLERS)]
    barrier.wait(_START_SECONDS)
    made.producer.send_many(rows)
    barrier.wait(_START_SECONDS)
    made.close()


def _seconds(work: Callable[[], object]) -> float:
    begun = clock.monotonic()
    work()
    return clock.monotonic() - begun


ACCEPTANCE = Figure(
    name="acceptance",
    about=f"""`send_many` of {_MANY:,} different messages for a far-off time, by one process in one thread, then by
{_CALLERS} processes together, on the same cores as everything else; and by one process {_SINGLE:,} single `send` for a
far-off time, each with its commit, and {_NOW:,} that are due now and published at once.""",
    measure=_measure,
    runs=3,
    lines=(
        Line(
            key="many",
            words="bulk acceptance, `send_many`",
            unit="{:,.0f}/s",
            at_least=30_000,
            otherwise="one thread of Python reads, checks, seals and hashes each row; PostgreSQL takes a fifth of that",
        ),
        Line(key="together", words=f"the same by {_CALLERS} processes at once", unit="{:,.0f}/s"),
        Line(key="many us caller", words="processor of the caller for each", unit="{:.0f} µs"),
        Line(key="many us postgresql", words="processor of PostgreSQL for each", unit="{:.0f} µs"),
        Line(key="single", words="single `send`, far off", unit="{:,.0f}/s", at_least=1_000),
        Line(key="now", words="single `send`, due now", unit="{:,.0f}/s", at_least=500),
    ),
)
