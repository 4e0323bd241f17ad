"""What one attempt to send meant: nine words, whatever WeChat or the network said.

Three ideas are kept apart: the *state* a job is in (`job.JobState`), the *outcome* of one attempt (here), and what
becomes of the job because of it (`delivery.settle`). An outcome other than `Unknown` needs proof: either that no byte
of the request was written, or an HTTP 200 whose JSON holds an integer `errcode`.
"""

from dataclasses import dataclass

from pushjobs.domain.hot_value import hot_value
from pushjobs.domain.job import Reason

__all__ = [
    "DayOver",
    "Fatal",
    "Outcome",
    "Refused",
    "Retry",
    "Sent",
    "SlowDown",
    "TemplateFault",
    "Token",
    "Unknown",
]


@hot_value
class Sent:
    """WeChat accepted the message; `msgid` is its number, where it told one."""

    msgid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """It did not go, and may go later. `never_left`: no byte was written, so the attempt does not count."""

    errcode: int | None = None
    never_left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The access token was not accepted: refresh once, call once more."""

    errcode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDown:
    """Too fast. `to_next_minute`: WeChat counts clock minutes and this one is used up; else wait `seconds`."""

    errcode: int | None = None
    seconds: float = 2.0
    to_next_minute: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOver:
    """The app's daily allowance is used up, until 00:00 in Shanghai."""

    errcode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The job can never be sent: no consent, a bad recipient, a bad content, or a code nobody has listed."""

    errcode: int
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFault:
    """The job is refused, and its template is suspect: after `in_a_row` such answers the template pauses.

    `in_a_row` None means "the setting": the fault may lie with the single job's content.
    """

    errcode: int
    in_a_row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fatal:
    """Configuration or account: nothing of this app can go until a person mends it (errcode None: an HTTP error)."""

    errcode: int | None = None
    hold_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The request may have been read and its answer is lost: never resend blindly. `what` names the fault."""

    what: str


Outcome = Sent | Retry | Token | SlowDown | DayOver | Refused | TemplateFault | Fatal | Unknown
