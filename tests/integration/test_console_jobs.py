"""Jobs at the console: found, explained, changed one by one, within what a client may see."""

import re
from collections.abc import Callable

import pytest

from pushjobs.domain.job import Job, JobState
from pushjobs.runtime import Runtime
from tests.integration.at_console import Browser, console_door, operator, visitor
from tests.integration.hands import ask
from tests.integration.pushes import OPEN_ID, SECRET_WORD, news
from tests.integration.states import put_into

__all__ = ["console_door", "operator", "visitor"]

MakeBrowser = Callable[..., Browser]
LATER = {"time": "2100-12-01 08:00:00"}


def listed(browser: Browser) -> list[int]:
    """Return the jobs of the open page, in their order."""
    return [int(number) for number in re.findall(r'<a href="/console/jobs/(\d+)">', browser.page)]


def in_state(runtime: Runtime, state: JobState, number: int = 1, **more: object) -> Job:
    """Make a job that is in a state."""
    job = runtime.producer.send(**news(number, **LATER | more))
    put_into(runtime, state, job)
    return job


@pytest.mark.parametrize("state", ["", *JobState])
def test_every_filter_opens(operator: MakeBrowser, runtime: Runtime, state: str) -> None:
    """Whatever is combined with a state, the page opens and has the job that matches."""
    job = in_state(runtime, JobState(state or "scheduled"), reference="order-1")
    recipient = runtime.app().browsing.recipient(OPEN_ID)
    moments = "since=2000-01-01+00:00:00&until=2101-01-01+00:00:00"
    browser = operator()
    for more in ("", "template=news", "reference=order-1", f"recipient={recipient}", moments):
        answer = browser.get(f"/console/jobs?state={state}&{more}")
        assert (answer.status_code, listed(browser)) == (200, [job.id]), more
    for nothing in ("template=other", "reference=order-2", f"recipient={'ab' * 16}"):
        browser.get(f"/console/jobs?state={state}&{nothing}")
        assert listed(browser) == []


def test_what_cannot_be_read_is_said_with_field_fault_and_rule(operator: MakeBrowser) -> None:
    """A filter that makes no sense leaves the form as it was typed, with the refusal above an empty page."""
    browser = operator()
    for query, words in (
        ("state=lost", "is no state of a job"),
        ("since=tomorrow", "since"),
        ("since=2026-12-01+08:00:00&until=2026-12-01+08:00:00", "is not behind since"),
        ("recipient=oReader", "is no hash of a user"),
        ("run=7", "is no run of a campaign"),
        ("reason=deadline", "is given without a closing state"),
        ("state=dead&reason=boredom", "is none of its values"),
        ("after=nowhere", "is none of ours"),
    ):
        answer = browser.get(f"/console/jobs?{query}")
        assert (answer.status_code, words in answer.text) == (200, True), query
        assert 'role="alert"' in answer.text


def test_pages_follow_each_other(operator: MakeBrowser, runtime: Runtime) -> None:
    """A page has fifty jobs and leads to the next one, which begins behind it; the last one leads nowhere."""
    rows = [news(number, **LATER) for number in range(120)]
    assert runtime.producer.send_many(rows).accepted == 120
    browser = operator()
    for query in ("/console/jobs", "/console/jobs?state=scheduled"):
        browser.get(query)
        pages = [listed(browser)]
        while (found := re.search(r'href="([^"]*)" rel="next"', browser.page)) is not None:
            browser.get(found[1].replace("&amp;", "&"))
            pages.append(listed(browser))
        assert [len(page) for page in pages] == [50, 50, 20]
        assert len({number for page in pages for number in page}) == 120


def test_an_open_id_is_in_no_address_and_on_no_page(operator: MakeBrowser, runtime: Runtime) -> None:
    """A user is looked up by a POST, and what goes on from there is a hash; the list shows neither user nor content."""
    job, _ = runtime.producer.send(**news(1, **LATER)), runtime.producer.send(**news(2, **LATER))
    browser = operator()
    browser.get("/console/jobs")
    answer = browser.post("/console/jobs/find", {"touser": OPEN_ID, "state": "scheduled"})
    assert answer.url.path == "/console/jobs"
    assert OPEN_ID not in str(answer.url)
    assert listed(browser) == [job.id]
    browser.get(f"/console/jobs/{job.id}")
    assert (OPEN_ID in browser.page, SECRET_WORD in browser.page) == (False, False)
    answer = browser.post("/console/jobs/find", {"touser": "no open id!"})
    assert ("no open id!" in answer.text, 'role="alert"' in answer.text) == (False, True)


def test_a_number_leads_to_its_job(operator: MakeBrowser, runtime: Runtime) -> None:
    """Who has a job's number is at its page at once."""
    job = runtime.producer.send(**news(1, **LATER))
    browser = operator()
    browser.get("/console/jobs")
    assert browser.post("/console/jobs/find", {"number": str(job.id)}).url.path == f"/console/jobs/{job.id}"
    assert browser.get("/console/jobs/99999").status_code == 404
    assert browser.get("/console/jobs/9999999999999999").status_code == 404
    assert browser.get("/console/jobs/nothing").status_code == 404


def test_a_job_s_page_says_why(operator: MakeBrowser, runtime: Runtime) -> None:
    """Its page has the words of `why`, the moment it is tried next, its history, and that in two languages."""
    job = runtime.producer.send(**news(1, **LATER, reference="order-1"))
    runtime.operations.pause(template_id="news", note="wrong date")
    browser = operator()
    browser.get(f"/console/jobs/{job.id}")
    assert runtime.producer.why(job.id).words.split(" It")[0] in browser.page
    assert "2100-12-01 08:00:00 Asia/Shanghai" in browser.page
    assert "Accepted" in browser.page
    browser.get(f"/console/jobs/{job.id}", {"Accept-Language": "zh-CN"})
    assert "还没到发送时间。" in browser.page
    assert "已排期" in browser.page


@pytest.mark.parametrize("state", JobState)
def test_a_job_offers_what_its_state_allows(operator: MakeBrowser, runtime: Runtime, state: JobState) -> None:
    """The page of a job has the buttons of what may be done to it, and no others."""
    job = in_state(runtime, state)
    browser = operator()
    assert browser.get(f"/console/jobs/{job.id}").status_code == 200
    offered = {
        "cancel": 'name="act" value="cancel"' in browser.page,
        "reschedule": f"/console/jobs/{job.id}/reschedule" in browser.page,
        "replay": f"/console/jobs/{job.id}/replay" in browser.page,
        "resolve": f"/console/jobs/{job.id}/resolve" in browser.page,
    }
    allowed = {
        JobState.SCHEDULED: {"cancel", "reschedule"},
        JobState.RELEASED: {"cancel", "reschedule"},
        JobState.DEAD: {"replay"},
        JobState.IN_DOUBT: {"resolve"},
    }.get(state, set())
    assert {name for name, is_offered in offered.items() if is_offered} == allowed


def test_a_job_is_moved_replayed_and_resolved(operator: MakeBrowser, runtime: Runtime) -> None:
    """What is done on a job's page is done, said there, and shown at once."""
    job, dead, doubt, again = (
        in_state(runtime, state, number)
        for number, state in enumerate((JobState.SCHEDULED, JobState.DEAD, JobState.IN_DOUBT, JobState.IN_DOUBT))
    )
    browser = operator()
    browser.get("/console/jobs")
    browser.post(f"/console/jobs/{job.id}/reschedule", {"time": "2100-12-02 09:00:00"})
    assert "The job was moved." in browser.page
    assert "2100-12-02 09:00:00" in browser.page
    browser.post(f"/console/jobs/{dead.id}/replay")
    assert "1 job was replayed." in browser.page
    browser.post(f"/console/jobs/{doubt.id}/resolve", {"as": "sent"})
    assert "1 job was resolved as sent." in browser.page
    browser.post(f"/console/jobs/{again.id}/resolve", {"as": "again"})
    states = [runtime.producer.get(each.id).state for each in (job, dead, doubt, again)]
    assert states == [JobState.SCHEDULED, JobState.SCHEDULED, JobState.SENT, JobState.SCHEDULED]
    browser.get("/console/jobs")
    assert "notice" not in browser.page


def test_what_a_job_s_state_does_not_allow_is_refused(operator: MakeBrowser, runtime: Runtime) -> None:
    """A page that was open too long changes nothing, and says why; a time that cannot be read is told at its form."""
    job = in_state(runtime, JobState.SENT)
    waiting = runtime.producer.send(**news(2, **LATER))
    browser = operator()
    browser.get("/console/jobs")
    proof = browser.proof
    answer = browser.post(f"/console/jobs/{job.id}/reschedule", {"time": "2100-12-02 09:00:00"}, proof=proof)
    assert (answer.status_code, "it cannot be rescheduled" in answer.text) == (409, True)
    answer = browser.post(f"/console/jobs/{waiting.id}/reschedule", {"time": "soon"}, proof=proof)
    assert 'value="soon"' in answer.text
    assert 'role="alert"' in answer.text
    assert runtime.producer.get(waiting.id).time.year == 2100


def test_what_it_says_is_shown_to_who_may_see_it(operator: MakeBrowser, runtime: Runtime) -> None:
    """A job's content and user are opened for a client of the right `contents`, on a button; it is written down."""
    job = runtime.producer.send(**news(1, **LATER, page="pages/index"))
    allowed, other = operator(), operator("other", rights=("operate", "read", "write"))
    allowed.get(f"/console/jobs/{job.id}")
    answer = allowed.post(f"/console/jobs/{job.id}/content")
    for word in (OPEN_ID, SECRET_WORD, "thing1", "pages/index"):
        assert word in answer.text
    other.get(f"/console/jobs/{job.id}")
    assert "/content" not in other.page
    answer = other.post(f"/console/jobs/{job.id}/content")
    assert (answer.status_code, OPEN_ID in answer.text) == (403, False)
    looks = ask(runtime, "SELECT client, what->>'job' FROM pushjobs.audit WHERE action = 'look_at_content'")
    assert looks == [("ops", str(job.id))]


def test_a_shared_content_is_opened_and_a_forgotten_one_is_gone(operator: MakeBrowser, runtime: Runtime) -> None:
    """What many jobs share is shown like any; of a user who was forgotten there is nothing left to show."""
    content = runtime.producer.store_content(template_id="news", data={"thing1": SECRET_WORD})
    job = runtime.producer.send(touser=OPEN_ID, content=content, time=LATER["time"])
    browser = operator()
    browser.get("/console/jobs")
    proof = browser.proof
    assert SECRET_WORD in browser.post(f"/console/jobs/{job.id}/content").text
    runtime.producer.forget(OPEN_ID)
    assert browser.post(f"/console/jobs/{job.id}/content", proof=proof).status_code == 404
    assert "what it said is gone" in browser.get(f"/console/jobs/{job.id}").text


def test_a_client_of_some_templates_sees_those_alone(operator: MakeBrowser, runtime: Runtime) -> None:
    """Another template's jobs are on no page of its: not listed, not opened, not counted, not changed."""
    mine = in_state(runtime, JobState.DEAD)
    others = in_state(runtime, JobState.DEAD, 2, template_id="order")
    browser = operator(templates=["news"])
    for path in ("/console/jobs", "/console/jobs?state=dead", "/console/jobs?template=order"):
        browser.get(path)
        assert set(listed(browser)) <= {mine.id}
        assert '"order"' not in browser.page
    browser.get("/console/dead")
    assert "order" not in browser.page.replace("border", "")
    proof = browser.proof
    for verb in ("reschedule", "replay", "resolve", "content"):
        form = {"time": "2100-12-02 09:00:00", "as": "sent"}
        assert browser.post(f"/console/jobs/{others.id}/{verb}", form, proof=proof).status_code == 404
    assert browser.get(f"/console/jobs/{others.id}").status_code == 404
    form = {"act": "replay", "id": str(others.id), "back": "/console/dead"}
    assert "None of these jobs is dead" in browser.post("/console/choose", form, proof=proof).text
    browser.post("/console/do", {"act": "replay", "ids": f"{others.id},{mine.id}"}, proof=proof)
    assert runtime.producer.get(others.id).state is JobState.DEAD
    assert runtime.producer.get(mine.id).state is JobState.SCHEDULED
