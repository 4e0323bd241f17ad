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
    """Where a job stands. The last six are closing states. A text: `JobState.SENT == "sent"`."""

    SCHEDULED = "scheduled"
    """Waits for its moment, in SQL; it may be cancelled and moved."""
    RELEASED = "released"
    """Claimed and published, no more than seconds before its moment; it still may."""
    SENDING = "sending"
    """Through every gate: its call waits for its slot, is out, or its answer is not written yet."""
    SENT = "sent"
    """WeChat accepted the message. Whether it reached the user, `Job.receipt` tells where callbacks are received."""
    REFUSED = "refused"
    """Never to be sent: no consent, no place left on the day, or WeChat does not take it; `reason` says which."""
    EXPIRED = "expired"
    """Its deadline passed before anyone called."""
    CANCELLED = "cancelled"
    """Taken back before anyone called."""
    DEAD = "dead"
    """Its attempts are used up; kept, and an operator may replay it."""
    IN_DOUBT = "in_doubt"
    """Nobody knows whether its call got through; held for a receipt, an operator, or its template's policy."""

    @property
    def is_final(self) -> bool:
        """Whether the job is closed (`dead` and `in_doubt` can be reopened, by name)."""
        return self not in {JobState.SCHEDULED, JobState.RELEASED, JobState.SENDING}


class Lane(StrEnum):
    """Which queue a job leaves by: single notices do not wait behind campaigns."""

    URGENT = "urgent"
    """Ahead of bulk jobs: notices to one user. The default of `send`."""
    BULK = "bulk"
    """What can wait a little; rests in the quiet hours. The default of `send_many` and of campaigns."""


class OnQuota(StrEnum):
    """What becomes of a job whose user has had enough for the day."""

    DEFER = "defer"
    """Sent on the next day, at the app's resume hour, if that is before its deadline."""
    REFUSE = "refuse"
    """Not sent at all. The default of campaigns."""


class DoubtPolicy(StrEnum):
    """What is done about a call whose outcome is unknown: wait for word, or accept a possible repeat."""

    HOLD = "hold"
    """Wait for WeChat's receipt, then for an operator."""
    RESEND = "resend"
    """Send again, though the user may get it twice."""


class Reason(StrEnum):
    """Why a job changed its state; the closed vocabulary of the history."""

    DEADLINE = "deadline"
    """Its deadline passed."""
    REQUESTED = "requested"
    """Asked for by its owner."""
    RETRY = "retry"
    """WeChat was not able to take it; it is tried again."""
    NOT_SENT = "not_sent"
    """No connection to WeChat could be made; nothing had left, and no attempt is counted."""
    TOO_LATE_TO_CALL = "too_late_to_call"
    """Its worker's lease was too short for another call."""
    LEASE_EXPIRED = "lease_expired"
    """Its worker did not come back."""
    NOT_PUBLISHED = "not_published"
    """The broker did not take it."""
    DRAINED = "drained"
    """Its worker was stopped."""
    USER_BUSY = "user_busy"
    """Another message was on its way to the same user."""
    QUOTA = "quota"
    """The user had had the day's messages."""
    QUOTA_HELD = "quota_held"
    """Calls under way held what was left of the user's quota."""
    CONSENT_HELD = "consent_held"
    """Calls under way held the user's credits."""
    PAUSED = "paused"
    """Its app, template or lane was paused."""
    QUIET_HOURS = "quiet_hours"
    """Bulk jobs rest then."""
    APP_BUDGET = "app_budget"
    """The app's calls of the day were used up, as we count them."""
    NO_ROOM = "no_room"
    """Calls before it did not come back, and another app had work for the worker."""
    REPLAYED = "replayed"
    """By an operator's word, after it was dead."""
    RESOLVED = "resolved"
    """By an operator's word, after it was in doubt."""
    RECEIPT = "receipt"
    """WeChat told what became of it."""
    SLOW_DOWN = "slow_down"
    """WeChat said too fast."""
    DAY_OVER = "day_over"
    """WeChat said that the app's calls of the day are used up."""
    TOKEN = "token"  # noqa: S105 - the word, not a secret
    """The access token was not accepted, nor the next one."""
    NO_CONSENT = "no_consent"
    """The user's consent was missing, by the ledger or by WeChat's word (43101)."""
    FORM_ID = "form_id"
    """Its legacy form id is invalid or used up."""
    RECIPIENT = "recipient"
    """WeChat knows no such user of this app, or cannot reach it."""
    CONTENT = "content"
    """WeChat does not accept what it says."""
    TEMPLATE_FAULT = "template_fault"
    """WeChat finds fault with its template."""
    APP_FAULT = "app_fault"
    """WeChat refuses the app's calls."""
    UNLISTED_CODE = "unlisted_code"
    """WeChat answered with a code that no page lists."""
    ATTEMPTS_USED_UP = "attempts_used_up"
    """It failed as often as a job is tried."""
    UNKNOWN_OUTCOME = "unknown_outcome"
    """Its call was begun, and no answer came that says what became of it."""
    LATE_ANSWER = "late_answer"
    """Its answer came when it was no longer its worker's."""
    UNDECRYPTABLE = "undecryptable"
    """No key of the worker's opens its message."""
    FORGOTTEN = "forgotten"
    """Its user was forgotten."""
    RUN_HELD = "run_held"
    """Its campaign's run was held."""
    RUN_CANCELLED = "run_cancelled"
    """Its campaign's run was cancelled."""
    NOTHING_NEW = "nothing_new"
    """Its campaign's feed had nothing new."""
    NO_CONTENT = "no_content"
    """Its campaign's content could not be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One push to one user at one time, as `get` and `find` return it; it does not follow what happens afterwards.

    All times are aware and in UTC. The message itself is not part of it: it stays sealed, and is gone where
    `is_forgotten`.
    """

    id: JobId
    """Its number, below 2**53; the same in every app."""
    appid: str
    """The app it is of."""
    template_id: str
    """WeChat's id of the template it is sent as; of a mapped legacy message, that of the subscribe template."""
    state: JobState
    """Where it stands."""
    lane: Lane
    """By which queue it leaves."""
    time: datetime
    """The moment that was asked for, or that of the asking where that was past."""
    due_at: datetime
    """When it is tried next, or was tried last: later than `time` after a retry or a deferral."""
    expires: datetime
    """Its deadline: after it, it is not sent."""
    attempts: int
    """Calls that count: one that surely never left does not."""
    reason: Reason | None
    """Why it is in a state other than the happy path's; None: nothing happened."""
    errcode: int | None
    """WeChat's last error code; None: there was none, or its last answer was success."""
    msgid: int | None
    """WeChat's number of the message, once it is sent and if WeChat named it."""
    reference: str | None
    """The caller's own, such as an order's number; need not be unique."""
    created_at: datetime
    """When it was accepted."""
    called_at: datetime | None
    """When its last call left; None: nobody has called."""
    closed_at: datetime | None
    """When it came into its closing state; None: it is open."""
    receipt: JobReceipt | None = None
    """What WeChat told of the message afterwards; None: nothing, or callbacks are not received."""
    client: str | None = None
    """The name of the client that asked for it over HTTP; None: it came another way."""
    is_forgotten: bool = False
    """Whether its user was forgotten: the message is gone, and so is the reference."""


def read_state(value: str | JobState | None) -> JobState | None:
    """Read a state's name, None for any state; raises InvalidInput."""
    if value is None:
        return None
    try:
        return JobState(value)
    except ValueError:
        raise InvalidInput("state", "is no state of a job", f"use {', '.join(JobState)}") from None
