"""Single sends at the HTTP doors, one process of these, everything else idle.

The caller is a protocol written by hand, so that the door is what is measured; both share the machine.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import httptools
import httpx
import uvloop

from benchmarks.figure import Figure, Line, Values
from benchmarks.installation import FAR_OFF, Running, installation, news

__all__ = ["DOORS"]

_CONNECTIONS, _SECONDS = 64, 12.0
_LEAST, _ASKED, _P99 = 1_000, 500, 0.100
_ACCEPTED = (b'"errcode":0,', b'"state":"scheduled"')
"""What the answer to an accepted send holds, at either door."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """Accepted sends a second, and how long an answer took, in seconds."""

    per_second: float
    p50: float
    p99: float


class _Caller(asyncio.Protocol):
    """One connection: one request under way at a time, the next one when its turn has come."""

    def __init__(self, requests: Iterator[bytes], *, until: float, apart: float, took: list[float]) -> None:
        self._requests, self._until, self._apart, self._took = requests, until, apart, took
        self.refused = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._began = 0.0
        self._turn = 0.0
        self._body = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._turn = time.perf_counter()
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the door closed the connection"))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self._took.append(now - self._began)
        self.refused += not any(word in self._body for word in _ACCEPTED)
        if now >= self._until:
            self.done.set_result(None)
            return
        # Late answers are made up for, so that a slow door is not asked less often.
        self._turn += self._apart
        asyncio.get_running_loop().call_later(max(self._turn - now, 0.0), self._ask)

    def _ask(self) -> None:
        self._began, self._body = max(self._turn, 0.0) if self._apart else time.perf_counter(), b""
        self._transport.write(next(self._requests))


async def _call(address: str, head: str, *, rate: float | None) -> _Answers:
    loop, took, requests = asyncio.get_running_loop(), list[float](), _requests(head)
    host, port = urlsplit(address).hostname, urlsplit(address).port
    began = time.perf_counter()
    apart = _CONNECTIONS / rate if rate else 0.0
    callers = []
    for _ in range(_CONNECTIONS):
        if rate:
            await asyncio.sleep(apart / _CONNECTIONS)
        _, caller = await loop.create_connection(
            lambda: _Caller(requests, until=began + _SECONDS, apart=apart, took=took), host, port
        )
        callers.append(caller)
    await asyncio.gather(*(caller.done for caller in callers))
    whole = time.perf_counter() - began
    cuts = statistics.quantiles(took, n=100)
    if refused := sum(caller.refused for caller in callers):
        raise RuntimeError(f"{refused} sends were refused")
    return _Answers(per_second=len(took) / whole, p50=cuts[49], p99=cuts[98])


def _requests(head: str) -> Iterator[bytes]:
    for number in count():
        # As a caller of WeChat's own API writes it.
        message = news(number, time=FAR_OFF)
        message["data"] = {key: {"value": value} for key, value in message["data"].items()}
        body = json.dumps(message, ensure_ascii=False).encode()
        yield f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _measure(directory: Path) -> Values:
    values: dict[str, float] = {}
    with installation(directory, workers=1, doors=True) as running:
        for door, head in (("drop-in", _drop_in(running)), ("own", _own(running))):
            for rate in (None, _ASKED):
                answers = uvloop.run(_call(running.http or "", head, rate=rate))
                asked = "" if rate is None else " asked"
                values[f"{door}{asked}"] = answers.per_second
                values[f"{door}{asked} p50"], values[f"{door}{asked} p99"] = answers.p50, answers.p99
    return values


def _drop_in(running: Running) -> str:
    """Return how every request to WeChat's own path begins: where it goes, and who asks."""
    client = running.made.clients.add("benchmark")
    query = {"grant_type": "client_credential", "appid": client.client.id, "secret": client.key}
    token = httpx.get(f"{running.http}/cgi-bin/token", params=query, trust_env=False).json()["access_token"]
    return f"POST /cgi-bin/message/subscribe/send?access_token={token} HTTP/1.1\r\nHost: localhost\r\n"


def _own(running: Running) -> str:
    """Return the same for our own API."""
    client = running.made.clients.add("benchmark of our own API")
    who = f"Authorization: Bearer {client.client.id}.{client.key}"
    return f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n{who}\r\n"


def _lines(door: str, words: str) -> tuple[Line, ...]:
    return (
        Line(key=door, words=f"{words}, as fast as it answers", unit="{:,.0f}/s", at_least=_LEAST),
        Line(key=f"{door} p99", words="an answer then, p99", unit="{:.3f} s"),
        Line(key=f"{door} asked p50", words=f"an answer at {_ASKED} a second, p50", unit="{:.3f} s"),
        Line(key=f"{door} asked p99", words=f"an answer at {_ASKED} a second, p99", unit="{:.3f} s", at_most=_P99),
    )


DOORS = Figure(
    name="doors",
    about=f"""{_CONNECTIONS} kept-alive connections each make one send after the other for {_SECONDS:g} seconds, to
users of their own, for a far-off time, so that nothing but the accepting works; then {_ASKED} a second are asked for.
While one transaction commits, what comes meanwhile gathers for the next: the faster it is asked, the fewer commits a
send costs.""",
    measure=_measure,
    runs=3,
    lines=(*_lines("drop-in", "sends at the drop-in door"), *_lines("own", "sends at `/v1/jobs`")),
)
