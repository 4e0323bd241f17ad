"""Campaigns by hand, in the test's own process: small audiences, instants that are near, ticks one by one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pushjobs import clock
from pushjobs.campaigns.campaigns import Campaign
from pushjobs.campaigns.expansion import Expansion
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.store import runs
from pushjobs.store.runs import OpenRun, Run
from tests.integration.hands import ask

__all__ = ["NEWS", "audience", "begin", "expansion", "only_run", "open_runs", "plan_at", "readers"]

_FAR = clock.now() + timedelta(hours=12)

NEWS: dict[str, Any] = {
    # Once a day, and not while tests run: at eight in the morning it would be planned by itself for ten minutes a day.
    "cron": f"{_FAR.minute} {_FAR.hour} * * *",
    "zone": "UTC",
    "template_id": DAILY_NEWS,
    "content": {"data": {"thing1": "要闻", "thing2": "今日要闻", "date3": "2026年12月1日"}},
}


def readers(count: int) -> list[str]:
    """Open ids of as many users."""
    return [f"oReader{number:06d}" for number in range(count)]


def audience(directory: Path, tousers: Sequence[str]) -> dict[str, str]:
    """Write an audience as a CSV; return what names it."""
    path = directory / "audience.csv"
    path.write_text("touser\n" + "".join(f"{each}\n" for each in tousers), encoding="utf-8")
    return {"file": str(path)}


def begin(runtime: Runtime, directory: Path, tousers: Sequence[str], **more: Any) -> Campaign:  # noqa: ANN401 - arguments
    """Add a campaign whose first instant is a minute ahead, so that the next tick plans it and fetches its content."""
    made = runtime.campaigns.add("news", **{**NEWS, "audience": audience(directory, tousers), **more})
    plan_at(runtime, clock.now() + timedelta(seconds=50))
    return made


def plan_at(runtime: Runtime, *instants: datetime, campaign: str = "news") -> None:
    """Have the runs of these instants planned, as if the expression had named them."""
    for instant in instants:
        ask(
            runtime,
            """INSERT INTO pushjobs.runs (campaign_no, app_no, template_no, instant, begins_at, state, policies, sealed)
               SELECT campaign_no, app_no, template_no, :instant, greatest(:instant, now()), 'planned', policies, sealed
                 FROM pushjobs.campaigns WHERE key = :key AND retired_at IS NULL""",
            instant=instant,
            key=campaign,
        )


def only_run(runtime: Runtime, key: str = "news") -> Run:
    """Return the one run there is."""
    [run] = runtime.campaigns.runs(key)
    return run


def open_runs(runtime: Runtime) -> list[OpenRun]:
    """Return the runs that are not finished, as ticks see them."""
    with runtime.database.transaction() as connection:
        return runs.unfinished(connection)


def expansion(runtime: Runtime, chunk: int) -> Expansion:
    """Return what makes jobs, with small chunks."""
    return Expansion(
        runtime.database,
        sealer=runtime.sealer,
        lookup=runtime.connections.lookup,
        is_draining=lambda: False,
        emit=lambda _: None,
        chunk=chunk,
    )
