"""Call: each job of a slice at its own instant and slot, concurrently, each exactly once.

Runs in the process's one event loop, which lives in a thread of its own; starting a slice returns at once. Whatever
happens, every job comes back with an answer: an answer that is lost is a job in doubt.

A slot that is missed is forfeited, never used late: the call takes another one, as long as its lease allows.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from operator import itemgetter
from typing import Protocol

from pushjobs import clock
from pushjobs.delivery.admission import Admitted
from pushjobs.domain.events import CallBroke, TokenUnavailable
from pushjobs.domain.hot_value import hot_value
from pushjobs.domain.job import Lane
from pushjobs.domain.outcome import DayOver, Fatal, Outcome, Retry, SlowDown, Token, Unknown
from pushjobs.errors import CallRefused, CredentialsRefused, Unreachable
from pushjobs.pace import Grant, Pace, Slot, Wait
from pushjobs.telemetry import Emit
from pushjobs.wechat import errcodes
from pushjobs.wechat.client import Client
from pushjobs.wechat.loop import LoopThread
from pushjobs.wechat.quota import remaining
from pushjobs.wechat.tokens import TokenSource

__all__ = ["Answer", "Caller", "Listener"]

_ASKED_SECONDS = 30.0
_REDIS_SECONDS = 0.5
_APART_SECONDS = 0.004
"""Calls whose slots open within it leave together, well within their slots: a turn of the loop costs as much as a call.
"""

_SOON_SECONDS = 0.005
"""How far ahead a spare slot lies at the least: the call that waits for it must first be told."""


@hot_value
class Answer:
    """What became of one job's call. `outcome` None: it could not be called in time, and was not.

    `called_at`: when the call left, on the process's monotonic clock; None if none did. `known_at`: when that was over.
    `calls`: how many left, two where a token had to be replaced.
    """

    job: Admitted
    outcome: Outcome | None
    called_at: float | None = None
    known_at: float = 0.0
    calls: int = 0


class Listener(Protocol):
    """Hears of each job's call, in the event loop's thread: once that it left or never will, then its answer."""

    def left(self) -> None:
        """Note that a job's call left, or never will."""

    def hand_in(self, answer: Answer) -> None:
        """Take a job's answer in."""


class Caller:
    """Calls WeChat for one app; one a process."""

    def __init__(self, loop: LoopThread, client: Client, tokens: TokenSource, pace: Pace, *, emit: Emit) -> None:
        self._loop = loop
        self._client = client
        self._tokens = tokens
        self._spares = {lane: _Spares(pace, lane) for lane in Lane}
        self._emit = emit
        self._asking = asyncio.Lock()
        self._asked_until = 0.0
        self._has_left = False

    def start(self, admitted: Sequence[Admitted], listener: Listener) -> Future[None]:
        """Begin a slice's calls and return at once."""
        return self._loop.submit(self._call_all(admitted, listener))

    async def _call_all(self, admitted: Sequence[Admitted], listener: Listener) -> None:
        calls = [asyncio.create_task(self._warm_up())]
        now = clock.monotonic()
        for moment, job in sorted(((max(job.not_before, job.slot.opens), job) for job in admitted), key=itemgetter(0)):
            if moment > now:
                await _until(max(moment, now + _APART_SECONDS))
                now = clock.monotonic()
            calls.append(asyncio.create_task(self._call(job, listener)))
        await asyncio.gather(*calls)

    async def _warm_up(self) -> None:
        """Have a token and a connection when the first slot opens: what is fetched then would miss it."""
        with suppress(CallRefused, Unreachable):
            await self._tokens.current()
        await self._client.warm_up()

    async def _call(self, job: Admitted, listener: Listener) -> None:
        departure = _Departure(job, self._spares[job.lane], listener)
        outcome: Outcome | None
        try:
            outcome = await self._send(job, departure)
        except Exception as error:  # noqa: BLE001 - an error of ours must not lose the job's answer
            fault = type(error).__name__
            self._emit(CallBroke(job_id=job.id, fault=fault))
            outcome = Retry(never_left=True) if departure.left_at is None else Unknown(what=fault)
        if departure.left_at is None:
            listener.left()
            if departure.is_missed:
                outcome = None
        now, left_at = clock.monotonic(), departure.left_at
        listener.hand_in(Answer(job=job, outcome=outcome, called_at=left_at, known_at=now, calls=departure.calls))

    async def _send(self, job: Admitted, departure: "_Departure") -> Outcome:
        """Call once; if the token was not accepted, refresh it and call once more."""
        try:
            token = await self._tokens.current()
        except CredentialsRefused as error:
            self._emit(TokenUnavailable(appid=job.appid, fault=type(error).__name__))
            meant = errcodes.read(error.errcode)
            return meant if isinstance(meant, Fatal) else Fatal(errcode=error.errcode)
        except (CallRefused, Unreachable) as error:
            self._emit(TokenUnavailable(appid=job.appid, fault=type(error).__name__))
            return Retry(never_left=True)
        outcome = await self._client.send(job.message, token, slot=departure)
        if isinstance(outcome, DayOver) and not await self._is_day_over(token):
            return SlowDown(errcode=outcome.errcode, to_next_minute=True)
        if not isinstance(outcome, Token):
            return outcome
        try:
            renewed = await self._tokens.renew(token)
        except (CallRefused, Unreachable):
            return outcome
        # A repeat is a call like any other: it takes a slot of its own.
        again = await self._client.send(job.message, renewed, slot=departure.again())
        return outcome if isinstance(again, Retry) and again.never_left else again

    async def _is_day_over(self, token: str) -> bool:
        """Ask WeChat, once for all who want to know: some say 45009 is per minute (wechat-api.md 12, doubt 6)."""
        async with self._asking:
            if clock.monotonic() > self._asked_until:
                try:
                    left = await remaining(self._client, token)
                except (CallRefused, Unreachable):
                    left = None
                self._has_left = bool(left)
                self._asked_until = clock.monotonic() + _ASKED_SECONDS
            return not self._has_left


class _Departure:
    """When one call may leave: asked by the transport once the connection is there, right before the first byte."""

    def __init__(self, job: Admitted, spares: "_Spares", listener: Listener) -> None:
        self._job = job
        self._spares = spares
        self._listener = listener
        self._slot: Slot | None = job.slot
        self._most_calls = 1
        self.left_at: float | None = None
        self.calls = 0
        self.is_missed = False

    def again(self) -> "_Departure":
        """Return this for one more call, which needs another slot."""
        self._slot = None
        self._most_calls = 2
        return self

    async def __call__(self) -> bool:
        """Wait for the slot, or for another if it was missed; False when the lease leaves no time for a call."""
        while clock.monotonic() <= self._job.call_by:
            if self._slot is not None and await self._slot.reached() and clock.monotonic() <= self._job.call_by:
                if self.left_at is None:
                    self._listener.left()
                self.left_at = clock.monotonic()
                # Asked again where the connection turned out to be lost, it is the same call.
                self.calls = self._most_calls
                return True
            self._slot = await self._spares.take()
        self.is_missed = True
        return False


class _Spares:
    """Slots for calls that missed theirs, asked for together: a stall costs one question, not one a call."""

    def __init__(self, pace: Pace, lane: Lane) -> None:
        self._pace = pace
        self._lane = lane
        self._waiting: deque[asyncio.Future[Slot | None]] = deque()
        self._serving: asyncio.Task[None] | None = None

    async def take(self) -> Slot | None:
        """Wait for a slot; None when there was none to be had for a while, and it is time to look at the lease."""
        turn: asyncio.Future[Slot | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        return await turn

    async def _serve(self) -> None:
        while self._waiting:
            given = await self._reserve(len(self._waiting))
            if isinstance(given, Wait):
                await asyncio.sleep(given.seconds)
                slots: list[Slot | None] = [None] * len(self._waiting)
            else:
                slots = [given.slot(index) for index in range(given.count)]
            for slot in slots:
                self._waiting.popleft().set_result(slot)

    async def _reserve(self, count: int) -> Grant | Wait:
        try:
            return await asyncio.to_thread(self._pace.reserve, count, self._lane, after=_SOON_SECONDS)
        except Unreachable:
            # Fail closed, and look again: Redis may be back before the leases are over.
            return Wait(seconds=_REDIS_SECONDS)


async def _until(instant: float) -> None:
    """Sleep until the instant and not a moment less: timers may fire up to half a millisecond early."""
    while (left := instant - clock.monotonic()) > 0:  # noqa: ASYNC110 - time is the only event there is
        await asyncio.sleep(max(left, 0.001))
