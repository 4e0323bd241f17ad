"""Reading what holds a job: its row's hidden half, its user's day and consent, and who is due before it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.campaign import RunState
from pushjobs.domain.consent import Consent, ConsentPolicy
from pushjobs.domain.job import DoubtPolicy, Job, JobId, OnQuota
from pushjobs.domain.lifecycle import Transition
from pushjobs.store.database import statement

__all__ = ["MOST_COUNTED", "Day", "Facts", "OfRun", "ahead", "day", "facts"]

MOST_COUNTED = 1_000_000
"""Where counting who is before a job ends: beyond it nobody asks for the exact number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A user's row: places of `day` that are `sent` or `held`, and until when somebody is calling; day None: none."""

    day: date | None
    sent: int
    held: int
    in_flight_until: datetime | None

    def used_on(self, today: date) -> tuple[int, int]:
        """Return how many places of a day are used, and how many are held by calls under way."""
        is_today = self.day is not None and self.day >= today
        return (self.sent, self.held) if is_today else (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRun:
    """The campaign's run that a job is of."""

    run_no: int
    key: str
    state: RunState
    is_paused: bool
    begins_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known around a job, as of `now` by the database's clock."""

    now: datetime
    app_no: int
    template_no: int
    run: OfRun | None
    recipient: bytes = field(repr=False)
    on_quota: OnQuota
    consent_policy: ConsentPolicy
    in_doubt: DoubtPolicy
    lease_until: datetime | None
    user: Day
    daily_cap: int | None
    template_day: date | None
    template_used: int
    consent: Consent | None


_FACTS = statement("""
SELECT clock_timestamp() AS now, j.app_no, j.template_no, j.run_no, j.recipient, j.on_quota, j.lease_until,
       t.consent AS consent_policy, t.in_doubt, t.daily_cap,
       r.quota_day, coalesce(r.sent, 0) AS sent, coalesce(r.held, 0) AS held, r.in_flight_until,
       d.quota_day AS template_day, coalesce(d.used, 0) AS template_used,
       c.credits, c.held AS credits_held, c.is_standing,
       run.state AS run_state, run.paused_at IS NOT NULL AS run_paused, run.begins_at, campaign.key
  FROM pushjobs.jobs j
  JOIN pushjobs.templates t USING (template_no)
  LEFT JOIN pushjobs.recipients r ON (r.app_no, r.recipient) = (j.app_no, j.recipient)
  LEFT JOIN pushjobs.template_days d
         ON (d.app_no, d.recipient, d.template_no) = (j.app_no, j.recipient, j.template_no)
  LEFT JOIN pushjobs.consents c ON (c.app_no, c.recipient, c.template_no) = (j.app_no, j.recipient, j.template_no)
  LEFT JOIN pushjobs.runs run ON run.run_no = j.run_no
  LEFT JOIN pushjobs.campaigns campaign USING (campaign_no)
 WHERE j.id = :id""")

# What is out already goes before whatever still waits; the job itself may be among it. The inner LIMIT keeps templates
# and runs apart: each is counted in its own stretch of the index.
_AHEAD = statement(
    """
SELECT (SELECT count(*) FROM (
            SELECT FROM (
                SELECT template_no, 0 AS run_no FROM pushjobs.templates WHERE app_no = :app_no
                 UNION ALL
                SELECT template_no, run_no FROM pushjobs.runs
                 WHERE app_no = :app_no AND finished_at IS NULL
                   AND (state = 'open' AND paused_at IS NULL OR run_no = :run_no)) AS s, LATERAL (
                SELECT FROM pushjobs.jobs
                 WHERE state {release.sources} AND app_no = :app_no AND lane = :lane AND template_no = s.template_no
                   AND run_no = s.run_no AND (due_at, id) < (:due_at, :id)
                 LIMIT :most) AS of_source
             WHERE s.template_no <> ALL (:paused)
             LIMIT :most) AS waiting)
     + (SELECT count(*) FROM pushjobs.jobs
         WHERE state IN ('released', 'sending') AND app_no = :app_no AND lane = :lane AND id <> :id) AS jobs""",
    Transition.RELEASE,
)

_DAY = statement("""
SELECT quota_day, sent, held, in_flight_until FROM pushjobs.recipients
 WHERE app_no = :app_no AND recipient = :recipient""")


def facts(connection: Connection, job_id: JobId) -> Facts:
    """Return what is known around a job that is there."""
    row = connection.execute(_FACTS, {"id": job_id}).one()
    known = None
    if row.credits is not None:
        known = Consent(credits=row.credits, held=row.credits_held, is_standing=row.is_standing)
    return Facts(
        now=row.now,
        app_no=row.app_no,
        template_no=row.template_no,
        run=_run(row),
        recipient=bytes(row.recipient),
        on_quota=OnQuota(row.on_quota),
        consent_policy=ConsentPolicy(row.consent_policy),
        in_doubt=DoubtPolicy(row.in_doubt),
        lease_until=row.lease_until,
        user=_day(row),
        daily_cap=row.daily_cap,
        template_day=row.template_day,
        template_used=row.template_used,
        consent=known,
    )


def ahead(connection: Connection, facts: Facts, job: Job, *, paused: Collection[int], most: int = MOST_COUNTED) -> int:
    """Count the jobs of the same app and lane that go before this one, up to one more than `most` of those that wait.

    Those of the templates `paused` do not, nor those of other runs that are held.
    """
    run_no = 0 if facts.run is None else facts.run.run_no
    values = {
        "app_no": facts.app_no,
        "run_no": run_no,
        "lane": job.lane,
        "due_at": job.due_at,
        "id": job.id,
        "most": most + 1,
    }
    return int(connection.execute(_AHEAD, {**values, "paused": list(paused)}).scalar_one())


def day(connection: Connection, app_no: int, recipient: bytes) -> Day:
    """Return a user's row."""
    row = connection.execute(_DAY, {"app_no": app_no, "recipient": recipient}).one_or_none()
    return Day(day=None, sent=0, held=0, in_flight_until=None) if row is None else _day(row)


def _run(row: Any) -> OfRun | None:  # noqa: ANN401 - a row of the facts
    if row.key is None:
        return None
    return OfRun(
        run_no=row.run_no,
        key=row.key,
        state=RunState(row.run_state),
        is_paused=row.run_paused,
        begins_at=row.begins_at,
    )


def _day(row: Any) -> Day:  # noqa: ANN401 - a row of either statement
    return Day(day=row.quota_day, sent=row.sent, held=row.held, in_flight_until=row.in_flight_until)
