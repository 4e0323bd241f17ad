"""pushjobs as `pushjobs up` runs it: every process, every gate on, PostgreSQL with fsync."""

from datetime import timedelta
from pathlib import Path

from benchmarks.installation import Running, installation, multiply, news
from benchmarks.measure import (
    DAILY_QUOTA,
    PROCESSES,
    RATE_PER_SECOND,
    Arrived,
    Load,
    arrivals,
    cpu_spent,
    wait_for_all,
)
from pushjobs import clock

__all__ = ["every_gate", "measure_ours", "send"]

_ACCEPTED_PER_SECOND = 10_000
_SHANGHAI_AHEAD = timedelta(hours=8)


def measure_ours(load: Load, directory: Path, *, workers: int = PROCESSES, pending: int = 0) -> Arrived:
    """Schedule the messages for one moment, and count what the sandbox receives from then on.

    `workers`: bulk processes. `pending`: jobs of another day that stand in the tables meanwhile.
    """
    with installation(directory, workers=workers, environment=every_gate()) as running:
        if pending:
            running.made.producer.send(**news(load.messages, time=clock.now() + timedelta(days=1)))
            multiply(running.made, pending - 1)
        return send(running, load)


def send(running: Running, load: Load, *, first: int = 0) -> Arrived:
    """Schedule the messages of a load for one moment, and count what the sandbox receives from then on.

    `first`: the number of the first user.
    """
    running.sandbox.reset()
    running.sandbox.change_settings(latency_ms=load.latency_ms, keep_bodies=False)
    moment = clock.now() + timedelta(seconds=6 + load.messages / _ACCEPTED_PER_SECOND)
    rows = (news(first + number, time=moment) for number in range(load.messages))
    report = running.made.producer.send_many(rows)
    if report.accepted != load.messages:
        raise ValueError(f"{load.messages - report.accepted} messages were refused: {report.rejected[:1]}")
    # From here on: the ticks, the claims and the publishing are part of what a send costs.
    with cpu_spent() as spent:
        wait_for_all(running.sandbox, load.messages)
        cpu = spent()
    return arrivals(running.sandbox, load.messages, cpu)


def every_gate() -> dict[str, str]:
    """Return the settings with every gate on, quiet hours that are not now among them."""
    quiet = (clock.now() + _SHANGHAI_AHEAD + timedelta(hours=12)).replace(minute=0)
    return {
        "PUSHJOBS_RATE_PER_SECOND": str(RATE_PER_SECOND),
        "PUSHJOBS_DAILY_QUOTA": str(DAILY_QUOTA),
        "PUSHJOBS_QUIET_HOURS": f"{quiet:%H:%M}-{quiet + timedelta(minutes=30):%H:%M}",
    }
