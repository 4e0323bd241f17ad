"""What happened, as frozen records: one a slice or a tick, never one a job on the happy path.

Whoever causes an event emits it and does not know who listens (`telemetry`). Numbers and ids only: no event can hold
an open id or a content.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pushjobs.domain.alert_events import AlertBegan, AlertEnded, AlertsNotTold
from pushjobs.domain.campaign_events import (
    AudienceUnreadable,
    AudienceUploaded,
    CampaignNotTaken,
    ContentUnread,
    RunBroke,
    RunEnded,
    RunExpanded,
    RunFailed,
    RunOpened,
    RunsPlanned,
)
from pushjobs.domain.door_events import (
    CallbacksNotKept,
    CallbacksRefused,
    OutcomesGivenUp,
    OutcomesNotTold,
    PushesNotTaken,
    RequestAnswered,
    RequestsFailed,
    RequestsNotAccepted,
)
from pushjobs.domain.heartbeat import Step
from pushjobs.domain.job import JobId, JobState, Lane
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.pause import PauseReason

__all__ = [
    "AlertBegan",
    "AlertEnded",
    "AlertsNotTold",
    "AllowanceUnknown",
    "AppUnreadable",
    "AudienceUnreadable",
    "AudienceUploaded",
    "BatchDropped",
    "CallBroke",
    "CallbacksNotKept",
    "CallbacksRefused",
    "CallsMoved",
    "CampaignNotTaken",
    "CatalogueRead",
    "CatalogueUnread",
    "ContentUnread",
    "ContentsUnchecked",
    "DatabaseSteppedBack",
    "Event",
    "EventsApplied",
    "EventsUnreadable",
    "IntakeRefused",
    "JobsErased",
    "JobsPruned",
    "JobsReleased",
    "JobsRescued",
    "JobsResent",
    "JobsUnpublished",
    "MessageUnreadable",
    "OutcomesGivenUp",
    "OutcomesNotTold",
    "Paused",
    "PushesNotTaken",
    "RequestAnswered",
    "RequestsFailed",
    "RequestsNotAccepted",
    "RunBroke",
    "RunEnded",
    "RunExpanded",
    "RunFailed",
    "RunOpened",
    "RunsPlanned",
    "SettleBroke",
    "SettleRepeated",
    "SliceSettled",
    "TokenFetched",
    "TokenNeed",
    "TokenUnavailable",
    "TraceBroke",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsReleased:
    """A tick claimed and published due jobs."""

    app_no: int
    lane: Lane
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsUnpublished:
    """The broker took no messages; the jobs went back and the next tick tries again."""

    app_no: int
    lane: Lane
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsRescued:
    """Leases ran out: jobs nobody had begun went back, jobs in mid-call are in doubt."""

    given_back: int
    in_doubt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsResent:
    """Jobs in doubt are scheduled again, because their templates accept a repeat."""

    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsErased:
    """Users were forgotten: so many of their jobs lost their messages, and those that waited were cancelled."""

    jobs: int
    cancelled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPruned:
    """Closed jobs were deleted because of their age, so many of each state."""

    jobs: Mapping[JobState, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDropped:
    """A batch ended before all of its jobs were begun; the rest went back."""

    app_no: int
    lane: Lane
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSettled:
    """A slice's answers are written. `moves` counts jobs by what became of them; `seconds` from admission."""

    app_no: int
    lane: Lane
    moves: Mapping[Transition, int]
    late: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleBroke:
    """Settling a slice ended in an error of our own making; its jobs will be in doubt."""

    app_no: int
    lane: Lane
    jobs: int
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleRepeated:
    """The database did not take a slice's answers; they are kept and written again."""

    app_no: int
    lane: Lane
    jobs: int
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageUnreadable:
    """A job's message could not be decrypted; it waits for the key."""

    job_id: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUnavailable:
    """No access token was to be had; nothing was called."""

    appid: str
    fault: str


class TokenNeed(StrEnum):
    """Why WeChat was asked for an access token."""

    NONE_KEPT = "none_kept"
    """None was kept, or the one that was had run its time."""
    NOT_ACCEPTED = "not_accepted"
    """A call was refused with the one that was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFetched:
    """WeChat gave an access token, for all processes; `is_new` False: the one it had given before."""

    appid: str
    need: TokenNeed
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceBroke:
    """A job's trace could not be made, for a fault of ours; of a process's faults only the first is told of."""

    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBroke:
    """A call ended in an error of our own making; its outcome counts as unknown."""

    job_id: JobId
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeRefused:
    """A `pushjobs.send` task held something that cannot be sent."""

    field: str
    fault: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Something was paused by itself: a template, or the app where `template_no` is None."""

    app_no: int
    template_no: int | None
    reason: PauseReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceUnknown:
    """WeChat did not say how many calls it allows a day; what was known before holds on."""

    app_no: int
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppUnreadable:
    """What stands in SQL of an app cannot be read here: its jobs wait."""

    appid: str
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsMoved:
    """No connection could be made to the host called so far, or one can be made to the first again."""

    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueRead:
    """The app's templates were read from WeChat: it lists so many."""

    appid: str
    templates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueUnread:
    """The app's templates could not be read; the catalogue stays as it was."""

    appid: str
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentsUnchecked:
    """WeChat gave no word on so many contents, of the first of them for this reason."""

    appid: str
    contents: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSteppedBack:
    """The database is not as far as it was seen, by this sign; every app is paused as `restored`."""

    step: Step
    as_of: str
    last_seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsApplied:
    """A slice of what WeChat told was put where it belongs.

    `confirmed`: jobs that were in doubt and are sent by a receipt. `waiting`: receipts that no job fits yet. `left`:
    those that none has fitted for as long as one might.
    """

    receipts: int
    confirmed: int
    consents: int
    waiting: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsUnreadable:
    """WeChat told something of ours in a shape that nobody knows; it was forwarded, if anything is, and not applied."""

    app_no: int
    items: int


Event = (
    AlertBegan
    | AlertEnded
    | AlertsNotTold
    | AllowanceUnknown
    | AppUnreadable
    | AudienceUnreadable
    | AudienceUploaded
    | BatchDropped
    | CallBroke
    | CallbacksNotKept
    | CallbacksRefused
    | CallsMoved
    | CampaignNotTaken
    | CatalogueRead
    | CatalogueUnread
    | ContentUnread
    | ContentsUnchecked
    | DatabaseSteppedBack
    | EventsApplied
    | EventsUnreadable
    | IntakeRefused
    | JobsErased
    | JobsPruned
    | JobsReleased
    | JobsRescued
    | JobsResent
    | JobsUnpublished
    | MessageUnreadable
    | OutcomesGivenUp
    | OutcomesNotTold
    | Paused
    | PushesNotTaken
    | RequestAnswered
    | RequestsFailed
    | RequestsNotAccepted
    | RunBroke
    | RunEnded
    | RunExpanded
    | RunFailed
    | RunOpened
    | RunsPlanned
    | SettleBroke
    | SettleRepeated
    | SliceSettled
    | TokenFetched
    | TokenUnavailable
    | TraceBroke
)
