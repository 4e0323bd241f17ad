"""How long to wait before the next attempt.

Exponential with full jitter: the delay is drawn evenly from nothing to the cap of its attempt, so that jobs that
failed together do not come back together (wechat-api.md section 6.3: 2 s doubling, 5 min at most, 5 attempts).
What is forwarded to the app's own door is tried for most of a day: it may come twice, and must not be lost.
"""

from datetime import timedelta

__all__ = [
    "MAX_ASKS",
    "MAX_ATTEMPTS",
    "MAX_FORWARDS",
    "alert_delay",
    "asking_delay",
    "forward_delay",
    "retry_delay",
    "tell_delay",
]

MAX_ATTEMPTS = 5

MAX_FORWARDS = 24

MAX_ASKS = 6
"""How often a client asks the door for one and the same thing."""

_FIRST = 2.0
_LONGEST = 300.0
_FIRST_FORWARD = 5.0
_LONGEST_FORWARD = 3600.0
_FIRST_ASK = 0.2
_LONGEST_WISH = 10.0


def retry_delay(attempt: int, *, draw: float) -> timedelta:
    """Return the delay after the `attempt`-th failed attempt (from 1); `draw` is a random number in [0, 1).

    At least a second even on a lucky draw: WeChat asks for that much after its own "system busy".
    """
    cap = min(_LONGEST, _FIRST * 2.0 ** max(attempt - 1, 0))
    return timedelta(seconds=max(1.0, cap * draw))


def forward_delay(attempt: int, *, draw: float) -> timedelta | None:
    """Return the delay after the `attempt`-th try to forward a push, half of it jitter; None after the last one."""
    if attempt >= MAX_FORWARDS:
        return None
    return tell_delay(attempt, draw=draw)


def tell_delay(attempt: int, *, draw: float) -> timedelta:
    """Return the delay after the `attempt`-th try to tell a client of outcomes: the same, without a last one."""
    # Doubled a few times at most: a client that is away for good is tried more often than a float can be doubled.
    cap = min(_LONGEST_FORWARD, _FIRST_FORWARD * 2.0 ** min(max(attempt - 1, 0), MAX_FORWARDS))
    return timedelta(seconds=cap * (1 + draw) / 2)


def alert_delay(attempt: int, *, draw: float) -> timedelta:
    """Return the delay after the `attempt`-th try to tell of alerts: the same, but 5 minutes at most."""
    return min(tell_delay(attempt, draw=draw), timedelta(seconds=_LONGEST * (1 + draw) / 2))


def asking_delay(attempt: int, *, draw: float, at_least: float = 0.0) -> timedelta | None:
    """Return the delay after the `attempt`-th time that the door was asked in vain; None after the last one.

    `at_least`: the seconds that the door wished for; None beyond 10 s, for whoever waits behind the client.
    """
    if attempt >= MAX_ASKS or at_least > _LONGEST_WISH:
        return None
    cap = _FIRST_ASK * 2.0 ** max(attempt - 1, 0)
    return timedelta(seconds=at_least + cap * (1 + draw) / 2)
