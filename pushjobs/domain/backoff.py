"""How long to wait before the next attempt.

Exponential with full jitter: the delay is drawn evenly from nothing to the cap of its attempt, so that jobs that
failed together do not come back together (wechat-api.md section 6.3: 2 s doubling, 5 min at most, 5 attempts).
"""

from datetime import timedelta

__all__ = ["MAX_ATTEMPTS", "retry_delay"]

MAX_ATTEMPTS = 5

_FIRST = 2.0
_LONGEST = 300.0


def retry_delay(attempt: int, *, draw: float) -> timedelta:
    """Return the delay after the `attempt`-th failed attempt (from 1); `draw` is a random number in [0, 1).

    At least a second even on a lucky draw: WeChat asks for that much after its own "system busy".
    """
    cap = min(_LONGEST, _FIRST * 2.0 ** max(attempt - 1, 0))
    return timedelta(seconds=max(1.0, cap * draw))
