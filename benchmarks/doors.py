"""`python -m benchmarks.doors`: single sends at the drop-in door or at `/v1`, one process, everything else idle.

Real processes, real servers with fsync. Each send is a request of its own over a kept-alive connection, and its job is
for a far-off time, so that nothing but the accepting works. First as fast as the door answers, then at half of that.
The caller is a protocol written by hand, so that the door is what is measured; both share the machine.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
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

from pushjobs import settings
from pushjobs.local.processes import Ended
from pushjobs.local.up import Up, UpOptions
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS

_TARGET, _TARGET_P99 = 1_000, 0.100
_ACCEPTED = (b'"errcode":0,', b'"state":"scheduled"')
"""What the answer to an accepted send holds, at either door."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one run gave: accepted sends a second, and how long an answer took, in seconds."""

    per_second: float
    p50: float
    p99: float
    refused: int


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
        self._call()

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
        asyncio.get_running_loop().call_later(max(self._turn - now, 0.0), self._call)

    def _call(self) -> None:
        self._began, self._body = max(self._turn, 0.0) if self._apart else time.perf_counter(), b""
        self._transport.write(next(self._requests))


async def _measure(address: str, head: str, *, connections: int, seconds: float, rate: float | None) -> Figures:
    loop, took, requests = asyncio.get_running_loop(), list[float](), _requests(head)
    host, port = urlsplit(address).hostname, urlsplit(address).port
    began = time.perf_counter()
    apart = connections / rate if rate else 0.0
    callers = []
    for _ in range(connections):
        if rate:
            await asyncio.sleep(apart / connections)
        _, caller = await loop.create_connection(
            lambda: _Caller(requests, until=began + seconds, apart=apart, took=took), host, port
        )
        callers.append(caller)
    await asyncio.gather(*(caller.done for caller in callers))
    whole = time.perf_counter() - began
    cuts = statistics.quantiles(took, n=100)
    refused = sum(caller.refused for caller in callers)
    return Figures(per_second=(len(took) - refused) / whole, p50=cuts[49], p99=cuts[98], refused=refused)


def _requests(head: str) -> Iterator[bytes]:
    for number in count():
        message = {
            "touser": f"oReader{number:021d}",
            "template_id": DAILY_NEWS,
            "page": "pages/news",
            "data": {
                "thing1": {"value": f"第{number}期"},
                "thing2": {"value": "今日要闻"},
                "date3": {"value": "2026-12-01"},
            },
            "time": "2099-12-01 08:00:00",
        }
        body = json.dumps(message, ensure_ascii=False).encode()
        yield f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.doors", description=__doc__)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--own", action="store_true", help="send to our own API, /v1/jobs")
    chosen = parser.parse_args()
    settings.forget_environment()
    with tempfile.TemporaryDirectory(prefix="pushjobs-doors-") as directory:
        options = UpOptions(
            directory=Path(directory),
            environment=settings.environment(),
            workers=1,
            http=0,
            flower=None,
            sandbox=True,
        )
        with Up(options, _report) as running:
            running.ready()
            address = running.addresses["http"]
            head = _head(address, Path(directory), is_own=chosen.own)
            for rate in (None, None, _TARGET / 2):
                figures = uvloop.run(
                    _measure(address, head, connections=chosen.connections, seconds=chosen.seconds, rate=rate)
                )
                _tell(figures, rate, chosen.connections)


def _head(address: str, directory: Path, *, is_own: bool) -> str:
    """Return how every request begins: where it goes, and who asks."""
    made = Runtime(settings.load(directory))
    try:
        made.catalogue.sync()
        client = made.clients.add("benchmark")
    finally:
        made.close()
    if is_own:
        who = f"Authorization: Bearer {client.client.id}.{client.key}"
        return f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n{who}\r\n"
    query = {"grant_type": "client_credential", "appid": client.client.id, "secret": client.key}
    token = httpx.get(f"{address}/cgi-bin/token", params=query, trust_env=False).json()["access_token"]
    return f"POST /cgi-bin/message/subscribe/send?access_token={token} HTTP/1.1\r\nHost: localhost\r\n"


def _tell(figures: Figures, rate: float | None, connections: int) -> None:
    asked = "as fast as it answers" if rate is None else f"{rate:g} a second asked for"
    is_met = figures.per_second >= _TARGET if rate is None else figures.p99 <= _TARGET_P99
    print(
        f"{asked}, {connections} connections: {figures.per_second:,.0f} accepted a second, "
        f"p50 {figures.p50 * 1000:.1f} ms, p99 {figures.p99 * 1000:.1f} ms, {figures.refused} refused: "
        f"{'met' if is_met else 'NOT MET'}",
        flush=True,
    )


def _report(ended: Ended) -> None:
    print(f"{ended.name} ended with status {ended.status}: this run is worth nothing")


if __name__ == "__main__":
    _main()
