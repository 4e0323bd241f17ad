"""What answers about campaigns and their audiences hold; as `answers`, of which they are a part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pushjobs.campaigns import campaigns, rehearsal
from pushjobs.campaigns import stored as uploads
from pushjobs.domain.campaign import Missed, RunReason, RunState
from pushjobs.domain.instants import Instant as PlannedInstant
from pushjobs.domain.job import Lane, OnQuota
from pushjobs.store import audiences, runs

__all__ = ["RECORDS"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredName:
    """Which uploaded audience."""

    stored: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign. `audience` null: one of the installation's own, which is not named here.

    Spans are texts as they may be given back, "1800s". `next_at`: its next instant that is not planned yet; null: none.
    """

    key: str
    name: str
    appid: str
    template_id: str
    cron: str
    zone: str
    audience: StoredName | None
    content: Mapping[str, Any]
    lane: Lane
    spread: str
    expires: str
    on_quota: OnQuota
    missed: Missed
    grace: str
    is_declared: bool
    next_at: datetime | None
    created_at: datetime
    changed_at: datetime
    paused_at: datetime | None

    @classmethod
    def of(cls, found: campaigns.Campaign) -> "Campaign":
        """Show a campaign."""
        policies = found.policies
        return cls(
            key=found.key,
            name=found.name,
            appid=found.appid,
            template_id=found.template_id,
            cron=found.cron,
            zone=found.zone,
            audience=None if found.stored_audience is None else StoredName(stored=found.stored_audience),
            content=found.content,
            lane=policies.lane,
            spread=_span(policies.spread),
            expires=_span(policies.life),
            on_quota=policies.on_quota,
            missed=policies.missed,
            grace=_span(policies.grace),
            is_declared=found.is_declared,
            next_at=found.next_at,
            created_at=found.created_at,
            changed_at=found.changed_at,
            paused_at=found.paused_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaigns:
    """The client's campaigns, by their keys."""

    campaigns: Sequence[Campaign]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """A moment at which a campaign runs, `local` in its zone; `note`: what a clock change does to it."""

    moment: datetime
    local: datetime
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The next instants."""

    instants: Sequence[Instant]

    @classmethod
    def of(cls, found: Sequence[PlannedInstant]) -> "Preview":
        """Show instants."""
        return cls(
            instants=[
                Instant(moment=each.moment, local=each.local, note=None if each.note is None else str(each.note))
                for each in found
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """Why a row, counted from 1, is no recipient: its field, the fault, and the rule that it breaks."""

    number: int
    field: str
    fault: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One instant of a campaign. `recipients`: users in its audience; `rejected` rows were none, the first in `faults`.

    `jobs` are made of them ahead of `begins_at`.
    """

    run: int
    key: str
    appid: str
    template_id: str
    instant: datetime
    begins_at: datetime
    state: RunState
    reason: RunReason | None
    recipients: int | None
    rejected: int | None
    faults: Sequence[RowFault]
    jobs: int
    paused_at: datetime | None
    opened_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, run: runs.Run) -> "Run":
        """Show a run."""
        return cls(
            run=run.run_no,
            key=run.key,
            appid=run.appid,
            template_id=run.template_id,
            instant=run.instant,
            begins_at=run.begins_at,
            state=run.state,
            reason=run.reason,
            recipients=run.recipients,
            rejected=run.rejected,
            faults=[RowFault(**each) for each in run.faults],
            jobs=run.expanded,
            paused_at=run.paused_at,
            opened_at=run.opened_at,
            finished_at=run.finished_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """A campaign's runs, the latest first."""

    runs: Sequence[Run]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is, counted this moment: jobs by state, refused ones by reason, how many are to be closed.

    `finishes_at`: when the last leaves, at the pace of this moment; null: it is over, or cannot be known.
    """

    run: Run
    states: Mapping[str, int]
    refused: Mapping[str, int]
    remaining: int | None
    finishes_at: datetime | None

    @classmethod
    def of(cls, found: campaigns.Progress) -> "Progress":
        """Show how far a run is."""
        return cls(
            run=Run.of(found.run),
            states={state.value: count for state, count in found.states.items()},
            refused=found.refused,
            remaining=found.remaining,
            finishes_at=found.finishes_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How many runs are held, or go on."""

    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What is not there any more."""

    deleted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one user would be sent; the open id is cut after its first letters."""

    touser: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """So many users would be refused, or wait, for a rule."""

    rule: str
    users: int
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A run as it would be at an instant: so many get it, the others stand in `verdicts`; its calls take so long.

    `users` are in the audience, each once; `repeated` rows named one again, `rejected` rows were none, by fault.
    `held`: why nothing would leave at all.
    """

    at: datetime
    users: int
    repeated: int
    rejected: Mapping[str, int]
    gets: int
    verdicts: Sequence[Verdict]
    seconds: float
    held: Sequence[str]
    samples: Sequence[Sample]

    @classmethod
    def of(cls, found: rehearsal.Rehearsal) -> "Rehearsal":
        """Show a rehearsal."""
        return cls(
            at=found.at,
            users=found.users,
            repeated=found.repeated,
            rejected=dict(found.rejected),
            gets=found.gets,
            verdicts=[Verdict(rule=each.rule, users=each.users, waits=each.waits) for each in found.verdicts],
            seconds=found.seconds,
            held=found.held,
            samples=[Sample(touser=each.touser, content=each.content.as_record()) for each in found.samples],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """An uploaded audience. `recipients` counts its rows: a user who has several is sent to once, by the first."""

    name: str
    recipients: int
    rejected: int
    uploaded_at: datetime

    @classmethod
    def of(cls, found: audiences.StoredAudience) -> "Audience":
        """Show an audience."""
        return cls(name=found.name, recipients=found.recipients, rejected=found.rejected, uploaded_at=found.uploaded_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audiences:
    """The app's uploaded audiences, by their names."""

    audiences: Sequence[Audience]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An audience as it is in force now; of its rejected rows the first hundred, each with its fault."""

    audience: Audience
    faults: Sequence[RowFault]

    @classmethod
    def of(cls, found: uploads.Uploaded) -> "Upload":
        """Show what came of an upload."""
        return cls(
            audience=Audience.of(found.audience),
            faults=[
                RowFault(number=each.number, field=each.refusal.field, fault=each.refusal.fault, rule=each.refusal.rule)
                for each in found.faults
            ],
        )


RECORDS: tuple[Any, ...] = (Audiences, Campaign, Campaigns, Deleted, Held, Preview, Progress, Rehearsal, Runs, Upload)
"""Every record that an answer about campaigns is."""


def _span(span: timedelta) -> str:
    return f"{span // timedelta(seconds=1)}s"
