"""Now, Schedule, Campaigns, Templates and Limits: what they say, what they do, and to whom."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState
from pushjobs.domain.moment import SHANGHAI
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS, ORDER_SHIPPED
from pushjobs.store import census
from tests.conftest import APPID
from tests.integration.at_console import Browser, console_door, operator, visitor
from tests.integration.campaigns.hands import NEWS, audience, only_run, plan_at, readers
from tests.integration.hands import ORDER, ask, only_job, schedule

__all__ = ["console_door", "operator", "visitor"]

MakeBrowser = Callable[..., Browser]
PAGES = ("now", "schedule", "campaigns", "templates", "limits")


def said(browser: Browser) -> str:
    """What the open page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", browser.page)).split())


def count(runtime: Runtime) -> None:
    """Count what is scheduled, as a tick does."""
    with runtime.database.transaction() as connection:
        census.take(connection)


def campaign(runtime: Runtime, directory: Path, users: int = 3, **more: object) -> None:
    """Add a campaign."""
    runtime.campaigns.add("news", **{**NEWS, "name": "Daily", "audience": audience(directory, readers(users)), **more})


def audited(runtime: Runtime) -> list[tuple[str, dict[str, object], object]]:
    """The lines of the audit log, the latest first: action, to what, what came of it."""
    rows = ask(runtime, "SELECT action, what, outcome FROM pushjobs.audit ORDER BY entry_no DESC")
    return [(action, what, outcome) for action, what, outcome in rows]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_opens_with_nothing_and_with_something(
    operator: MakeBrowser, runtime: Runtime, tmp_path: Path, language: str
) -> None:
    """In both languages, before anything was ever sent, and when there is one of everything."""
    browser = operator()
    browser.post("/console/preferences", {"language": language})
    for page in PAGES:
        assert browser.get(f"/console/{page}").status_code == 200, said(browser)
    schedule(runtime, 2)
    schedule(runtime, 2, time=clock.now() + timedelta(hours=2))
    campaign(runtime, tmp_path)
    plan_at(runtime, clock.now() + timedelta(minutes=5))
    count(runtime)
    runtime.operations.pause(lane="urgent", note="look")
    runtime.operations.pause(template_id=DAILY_NEWS)
    run = only_run(runtime)
    more = (f"runs/{run.run_no}", "campaigns/news", "campaigns/news/rehearse", f"templates/{DAILY_NEWS}")
    hour = f"{clock.now() + timedelta(hours=2):%Y-%m-%d %H:%MZ}"
    for page in (*PAGES, *more):
        assert browser.get(f"/console/{page}").status_code == 200, said(browser)
    assert browser.http.get("/console/schedule/at", params={"at": hour}).status_code == 200


def test_now_says_what_is_not_well(operator: MakeBrowser, runtime: Runtime) -> None:
    """Without beat and workers, with a pause and a doubt: each is said, with what to do, the worst first."""
    schedule(runtime, 2)
    ask(
        runtime,
        "UPDATE pushjobs.jobs SET state = 'in_doubt', closed_at = now() WHERE id = (SELECT min(id) FROM pushjobs.jobs)",
    )
    ask(runtime, "UPDATE pushjobs.heartbeat SET at = now() - interval '1 hour'")
    runtime.operations.pause(template_id=DAILY_NEWS, note="wrong price")
    browser = operator()
    text = said(browser)
    for words in ("things need you", "The last release tick was", "1 job is in doubt", "wrong price", "run beat"):
        assert words in text
    assert text.index("Wrong") < text.index("Care")
    assert "All is well" not in text


def test_now_lets_go_what_is_held(operator: MakeBrowser, runtime: Runtime) -> None:
    """The button beside a pause lifts it, and who did so is written down."""
    runtime.operations.pause(template_id=DAILY_NEWS, note="wrong price")
    browser = operator()
    browser.get("/console/now")
    form = {name: browser.hidden(name) for name in ("app", "template", "lane", "back")}
    answer = browser.post("/console/resume", form)
    assert answer.url.path == "/console/now"
    assert "It goes on with the next tick." in said(browser)
    assert runtime.operations.pauses() == []
    action, what, outcome = audited(runtime)[0]
    assert (action, outcome) == ("resume", {"lifted": 1})
    assert (what["template"], what["app"]) == (DAILY_NEWS, APPID)


def test_a_part_of_now_is_the_figures_alone(operator: MakeBrowser, runtime: Runtime) -> None:
    """What is asked for every few seconds is no whole page, and asks for itself again."""
    assert runtime is not None
    browser = operator()
    browser.get("/console/now", {"HX-Request": "true"})
    assert "<html" not in browser.page
    assert 'hx-get="/console/now"' in browser.page


def test_the_schedule_says_what_goes_out_at_a_time(operator: MakeBrowser, runtime: Runtime, tmp_path: Path) -> None:
    """A time of the day is answered with template, number, what holds it and a link to the jobs themselves."""
    moment = clock.now().replace(second=0, microsecond=0) + timedelta(hours=3)
    schedule(runtime, 5, time=moment)
    campaign(runtime, tmp_path)
    plan_at(runtime, moment)
    count(runtime)
    runtime.operations.pause(template_id=DAILY_NEWS, note="wrong price")
    browser = operator()
    browser.get("/console/schedule")
    assert "What goes out at" in said(browser)
    answer = browser.http.get("/console/schedule/at", params={"at": f"{moment.astimezone(SHANGHAI):%H:%M}"})
    browser.page = answer.text
    text = said(browser)
    for words in ("5 jobs are scheduled.", "Paused by an operator", "wrong price", "news", "not known", "As counted"):
        assert words in text
    [link] = re.findall(r'href="(/console/jobs\?[^"]*)"', browser.page)
    browser.get(unescape(link))
    assert len(re.findall(r'<a href="/console/jobs/\d+">', browser.page)) == 5
    answer = browser.http.get("/console/schedule/at", params={"at": "half past eight"})
    assert (answer.status_code, 'role="alert"' in answer.text) == (200, True)


def test_a_campaign_is_held_let_go_and_its_run_cancelled(
    operator: MakeBrowser, runtime: Runtime, tmp_path: Path
) -> None:
    """From its page with all of its runs, from a run's page that run; a cancellation is asked about first."""
    campaign(runtime, tmp_path)
    plan_at(runtime, clock.now() + timedelta(minutes=5))
    browser = operator()
    browser.get("/console/campaigns/news")
    browser.post("/console/campaigns/news/pause")
    assert "It is paused." in said(browser)
    assert runtime.campaigns.get("news").paused_at is not None
    browser.post("/console/campaigns/news/resume")
    assert runtime.campaigns.get("news").paused_at is None
    run = only_run(runtime)
    browser.get(f"/console/runs/{run.run_no}")
    browser.post("/console/campaigns/news/pause", {"run": run.run_no, "back": f"/console/runs/{run.run_no}"})
    assert only_run(runtime).paused_at is not None
    assert runtime.campaigns.get("news").paused_at is None
    browser.post(f"/console/runs/{run.run_no}/cancel")
    assert "Cancel run" in said(browser)
    assert only_run(runtime).state == "planned"
    browser.post(f"/console/runs/{run.run_no}/cancel", {"yes": "1"})
    assert only_run(runtime).state == "cancelled"
    assert [action for action, _, _ in audited(runtime)[:4]] == ["cancel_run", "pause", "resume", "pause"]


def test_how_far_a_run_is(operator: MakeBrowser, runtime: Runtime, tmp_path: Path) -> None:
    """Its page has states and reasons as they were counted last, and how many users were not reached."""
    campaign(runtime, tmp_path)
    plan_at(runtime, clock.now() - timedelta(minutes=5))
    ask(
        runtime,
        """UPDATE pushjobs.runs SET state = 'open', recipients = 200, expanded = 200, counted_at = now(), counts =
           '[{"state": "sent", "reason": null, "jobs": 120}, {"state": "refused", "reason": "no_consent", "jobs": 30},
             {"state": "scheduled", "reason": null, "jobs": 50}]'""",
    )
    browser = operator()
    browser.get(f"/console/runs/{only_run(runtime).run_no}")
    for words in ("150 of 200 (75 %)", "sent 120", "30 users were not reached", "consent was missing"):
        assert words in said(browser)
    browser.get("/console/now")
    assert "150 of 200 (75 %)" in said(browser)


def test_a_rehearsal_is_begun_and_asked_after(operator: MakeBrowser, runtime: Runtime, tmp_path: Path) -> None:
    """A small audience's is there at once, with samples for who may see contents; nothing is sent."""
    campaign(runtime, tmp_path, users=7)
    browser = operator()
    browser.get("/console/campaigns/news")
    browser.post("/console/campaigns/news/rehearse")
    assert "Would get it 7" in said(browser)
    assert "要闻" in said(browser)
    assert runtime.producer.find() == []
    other = operator("shy", rights=("operate",))
    other.get("/console/campaigns/news/rehearse")
    assert "Would get it" not in said(other)
    other.get("/console/campaigns/news")
    other.post("/console/campaigns/news/rehearse")
    assert "Would get it 7" in said(other)
    assert "要闻" not in said(other)


def test_a_rehearsal_that_fails_says_why(operator: MakeBrowser, runtime: Runtime, tmp_path: Path) -> None:
    """An audience that cannot be read is told in words."""
    campaign(runtime, tmp_path)
    (tmp_path / "audience.csv").unlink()
    browser = operator()
    browser.get("/console/campaigns/news")
    answer = browser.post("/console/campaigns/news/rehearse")
    assert (answer.status_code, "cannot be read" in said(browser)) == (200, True)


def test_a_campaign_is_tested_on_one_user(operator: MakeBrowser, runtime: Runtime, tmp_path: Path) -> None:
    """One message goes to whoever tries it; the open id stands in no address, log line or audit line."""
    campaign(runtime, tmp_path)
    browser = operator()
    browser.get("/console/campaigns/news")
    answer = browser.post("/console/campaigns/news/test", {"touser": "oTester000001"})
    job = only_job(runtime)
    assert answer.url.path == f"/console/jobs/{job.id}"
    assert job.client is not None
    assert "oTester000001" not in str(audited(runtime))
    browser.get("/console/campaigns/news")
    answer = browser.post("/console/campaigns/news/test", {"touser": ""})
    assert 'role="alert"' in browser.page
    reader = operator("reader", rights=("read", "operate"))
    reader.get("/console/campaigns/news")
    assert reader.post("/console/campaigns/news/test", {"touser": "oTester000001"}).status_code == 403


def test_a_template_is_held_and_let_go(operator: MakeBrowser, runtime: Runtime) -> None:
    """From its page, with a reason and an end; what is no moment holds nothing."""
    schedule(runtime)
    browser = operator()
    browser.get(f"/console/templates/{DAILY_NEWS}")
    form = {"app": APPID, "template": DAILY_NEWS, "back": f"/console/templates/{DAILY_NEWS}"}
    answer = browser.post("/console/pause", {**form, "until": "soon"})
    assert (answer.status_code, runtime.operations.pauses()) == (422, [])
    browser.get(f"/console/templates/{DAILY_NEWS}")
    browser.post("/console/pause", {**form, "note": "wrong price", "until": "2099-01-01 08:00"})
    assert "It is held back" in said(browser)
    assert "wrong price" in said(browser)
    [pause] = runtime.operations.pauses()
    assert (pause.template_id, pause.note) == (DAILY_NEWS, "wrong price")
    browser.get("/console/templates")
    browser.post("/console/resume", form)
    assert runtime.operations.pauses() == []


def test_a_template_says_what_became_of_its_jobs(operator: MakeBrowser, runtime: Runtime) -> None:
    """Sent, refused and why, over the last day, from the summaries; and its rules, and its faults in a row."""
    schedule(runtime)
    ask(
        runtime,
        """INSERT INTO pushjobs.settlements (app_no, lane, transition, reason, errcode, template_no, jobs)
           SELECT 1, 'bulk', t, r, e, template_no, n FROM pushjobs.templates,
                  (VALUES ('deliver', '', 0, 1200), ('reject', 'no_consent', 43101, 34)) AS v (t, r, e, n)
            WHERE template_id = :id""",
        id=DAILY_NEWS,
    )
    runtime.operations.set_policies(DAILY_NEWS, daily_cap=2, consent="require")
    ask(runtime, "UPDATE pushjobs.templates SET faults_in_a_row = 2 WHERE template_id = :id", id=DAILY_NEWS)
    browser = operator()
    browser.get("/console/templates")
    for words in ("1,200", "34", "2 a day for each user"):
        assert words in said(browser)
    browser.get(f"/console/templates/{DAILY_NEWS}")
    for words in ("43101", "1,200", "users known to consent", "2 faults in a row"):
        assert words in said(browser)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ('{"thing1": "新闻", "thing2": "今日要闻", "date3": "2026年12月1日"}', "No fault"),
        ('{"thing1": "' + "长" * 30 + '", "date3": "tomorrow"}', "thing1"),
        ('{"data": {"thing1": {"value": "新闻"}}, "page": "/index"}', "page"),
        ("{", "is no JSON"),
        ("[1]", "is no object"),
    ],
    ids=["sound", "several", "page", "no JSON", "no object"],
)
def test_a_sample_is_looked_through(
    sandbox: SandboxClient, operator: MakeBrowser, runtime: Runtime, sample: str, words: str
) -> None:
    """Every fault by its field, by the rules of the door; nothing is stored."""
    assert sandbox.summary().received == 0
    runtime.catalogue.sync()
    browser = operator()
    browser.get(f"/console/templates/{DAILY_NEWS}")
    browser.post(f"/console/templates/{DAILY_NEWS}/lint", {"sample": sample})
    assert words in said(browser)
    assert ("No fault" in said(browser)) == (words == "No fault")
    assert runtime.producer.find() == []


def test_the_pace_is_set_and_goes_back(operator: MakeBrowser, runtime: Runtime) -> None:
    """What is typed holds from now on; what is no rate changes nothing; the setting is one click away."""
    browser = operator()
    browser.get("/console/limits")
    browser.post("/console/limits/pace", {"per_second": "7.5"})
    assert runtime.inspection.pace().per_second == 7.5
    browser.get("/console/limits")
    assert "7.5 calls a second" in said(browser)
    for wrong in ("fast", "0", "-1", "nan"):
        browser.get("/console/limits")
        assert browser.post("/console/limits/pace", {"per_second": wrong}).status_code == 422
    assert runtime.inspection.pace().per_second == 7.5
    browser.get("/console/limits")
    browser.post("/console/limits/pace", {"default": "1"})
    assert runtime.inspection.pace().per_second is None
    assert audited(runtime)[0][:1] == ("pace",)


def test_a_users_day_is_looked_up(operator: MakeBrowser, runtime: Runtime) -> None:
    """By open id, which is posted and stands nowhere afterwards."""
    schedule(runtime)
    browser = operator()
    browser.get("/console/limits")
    answer = browser.post("/console/limits/quota", {"touser": "oReader000000"})
    assert "0 sent" in said(browser)
    assert "oReader000000" not in str(answer.url) + browser.page + str(audited(runtime))


def test_a_client_sees_and_touches_only_its_own(operator: MakeBrowser, runtime: Runtime, tmp_path: Path) -> None:
    """What is of other templates is not there: not in figures, not by its name, and not to be held."""
    moment = clock.now() + timedelta(hours=3)
    schedule(runtime, 5, time=moment)
    schedule(runtime, 2, time=moment, **ORDER)
    ask(runtime, "UPDATE pushjobs.jobs SET state = 'in_doubt', closed_at = now() WHERE id = 1")
    campaign(runtime, tmp_path)
    plan_at(runtime, clock.now() + timedelta(minutes=5))
    count(runtime)
    runtime.operations.pause(template_id=DAILY_NEWS, note="secret")
    run = only_run(runtime)
    browser = operator("narrow", templates=[ORDER_SHIPPED])
    for page in (*PAGES, "schedule/at?at=" + f"{moment:%Y-%m-%dT%H:%MZ}"):
        assert browser.get(f"/console/{page}").status_code == 200
        for hidden in (DAILY_NEWS, "secret", "/console/campaigns/news", f"/console/runs/{run.run_no}"):
            assert hidden not in browser.page, (page, hidden)
    for page in (f"templates/{DAILY_NEWS}", "campaigns/news", f"runs/{run.run_no}", "campaigns/news/rehearse"):
        assert browser.get(f"/console/{page}").status_code == 404, page
    browser.get("/console/limits")
    assert browser.post("/console/limits/pace", {"per_second": "1"}).status_code == 403
    browser.get("/console/limits")
    assert browser.post("/console/pause", {"app": APPID, "lane": "bulk"}).status_code == 403
    browser.get("/console/limits")
    assert browser.post("/console/resume", {"app": APPID, "template": DAILY_NEWS}).status_code == 422
    browser.get("/console/limits")
    assert browser.post(f"/console/runs/{run.run_no}/cancel", {"yes": "1"}).status_code == 404
    assert len(runtime.operations.pauses()) == 1
    assert only_run(runtime).state == "planned"
    assert JobState.IN_DOUBT not in said(browser)
