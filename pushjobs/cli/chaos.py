"""`pushjobs chaos`: real processes killed at random under load, and every job counted at the receiver.

It starts everything that `up` starts, on servers of its own, and reads nothing of what the environment sets. The exit
status says whether every promise was kept; if one was broken, the logs stay.
"""

import shutil
import tempfile
from pathlib import Path
from random import SystemRandom
from typing import Annotated, Any

import typer

from pushjobs import settings
from pushjobs.chaos import Load, Plan, Progress, Result, storm
from pushjobs.chaos.ledger import Doubts
from pushjobs.cli.account import percentile
from pushjobs.cli.options import FAILED, AsJson
from pushjobs.cli.shown import progress, show_json, show_pairs, show_table, stdout
from pushjobs.domain.job import JobState

__all__ = ["chaos"]

_SEEDS = 1_000_000
_MOST_JOBS = 1_000_000
_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def chaos(  # noqa: PLR0913 - one argument an option
    *,
    jobs: Annotated[int, typer.Option(help="How many jobs come in.", min=1, max=_MOST_JOBS)] = 6000,
    per_second: Annotated[float, typer.Option(help="How many a second.", min=1)] = 150.0,
    kill_every: Annotated[float, typer.Option(help="Seconds from one kill to the next.", min=0.5)] = 2.0,
    seed: Annotated[
        int | None,
        typer.Option(help="Fixes the faults, their times and their victims; else drawn.", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes for the bulk lane.", min=1)] = 2,
    directory: Annotated[
        Path | None, typer.Option(help="Keep everything here; else in a temporary directory.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Kill processes at random under load, and count every job.

    Processes and servers are killed while jobs are sent to a sandbox, where what arrived is counted. Needs no
    credentials and no server; nothing leaves this machine. Takes a minute or so longer than its jobs come in. The
    exit status is 0 if no promise was broken.
    """
    settings.forget_environment()
    seed = SystemRandom().randrange(_SEEDS) if seed is None else seed
    plan = Plan.of(seed, Load(jobs=jobs, rate=per_second), kill_every=kill_every)
    place = directory or Path(tempfile.mkdtemp(prefix="pushjobs-chaos-"))
    try:
        result = _run(plan, place, workers=workers)
    except KeyboardInterrupt:
        _tidy(place, keep=directory is not None)
        raise
    _tidy(place, keep=directory is not None or bool(result.broken))
    show_json(_as_record(result)) if as_json else _show(result)
    if result.broken:
        typer.echo(f"the logs are in {place / 'logs'}", err=True)
        raise typer.Exit(FAILED)


def _run(plan: Plan, directory: Path, *, workers: int) -> Result:
    typer.echo(
        f"seed {plan.seed}: {plan.load.jobs} jobs at {plan.load.rate:g} a second, {len(plan.faults)} faults, "
        f"in {directory}",
        err=True,
    )
    with progress() as bar:
        task = bar.add_task("jobs closed", total=plan.load.jobs)

        def show(now: Progress) -> None:
            words = f"jobs closed ({now.received} at the sandbox, {now.faults} faults)"
            bar.update(task, completed=now.closed, description=words)

        return storm(plan, directory, workers=workers, show=show)


def _tidy(directory: Path, *, keep: bool) -> None:
    if not keep:
        shutil.rmtree(directory, ignore_errors=True)


def _show(result: Result) -> None:
    ledger = result.ledger
    faults = sorted(result.done.keys() | result.missed.keys())
    rows = [(kind.value, str(result.done.get(kind, 0)), str(result.missed.get(kind, 0))) for kind in faults]
    show_table(("fault", "#done", "#found nobody"), rows, title="What was done")
    figures = {"planned": ledger.planned, **{state.value: count for state, count in ledger.counts.items()}}
    figures |= {"sent twice": ledger.repeats, "early": ledger.early}
    show_table(
        [f"#{name}" for name in figures], [[str(each) for each in figures.values()]], title="Counted at the sandbox"
    )
    show_pairs(_pairs(result))
    for each in result.broken:
        stdout().print(f"broken: {each}", style="bold red")
    if not result.broken:
        stdout().print(_verdict(result), style="bold green")


def _pairs(result: Result) -> list[tuple[str, str]]:
    doubts, deaths, late = result.doubts, result.deaths, result.ledger.lateness
    in_doubt = result.ledger.counts[JobState.IN_DOUBT]
    pairs = [
        ("seed", str(result.plan.seed)),
        ("sending at the kills", f"{doubts.in_hand} jobs, the last decided {deaths.slowest:.1f} s after"),
        (
            "in doubt for a time",
            f"{_by_cause(doubts)}; {in_doubt} still are",
        ),
        ("most in a second", f"{result.peak_per_second} of {result.most_per_second:g}"),
        ("producer's calls made again", str(result.failed_calls)),
        ("took", f"{result.seconds:.0f} s"),
    ]
    if late:
        shown = ", ".join(f"{name} {percentile(late, share):.3f} s" for name, share in _SHARES.items())
        pairs.insert(3, ("lateness, faults and all", shown))
    for name, count in sorted(result.ended_by_themselves.items()):
        pairs.append((f"ended by itself: {name}", f"{count} times"))
    return pairs


def _by_cause(doubts: Doubts) -> str:
    return f"{doubts.by_kill} by kills, {doubts.by_sandbox} by the sandbox, {doubts.unexplained} without a cause"


def _verdict(result: Result) -> str:
    counts = result.ledger.counts
    total = " + ".join(f"{counts[state]} {state.value.replace('_', ' ')}" for state in JobState if state.is_final)
    return f"{result.ledger.planned} planned = {total}: every job accounted for, none twice, none early."


def _as_record(result: Result) -> dict[str, Any]:
    ledger, doubts, late = result.ledger, result.doubts, result.ledger.lateness
    return {
        "seed": result.plan.seed,
        "broken": result.broken,
        "planned": ledger.planned,
        "counts": {state.value: count for state, count in ledger.counts.items()},
        "sent_twice": ledger.repeats,
        "early": ledger.early,
        "faults": {kind.value: count for kind, count in sorted(result.done.items())},
        "faults_missed": {kind.value: count for kind, count in sorted(result.missed.items())},
        "sending_at_kills": doubts.in_hand,
        "doubts_by_kill": doubts.by_kill,
        "doubts_by_sandbox": doubts.by_sandbox,
        "doubts_unexplained": doubts.unexplained,
        "slowest_decision_seconds": round(result.deaths.slowest, 3),
        "lateness_seconds": {name: round(percentile(late, share), 4) for name, share in _SHARES.items() if late},
        "peak_per_second": result.peak_per_second,
        "failed_calls": result.failed_calls,
        "ended_by_themselves": dict(result.ended_by_themselves),
        "seconds": round(result.seconds, 1),
    }
