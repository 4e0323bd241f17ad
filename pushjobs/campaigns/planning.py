"""Instants made runs: each campaign's next ones, ahead of time, each once.

Idempotent, so any number of ticks may do it at once: the campaign's row is locked while its instants are decided, a
second planner passes it over, and a run there is already stays. Killed before its commit, a planner has done nothing.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from pushjobs.domain.campaign import EXPAND_AHEAD, Missed, Planned, plan
from pushjobs.domain.events import RunsPlanned
from pushjobs.domain.instants import read_cron
from pushjobs.store import campaigns as stored
from pushjobs.store.campaigns import Due
from pushjobs.store.database import Database
from pushjobs.telemetry import Emit

__all__ = ["plan_runs"]

_MOST_AT_ONCE = 1000
"""Instants decided in one transaction; an outage of a week misses ten thousand of every minute."""


def plan_runs(database: Database, *, emit: Emit, is_draining: Callable[[], bool]) -> int:
    """Plan the runs of every campaign whose next instant is near or has passed; return how many runs were made."""
    made = 0
    while not is_draining():
        with database.transaction() as connection:
            planned = stored.plan(connection, ahead=EXPAND_AHEAD.total_seconds(), decide=_decide)
        if planned is None:
            break
        made += planned
    if made:
        emit(RunsPlanned(runs=made))
    return made


def _decide(due: Due) -> tuple[Sequence[Planned], datetime, datetime | None]:
    """Decide the instants up to the horizon, or the first thousand of them."""
    campaign = due.campaign
    cron = read_cron(campaign.cron, ZoneInfo(campaign.zone))
    horizon = due.now + EXPAND_AHEAD
    instants: list[datetime] = []
    next_at: datetime | None = None
    for instant in cron.after(due.planned_through):
        if instant.moment > horizon or len(instants) == _MOST_AT_ONCE:
            next_at = instant.moment
            break
        instants.append(instant.moment)
    through = instants[-1] if instants else due.now
    is_followed = next_at is not None and next_at < due.now - campaign.policies.grace
    if is_followed and campaign.policies.missed is not Missed.ALL:
        # A long outage: all of these were missed, and so were those behind them, of which the last are recorded.
        return [], through, next_at
    return plan(instants, campaign.policies, due.now), through, next_at
