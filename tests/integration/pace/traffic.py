"""Traffic on one pace: processes that call, what they reported, and the counting that every test here rests on."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pushjobs import clock
from pushjobs.domain.job import Lane

__all__ = ["Call", "Traffic", "fullest_second", "per_second", "traffic", "within"]

_STALL_SECONDS = 0.3
_CALM_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a lane: when it was wanted, and when it left."""

    lane: Lane
    wanted: float
    left: float


class Traffic:
    """What the processes do, as they report it; grows until they are killed."""

    def __init__(self, process: subprocess.Popen[bytes], appid: str) -> None:
        self.appid = appid
        assert process.stdout is not None
        _, began, pids = process.stdout.readline().split()
        self.began = float(began)
        self.bulk_pids = [int(pid) for pid in pids.split(b",")]
        self._lines = process.stdout
        self._calls: list[Call] = []

    def until(self, condition: Callable[[Call], bool]) -> list[Call]:
        """Read on until a call answers the condition; return all there were so far, in the order they left."""
        for line in self._lines:
            lane, wanted, left = line.decode().split()
            self._calls.append(Call(Lane(lane), float(wanted), float(left)))
            if condition(self._calls[-1]):
                break
        return sorted(self._calls, key=lambda call: call.left)

    def for_seconds(self, seconds: float) -> list[Call]:
        """Read on until a call left so long after the start."""
        return self.until(lambda call: call.left > self.began + seconds)


@contextmanager
def traffic(
    redis_url: str,
    *,
    limits: Sequence[tuple[float, float]],
    lanes: Mapping[Lane, int],
    share: float = 0.2,
    urgent_pause: float | None = None,
) -> Iterator[Traffic]:
    """Run processes on a pace of their own, those of bulk stopped for 0.3 s now and then.

    `limits`: seconds from the start, and the limit from there on.
    """
    plan = {"limits": limits, "lanes": lanes, "share": share, "urgent_pause": urgent_pause}
    appid = f"wx{uuid4().hex}"
    command = [sys.executable, str(Path(__file__).with_name("callers.py")), redis_url, appid, json.dumps(plan)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        running = Traffic(process, appid)
        leaving = threading.Event()
        stopper = threading.Thread(target=_keep_stopping, args=(running.bulk_pids, leaving))
        stopper.start()
        try:
            yield running
        finally:
            leaving.set()
            stopper.join()
            process.kill()
            process.communicate()


def within(calls: Sequence[Call], begin: float, end: float) -> list[Call]:
    """Return the calls that left between two moments."""
    return [call for call in calls if begin <= call.left < end]


def per_second(calls: Sequence[Call], begin: float, end: float) -> float:
    """Return how many calls left a second between two moments."""
    return len(within(calls, begin, end)) / (end - begin)


def fullest_second(calls: Sequence[Call]) -> int:
    """Count the calls in the fullest second, wherever it begins."""
    times = [call.left for call in calls]
    return max(bisect_left(times, time + 1) - index for index, time in enumerate(times))


def _keep_stopping(pids: Sequence[int], leaving: threading.Event) -> None:
    """Stop a process at a time, as a machine does that has other work, or a debugger."""
    until = clock.monotonic() + _CALM_SECONDS * random.random()  # noqa: S311 - at any moment of a short test
    while not leaving.wait(max(0.0, until - clock.monotonic())):
        stopped = random.choice(pids)  # noqa: S311 - any of them
        with suppress(ProcessLookupError):
            os.kill(stopped, signal.SIGSTOP)
            leaving.wait(_STALL_SECONDS)
            os.kill(stopped, signal.SIGCONT)
        until = clock.monotonic() + _CALM_SECONDS
