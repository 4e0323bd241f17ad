"""What other pages say of the figures, out of the same results: the README in both languages, and how much it takes.

Nothing in these blocks is typed in; a test compares them with the results.
"""

import math
import re
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.acceptance import ACCEPTANCE
from benchmarks.campaigns import CAMPAIGNS
from benchmarks.figure import Figure, read
from benchmarks.growth import LATENCIES_MS, LATENCY, PENDING_GROWTH, PENDINGS, WORKER_COUNTS, WORKERS
from benchmarks.moments import LATENESS, URGENT
from benchmarks.pending import PENDING
from benchmarks.sends import SENDS

__all__ = ["BLOCKS", "write"]

_ALLOWANCE = 30_000_000
_NOT_OTHERS = ("workers bulk", "postgresql", "sandbox", "benchmark")
_RATES = (500, 2_000, 4_000, 8_000)
_CORE_SHARE = 0.7
"""How much of a processor is planned with: the rest is for the hour that is unlike the others."""

Medians = Mapping[tuple[str, str], float]
"""Each measured line's median, by its figure's name and its key."""


def medians() -> Medians:
    """Read the median of every line of the figures that the blocks name; raises LookupError where one is missing."""
    found: dict[tuple[str, str], float] = {}
    for figure in (SENDS, LATENESS, URGENT, ACCEPTANCE, CAMPAIGNS, PENDING, WORKERS, LATENCY, PENDING_GROWTH):
        for key, values in _values(figure).items():
            found[figure.name, key] = statistics.median(values)
    return found


def english(of: Medians) -> str:
    """Write the README's table."""
    return _readme(
        of,
        head=("", "pushjobs", "plain Celery"),
        words=(
            "sends a second, WeChat answering after 50 ms",
            "sends a second, WeChat answering at once",
            "500 due a second, a million pending: half late by, 99 % by",
            "an urgent message past a full backlog, 99 % late by",
            "accepted a second by one process: one by one, in bulk",
            "a campaign's million jobs made in",
            "a release tick with ten million pending",
        ),
        about="Medians, every gate on, on two cores with the database, Redis and the stand-in for WeChat beside it. "
        "Plain Celery is the application that most companies write. [How it was measured, every target, and what "
        "is not met](benchmarks/README.md).",
    )


def chinese(of: Medians) -> str:
    """Write the same for the Chinese README."""
    return _readme(
        of,
        head=("", "pushjobs", "普通 Celery"),
        words=(
            "每秒发送数，微信 50 毫秒后应答",
            "每秒发送数，微信立即应答",
            "每秒 500 条到期、一百万条待发：一半的延迟不超过、99 % 不超过",
            "积压占满时的紧急消息，99 % 的延迟不超过",
            "单进程每秒受理数：逐条、批量",
            "群发：生成一百万个任务用时",
            "一千万条待发时，一次放行用时",
        ),
        about="均为中位数；两核机器，数据库、Redis 和模拟微信都在同一台上，所有关卡全开。"
        "“普通 Celery”是大多数公司会写的那种应用。"
        "[怎么测的、每项目标、哪些没有达到](benchmarks/README.md)。",
    )


def rates(of: Medians) -> str:
    """Write how many processes and cores which rate takes."""
    bulk, postgresql, others = _costs(of)
    rows = "\n".join(
        f"| {rate:,} | {max(2, math.ceil(rate / 1000))} | {rate * bulk:.1f} | {rate * postgresql:.1f} | "
        f"{rate * others:.1f} |"
        for rate in _RATES
    )
    return f"""\
By [the benchmarks](../../benchmarks/README.md), a send costs {_us(bulk)} of processor in the bulk workers while WeChat
answers after 50 ms, {_us(postgresql)} in PostgreSQL, and {_us(others)} in beat, ticks, urgent worker and Redis.
Four bulk processes, with all of these and the stand-in for WeChat on two cores, made {of["sends", "ours 50"]:,.0f}
sends a second. What is beyond that was not tried; the cores below are these figures multiplied:

| sends a second | bulk processes | cores for them | cores for PostgreSQL | for all else |
|---|---|---|---|---|
{rows}"""


def growth(of: Medians) -> str:
    """Write how much an installation for WeChat's whole allowance takes, and what is full first."""
    bulk, postgresql, others = _costs(of)
    log, stored, request = (of["latency", key] for key in ("log", "stored", "request"))
    spans = {"all day long": 24, "in twelve hours": 12, "in one hour": 1}
    plans = "\n".join(
        _plan(words, _ALLOWANCE / hours / 3600, (bulk, postgresql, others), (log, request))
        for words, hours in spans.items()
    )
    return f"""\
## How much for 30 million a day

A send costs {_us(bulk)} of processor in the bulk workers, {_us(postgresql)} in PostgreSQL and {_us(others)} in all
else (beat, ticks, Redis). PostgreSQL writes {log / 1024:.1f} KB of log for a job from acceptance to end, and keeps
{stored / 1024:.1f} KB of it and its user; a request has {request:,.0f} bytes. With processors planned at
{_CORE_SHARE:.0%}, WeChat's whole allowance of one app takes

| sent | sends a second | cores for bulk workers | for PostgreSQL | for all else | PostgreSQL's log | to WeChat |
|---|---|---|---|---|---|---|
{plans}

and {_ALLOWANCE * stored / 2**30:,.0f} GB of tables for each day that jobs are kept. A core is one of the machine
that was measured; `make bench` tells those of another.

With {_listed(WORKER_COUNTS, float)} bulk workers on two cores, {_each(of, WORKERS, WORKER_COUNTS)} sends a second:

![Sends a second against bulk workers](../images/bench-workers.png)

While WeChat takes {_listed(LATENCIES_MS, float)} ms to answer, {_each(of, LATENCY, LATENCIES_MS)} with four:

![Sends a second against WeChat's latency](../images/bench-latency.png)

While {_listed(PENDINGS, float)} jobs wait for another day, {_each(of, PENDING_GROWTH, PENDINGS)}:

![Sends a second and release ticks against pending jobs](../images/bench-pending.png)

**PostgreSQL is full first:** it is one, and workers are as many as you like. A core of it makes
{1 / postgresql:,.0f} sends a second; eight, planned as above and not tried, {8 * _CORE_SHARE / postgresql:,.0f}."""


BLOCKS: Mapping[str, tuple[str, Callable[[Medians], str]]] = {
    "README.md": ("figures", english),
    "README.zh-CN.md": ("figures", chinese),
    "docs/how-to/scale.md": ("growth", growth),
    "docs/how-to/run-on-several-machines.md": ("rates", rates),
}
"""Page, the name of its block, and what fills it."""


def filled(text: str, name: str, block: str) -> str:
    """Put a block between a page's two marks of that name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    return re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n\n{block}\n\n{end}", text, flags=re.DOTALL)


def write(root: Path) -> None:
    """Write every block anew; where something was never measured, leave them as they are."""
    try:
        found = medians()
    except LookupError:
        return
    for name, (mark, render) in BLOCKS.items():
        page = root / name
        page.write_text(filled(page.read_text(encoding="utf-8"), mark, render(found)), encoding="utf-8")


def _values(figure: Figure) -> Mapping[str, list[float]]:
    result = read(figure)
    if result is None:
        raise LookupError(f"{figure.name} was never measured")
    runs = [run["values"] for run in result["runs"]]
    return {key: [run[key] for run in runs if key in run] for key in runs[0]}


def _readme(of: Medians, *, head: tuple[str, str, str], words: tuple[str, ...], about: str) -> str:
    cells = (
        (f"{of['sends', 'ours 50']:,.0f}", f"{of['sends', 'plain 50']:,.0f}"),
        (f"{of['sends', 'ours 0']:,.0f}", f"{of['sends', 'plain 0']:,.0f}"),
        (f"{_ms(of['lateness', 'p50'])}, {_ms(of['lateness', 'p99'])}", ""),
        (_ms(of["urgent", "p99"]), ""),
        (f"{of['acceptance', 'single']:,.0f}, {of['acceptance', 'many']:,.0f}", ""),
        (f"{of['campaigns', 'alike']:.0f} s", ""),
        (_ms(of["pending", "tick"]), ""),
    )
    rows = [f"| {said} | {ours} | {plain} |" for said, (ours, plain) in zip(words, cells, strict=True)]
    return "\n".join([f"| {' | '.join(head)} |", "|---|---|---|", *rows, "", about])


def _costs(of: Medians) -> tuple[float, float, float]:
    """Return a send's seconds of processor in the bulk workers, in PostgreSQL, and in all else that is ours."""
    before = "ours 50 cpu "
    found = {key: value / 1e6 for (name, key), value in of.items() if name == "sends" and key.startswith(before)}
    roles = {key.removeprefix(before): seconds for key, seconds in found.items()}
    others = sum(seconds for role, seconds in roles.items() if role not in _NOT_OTHERS)
    return roles["workers bulk"], roles["postgresql"], others


def _plan(words: str, rate: float, seconds: tuple[float, ...], octets: tuple[float, ...]) -> str:
    cores = [f"{rate * each / _CORE_SHARE:.1f}" for each in seconds]
    flows = [f"{rate * each / 2**20:.1f} MB/s" for each in octets]
    return f"| {' | '.join([words, f'{rate:,.0f}', *cores, *flows])} |"


def _each(of: Medians, figure: Figure, keys: tuple[int, ...]) -> str:
    return _listed(keys, lambda key: of[figure.name, str(key)])


def _listed(keys: tuple[int, ...], value: Callable[[int], float]) -> str:
    *most, last = (f"{value(key):,.0f}" for key in keys)
    return f"{', '.join(most)} and {last}"


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
