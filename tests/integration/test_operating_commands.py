"""The operators' commands on a real database: what they show to people, to programs, and with which status they end."""

import json
from pathlib import Path

import pytest

from pushjobs.domain.job import JobState
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS
from tests.integration.commands import Run, runner
from tests.integration.hands import ask, only_job, schedule


@pytest.fixture
def run(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], runtime: Runtime
) -> Run:
    """Runs a command on the runtime's database; returns status, output, errors."""
    assert runtime is not None
    return runner(environment, monkeypatch, capfd)


def close_as(runtime: Runtime, state: str) -> int:
    """Schedule a job and close it."""
    schedule(runtime)
    ask(runtime, f"UPDATE pushjobs.jobs SET state = '{state}', closed_at = now() WHERE state = 'scheduled'")  # noqa: S608 - a state of ours
    return runtime.producer.find(limit=1)[0].id


def test_why(run: Run, runtime: Runtime) -> None:
    """`why` shows state, rule, words, place and the next try, and as JSON the whole answer."""
    schedule(runtime)
    job = only_job(runtime)
    status, out, _ = run("why", str(job.id))
    assert status == 0
    for said in ("state", "scheduled", "pace", "It is due and leaves with one of the next ticks.", "tried next"):
        assert said in out
    answer = json.loads(run("why", str(job.id), "--json")[1])
    assert (answer["job"]["id"], answer["rule"], answer["place"]) == (job.id, "pace", 0)
    assert run("why", "999")[0] == 2


def test_replay_and_resolve(run: Run, runtime: Runtime) -> None:
    """By number or by filter, what changed is counted; what is not possible ends with 2 and says why."""
    dead = close_as(runtime, "dead")
    assert run("replay", str(dead)) == (0, "replayed 1 job\n", "")
    status, _, err = run("replay", str(dead))
    assert (status, err) == (2, f"pushjobs: job {dead} is scheduled: only a job that is dead can be replayed\n")

    doubt = close_as(runtime, "in_doubt")
    assert run("resolve", str(doubt), "--as", "sent")[:2] == (0, "resolved 1 job\n")
    assert runtime.producer.get(doubt).state is JobState.SENT
    close_as(runtime, "in_doubt")
    status, out, _ = run("resolve", "--template-id", DAILY_NEWS, "--as", "again", "--json")
    assert (status, json.loads(out)) == (0, {"resolved": 2, "overdue": 0})
    assert run("resolve", "--as", "sent")[0] == 2


def test_pause_and_resume(run: Run) -> None:
    """A pause is shown with its lane, its end and its note until it is lifted; lifting nothing ends with 2."""
    status, out, _ = run("pause", "--lane", "bulk", "--until", "2099-01-01 08:00:00", "--note", "flood")
    assert (status, out) == (0, "paused lane bulk until 2099-01-01 08:00:00 (Asia/Shanghai)\n")
    assert json.loads(run("pause", "--template-id", DAILY_NEWS, "--json")[1])["reason"] == "operator"
    _, out, _ = run("pauses")
    for said in ("lane bulk", "flood", "2099-01-01 08:00:00", f"template {DAILY_NEWS}"):
        assert said in out
    assert len(json.loads(run("pauses", "--json")[1])) == 2
    assert run("resume", "--lane", "bulk")[:2] == (0, "lifted 1 pause\n")
    assert run("resume", "--lane", "bulk")[0] == 2
    assert run("pause", "--until", "2001-01-01 08:00:00")[0] == 2


def test_pace(run: Run) -> None:
    """The pace is shown, set, and put back; an absurd one ends with 2 and changes nothing."""
    setting = json.loads(run("pace", "--json")[1])["per_second"]
    assert run("pace", "--per-second", "12.5")[1].startswith("12.5 calls a second")
    assert run("pace", "--per-second", "-3")[0] == 2
    assert json.loads(run("pace", "--json")[1])["per_second"] == 12.5
    assert json.loads(run("pace", "--default", "--json")[1])["per_second"] == setting


def test_quota_and_policy(run: Run, runtime: Runtime) -> None:
    """A user's day and the app's are shown; a template's policies are set, and a cap of 0 takes the cap away."""
    answer = json.loads(run("quota", "--touser", "oReader", "--json")[1])
    assert (answer["sent"], answer["cap"]) == (0, runtime.settings.daily_quota)
    assert "goes on" in run("quota", "--touser", "oReader")[1]
    # Without a user: the app's day.
    answer = json.loads(run("quota", "--json")[1])
    assert (answer["used"], answer["cap"], answer["source"]) == (0, 10_000_000, "documented")
    for said in ("10,000,000", "what WeChat documents", "in Shanghai", "goes on"):
        assert said in run("quota")[1]
    ask(
        runtime,
        "INSERT INTO pushjobs.app_days (app_no, day, taken, daily_limit, elsewhere, asked_at) "
        "VALUES (1, (now() AT TIME ZONE 'Asia/Shanghai')::date, 1234, 30000000, 5000, now())",
    )
    for said in ("1,234", "29,695,000", "WeChat allows 30,000,000", "5,000 were used up elsewhere", "asked 20"):
        assert said in run("quota")[1]
    status, out, _ = run("template", "policy", DAILY_NEWS, "--consent", "require", "--daily-cap", "2")
    assert (status, out) == (0, f"template {DAILY_NEWS}: consent require, daily cap 2\n")
    assert json.loads(run("template", "policy", DAILY_NEWS, "--daily-cap", "0", "--json")[1])["daily_cap"] is None
    assert run("template", "policy", DAILY_NEWS, "--daily-cap", "-1")[0] == 2
    status, out, _ = run("template", "policy", DAILY_NEWS, "--check", "forum", "--on-unchecked", "accept")
    assert (status, out) == (0, f"template {DAILY_NEWS}: content check forum, on unchecked accept\n")
    assert run("template", "policy", DAILY_NEWS, "--check", "blog")[0] == 2
    assert ask(runtime, "SELECT consent, daily_cap FROM pushjobs.templates") == [("require", None)]


def test_consent(run: Run, tmp_path: Path) -> None:
    """Consents are granted, shown, revoked, and imported from a file, whose bad rows are listed."""
    who = ("--touser", "oReader", "--template-id", DAILY_NEWS)
    assert run("consent", "grant", *who, "--credits", "2")[:2] == (0, "granted 2\n")
    path = tmp_path / "consents.csv"
    path.write_text(f"touser,template_id,credits\noReader,{DAILY_NEWS},3\noReader,{DAILY_NEWS},none\n")
    status, out, err = run("consent", "import", str(path))
    assert status == 1
    assert out.startswith("granted 1, refused 1\n")
    assert "credits" in out
    assert not err, "progress is for terminals"
    known = {DAILY_NEWS: {"credits": 5, "held": 0, "is_standing": False}}
    assert json.loads(run("consent", "show", "--touser", "oReader", "--json")[1]) == known
    assert run("consent", "revoke", *who)[:2] == (0, "revoked\n")
    assert "0" in run("consent", "show", "--touser", "oReader")[1]
    assert run("consent", "grant", *who, "--credits", "0")[0] == 2


LEFT = """
INSERT INTO pushjobs.events (app_no, key, kind, recipient, template_id, happened_at, msgid, errcode, status, state)
VALUES (1, 'k', 'receipt', 'r', 'tpl', now(), 77, -1, 'failed', 'left'),
       (1, 'l', 'receipt', 'r', 'tpl', now(), 78, 0, 'success', 'waiting')"""


def test_callback(run: Run, runtime: Runtime) -> None:
    """What WeChat told and nothing fits is listed without a user; what the app's own door never took goes again."""
    assert runtime.catalogue.app.app_no == 1
    ask(runtime, LEFT)
    ask(runtime, "INSERT INTO pushjobs.pushes (app_no, key, state, attempts) VALUES (1, 'k', 'dead', 24)")
    status, out, _ = run("callback", "show")
    assert status == 0
    for said in ("waiting", "to forward", "dead", "left", "77", "tpl", "-1", "failed"):
        assert said in out
    now = json.loads(run("callback", "show", "--json")[1])
    assert (now["waiting"], now["to_forward"], now["dead"], now["left"][0]["msgid"]) == (1, 0, 1, 77)
    assert run("callback", "forward")[1].strip() == "1 to be forwarded again"
    assert json.loads(run("callback", "forward", "--json")[1]) == {"to_forward": 0}
    assert ask(runtime, "SELECT state::text, attempts FROM pushjobs.pushes") == [("waiting", 0)]


def test_jobs_and_cancel_by_when_they_are_due(run: Run, runtime: Runtime) -> None:
    """A window of moments narrows the listing and the cancelling; an unreadable moment ends with 2 and its field."""
    for hour in (8, 9, 10):
        schedule(runtime, time=f"2040-12-01 {hour:02d}:00:00", expires="2040-12-02 00:00:00")
    window = ("--due-after", "2040-12-01 08:30:00", "--due-before", "2040-12-01T10:00:00+08:00")
    assert len(json.loads(run("jobs", "--state", "scheduled", *window, "--json")[1])) == 1
    assert run("cancel", *window)[:2] == (0, "cancelled 1 job\n")
    assert run("cancel", "--due-before", "2040-12-01 10:00:00")[:2] == (0, "cancelled 1 job\n")
    assert runtime.producer.counts()[JobState.SCHEDULED] == 1
    status, _, err = run("cancel", "--due-before", "soon")
    assert (status, err.startswith("pushjobs: due_before ")) == (2, True)
    assert run("cancel", "1", "--due-before", "2040-12-01 10:00:00")[0] == 2
