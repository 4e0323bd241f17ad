"""Acceptance in process: many at once, one with a commit of its own, and one that is due now."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.figure import Figure, Line, Values
from benchmarks.installation import FAR_OFF, installation, news
from benchmarks.measure import cpu_spent
from pushjobs import clock

__all__ = ["ACCEPTANCE"]

_MANY, _SINGLE, _NOW = 200_000, 3_000, 1_500


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
    return {
        "many": many,
        "many us caller": spent["benchmark"] / _MANY * 1e6,
        "many us postgresql": spent["postgresql"] / _MANY * 1e6,
        "single": single,
        "now": now,
    }


def _seconds(work: Callable[[], object]) -> float:
    begun = clock.monotonic()
    work()
    return clock.monotonic() - begun


ACCEPTANCE = Figure(
    name="acceptance",
    about=f"""One process, one thread. `send_many` of {_MANY:,} different messages for a far-off time; {_SINGLE:,}
single `send` for a far-off time, each with its commit; {_NOW:,} single `send` that are due now and published at
once.""",
    measure=_measure,
    runs=3,
    lines=(
        Line(key="many", words="bulk acceptance, `send_many`", unit="{:,.0f}/s", at_least=30_000),
        Line(key="many us caller", words="processor of the caller for each", unit="{:.0f} µs"),
        Line(key="many us postgresql", words="processor of PostgreSQL for each", unit="{:.0f} µs"),
        Line(key="single", words="single `send`, far off", unit="{:,.0f}/s", at_least=1_000),
        Line(key="now", words="single `send`, due now", unit="{:,.0f}/s", at_least=500),
    ),
)
