"""A job: one push to one user at one time, and the words for where it stands.

Pure values. How a job may change its state is `lifecycle`'s; how it is stored is `store`'s.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from pushjobs.domain.receipt import JobReceipt
from pushjobs.errors import InvalidInput

__all__ = ["DEFAULT_LIFE", "DoubtPolicy", "Job", "JobId", "JobState", "Lane", "OnQuota", "Reason", "read_state"]

JobId = NewType("JobId", int)
"""A job's number, below 2**53: JavaScript clients round larger ones."""

DEFAULT_LIFE = timedelta(hours=48)
"""How long after its `time` a message is still worth sending, unless `expires` says otherwise."""


class JobState(StrEnum):
    """Where a job stands. The last six are closing states."""

    SCHEDULED = "scheduled"
    RELEASED = "released"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DEAD = "dead"
    IN_DOUBT = "in_doubt"

    @property
    def is_final(self) -> bool:
        """Whether the job is closed (`dead` and `in_doubt` can be reopened, by name)."""
        return self not in {JobState.SCHEDULED, JobState.RELEASED, JobState.SENDING}


class Lane(StrEnum):
    """Which queue a job leaves by: single notices do not wait behind campaigns."""

    URGENT = "urgent"
    BULK = "bulk"


class OnQuota(StrEnum):
    """What becomes of a job whose user has had enough for the day."""

    DEFER = "defer"
    REFUSE = "refuse"


class DoubtPolicy(StrEnum):
    """What is done about a call whose outcome is unknown: wait for word, or accept a possible repeat."""

    HOLD = "hold"
    RESEND = "resend"


class Reason(StrEnum):
    """Why a job changed its state; the closed vocabulary of the history."""

    DEADLINE = "deadline"
    REQUESTED = "requested"
    RETRY = "retry"
    NOT_SENT = "not_sent"
    TOO_LATE_TO_CALL = "too_late_to_call"
    LEASE_EXPIRED = "lease_expired"
    NOT_PUBLISHED = "not_published"
    DRAINED = "drained"
    USER_BUSY = "user_busy"
    QUOTA = "quota"
    QUOTA_HELD = "quota_held"
    CONSENT_HELD = "consent_held"
    PAUSED = "paused"
    QUIET_HOURS = "quiet_hours"
    APP_BUDGET = "app_budget"
    NO_PACE = "no_pace"
    NO_ROOM = "no_room"
    SLOT_MISSED = "slot_missed"
    REPLAYED = "replayed"
    RESOLVED = "resolved"
    RECEIPT = "receipt"
    SLOW_DOWN = "slow_down"
    DAY_OVER = "day_over"
    TOKEN = "token"  # noqa: S105 - the word, not a secret
    NO_CONSENT = "no_consent"
    FORM_ID = "form_id"
    RECIPIENT = "recipient"
    CONTENT = "content"
    TEMPLATE_FAULT = "template_fault"
    APP_FAULT = "app_fault"
    UNLISTED_CODE = "unlisted_code"
    ATTEMPTS_USED_UP = "attempts_used_up"
    UNKNOWN_OUTCOME = "unknown_outcome"
    LATE_ANSWER = "late_answer"
    UNDECRYPTABLE = "undecryptable"
    FORGOTTEN = "forgotten"
    RUN_HELD = "run_held"
    RUN_CANCELLED = "run_cancelled"
    NOTHING_NEW = "nothing_new"
    NO_CONTENT = "no_content"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One push to one user at one time, as `get` and `find` return it.

    All times are aware and in UTC. `time` is the moment that was asked for; `due_at` the moment it will be tried next
    (later than `time` after a retry or a deferral). `errcode` is WeChat's last answer, `msgid` WeChat's number of the
    message once sent, `receipt` what it told of it afterwards, `client` the name of the client that asked for it over
    HTTP. The message itself is not part of it: it stays sealed, and is gone where `is_forgotten`.
    """

    id: JobId
    appid: str
    template_id: str
    state: JobState
    lane: Lane
    time: datetime
    due_at: datetime
    expires: datetime
    attempts: int
    reason: Reason | None
    errcode: int | None
    msgid: int | None
    reference: str | None
    created_at: datetime
    called_at: datetime | None
    closed_at: datetime | None
    receipt: JobReceipt | None = None
    client: str | None = None
    is_forgotten: bool = False


def read_state(value: str | JobState | None) -> JobState | None:
    """Read a state's name, None for any state; raises InvalidInput."""
    if value is None:
        return None
    try:
        return JobState(value)
    except ValueError:
        raise InvalidInput("state", "is no state of a job", f"use {', '.join(JobState)}") from None
