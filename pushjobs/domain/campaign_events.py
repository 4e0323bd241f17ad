"""What happened to campaigns and their runs, as frozen records: a part of `events`, which has them all."""

from dataclasses import dataclass

from pushjobs.domain.campaign import RunReason, RunState

__all__ = [
    "AudienceUnreadable",
    "AudienceUploaded",
    "CampaignNotTaken",
    "ContentUnread",
    "RunBroke",
    "RunEnded",
    "RunExpanded",
    "RunFailed",
    "RunOpened",
    "RunsPlanned",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceUnreadable:
    """A run's audience could not be read; it is tried again until its grace is over."""

    run_no: int
    key: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceUploaded:
    """An audience was uploaded as a whole, and is in force."""

    app_no: int
    name: str
    recipients: int
    rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignNotTaken:
    """A campaign declared in code has something wrong; what was stored of it before stays in force."""

    key: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentUnread:
    """A run's content could not be fetched; it is tried again until its instant."""

    run_no: int
    key: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """Nothing of a run is left to do, or nothing was new."""

    run_no: int
    key: str
    state: RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunExpanded:
    """Every job of a run is made."""

    run_no: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed:
    """A run came to nothing, for want of its audience or its content; its jobs are refused."""

    run_no: int
    key: str
    reason: RunReason
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOpened:
    """A run's jobs leave as they fall due."""

    run_no: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPlanned:
    """Instants of campaigns became runs, those that were missed among them."""

    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBroke:
    """Something broke at one run, for no fault of its own; the others went on, and it is tried again."""

    run_no: int
    key: str
    fault: str
