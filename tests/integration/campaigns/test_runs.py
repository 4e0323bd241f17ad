"""A campaign's run from its instant to its last job, on a real database and counted at the sandbox."""

from datetime import timedelta
from pathlib import Path

import pytest

from pushjobs import clock
from pushjobs.campaigns.expansion import Expansion
from pushjobs.campaigns.parts import Opened
from pushjobs.domain.campaign import RunReason, RunState
from pushjobs.domain.job import JobState, Reason
from pushjobs.errors import NotPossible
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.store.runs import OpenRun
from tests.integration.campaigns.hands import begin, only_run, plan_at, readers
from tests.integration.hands import ask, claim, deliver, let_due


def test_everybody_in_the_audience_gets_it_once(sandbox: SandboxClient, runtime: Runtime, tmp_path: Path) -> None:
    """A run's jobs wait for its content and its moment, leave once each, and are counted when it is over."""
    begin(runtime, tmp_path, [*readers(50), *readers(20)])
    runtime.ticking.expand()
    let_due(runtime)
    assert claim(runtime) == []  # no content yet: nothing leaves, however due it is
    runtime.ticking.tick()
    runtime.ticking.tick()
    assert only_run(runtime).state is RunState.OPEN
    deliver(runtime, claim(runtime))
    runtime.ticking.tick()
    run = only_run(runtime)
    assert (run.state, run.recipients, run.expanded) == (RunState.FINISHED, 50, 50)
    assert [(each.state, each.jobs) for each in run.counts] == [(JobState.SENT, 50)]
    assert sandbox.summary().accepted == 50
    assert ask(runtime, "SELECT count(*) FROM pushjobs.snapshots") == [(0,)]


def test_the_spread_is_even(runtime: Runtime, tmp_path: Path) -> None:
    """With a spread, a run's jobs begin at its instant and follow each other evenly until the spread is over."""
    begin(runtime, tmp_path, readers(60), spread="30m", expires="2h")
    runtime.ticking.expand()
    [(begins_at,)] = ask(runtime, "SELECT begins_at FROM pushjobs.runs")
    rows = ask(runtime, "SELECT due_at, expires_at - due_at FROM pushjobs.jobs ORDER BY due_at")
    assert [row[0] for row in rows] == [begins_at + timedelta(seconds=30 * number) for number in range(60)]
    assert {row[1] for row in rows} == {timedelta(hours=2)}


def test_a_cancelled_run_ends_at_once(sandbox: SandboxClient, runtime: Runtime, tmp_path: Path) -> None:
    """What of a run nobody has begun is cancelled: what is out already by the gate, the rest by a sweep."""
    begin(runtime, tmp_path, readers(40))
    runtime.ticking.expand()
    runtime.ticking.tick()
    runtime.ticking.tick()
    let_due(runtime)
    out = claim(runtime, limit=10)
    assert len(out) == 10
    runtime.campaigns.cancel(only_run(runtime).run_no)
    assert claim(runtime) == []
    deliver(runtime, out)
    runtime.ticking.expand()
    run = only_run(runtime)
    assert (run.state, run.reason) == (RunState.CANCELLED, RunReason.REQUESTED)
    assert run.finished_at is not None
    assert [(each.state, each.reason, each.jobs) for each in run.counts] == [
        (JobState.CANCELLED, Reason.RUN_CANCELLED, 40)
    ]
    assert sandbox.summary().accepted == 0
    with pytest.raises(NotPossible):
        runtime.campaigns.cancel(run.run_no)


def test_a_paused_run_keeps_its_jobs(sandbox: SandboxClient, runtime: Runtime, tmp_path: Path) -> None:
    """A pause holds a run's jobs, those that are out too, and a resumption lets them go; others pass meanwhile."""
    begin(runtime, tmp_path, readers(10))
    runtime.ticking.expand()
    runtime.ticking.tick()
    runtime.ticking.tick()
    let_due(runtime)
    out = claim(runtime, limit=4)
    assert runtime.campaigns.pause("news") == 1
    deliver(runtime, out)
    assert claim(runtime) == []
    job = runtime.producer.find(limit=1)[0]
    assert "paused" in runtime.producer.why(job.id).words
    assert runtime.campaigns.resume("news") == 1
    deliver(runtime, claim(runtime))
    assert sandbox.summary().accepted == 10


def test_a_campaign_that_is_paused_plans_nothing(runtime: Runtime, tmp_path: Path) -> None:
    """While a campaign is paused no run is planned, and what passed meanwhile is not made up for."""
    begin(runtime, tmp_path, readers(1), missed="all")
    ask(runtime, "DELETE FROM pushjobs.runs")
    ask(runtime, "UPDATE pushjobs.campaigns SET next_at = now(), planned_through = now() - interval '3 days'")
    runtime.campaigns.pause("news")
    runtime.ticking.tick()
    assert runtime.campaigns.runs("news") == []
    runtime.campaigns.resume("news")
    runtime.ticking.tick()
    assert all(run.instant > clock.now() for run in runtime.campaigns.runs("news"))


def test_an_outage_s_instants_are_dealt_with_as_the_campaign_says(runtime: Runtime, tmp_path: Path) -> None:
    """After an outage of three days, `latest` runs the last of the missed instants and records the others."""
    begin(runtime, tmp_path, readers(3), missed="latest")
    ask(runtime, "DELETE FROM pushjobs.runs")
    ask(runtime, "UPDATE pushjobs.campaigns SET next_at = now(), planned_through = now() - interval '3 days'")
    runtime.ticking.tick()
    past = [run for run in runtime.campaigns.runs("news") if run.instant < clock.now()]
    latest, *others = past
    assert len(others) >= 2
    assert latest.state is RunState.PLANNED
    assert latest.begins_at > latest.instant
    assert {(run.state, run.reason) for run in others} == {(RunState.SKIPPED, RunReason.MISSED)}


def test_a_long_outage_is_not_written_out(runtime: Runtime, tmp_path: Path) -> None:
    """Of forty thousand minutes that were missed the last hundred are recorded, and none is run."""
    begin(runtime, tmp_path, readers(1), cron="* * * * *")
    ask(runtime, "DELETE FROM pushjobs.runs")
    ask(runtime, "UPDATE pushjobs.campaigns SET next_at = now(), planned_through = now() - interval '30 days'")
    runtime.ticking.tick()
    states = [run.state for run in runtime.campaigns.runs("news", limit=1000)]
    assert states.count(RunState.SKIPPED) == 100
    assert 19 <= states.count(RunState.PLANNED) <= 22  # ten minutes of grace, and ten ahead


def test_an_edit_leaves_what_has_begun_and_replans_the_rest(runtime: Runtime, tmp_path: Path) -> None:
    """12.18 Editing takes back the runs that have not begun; one that has goes on with what it was planned with."""
    begin(runtime, tmp_path, readers(5))
    runtime.ticking.expand()
    plan_at(runtime, clock.now() + timedelta(minutes=5))
    edited = runtime.campaigns.edit("news", cron="0 9 29 2 *", name="晨报")
    assert (edited.cron, edited.name) == ("0 9 29 2 *", "晨报")
    assert [run.state for run in runtime.campaigns.runs("news")] == [RunState.PREPARING]


def test_a_deleted_campaign_s_key_is_free(runtime: Runtime, tmp_path: Path) -> None:
    """12.18 Deleting ends what has not begun; another campaign of the same key is another one, with runs of its own."""
    first = begin(runtime, tmp_path, readers(1))
    runtime.campaigns.delete("news")
    second = begin(runtime, tmp_path, readers(1))
    assert second.created_at > first.created_at
    assert len(runtime.campaigns.runs("news")) == 1


def test_an_audience_that_is_gone_fails_the_run(runtime: Runtime, tmp_path: Path) -> None:
    """An audience that cannot be read is tried again; when the grace is over the run fails, and says why."""
    begin(runtime, tmp_path, readers(1), grace="1s")
    (tmp_path / "audience.csv").unlink()
    runtime.ticking.expand()
    run = only_run(runtime)
    assert run.state is RunState.PREPARING
    assert run.note is not None
    assert "audience.csv" in run.note
    ask(runtime, "UPDATE pushjobs.runs SET instant = now() - interval '2 s', begins_at = now() - interval '2 s'")
    ask(runtime, "UPDATE pushjobs.runs SET read_again_at = now()")
    runtime.ticking.expand()
    runtime.ticking.expand()
    run = only_run(runtime)
    assert (run.state, run.reason) == (RunState.FAILED, RunReason.NO_AUDIENCE)
    assert run.finished_at is not None


def test_a_run_that_breaks_holds_up_no_other(
    sandbox: SandboxClient, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong at one run, the ones behind it are taken along all the same."""
    begin(runtime, tmp_path, readers(2))
    plan_at(runtime, clock.now() + timedelta(seconds=55))
    read = Expansion.read

    def break_the_first(self: Expansion, run: OpenRun, opened: Opened) -> bool:
        if run.run_no == 1:
            raise ZeroDivisionError
        return read(self, run, opened)

    monkeypatch.setattr(Expansion, "read", break_the_first)
    runtime.ticking.expand()
    runtime.ticking.tick()
    second, first = runtime.campaigns.runs("news")
    assert (first.expanded, second.expanded) == (0, 2)
    assert sandbox.summary().received == 0
