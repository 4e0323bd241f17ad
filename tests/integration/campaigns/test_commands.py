"""`pushjobs campaign` from a terminal."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from pushjobs import clock
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from tests.integration.campaigns.hands import audience, only_run, plan_at, readers
from tests.integration.commands import Run, runner
from tests.integration.hands import claim, deliver, let_due

TEXTS = ("--data", "thing1=要闻", "--data", "thing2=今日要闻", "--data", "date3=2026年12月1日")


@pytest.fixture
def run(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run commands against the test's installation."""
    return runner(environment, monkeypatch, capfd)


@pytest.fixture
def people(tmp_path: Path) -> str:
    """An audience of five."""
    return audience(tmp_path, readers(5))["file"]


def add(run: Run, people: str, *more: str) -> tuple[int, str, str]:
    """Add the news."""
    when = ("--cron", "0 8 29 2 *", "--template-id", DAILY_NEWS)
    return run("campaign", "add", "news", *when, "--audience-file", people, *TEXTS, *more)


def test_a_campaign_from_its_definition_to_its_end(
    sandbox: SandboxClient, run: Run, runtime: Runtime, people: str, tmp_path: Path
) -> None:
    """Everything an owner does with a campaign can be done from a terminal, and told in JSON."""
    status, out, _ = add(run, people, "--spread", "30m", "--name", "每日要闻", "--json")
    assert status == 0
    assert json.loads(out)["spread"] == 1800
    status, out, _ = run("campaign", "edit", "news", "--cron", "30 8 29 2 *", "--spread", "0s", "--expires", "6h")
    assert status == 0
    assert "30 8 29 2 * (Asia/Shanghai)" in out
    assert json.loads(run("campaign", "list", "--json")[1])[0]["key"] == "news"
    assert len(json.loads(run("campaign", "preview", "news", "--limit", "3", "--json")[1])) == 3
    assert json.loads(run("campaign", "rehearse", "news", "--json")[1])["gets"] == 5
    assert "would get it    5" in run("campaign", "rehearse", "news")[1]
    status, out, _ = run("campaign", "test", "news", "--touser", "oColleague", "--json")
    assert json.loads(out)["template_id"] == DAILY_NEWS

    plan_at(runtime, clock.now() + timedelta(seconds=40))
    runtime.ticking.expand()
    runtime.ticking.tick()
    runtime.ticking.tick()
    assert run("campaign", "pause", "news")[:2] == (0, "paused news: 1 run is held\n")
    assert run("campaign", "resume", "news")[:2] == (0, "resumed news: 1 run goes on\n")
    let_due(runtime)
    deliver(runtime, claim(runtime))
    runtime.ticking.tick()
    number = str(only_run(runtime).run_no)
    assert ["sent", "5"] in [line.split() for line in run("campaign", "watch", "news")[1].splitlines()]
    assert json.loads(run("campaign", "show", number, "--json")[1])["states"]["sent"] == 5
    assert "finished" in run("campaign", "runs", "news")[1]
    target = tmp_path / "unreached.csv"
    assert run("campaign", "export", number, "--output", str(target))[0] == 0
    assert target.read_text(encoding="utf-8").splitlines() == ["job,touser,state,reason,errcode,closed_at"]
    assert target.stat().st_mode & 0o077 == 0
    assert run("campaign", "delete", "news", "--yes")[0] == 0
    assert run("campaign", "show", "news")[0] == 2
    assert sandbox.summary().accepted == 5


def test_what_is_wrong_is_said_in_a_line(run: Run, people: str, tmp_path: Path) -> None:
    """Bad input ends with status 2, the field, its fault and the rule, and stores nothing."""
    definition = tmp_path / "news.json"
    definition.write_text('{"cron": "0 8 * *"}', encoding="utf-8")
    cases = [
        add(run, people, "--spread", "soon"),
        add(run, "nowhere.csv"),
        run("campaign", "add", "news", "--from", str(definition)),
        run("campaign", "edit", "news"),
        run("campaign", "watch", "news"),
        run("campaign", "show", "7"),
        run("campaign", "cancel", "7", "--yes"),
        add(run, people, "--data", "thing1"),
    ]
    for status, out, err in cases:
        assert status == 2, err
        assert out == ""
        assert err.startswith("pushjobs: ")
        assert err.count("\n") == 1
    assert json.loads(run("campaign", "list", "--json")[1]) == []


def test_an_audience_is_kept_under_a_name(run: Run, people: str, tmp_path: Path) -> None:
    """It is stored, listed, gone to and deleted from a terminal; bad rows are told, and make the status 1."""
    assert run("campaign", "audience", "put", "readers", people)[:2] == (0, "stored 5 as readers, refused 0\n")
    bad = tmp_path / "bad.csv"
    bad.write_text("touser\noReader1\no r\n", encoding="utf-8")
    status, out, _ = run("campaign", "audience", "put", "readers", str(bad), "--json")
    assert status == 1
    assert [each["number"] for each in json.loads(out)["faults"]] == [2]
    status, out, _ = run("campaign", "audience", "put", "readers", str(bad))
    assert (status, "stored 1 as readers, refused 1" in out, "touser" in out) == (1, True, True)
    assert run("campaign", "audience", "put", "Readers", str(bad))[0] == 2
    assert run("campaign", "audience", "put", "readers", str(tmp_path / "none.csv"))[0] != 0
    when = ("--cron", "0 8 29 2 *", "--template-id", DAILY_NEWS)
    assert run("campaign", "add", "news", *when, "--audience-stored", "readers", *TEXTS)[0] == 0
    assert "readers (uploaded)" in run("campaign", "show", "news")[1]
    [listed] = json.loads(run("campaign", "audience", "list", "--json")[1])
    assert (listed["name"], listed["recipients"], listed["rejected"]) == ("readers", 1, 1)
    assert "readers" in run("campaign", "audience", "list")[1]
    assert run("campaign", "audience", "delete", "readers", "--yes")[0] != 0
    assert run("campaign", "delete", "news", "--yes")[0] == 0
    assert run("campaign", "audience", "delete", "readers", "--yes")[:2] == (0, "deleted readers\n")
