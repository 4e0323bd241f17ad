"""The demo's last words: the account as a table, lateness as a histogram, and a verdict."""

import math
from itertools import pairwise
from typing import Any

from rich import box
from rich.table import Table

from pushjobs.cli.account import Account, percentile
from pushjobs.cli.shown import stdout

__all__ = ["account_as_json", "show_account"]

_EDGES_MS = (0, 5, 10, 20, 50, 100, 200, 500, 1000, math.inf)
_P50_TARGET_MS, _P99_TARGET_MS = 50, 500
_SHARES = {"p50": 0.5, "p99": 0.99, "max": 1.0}
_WIDTH = 40


def show_account(account: Account) -> None:
    """Write what was planned and what became of it, and when it arrived."""
    console = stdout()
    console.print(_counts(account))
    if any(account.not_sent.values()):
        console.print(_reasons(account))
    if account.lateness:
        console.print(_histogram(account))
        console.print(_percentiles(account))
    console.print(_verdict(account), style="bold green" if account.is_complete else "bold red")


def account_as_json(account: Account) -> dict[str, Any]:
    """Return the account as JSON has it; lateness in seconds."""
    late = {name: percentile(account.lateness, share) for name, share in _SHARES.items() if account.lateness}
    return {
        "is_complete": account.is_complete,
        "planned": account.planned,
        "sent": account.sent,
        "refused": account.refused,
        "deferred": account.deferred,
        "cancelled": account.cancelled,
        "missing": account.missing,
        "sent_twice": account.repeats,
        "early": account.early,
        "most_to_one": account.most_to_one,
        "lateness_seconds": late,
    }


def _counts(account: Account) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="Counted at the sandbox", title_justify="left", title_style="bold")
    figures: dict[str, int | str] = {"planned": account.planned, "sent": account.sent, **account.not_sent}
    figures |= {"sent twice": account.repeats, "early": account.early}
    figures["most to one user"] = f"{account.most_to_one} of {account.daily_quota} a day"
    for name in figures:
        table.add_column(name, justify="right")
    table.add_row(*(str(figure) for figure in figures.values()))
    return table


def _reasons(account: Account) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="Not sent, and why", title_justify="left", title_style="bold")
    table.add_column("notices", justify="right")
    table.add_column("")
    table.add_column("because")
    reasons = {"refused": account.refused, "deferred": account.deferred, "cancelled": {"on request": account.cancelled}}
    for what, counts in reasons.items():
        for reason, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
            if count:
                table.add_row(str(count), what, reason)
    return table


def _histogram(account: Account) -> Table:
    milliseconds = [seconds * 1000 for seconds in account.lateness]
    table = Table(
        box=box.SIMPLE_HEAD,
        title="Lateness: from `time` to the arrival of the request",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("ms", justify="right")
    table.add_column("sends", justify="right")
    table.add_column("")
    buckets = []
    for low, high in pairwise(_EDGES_MS):
        label = f"over {low:g}" if math.isinf(high) else f"{low:g} – {high:g}"
        buckets.append((label, sum(low <= each < high for each in milliseconds)))
    if account.early:
        buckets.insert(0, ("early", account.early))
    most = max(count for _, count in buckets)
    for label, count in buckets:
        table.add_row(label, str(count), "█" * round(_WIDTH * count / most) or ("▏" if count else ""))
    return table


def _percentiles(account: Account) -> str:
    p50, p99, most, least = (percentile(account.lateness, share) * 1000 for share in (0.50, 0.99, 1, 0))
    return (
        f"p50 {p50:.1f} ms (target ≤ {_P50_TARGET_MS}), p99 {p99:.1f} ms (target ≤ {_P99_TARGET_MS}), "
        f"max {most:.1f} ms, earliest {least:+.1f} ms"
    )


def _verdict(account: Account) -> str:
    total = " + ".join(f"{count} {what}" for what, count in {"sent": account.sent, **account.not_sent}.items())
    if account.is_complete:
        return f"{account.planned} planned = {total}: every notice accounted for, none twice, none early."
    return (
        f"{account.planned} planned, {total}: {account.missing} unaccounted for, {account.repeats} sent twice, "
        f"{account.early} early."
    )
