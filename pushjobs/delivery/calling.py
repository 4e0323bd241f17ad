"""Call: each job of a slice at its own instant, concurrently, each exactly once.

Runs in the process's one event loop, which lives in a thread of its own; starting a slice returns at once. Whatever
happens, every job comes back with an answer: an answer that is lost is a job in doubt.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from pushjobs import clock
from pushjobs.delivery.admission import Admitted
from pushjobs.domain.events import CallBroke, TokenUnavailable
from pushjobs.domain.message import Message
from pushjobs.domain.outcome import Outcome, Retry, Token, Unknown
from pushjobs.errors import CallRefused, Unreachable
from pushjobs.telemetry import Emit
from pushjobs.wechat.client import Client
from pushjobs.wechat.loop import LoopThread
from pushjobs.wechat.tokens import TokenSource

__all__ = ["Answer", "Caller", "Calling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one job's call. `outcome` None: it was too late to call, and nothing was.

    `called_at`: when the call left, on the process's monotonic clock; None if none did.
    """

    job: Admitted
    outcome: Outcome | None
    called_at: float | None = None


Calling = Future[list[Answer]]
"""A slice's answers, once all are there."""


class Caller:
    """Calls WeChat; one a process. `sources` gives each app its token source, None for an app we cannot send for."""

    def __init__(
        self, loop: LoopThread, client: Client, source: Callable[[str], TokenSource | None], *, emit: Emit
    ) -> None:
        self._loop = loop
        self._client = client
        self._source = source
        self._emit = emit
        self._in_flight: dict[bytes, asyncio.Future[None]] = {}

    def start(self, admitted: Sequence[Admitted]) -> Calling:
        """Begin a slice's calls and return at once."""
        return self._loop.submit(self._call_all(admitted))

    async def _call_all(self, admitted: Sequence[Admitted]) -> list[Answer]:
        return list(await asyncio.gather(*(self._call(job) for job in admitted)))

    async def _call(self, job: Admitted) -> Answer:
        called_at: float | None = None
        try:
            await _until(job.not_before)
            async with _Turn(self._in_flight, job.recipient):
                if clock.monotonic() > job.call_by:
                    return Answer(job=job, outcome=None)
                token, source = await self._token(job)
                if token is None or source is None:
                    return Answer(job=job, outcome=Retry(never_left=True))
                # Getting a token may have taken its time.
                if clock.monotonic() > job.call_by:
                    return Answer(job=job, outcome=None)
                called_at = clock.monotonic()
                outcome = await self._send(job.message, token, source.renew, job.call_by)
                return Answer(job=job, outcome=outcome, called_at=called_at)
        except Exception as error:  # noqa: BLE001 - an error of ours must not lose the slice's other answers
            fault = type(error).__name__
            self._emit(CallBroke(job_id=job.id, fault=fault))
            outcome = Retry(never_left=True) if called_at is None else Unknown(what=fault)
            return Answer(job=job, outcome=outcome, called_at=called_at)

    async def _token(self, job: Admitted) -> tuple[str | None, TokenSource | None]:
        source = self._source(job.appid)
        if source is None:
            return None, None
        try:
            return await source.current(), source
        except (CallRefused, Unreachable) as error:
            self._emit(TokenUnavailable(appid=job.appid, fault=type(error).__name__))
            return None, source

    async def _send(
        self, message: Message, token: str, renew: Callable[[str], Awaitable[str]], call_by: float
    ) -> Outcome:
        """Call once; if the token was not accepted, refresh it and call once more."""
        outcome = await self._client.send(message, token)
        if not isinstance(outcome, Token):
            return outcome
        try:
            renewed = await renew(token)
        except (CallRefused, Unreachable):
            return outcome
        return outcome if clock.monotonic() > call_by else await self._client.send(message, renewed)


class _Turn:
    """One call at a time to one recipient: WeChat answers 43108 to two at once."""

    def __init__(self, in_flight: dict[bytes, asyncio.Future[None]], recipient: bytes) -> None:
        self._in_flight = in_flight
        self._recipient = recipient

    async def __aenter__(self) -> None:
        while (other := self._in_flight.get(self._recipient)) is not None:
            await other
        self._in_flight[self._recipient] = asyncio.get_running_loop().create_future()

    async def __aexit__(self, *_: object) -> None:
        self._in_flight.pop(self._recipient).set_result(None)


async def _until(instant: float) -> None:
    """Sleep until the instant and not a moment less: timers may fire up to half a millisecond early."""
    while (left := instant - clock.monotonic()) > 0:  # noqa: ASYNC110 - time is the only event there is
        await asyncio.sleep(max(left, 0.001))
