"""The rules that can hold a job, by name: what `why` answers with.

The names are told to programs (`/v1`, `--json`): a name keeps its meaning. How each is asked and worded is
`explanations`'.
"""

from enum import StrEnum

__all__ = ["Rule"]


class Rule(StrEnum):
    """What holds a job; `Why.words` says it with the figures."""

    NOT_DUE = "not_due"
    """It is not due yet."""
    PAUSED = "paused"
    """Its app, template or lane is paused."""
    RUN = "run"
    """Its campaign's run holds it."""
    BREAKER = "breaker"
    """WeChat did not answer, or refused the app or the template again and again."""
    APP_BUDGET = "app_budget"
    """The app's calls of the day are used up."""
    QUIET_HOURS = "quiet_hours"
    """It is bulk, and the quiet hours are not over."""
    QUOTA = "quota"
    """The user has had the day's messages."""
    USER_BUSY = "user_busy"
    """Another message is on its way to the same user."""
    CONSENT = "consent"
    """The user's consent is missing or held."""
    PACE = "pace"
    """It leaves as the pace allows."""
    RETRY = "retry"
    """A call failed, and it is tried again."""
    KEY = "key"
    """No key opens its message."""
    DEADLINE = "deadline"
    """Its deadline comes before it could be tried."""
    UNDER_WAY = "under_way"
    """A worker is calling WeChat with it."""
    IN_DOUBT = "in_doubt"
    """Nobody knows whether its call got through."""
    CLOSED = "closed"
    """It is closed; `Why.words` tells by what."""
