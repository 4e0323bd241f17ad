"""The console in a real browser: what an operator does there, in two languages, in light and dark, on a phone."""

import re
from datetime import timedelta
from typing import Literal

import pytest
from playwright.sync_api import expect

from pushjobs import clock
from pushjobs.clients import NewKey
from pushjobs.domain.job import Job, JobState
from pushjobs.runtime import Runtime
from tests.acceptance.windows import PHONE, Open, door, faint, keep, key, nameless, opened, paper, sign_in, width
from tests.integration.hands import ask
from tests.integration.pushes import OPEN_ID, SECRET_WORD, news
from tests.integration.states import put_into

__all__ = ["door", "key", "opened"]

PAGES = (
    "/console/jobs",
    "/console/jobs?state=dead&since=2000-01-01 00:00:00",
    "/console/in-doubt",
    "/console/dead",
    "/console/audit",
)


def fill(runtime: Runtime) -> list[Job]:
    """Make a day's jobs: most wait, some are closed, one template had its trouble."""
    names, now = ("news", "order", "class"), clock.now()
    rows = [
        news(n, time=now + timedelta(minutes=30 + 7 * n), reference=f"order-{20261200 + n}", template_id=names[n % 3])
        for n in range(90)
    ]
    assert runtime.producer.send_many(rows).accepted == 90
    for name, title in (("news", "每日新闻提醒"), ("order", "订单发货通知"), ("class", "上课提醒")):
        ask(runtime, "UPDATE pushjobs.templates SET title = :title WHERE template_id = :id", id=name, title=title)
    jobs = runtime.producer.find(limit=100)
    states = (JobState.SENT, JobState.SENT, JobState.DEAD, JobState.SENT, JobState.IN_DOUBT, JobState.REFUSED)
    for number, job in enumerate(jobs[:36]):
        put_into(runtime, states[number % 6], job)
    ask(
        runtime,
        "UPDATE pushjobs.jobs SET attempts = 1, called_at = now() - id * interval '61 s',"
        " created_at = now() - interval '1 day', closed_at = now() - id * interval '61 s',"
        " reason = CASE state WHEN 'dead' THEN 'attempts_used_up' WHEN 'in_doubt' THEN 'unknown_outcome'"
        " WHEN 'refused' THEN 'no_consent' END,"
        " errcode = CASE state WHEN 'dead' THEN -1 WHEN 'refused' THEN 43101 END"
        " WHERE closed_at IS NOT NULL",
    )
    return jobs


def test_an_operator_finds_a_job_learns_why_and_cancels_it(opened: Open, key: NewKey, runtime: Runtime) -> None:
    """From the sign-in by an order's number to its job, what holds it, what it says, and its end, confirmed."""
    fill(runtime)
    runtime.operations.pause(template_id="news", note="wrong date")
    with opened(told=["401"]) as page:
        page.goto("/console/")
        keep(page, "console-sign-in")
        page.locator("#id").fill(key.client.id)
        page.locator("#key").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("No client has that id and key.")
        sign_in(page, key)
        page.goto("/console/jobs")
        keep(page, "console-jobs")
        page.get_by_label("Reference").fill("order-20261203")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("row").nth(1).get_by_role("link").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"Job \d+"))
        expect(page.locator("#live")).to_contain_text("It is not due yet.")
        expect(page.locator("#live")).to_contain_text("wrong date")
        page.get_by_role("button", name="Show what it says, and to whom").click()
        expect(page.locator("dl.content")).to_contain_text(SECRET_WORD)
        keep(page, "console-job")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cancel 1 job?")
        page.get_by_role("button", name="Yes, do it").click()
        expect(page.get_by_role("status")).to_have_text("1 job was cancelled.")
        expect(page.locator("#live .state")).to_have_text("cancelled")
        page.get_by_role("button", name="Sign out").click()
        page.goto("/console/jobs")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_an_operator_replays_what_is_dead(opened: Open, key: NewKey, runtime: Runtime) -> None:
    """The dead of a group are replayed together, behind a page that says how many; so are ticked rows resolved."""
    fill(runtime)
    with opened() as page:
        sign_in(page, key)
        page.locator("nav").get_by_role("link", name="Dead").click()
        keep(page, "console-dead")
        groups = page.get_by_role("button", name="Replay")
        count = groups.count()
        page.get_by_role("row").nth(1).get_by_role("button", name="Replay").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"Replay \d+ jobs\?"))
        keep(page, "console-confirm")
        page.get_by_role("button", name="Yes, do it").click()
        expect(page.get_by_role("status")).to_have_text(re.compile(r"\d+ jobs were replayed\."))
        expect(groups).to_have_count(count - 1)
        page.goto("/console/jobs?state=in_doubt")
        page.get_by_label("Select all jobs of this page").check()
        expect(page.locator('input[name="id"]:checked')).to_have_count(6)
        page.get_by_role("button", name="Resolve as sent").first.click()
        page.get_by_role("button", name="Yes, do it").click()
        expect(page.get_by_role("status")).to_have_text("6 jobs were resolved as sent.")
        page.locator("nav").get_by_role("link", name="Audit log").click()
        expect(page.get_by_role("row").nth(1)).to_contain_text("resolved as sent")
        keep(page, "console-audit")


def test_a_user_is_looked_up_without_a_trace(opened: Open, key: NewKey, runtime: Runtime) -> None:
    """An open id that is typed is in no address of the browser's history; one page says which job is the user's."""
    fill(runtime)
    with opened() as page:
        sign_in(page, key)
        page.goto("/console/jobs")
        page.get_by_text("More filters").click()
        page.get_by_label("Open id of the user").fill(OPEN_ID)
        page.get_by_role("button", name="Find").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        assert OPEN_ID not in page.url
        assert OPEN_ID not in page.content()
        page.go_back()
        assert OPEN_ID not in page.url


@pytest.mark.parametrize(("language", "scheme"), [("zh-CN", "dark"), ("en-GB", "light")])
def test_it_fits_a_phone(
    opened: Open, key: NewKey, runtime: Runtime, language: str, scheme: Literal["light", "dark"]
) -> None:
    """On a screen of 360 px no page is wider than it, in both languages, and the navigation is at hand."""
    jobs = fill(runtime)
    of_states = [jobs[0].id, jobs[2].id, jobs[4].id, jobs[-1].id]
    with opened(language, size=PHONE, scheme=scheme) as page:
        page.goto("/console/sign-in")
        assert width(page) == PHONE["width"]
        sign_in(page, key)
        for path in (*PAGES, *(f"/console/jobs/{number}" for number in of_states)):
            page.goto(path)
            assert width(page) == PHONE["width"], path
            expect(page.locator("nav [aria-current]")).to_be_in_viewport()
        page.goto("/console/jobs")
        keep(page, f"console-phone-{language[:2]}")


def test_language_and_light_are_switched(opened: Open, key: NewKey) -> None:
    """The page speaks the browser's language and has its light until others are chosen, and then remembers those."""
    with opened("zh-CN", scheme="dark") as page:
        page.goto("/console/")
        expect(page.get_by_role("heading", level=1)).to_have_text("登录")
        assert paper(page) == "rgb(21, 24, 28)"
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        page.get_by_role("button", name="Theme: system").click()
        page.get_by_role("button", name="Theme: dark").click()
        assert paper(page) == "rgb(255, 255, 255)"
        sign_in(page, key)
        expect(page.locator("nav").get_by_role("link", name="Jobs")).to_be_visible()
        assert paper(page) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(opened: Open, key: NewKey, runtime: Runtime, scheme: Literal["light", "dark"]) -> None:
    """In light and in dark each text has a contrast of 4.5 or more, and each field of a form a label of its own."""
    jobs = fill(runtime)
    with opened(scheme=scheme) as page:
        page.goto("/console/sign-in")
        assert faint(page) == []
        sign_in(page, key)
        for path in (*PAGES, f"/console/jobs/{jobs[0].id}", f"/console/jobs/{jobs[-1].id}"):
            page.goto(path)
            assert faint(page) == [], path
            assert nameless(page) == 0, path
