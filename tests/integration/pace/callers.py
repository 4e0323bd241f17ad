"""`callers.py REDIS_URL APPID PLAN`: processes that call as workers do, on one pace, until they are killed.

PLAN is JSON: `limits` [[seconds from the start, per second] …], `share`, `lanes` {name: processes}, `urgent_pause`
(mean seconds between two urgent calls of a process, null: as many as it can). Each call is a line on the output: its
lane, and when it was wanted and when it left, on the monotonic clock that all processes of a machine share.
"""

import asyncio
import json
import os
import random
import sys
import threading
from typing import Any

import uvloop
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pushjobs import clock
from pushjobs.domain.job import Lane
from pushjobs.errors import Unreachable
from pushjobs.local.bound import die_with_parent
from pushjobs.pace import Limit, Pace, Slot, Wait

_JITTER_SECONDS = 0.010
_CALM_SECONDS = 0.1
_SLICE = 100
_AGAIN_SECONDS = 0.05


class Process:
    """One process of a lane."""

    def __init__(self, redis_url: str, appid: str, plan: dict[str, Any], lane: Lane, began: float) -> None:
        redis = Redis.from_url(redis_url, socket_timeout=2, retry=Retry(NoBackoff(), 1))
        self._pace = Pace(redis, appid, self._limit)
        self._plan = plan
        self._lane = lane
        is_single = lane is Lane.URGENT and plan["urgent_pause"] is not None
        self._slice = 1 if is_single else _SLICE
        self._pause = float(plan["urgent_pause"]) if is_single else 0.0
        self._began = began
        self._stall = threading.Event().wait

    async def call(self) -> None:
        """Reserve and call without end."""
        jitter = asyncio.create_task(self._keep_stalling())
        calls: set[asyncio.Task[None]] = set()
        wanted = clock.monotonic()
        while not jitter.done():
            try:
                grant = await asyncio.to_thread(self._pace.reserve, self._slice, self._lane)
            except Unreachable:
                grant = Wait(seconds=_AGAIN_SECONDS)
            if isinstance(grant, Wait):
                await asyncio.sleep(grant.seconds)
                continue
            for index in range(grant.count):
                call = asyncio.create_task(self._leave(grant.slot(index), wanted))
                calls.add(call)
                call.add_done_callback(calls.discard)
            await asyncio.sleep(self._pause * 2 * random.random())  # noqa: S311 - so that they do not march in step
            wanted = clock.monotonic()

    async def _leave(self, slot: Slot, wanted: float) -> None:
        if await slot.reached():
            os.write(1, f"{self._lane} {wanted:.6f} {clock.monotonic():.6f}\n".encode())

    async def _keep_stalling(self) -> None:
        """Block the loop now and then, as a busy process does."""
        while True:
            await asyncio.sleep(_CALM_SECONDS * random.random())  # noqa: S311 - jitter
            self._stall(_JITTER_SECONDS * random.random())  # noqa: S311 - jitter

    def _limit(self) -> Limit:
        ago = clock.monotonic() - self._began
        per_second = next(rate for begin, rate in reversed(self._plan["limits"]) if begin <= ago)
        return Limit(per_second=per_second, urgent_share=self._plan["share"])


def main(redis_url: str, appid: str, written: str) -> None:
    """Fork the processes; the parent prints the ids of the bulk ones and waits to be killed."""
    plan = json.loads(written)
    began, parent = clock.monotonic(), os.getpid()
    children = []
    for lane, processes in plan["lanes"].items():
        for _ in range(processes):
            child = os.fork()
            if child == 0:
                die_with_parent(parent)
                random.seed()
                uvloop.run(Process(redis_url, appid, plan, Lane(lane), began).call())
            if lane == Lane.BULK:
                children.append(str(child))
    os.write(1, f"began {began:.6f} {','.join(children)}\n".encode())
    os.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
