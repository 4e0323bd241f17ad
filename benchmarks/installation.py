"""An installation to measure: what `pushjobs up --sandbox` starts, with fsync, and nothing that is set around us."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pushjobs import settings
from pushjobs.local.processes import Ended
from pushjobs.local.up import Up, UpOptions
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS

__all__ = ["FAR_OFF", "Running", "installation", "multiply", "news"]

FAR_OFF = "2099-12-01 08:00:00"
"""A time at which nothing that is measured here will still run."""

# Copies of a job that was accepted as any is, due one a second from a day hence: as sealed, as long, as indexed.
_MULTIPLY = """
INSERT INTO pushjobs.jobs (app_no, template_no, lane, state, on_quota, release_no, planned_at, due_at, expires_at,
                           recipient, sealed)
SELECT app_no, template_no, lane, state, on_quota, 0, moment, moment, moment + interval '2 days',
       substring(sha256(uuid_send(gen_random_uuid())) FOR 16), sealed
  FROM (SELECT * FROM pushjobs.jobs ORDER BY id LIMIT 1) first,
       generate_series(1, {count}) n, LATERAL (SELECT now() + interval '1 day' + make_interval(secs => n) AS moment)"""
_STEP = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running installation, a runtime on its servers, and the sandbox to count at. `http`: the doors, if any."""

    directory: Path
    made: Runtime
    sandbox: SandboxClient
    http: str | None


@contextmanager
def installation(
    directory: Path, *, workers: int, doors: bool = False, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    """Run everything without Flower. `environment`: settings beside the defaults.

    Raises RuntimeError at the end when a process ended meanwhile: what was measured is worth nothing then.
    """
    fallen: list[Ended] = []
    options = UpOptions(
        directory=directory,
        environment=settings.environment() | (environment or {}),
        workers=workers,
        http=0 if doors else None,
        flower=None,
        sandbox=True,
    )
    with Up(options, fallen.append) as running:
        running.ready()
        sandbox = SandboxClient(running.addresses["sandbox"])
        made = Runtime(settings.load(directory))
        try:
            made.catalogue.sync()
            yield Running(directory=directory, made=made, sandbox=sandbox, http=running.addresses.get("http"))
        finally:
            made.close()
    if fallen:
        raise RuntimeError(f"{fallen[0].name} ended with status {fallen[0].status}: this run is worth nothing")


def news(number: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - what `send` takes
    """Return a message of the daily news, for a user and with a text of its own."""
    data = {"thing1": f"第{number}期", "thing2": "今日要闻", "date3": "2026年12月1日"}
    return {"touser": f"oReader{number:021d}", "template_id": DAILY_NEWS, "data": data, **more}


def multiply(made: Runtime, count: int) -> None:
    """Add so many pending jobs to the first one, and let the planner know."""
    for begin in range(0, count, _STEP):
        with made.database.transaction() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql(_MULTIPLY.format(count=min(_STEP, count - begin)))
    with made.database.transaction() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("ANALYZE pushjobs.jobs")
