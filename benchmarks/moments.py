"""Moments kept: how late calls arrive while a million others wait, when everything is due at once, and past a backlog.

Compared is the `time` that was asked for with the arrival of the call's last byte at the sandbox, on one clock.
"""

from datetime import timedelta
from pathlib import Path

from benchmarks.figure import Figure, Line, Values
from benchmarks.installation import installation, multiply, news
from benchmarks.measure import PROCESSES, arrived_between, lateness, share, wait_for_all
from benchmarks.ours import every_gate
from pushjobs import clock

__all__ = ["LATENESS", "RUSH", "URGENT"]

_LATENCY_MS = 50
_PENDING, _DUE_PER_SECOND, _SECONDS = 1_000_000, 500, 60
_RUSH, _RUSH_RATE, _RUSH_SHARE = 100_000, 2_000, 1.06
_BACKLOG, _BACKLOG_RATE, _URGENT, _APART = 30_000, 1_000, 200, 0.1


def _measure_lateness(directory: Path) -> Values:
    messages = _DUE_PER_SECOND * _SECONDS
    with installation(directory, workers=PROCESSES, environment=every_gate()) as running:
        running.sandbox.change_settings(latency_ms=_LATENCY_MS, keep_bodies=False)
        running.made.producer.send(**news(messages, time=clock.now() + timedelta(days=1)))
        multiply(running.made, _PENDING - 1)
        begin = clock.now() + timedelta(seconds=15)
        moments = [begin + timedelta(seconds=number / _DUE_PER_SECOND) for number in range(messages)]
        running.made.producer.send_many(news(number, time=moment) for number, moment in enumerate(moments))
        wait_for_all(running.sandbox, messages)
        asked = {news(number)["touser"]: moment.timestamp() for number, moment in enumerate(moments)}
        late = lateness(running.sandbox, asked)
    return {"earliest": late[0], "p50": share(late, 50), "p99": share(late, 99), "worst": late[-1]}


def _measure_rush(directory: Path) -> Values:
    rate = {"PUSHJOBS_RATE_PER_SECOND": str(_RUSH_RATE)}
    with installation(directory, workers=PROCESSES, environment=every_gate() | rate) as running:
        running.sandbox.change_settings(latency_ms=_LATENCY_MS, keep_bodies=False)
        moment = clock.now() + timedelta(seconds=25)
        running.made.producer.send_many(
            news(number, time=moment + timedelta(seconds=number / _RUSH)) for number in range(_RUSH)
        )
        wait_for_all(running.sandbox, _RUSH)
        last = max(entry.arrived_at for entry in running.sandbox.all_received()) - moment.timestamp()
        peak = running.sandbox.summary().peak_per_second
    return {"last": last, "share": last / (_RUSH / _RUSH_RATE), "peak": peak}


def _measure_urgent(directory: Path) -> Values:
    rate = {"PUSHJOBS_RATE_PER_SECOND": str(_BACKLOG_RATE)}
    with installation(directory, workers=PROCESSES, environment=every_gate() | rate) as running:
        running.sandbox.change_settings(latency_ms=_LATENCY_MS, keep_bodies=False)
        running.made.producer.send_many(news(number) for number in range(_BACKLOG))
        wait_for_all(running.sandbox, _BACKLOG_RATE)
        asked: dict[str, float] = {}
        begin = clock.monotonic()
        for number in range(_URGENT):
            message = news(_BACKLOG + number)
            asked[message["touser"]] = clock.now().timestamp()
            running.made.producer.send(**message)
            clock.pause(max(0.0, begin + (number + 1) * _APART - clock.monotonic()))
        until = clock.now().timestamp()
        wait_for_all(running.sandbox, _BACKLOG + _URGENT)
        late = lateness(running.sandbox, asked)
        bulk = arrived_between(running.sandbox, min(asked.values()), until) / (until - min(asked.values()))
    return {"p50": share(late, 50), "p99": share(late, 99), "worst": late[-1], "used": bulk / _BACKLOG_RATE}


LATENESS = Figure(
    name="lateness",
    about=f"""{_DUE_PER_SECOND} jobs fall due each second for {_SECONDS} seconds, two milliseconds apart, while
{_PENDING:,} wait for another day; the sandbox answers after {_LATENCY_MS} ms.""",
    measure=_measure_lateness,
    runs=3,
    lines=(
        Line(key="earliest", words="earliest of all", unit="{:.3f} s", at_least=0.0),
        Line(key="p50", words="late, p50", unit="{:.3f} s", at_most=0.050),
        Line(key="p99", words="late, p99", unit="{:.3f} s", at_most=0.500),
        Line(key="worst", words="late, the worst", unit="{:.3f} s"),
    ),
)

RUSH = Figure(
    name="rush",
    about=f"""{_RUSH:,} jobs fall due within one second, at a rate of {_RUSH_RATE:,} a second; the sandbox answers
after {_LATENCY_MS} ms.""",
    measure=_measure_rush,
    runs=3,
    lines=(
        Line(key="last", words="until the last one arrived", unit="{:.1f} s"),
        Line(key="share", words="of what the rate makes of it", unit="{:.3f} ×", at_most=_RUSH_SHARE),
        Line(key="peak", words="most in any second", unit="{:,.0f}", at_most=_RUSH_RATE),
    ),
)

URGENT = Figure(
    name="urgent",
    about=f"""While {_BACKLOG:,} bulk jobs saturate a rate of {_BACKLOG_RATE:,} a second, one process sends
{_URGENT} urgent ones, ten a second, and their way to the sandbox is timed from before `send`.""",
    measure=_measure_urgent,
    runs=3,
    lines=(
        Line(key="p50", words="urgent past a backlog, p50", unit="{:.3f} s"),
        Line(key="p99", words="urgent past a backlog, p99", unit="{:.3f} s", at_most=1.0),
        Line(key="worst", words="urgent past a backlog, the worst", unit="{:.3f} s"),
        Line(key="used", words="of the rate used meanwhile", unit="{:.0%}"),
    ),
)
