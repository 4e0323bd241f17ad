"""How cost grows: the whole path against the workers, the pending jobs, and the time that WeChat takes."""

import asyncio
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figure import Figure, Line, Values
from benchmarks.installation import FAR_OFF, Running, installation, multiply, news
from benchmarks.measure import PROCESSES, Load
from benchmarks.ours import every_gate, measure_ours, send
from benchmarks.pending import ticks
from pushjobs.domain.message import read_message
from pushjobs.wechat.client import Client
from pushjobs.wechat.fields import keyword_fault

__all__ = ["LATENCIES_MS", "LATENCY", "PENDINGS", "PENDING_GROWTH", "WORKERS", "WORKER_COUNTS"]

WORKER_COUNTS = (1, 2, 4)
LATENCIES_MS = (0, 20, 50, 100, 200, 500)
PENDINGS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)

_MESSAGES = 20_000
_LATENCY_MS = 50
_TOKEN_LENGTH = 512  # what WeChat asks to be kept free for one (wechat-api.md section 1)
_WRITTEN = """
SELECT pg_current_wal_lsn() - '0/0',
       (SELECT sum(pg_total_relation_size(oid)) FROM pg_class
         WHERE relkind = 'r' AND relnamespace = 'pushjobs'::regnamespace)"""


def _measure_workers(directory: Path) -> Values:
    values: dict[str, float] = {}
    for workers in WORKER_COUNTS:
        load = Load(messages=_MESSAGES // 4 * workers, latency_ms=_LATENCY_MS)
        arrived = measure_ours(load, directory / str(workers), workers=workers)
        values[f"{workers}"] = arrived.steady
        values[f"{workers} us"] = sum(arrived.cpu_us.values())
    return values


def _measure_latency(directory: Path) -> Values:
    values: dict[str, float] = {}
    with installation(directory, workers=PROCESSES, environment=every_gate()) as running:
        before = _written(running)
        for number, latency in enumerate(LATENCIES_MS):
            # Other users each time: a day has three places for each.
            arrived = send(running, Load(messages=_MESSAGES, latency_ms=latency), first=number * _MESSAGES)
            values[f"{latency}"] = arrived.steady
        after = _written(running)
    jobs = _MESSAGES * len(LATENCIES_MS)
    values["request"] = asyncio.run(_request_length())
    return values | {name: (after[name] - before[name]) / jobs for name in after}


async def _request_length() -> float:
    """Return how many bytes one send writes, its headers and the access token among them."""
    lengths: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = re.findall(rb"Content-Length: (\d+)", head)
        lengths.append(len(head) + len(await reader.readexactly(int(length))))
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"errcode":0}')

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        client = Client(f"http://{host}:{port}", call_timeout=5.0)
        await client.send(read_message(news(0), template=None, keyword_fault=keyword_fault), "t" * _TOKEN_LENGTH)
        await client.aclose()
    return float(lengths[0])


def _written(running: Running) -> dict[str, float]:
    """Return how many bytes PostgreSQL has written to its log since its beginning, and how many its tables take."""
    with running.made.database.transaction() as connection:
        log, tables = connection.exec_driver_sql(_WRITTEN).one()
    return {"log": float(log), "stored": float(tables)}


def _measure_pending(directory: Path) -> Values:
    values: dict[str, float] = {}
    with installation(directory, workers=PROCESSES, environment=every_gate()) as running:
        running.made.producer.send(**news(0, time=FAR_OFF))
        there = 1
        for number, pending in enumerate(PENDINGS):
            multiply(running.made, pending - there)
            there = pending
            first = 2 * number * _MESSAGES
            arrived = send(running, Load(messages=_MESSAGES, latency_ms=_LATENCY_MS), first=first)
            values[f"{pending}"] = arrived.steady
            values[f"{pending} tick"] = statistics.median(ticks(running, first=first + _MESSAGES))
    return values


def _lines(keys: Sequence[int], words: str) -> tuple[Line, ...]:
    return tuple(Line(key=str(key), words=f"sends, {words.format(f'{key:,}')}", unit="{:,.0f}/s") for key in keys)


WORKERS = Figure(
    name="workers",
    about=f"The same path with fewer bulk workers, the sandbox answering after {_LATENCY_MS} ms.",
    measure=_measure_workers,
    runs=3,
    lines=_lines(WORKER_COUNTS, "{} bulk workers"),
)

LATENCY = Figure(
    name="latency",
    about="The same path while the sandbox takes longer and longer to answer.",
    measure=_measure_latency,
    runs=3,
    lines=(
        *_lines(LATENCIES_MS, "answers after {} ms"),
        Line(key="log", words="PostgreSQL's log for a job, from its acceptance to its end", unit="{:,.0f} B"),
        Line(key="request", words="a request to WeChat", unit="{:,.0f} B"),
        Line(key="stored", words="tables and indexes for a job that is sent", unit="{:,.0f} B"),
    ),
)

PENDING_GROWTH = Figure(
    name="pending-growth",
    about=f"The same path while more and more jobs wait for another day, the sandbox answering after {_LATENCY_MS} ms.",
    measure=_measure_pending,
    runs=1,
    lines=(
        *_lines(PENDINGS, "{} pending"),
        *(
            Line(key=f"{pending} tick", words=f"release tick, {pending:,} pending", unit="{:.4f} s")
            for pending in PENDINGS
        ),
    ),
)
