"""Campaigns defined, looked at, rehearsed and told of: what an owner does with them."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pushjobs import clock
from pushjobs.domain.campaign import RunReason, RunState
from pushjobs.domain.job import JobState, Reason
from pushjobs.errors import InvalidInput, NotFound, NotPossible
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from tests.integration.campaigns.hands import NEWS, audience, begin, only_run, plan_at, readers
from tests.integration.hands import ask, claim, deliver, let_due


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "hourly"}, "cron"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"template_id": None}, "template_id"),
        ({"audience": {"file": "nowhere.csv"}}, "audience"),
        ({"audience": {"iterable": "tests.integration.campaigns.hands:nothing"}}, "audience"),
        ({"content": {"data": {"thing1": "{nickname}", "thing2": "今", "date3": "2026年12月1日"}}}, "audience"),
        ({"content": {"data": {"thing1": "长" * 21, "thing2": "今", "date3": "2026年12月1日"}}}, "content"),
        ({"spread": "two hours"}, "spread"),
        ({"spread": "2d"}, "spread"),
        ({"missed": "some"}, "missed"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_run_is_refused_at_once(
    runtime: Runtime, tmp_path: Path, changes: Mapping[str, Any], field: str
) -> None:
    """A campaign that could only fail is refused when it is made, by the field that is wrong; nothing is stored."""
    whole = {**NEWS, "audience": audience(tmp_path, readers(1)), **changes}
    with pytest.raises(InvalidInput) as refused:
        runtime.campaigns.add("news", **whole)
    assert refused.value.field.startswith(field)
    assert runtime.campaigns.list() == []


@pytest.mark.parametrize("key", ["", "7", "Daily", "daily news", "-daily", "x" * 65])
def test_a_key_is_a_short_word(runtime: Runtime, tmp_path: Path, key: str) -> None:
    """A key is told from a run's number, and can be typed."""
    with pytest.raises(InvalidInput):
        runtime.campaigns.add(key, **{**NEWS, "audience": audience(tmp_path, readers(1))})


def test_a_key_is_given_once(runtime: Runtime, tmp_path: Path) -> None:
    """Two campaigns in force have not the same key, and one that is not there is said not to be."""
    begin(runtime, tmp_path, readers(1))
    with pytest.raises(InvalidInput):
        begin(runtime, tmp_path, readers(1))
    with pytest.raises(NotFound):
        runtime.campaigns.get("no-such")


def test_a_campaign_in_code_is_changed_in_code(runtime: Runtime, tmp_path: Path) -> None:
    """Declared campaigns come and go with the code, are paused at most at run time, and a bad one harms no other."""
    declared = {**NEWS, "audience": audience(tmp_path, readers(1))}
    assert not runtime.campaigns.declare({"in-code": declared, "broken": {**declared, "cron": "?"}})
    [there] = runtime.campaigns.list()
    assert (there.key, there.is_declared) == ("in-code", True)
    with pytest.raises(NotPossible):
        runtime.campaigns.edit("in-code", cron="0 9 * * *")
    with pytest.raises(NotPossible):
        runtime.campaigns.delete("in-code")
    runtime.campaigns.pause("in-code")
    assert runtime.campaigns.declare({"in-code": {**declared, "cron": "0 9 * * *"}})
    changed = runtime.campaigns.get("in-code")
    assert changed.cron == "0 9 * * *"
    assert changed.paused_at is not None
    runtime.campaigns.declare({})
    assert runtime.campaigns.list() == []


def test_an_unchanged_declaration_changes_nothing(runtime: Runtime, tmp_path: Path) -> None:
    """Workers that start again with the same code leave a campaign and its planned runs as they are."""
    declared = {"news": {**NEWS, "audience": audience(tmp_path, readers(1))}}
    runtime.campaigns.declare(declared)
    plan_at(runtime, clock.now() + timedelta(minutes=5))
    before = runtime.campaigns.get("news")
    runtime.campaigns.declare(declared)
    assert runtime.campaigns.get("news") == before
    assert len(runtime.campaigns.runs("news")) == 1


def test_a_preview_says_what_clock_changes_do(runtime: Runtime, tmp_path: Path) -> None:
    """The next instants are listed, with a note where a clock change skips or repeats the local time."""
    begin(runtime, tmp_path, readers(1), cron="30 2 * * *", zone="Europe/Berlin")
    instants = runtime.campaigns.preview("news", 400)
    assert len(instants) == 400
    assert any(instant.note is not None and "skipped" in str(instant.note) for instant in instants)
    assert any(instant.note is not None and "repeated" in str(instant.note) for instant in instants)


def test_each_user_gets_a_content_of_its_own(sandbox: SandboxClient, runtime: Runtime, tmp_path: Path) -> None:
    """Placeholders are filled from the audience's columns; a row whose content breaks a rule is told, and left out."""
    path = tmp_path / "people.csv"
    path.write_text(f"touser,name\noReader0,小明\noReader1,{'长' * 30}\noReader2,小红\n,无名\n", encoding="utf-8")
    content = {"data": {"thing1": "{name}，早上好", "thing2": "今日要闻", "date3": "2026年12月1日"}}
    runtime.campaigns.add("news", **{**NEWS, "audience": {"file": str(path)}, "content": content})
    plan_at(runtime, clock.now() + timedelta(seconds=50))
    runtime.ticking.expand()
    runtime.ticking.tick()
    runtime.ticking.tick()
    run = only_run(runtime)
    assert (run.recipients, run.rejected) == (2, 2)
    assert [fault["number"] for fault in run.faults] == [2, 4]
    let_due(runtime)
    deliver(runtime, claim(runtime))
    said = {each.touser: each.body["data"]["thing1"]["value"] for each in sandbox.all_received()}
    assert said == {"oReader0": "小明，早上好", "oReader2": "小红，早上好"}


def test_a_rehearsal_tells_and_changes_nothing(sandbox: SandboxClient, runtime: Runtime, tmp_path: Path) -> None:
    """It says who would get it, who not and by which rule, and how long it takes; nothing is stored, nobody called."""
    runtime.operations.set_policies(DAILY_NEWS, consent="require")
    for touser in readers(8):
        runtime.producer.grant(touser, DAILY_NEWS)
    begin(runtime, tmp_path, [*readers(10), *readers(3)])
    ask(runtime, "DELETE FROM pushjobs.runs")
    found = runtime.campaigns.rehearse("news")
    assert (found.users, found.repeated, found.gets) == (10, 3, 8)
    assert [(each.rule, each.users, each.waits) for each in found.verdicts] == [("no consent", 2, False)]
    assert found.seconds == pytest.approx(8 * runtime.app().limit().spacing)
    assert len(found.samples) == 3
    assert all(sample.touser == "oRea…" for sample in found.samples)
    assert ask(runtime, "SELECT (SELECT count(*) FROM pushjobs.jobs) + (SELECT count(*) FROM pushjobs.runs)") == [(0,)]
    assert sandbox.summary().received == 0


def test_a_test_goes_to_one_user_at_once(sandbox: SandboxClient, runtime: Runtime, tmp_path: Path) -> None:
    """One colleague is sent what the next run would say, outside of the campaign."""
    begin(runtime, tmp_path, readers(3))
    job = runtime.campaigns.test("news", "oColleague")
    assert job.template_id == DAILY_NEWS
    assert ask(runtime, "SELECT run_no FROM pushjobs.jobs") == [(0,)]
    assert sandbox.summary().received == 0


def test_who_was_not_reached_is_told_by_name(sandbox: SandboxClient, runtime: Runtime, tmp_path: Path) -> None:
    """Refused users of a run can be had with their open ids and the reasons, by those who may see them."""
    sandbox.change_settings(consents="ledger")
    sandbox.grant(readers(3), DAILY_NEWS)
    begin(runtime, tmp_path, readers(5))
    runtime.ticking.expand()
    runtime.ticking.tick()
    runtime.ticking.tick()
    let_due(runtime)
    deliver(runtime, claim(runtime))
    runtime.ticking.tick()
    run = only_run(runtime)
    unreached = list(runtime.campaigns.unreached(run.run_no))
    assert [each.touser for each in sorted(unreached, key=lambda each: each.touser)] == readers(5)[3:]
    assert {(each.state, each.reason, each.errcode) for each in unreached} == {
        (JobState.REFUSED, Reason.NO_CONSENT, 43101)
    }
    progress = runtime.campaigns.progress(run.run_no)
    assert (progress.planned, progress.made, progress.remaining) == (5, 5, 0)
    assert progress.states[JobState.SENT] == 3
    assert progress.refused == {"no_consent": 2}


def test_a_forgotten_user_is_taken_out_of_what_is_planned(runtime: Runtime, tmp_path: Path) -> None:
    """Who is forgotten between the reading of an audience and the making of its jobs has no job of it."""
    begin(runtime, tmp_path, readers(10))
    run = next(iter(runtime.ticking._waiting()))[0]
    read = runtime.ticking._open(run, lambda *_: None)
    assert read is not None
    assert runtime.ticking._expansion.read(run, read)
    runtime.producer.forget("oReader000003")
    runtime.ticking.expand()
    assert only_run(runtime).expanded == 9


def test_a_rotation_of_keys_takes_campaigns_along(runtime: Runtime, tmp_path: Path) -> None:
    """Definitions and snapshots are sealed like everything, and are found by their keys."""
    begin(runtime, tmp_path, readers(10))
    run = next(iter(runtime.ticking._waiting()))[0]
    read = runtime.ticking._open(run, lambda *_: None)
    assert read is not None
    assert runtime.ticking._expansion.read(run, read)
    [only] = runtime.keys.list()
    assert {name: count for name, count in only.values.items() if count} == {"campaigns": 1, "runs": 1, "snapshots": 10}


def test_a_stopped_run_says_why(runtime: Runtime, tmp_path: Path) -> None:
    """A run that was cancelled before it began has no jobs, and ends by itself."""
    begin(runtime, tmp_path, readers(2))
    runtime.campaigns.cancel(only_run(runtime).run_no)
    runtime.ticking.expand()
    run = only_run(runtime)
    assert (run.state, run.reason, run.expanded) == (RunState.CANCELLED, RunReason.REQUESTED, 0)
    assert run.finished_at is not None
