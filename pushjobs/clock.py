"""The only clock: every reading of time in the process passes through here.

Three clocks, never mixed. `now()` is for people and for absolute times that leave the process. `monotonic()` measures
how long something took and how far off something is; it goes on while the machine sleeps, so that a worker that was
stopped notices. Whether a job is *due* is decided by neither: PostgreSQL's clock decides, and hands us distances.
"""

import threading
import time
from datetime import UTC, datetime

__all__ = ["monotonic", "now", "pause"]

# CLOCK_BOOTTIME counts time in suspension too, which CLOCK_MONOTONIC leaves out on Linux; macOS has no such clock,
# and its monotonic clock stands in.
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds on a clock that never steps and does not stop while the machine is suspended."""
    return time.clock_gettime(_BOOTTIME)


def pause(seconds: float) -> None:
    """Let the calling thread rest."""
    threading.Event().wait(seconds)
