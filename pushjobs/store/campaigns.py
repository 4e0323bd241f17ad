"""Campaigns as rows: stored, changed, retired; and their instants made runs, each once.

A campaign that was retired keeps its row and its runs; another one may have its key afterwards.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.campaign import Planned, Policies, RunReason
from pushjobs.store.database import as_json, statement

__all__ = [
    "Due",
    "NewCampaign",
    "StoredCampaign",
    "add",
    "change",
    "find",
    "hold",
    "keep_feed",
    "listed",
    "plan",
    "retire",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCampaign:
    """A campaign about to be stored. `next_at`: its first instant after now; None: there is none."""

    app_no: int
    key: str
    name: str
    is_declared: bool
    template_no: int
    cron: str
    zone: str
    policies: Policies
    sealed: bytes = field(repr=False)
    fingerprint: bytes
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCampaign:
    """A campaign as it stands there."""

    campaign_no: int
    app_no: int
    appid: str
    key: str
    name: str
    is_declared: bool
    template_no: int
    template_id: str
    cron: str
    zone: str
    policies: Policies
    sealed: bytes = field(repr=False)
    fingerprint: bytes
    feed: Mapping[str, Any] | None = field(repr=False)
    next_at: datetime | None
    created_at: datetime
    changed_at: datetime
    paused_at: datetime | None
    retired_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A campaign whose next instant is near, or has passed; `now` by the database's clock."""

    campaign: StoredCampaign
    planned_through: datetime
    now: datetime


_SELECT = """
SELECT c.*, a.appid, t.template_id, now() AS now
  FROM pushjobs.campaigns c JOIN pushjobs.apps a USING (app_no) JOIN pushjobs.templates t USING (template_no)"""
_LISTED = statement(f"{_SELECT} WHERE c.retired_at IS NULL ORDER BY c.key")
_FIND = statement(f"{_SELECT} WHERE c.key = :key AND c.retired_at IS NULL")

_VALUES = """
    (app_no, key, name, is_declared, template_no, cron, zone, policies, sealed, fingerprint, planned_through, next_at)
VALUES (:app_no, :key, :name, :is_declared, :template_no, :cron, :zone, CAST(:policies AS jsonb), :sealed, :fingerprint,
        now(), :next_at)"""
_ADD = statement(f"""
INSERT INTO pushjobs.campaigns {_VALUES}
    ON CONFLICT (key) WHERE retired_at IS NULL DO NOTHING
RETURNING campaign_no""")

# What is changed is planned anew from now on; what was begun goes on as it was. A run that was planned and not begun
# goes: it has no jobs yet, and its instant is free for what the campaign is now.
_CHANGE = statement("""
WITH changed AS (
    UPDATE pushjobs.campaigns
       SET app_no = :app_no, name = :name, is_declared = :is_declared, template_no = :template_no, cron = :cron,
           zone = :zone, policies = CAST(:policies AS jsonb), sealed = :sealed, fingerprint = :fingerprint,
           planned_through = now(), next_at = :next_at, changed_at = now()
     WHERE campaign_no = :campaign_no AND fingerprint = :was AND retired_at IS NULL
 RETURNING campaign_no
), unplanned AS (
    DELETE FROM pushjobs.runs r USING changed c WHERE r.campaign_no = c.campaign_no AND r.state = 'planned'
)
SELECT campaign_no FROM changed""")

_RETIRE = statement("""
WITH retired AS (
    UPDATE pushjobs.campaigns SET retired_at = now(), next_at = NULL
     WHERE campaign_no = :campaign_no AND retired_at IS NULL
 RETURNING campaign_no
), unplanned AS (
    DELETE FROM pushjobs.runs r USING retired c WHERE r.campaign_no = c.campaign_no AND r.state = 'planned'
)
SELECT campaign_no FROM retired""")

# SKIP LOCKED: of two ticks at once, the second finds nothing to plan; a change that is being written goes first.
_DUE = statement(f"""{_SELECT}
 WHERE c.retired_at IS NULL AND c.paused_at IS NULL AND c.next_at <= now() + make_interval(secs => :ahead)
 ORDER BY c.next_at LIMIT 1 FOR UPDATE OF c SKIP LOCKED""")

# Once only: whatever was planned before, in this life of the expression or in another, stays.
_RUNS = statement("""
INSERT INTO pushjobs.runs (campaign_no, app_no, template_no, instant, begins_at, state, reason, policies, sealed,
                           finished_at)
SELECT c.campaign_no, c.app_no, c.template_no, p.instant, greatest(p.instant, now()),
       CASE WHEN p.is_missed THEN 'skipped' ELSE 'planned' END::pushjobs.run_state,
       CASE WHEN p.is_missed THEN :missed END, c.policies, c.sealed, CASE WHEN p.is_missed THEN now() END
  FROM pushjobs.campaigns c,
       json_to_recordset(:planned) AS p(instant timestamptz, is_missed boolean)
 WHERE c.campaign_no = :campaign_no
    ON CONFLICT (campaign_no, instant) DO NOTHING""")
_PLANNED = statement("""
UPDATE pushjobs.campaigns SET planned_through = :through, next_at = :next_at WHERE campaign_no = :campaign_no""")

# What passes while it is held is not made up for: it is dealt with as far as the moment of the resumption.
_HOLD = statement("""
UPDATE pushjobs.campaigns
   SET paused_at = CASE WHEN :is_held THEN coalesce(paused_at, now()) END,
       planned_through = CASE WHEN :is_held OR paused_at IS NULL THEN planned_through
                              ELSE greatest(planned_through, now()) END
 WHERE campaign_no = :campaign_no""")

_KEEP_FEED = statement("""
UPDATE pushjobs.campaigns SET feed = CAST(:feed AS jsonb) WHERE campaign_no = :campaign_no""")


def listed(connection: Connection) -> list[StoredCampaign]:
    """Return the campaigns in force, by their keys."""
    return [_campaign(row) for row in connection.execute(_LISTED)]


def find(connection: Connection, key: str) -> StoredCampaign | None:
    """Return the campaign in force of that key, or None."""
    row = connection.execute(_FIND, {"key": key}).one_or_none()
    return None if row is None else _campaign(row)


def add(connection: Connection, new: NewCampaign) -> bool:
    """Store a campaign; False where its key is another one's. Instants up to now are none of its."""
    return connection.execute(_ADD, _values(new)).one_or_none() is not None


def change(connection: Connection, old: StoredCampaign, new: NewCampaign) -> bool:
    """Replace a campaign; False where it is no longer what was read. Of two operators the second hears of the first."""
    values = {**_values(new), "campaign_no": old.campaign_no, "was": old.fingerprint}
    return connection.execute(_CHANGE, values).one_or_none() is not None


def retire(connection: Connection, campaign_no: int) -> bool:
    """Take a campaign out of force; False where it was."""
    return connection.execute(_RETIRE, {"campaign_no": campaign_no}).one_or_none() is not None


def plan(
    connection: Connection,
    *,
    ahead: float,
    decide: Callable[[Due], tuple[Sequence[Planned], datetime, datetime | None]],
) -> int | None:
    """Make the next instants of one campaign runs, if any is due within `ahead` seconds; return how many, None: none.

    `decide` tells what becomes of them, up to when they are dealt with, and which is the next one.
    """
    row = connection.execute(_DUE, {"ahead": ahead}).one_or_none()
    if row is None:
        return None
    found = Due(campaign=_campaign(row), planned_through=row.planned_through, now=row.now)
    planned, through, next_at = decide(found)
    number = found.campaign.campaign_no
    rows = [{"instant": each.instant, "is_missed": each.is_missed} for each in planned]
    made = connection.execute(_RUNS, {"campaign_no": number, "planned": as_json(rows), "missed": RunReason.MISSED})
    connection.execute(_PLANNED, {"campaign_no": number, "through": through, "next_at": next_at})
    return made.rowcount


def hold(connection: Connection, campaign_no: int, *, is_held: bool) -> None:
    """Plan no runs of a campaign, or plan them again from now on."""
    connection.execute(_HOLD, {"campaign_no": campaign_no, "is_held": is_held})


def keep_feed(connection: Connection, campaign_no: int, feed: Mapping[str, Any]) -> None:
    """Remember what a feed said of itself, to ask it what is new the next time."""
    connection.execute(_KEEP_FEED, {"campaign_no": campaign_no, "feed": as_json(feed)})


def _values(new: NewCampaign) -> dict[str, Any]:
    values = {name: getattr(new, name) for name in NewCampaign.__slots__}
    return {**values, "policies": as_json(new.policies.as_record())}


def _campaign(row: Any) -> StoredCampaign:  # noqa: ANN401 - a row of either statement
    values = {name: getattr(row, name) for name in StoredCampaign.__slots__}
    return StoredCampaign(**{**values, "policies": Policies.from_record(row.policies)})
