"""`pushjobs demo`: the whole thing on real parts in half a minute, counted where it counts: at the receiver.

It starts everything that `up` starts, on servers of its own, and reads nothing of what the environment sets, so that
it cannot lead to anyone's real servers. The exit status says whether every notice is accounted for.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer

import pushjobs
from pushjobs import clock, settings
from pushjobs.cli.account import Account, Plan, fingerprint
from pushjobs.cli.demo_report import account_as_json, show_account
from pushjobs.cli.options import FAILED, AsJson
from pushjobs.cli.running import report
from pushjobs.cli.sending import rejections_as_json, show_rejections
from pushjobs.cli.shown import progress, show_json
from pushjobs.domain.job import JobState, OnQuota, Reason
from pushjobs.errors import InvalidFile, NotPossible
from pushjobs.files import open_jobs, read_request_file
from pushjobs.local.up import Up, UpOptions
from pushjobs.producer import Producer
from pushjobs.rejections import Rejected
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import LEGACY_REFUND

__all__ = ["demo"]

_NOTICES = "notices.csv"
_ARTICLE = "article-request.json"
_DAILY_QUOTA = 3
"""What a user may get a day; two users of the notices are meant to get more."""

_MOVED_BY = timedelta(seconds=3)
_GRACE = timedelta(seconds=30)
_LOOK_SECONDS = 0.2
_ALL = 1000

_Say = Callable[[str], None]


def demo(
    directory: Annotated[
        Path | None, typer.Option(help="Keep everything here; else in a temporary directory.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send 300 notices to a sandbox, and show what arrived when.

    Starts everything for it, and takes half a minute. Needs no credentials and no server; nothing leaves this machine.
    The exit status is 0 if every notice is accounted for.
    """
    settings.forget_environment()
    notices, article = _example(_NOTICES), read_request_file(_example(_ARTICLE))
    with _kept(directory) as place:
        account, rejected = _run(place, notices, article, say=partial(typer.echo, err=as_json))
    if as_json:
        show_json(account_as_json(account) | rejections_as_json("rejected", rejected))
    else:
        show_rejections(rejected)
        show_account(account)
    if not account.is_complete:
        raise typer.Exit(FAILED)


def _run(directory: Path, notices: Path, article: dict[str, Any], *, say: _Say) -> tuple[Account, Rejected]:
    say(f"starting PostgreSQL, Valkey, beat, workers and a WeChat sandbox in {directory}")
    environment = settings.environment() | {"PUSHJOBS_DAILY_QUOTA": str(_DAILY_QUOTA)}
    options = UpOptions(directory=directory, environment=environment, workers=2, http=None, flower=None, sandbox=True)
    begun = clock.monotonic()
    with Up(options, report) as running:
        running.ready()
        if running.is_stop_asked:
            raise KeyboardInterrupt
        runtime = Runtime(settings.load(directory))
        try:
            if sum(runtime.producer.counts().values()):
                raise NotPossible(f"{directory} holds jobs already: give the demo a directory of its own")
            runtime.catalogue.sync()
            say(f"ready after {clock.monotonic() - begun:.1f} s; scheduling {notices.name} and {_ARTICLE}")
            plan, rejected = _schedule(runtime.producer, notices, article, say=say)
            received = SandboxClient(running.addresses["sandbox"])
            _watch(plan, runtime.producer, received, is_stop_asked=lambda: running.is_stop_asked)
            account = Account.of(plan, received.all_received(), _over_quota(runtime.producer))
        finally:
            runtime.close()
        say("stopping")
    return account, rejected


def _schedule(producer: Producer, notices: Path, article: dict[str, Any], *, say: _Say) -> tuple[Plan, Rejected]:
    with open_jobs(notices) as opened:
        rows = list(opened)
    outcome = producer.send_many(rows)
    refused = {each.row for each in outcome.rejected}
    accepted = [row for number, row in enumerate(rows, start=1) if number not in refused]
    times: dict[Any, datetime] = {fingerprint(row): row["time"] for row in accepted}
    # The article's placeholders are filled in as far as the sandbox asks: it knows one legacy template.
    request = {**article, "template_id": LEGACY_REFUND, "time": clock.now()}
    times[fingerprint(request)] = producer.send(**request).time

    *_, moved, cancelled = sorted(accepted, key=lambda row: row["time"])
    producer.cancel(reference=cancelled["reference"])
    del times[fingerprint(cancelled)]
    [job] = producer.find(reference=moved["reference"])
    times[fingerprint(moved)] = producer.reschedule(job.id, time=job.time + _MOVED_BY).time
    say(
        f"scheduled {outcome.accepted + 1} pushes over the next {(max(times.values()) - clock.now()).seconds} s, "
        f"refused {len(refused)} rows; cancelled job {cancelled['reference']}, moved {moved['reference']}"
    )
    say(f"a user gets {_DAILY_QUOTA} a day; two are meant to get more: one's wait for tomorrow, one's are refused")
    reasons = [f"{each.field} {each.reason.partition(':')[0]}" for each in outcome.rejected]
    plan = Plan(
        times=times,
        cancelled={fingerprint(cancelled)},
        refused=reasons,
        daily_quota=_DAILY_QUOTA,
        references={row["reference"]: fingerprint(row) for row in accepted},
    )
    return plan, outcome.rejected


def _watch(plan: Plan, producer: Producer, received: SandboxClient, *, is_stop_asked: Callable[[], bool]) -> None:
    """Show what arrives until every job is closed or over quota, or until patience no longer explains what is not."""
    until = max(plan.times.values()) + _GRACE
    pause = Event()
    with progress() as bar:
        task = bar.add_task("arrived at the sandbox", total=len(plan.times))
        while clock.now() < until:
            bar.update(task, completed=received.summary().accepted)
            waiting = sum(count for state, count in producer.counts().items() if not state.is_final)
            if waiting == len(_held_by_quota(producer, JobState.SCHEDULED)):
                break
            if is_stop_asked():
                raise KeyboardInterrupt
            pause.wait(_LOOK_SECONDS)
        bar.update(task, completed=received.summary().accepted, total=len(plan.times) - len(_over_quota(producer)))


def _over_quota(producer: Producer) -> dict[str, OnQuota]:
    """Return what our records say was held back because its user had had enough, and how, by reference."""
    states = {JobState.SCHEDULED: OnQuota.DEFER, JobState.REFUSED: OnQuota.REFUSE}
    return {reference: how for state, how in states.items() for reference in _held_by_quota(producer, state)}


def _held_by_quota(producer: Producer, state: JobState) -> list[str]:
    found = producer.find(state=state, limit=_ALL)
    return [job.reference for job in found if job.reason is Reason.QUOTA and job.reference is not None]


@contextmanager
def _kept(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="pushjobs-demo-") as temporary:
        yield Path(temporary)


def _example(name: str) -> Path:
    """Find an example: beside the package in a checkout, within it when installed."""
    package = Path(pushjobs.__file__).parent
    for directory in (package / "examples", package.parent / "examples"):
        if (directory / name).is_file():
            return directory / name
    raise InvalidFile(name, "is not there", "run the demo from a checkout or an installed wheel of pushjobs")
