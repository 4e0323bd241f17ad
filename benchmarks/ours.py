"""pushjobs as `pushjobs up` runs it: every process, every gate on, PostgreSQL with fsync."""

from datetime import timedelta
from pathlib import Path

import pushjobs
from benchmarks.measure import DAILY_QUOTA, PROCESSES, RATE_PER_SECOND, Figures, Load, cpu_spent, figures, wait_for_all
from pushjobs import clock, settings
from pushjobs.local.processes import Ended
from pushjobs.local.up import Up, UpOptions
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS

__all__ = ["measure_ours"]

_ACCEPTED_PER_SECOND = 10_000
_SHANGHAI_AHEAD = timedelta(hours=8)


def measure_ours(load: Load, directory: Path) -> Figures:
    """Schedule the messages for one moment, and count what the sandbox receives from then on."""
    environment = _environment()
    options = UpOptions(
        directory=directory, environment=environment, workers=PROCESSES, http=None, flower=None, sandbox=True
    )
    with Up(options, _report) as running:
        running.ready()
        sandbox = SandboxClient(running.addresses["sandbox"])
        sandbox.change_settings(latency_ms=load.latency_ms, keep_bodies=False)
        with pushjobs.connect(directory) as push:
            moment = clock.now() + timedelta(seconds=6 + load.messages / _ACCEPTED_PER_SECOND)
            report = push.send_many(
                {
                    "touser": f"oReader{number:07d}",
                    "template_id": DAILY_NEWS,
                    "data": {"thing1": f"第{number}期", "thing2": "今日要闻", "date3": "2026年12月1日"},
                    "time": moment,
                }
                for number in range(load.messages)
            )
            if report.accepted != load.messages:
                raise ValueError(f"{load.messages - report.accepted} messages were refused: {report.rejected[:1]}")
            # From here on: the ticks, the claims and the publishing are part of what a send costs.
            with cpu_spent() as spent:
                wait_for_all(sandbox, load.messages)
                cpu = spent()
        return figures(sandbox, load.messages, cpu)


def _environment() -> dict[str, str]:
    """Return the environment of this process with every gate in it, quiet hours that are not now among them."""
    quiet = (clock.now() + _SHANGHAI_AHEAD + timedelta(hours=12)).replace(minute=0)
    return settings.environment() | {
        "PUSHJOBS_RATE_PER_SECOND": str(RATE_PER_SECOND),
        "PUSHJOBS_DAILY_QUOTA": str(DAILY_QUOTA),
        "PUSHJOBS_QUIET_HOURS": f"{quiet:%H:%M}-{quiet + timedelta(minutes=30):%H:%M}",
    }


def _report(ended: Ended) -> None:
    print(f"{ended.name} ended with status {ended.status}: this run is worth nothing")
