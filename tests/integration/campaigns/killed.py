"""Processes that take campaigns' runs along, killed at random: `python killed.py KILLS CHUNK`, settings as ever.

Two at a time, as two workers are. Each is forked, so that a kill costs milliseconds, and has a runtime of its own.
"""

import os
import random
import signal
import sys
import time

from pushjobs import settings
from pushjobs.campaigns import ticking
from pushjobs.runtime import Runtime

LONGEST_LIFE = 0.25
AT_ONCE = 2


def work(chunk: int) -> None:
    """Tick for ever, with small chunks."""
    runtime = Runtime(settings.load())
    made: ticking.Ticking = runtime.ticking
    made._expansion._chunk = chunk
    while True:
        made.tick()
        made.expand()


def main(kills: int, chunk: int) -> None:
    """Kill as often as asked; two run at any time."""
    chance = random.Random(7)  # noqa: S311 - the same moments each time, as far as a machine repeats itself
    alive: list[int] = []
    for _ in range(kills):
        while len(alive) < AT_ONCE:
            child = os.fork()
            if not child:
                work(chunk)
            alive.append(child)
        time.sleep(chance.random() * LONGEST_LIFE)  # any moment will do: that is the test
        doomed = alive.pop(chance.randrange(len(alive)))
        os.kill(doomed, signal.SIGKILL)
        os.waitpid(doomed, 0)
    for child in alive:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
