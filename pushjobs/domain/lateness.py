"""How late calls leave: counted by steps, which can be added up over minutes, lanes and processes, as quantiles cannot.

A call is as late as the time between its job's moment (`due_at`, of this attempt) and its leaving.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

__all__ = ["NO_CALL", "STEPS", "quantile"]

STEPS: tuple[float, ...] = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0),
)
"""Upper bounds in seconds; beyond the last there is one more step. Fine around what is promised (50 and 500 ms)."""

NO_CALL = -1
"""In place of a step's number, from 0: no call left."""


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the lateness in seconds that `share` of the calls kept below, within a step as if they lay evenly in it.

    `counts`: calls by number of step. None without any; beyond the last bound that bound, for more is not known.
    """
    by_step: Sequence[int] = [counts.get(step, 0) for step in range(len(STEPS) + 1)]
    wanted = share * sum(by_step)
    if not wanted:
        return None
    step = bisect_left(list(accumulate(by_step)), wanted)
    if step >= len(STEPS):
        return STEPS[-1]
    lower = STEPS[step - 1] if step else 0.0
    return lower + (STEPS[step] - lower) * (wanted - sum(by_step[:step])) / by_step[step]
