"""Now, Schedule, Campaigns, Templates and Limits in a real browser: drawn, readable, live, no wider than a phone."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pushjobs import clock
from pushjobs.clients import NewKey
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS, ORDER_SHIPPED
from pushjobs.store import census
from tests.acceptance.busy import was_busy
from tests.acceptance.windows import PHONE, Open, door, faint, keep, key, nameless, opened, sign_in, width
from tests.integration.campaigns.hands import NEWS, audience, plan_at, readers
from tests.integration.hands import ORDER, ask, schedule

__all__ = ["door", "key", "opened"]

ADDRESSES = {
    "now": "/console/now",
    "schedule": "/console/schedule",
    "schedule-at": "/console/schedule/at?at=08:00&grain=hour",
    "campaigns": "/console/campaigns",
    "campaign": "/console/campaigns/morning-news",
    "run": "/console/runs/1",
    "templates": "/console/templates",
    "template": f"/console/templates/{DAILY_NEWS}",
    "limits": "/console/limits",
}


@pytest.fixture
def busy(runtime: Runtime, tmp_path: Path) -> Runtime:
    """An installation with a busy hour behind it, a campaign under way, and a night's schedule ahead."""
    now = clock.now().replace(second=0, microsecond=0)
    for number in range(8):
        schedule(runtime, 40 - 4 * number, time=now + timedelta(minutes=7 * number + 3))
    for number in range(1, 24):
        schedule(runtime, 30 + (number * 37) % 90, time=now + timedelta(hours=number))
    schedule(runtime, 12, time=now + timedelta(minutes=20), lane="urgent", **ORDER)
    ask(runtime, "UPDATE pushjobs.templates SET title = '每日资讯推送' WHERE template_id = :id", id=DAILY_NEWS)
    ask(runtime, "UPDATE pushjobs.templates SET title = '订单发货通知' WHERE template_id = :id", id=ORDER_SHIPPED)
    campaign = {**NEWS, "audience": audience(tmp_path, readers(3)), "zone": "Asia/Shanghai"}
    runtime.campaigns.add("morning-news", **{**campaign, "name": "每日早报", "cron": "0 8 * * *", "spread": "30m"})
    plan_at(runtime, now - timedelta(minutes=20), campaign="morning-news")
    ask(
        runtime,
        """UPDATE pushjobs.runs
              SET state = 'open', recipients = 120000, expanded = 120000, counted_at = now(), counts =
           '[{"state": "sent", "reason": null, "jobs": 71400},
             {"state": "refused", "reason": "no_consent", "jobs": 8100},
             {"state": "scheduled", "reason": null, "jobs": 40500}]'""",
    )
    was_busy(runtime)
    ask(runtime, "UPDATE pushjobs.heartbeat SET at = now()")
    with runtime.database.transaction() as connection:
        census.take(connection)
    return runtime


def test_every_page_is_drawn_and_can_be_read(opened: Open, key: NewKey, busy: Runtime) -> None:
    """Charts have bars and lines, each text its contrast, each field its name; nothing is forbidden by the policy."""
    assert busy is not None
    with opened() as page:
        sign_in(page, key)
        for name, address in ADDRESSES.items():
            page.goto(address)
            if name in {"now", "schedule"}:
                expect(page.locator(".uplot canvas").first).to_be_visible()
            assert faint(page) == [], name
            assert nameless(page) == 0, name
            if name != "now":
                keep(page, f"console-{name}")


def test_no_page_is_wider_than_a_phone(opened: Open, key: NewKey, busy: Runtime) -> None:
    """In Chinese and dark on 360 pixels nothing is cut off, and no text is faint."""
    assert busy is not None
    with opened("zh-CN", size=PHONE, scheme="dark") as page:
        sign_in(page, key)
        for name, address in ADDRESSES.items():
            page.goto(address)
            if name == "now":
                expect(page.locator(".uplot canvas").first).to_be_visible()
            assert width(page) == PHONE["width"], name
            assert faint(page) == [], name
            if name in {"now", "schedule"}:
                keep(page, f"console-phone-{name}")


def test_a_bar_leads_to_what_goes_out_then(opened: Open, key: NewKey, busy: Runtime) -> None:
    """A click on the chart of the day opens that hour, source by source."""
    assert busy is not None
    with opened() as page:
        sign_in(page, key)
        page.goto("/console/schedule")
        over = page.locator('[data-from="hour-data"] .u-over')
        expect(over).to_be_visible()
        box = over.bounding_box()
        assert box is not None
        over.hover(position={"x": box["width"] / 2, "y": box["height"] - 4})
        over.click(position={"x": box["width"] / 2, "y": box["height"] - 4})
        page.wait_for_url("**/console/schedule/at?**")
        expect(page.get_by_text("jobs are scheduled.")).to_be_visible()


def test_now_goes_on_by_itself(opened: Open, key: NewKey, busy: Runtime) -> None:
    """What changes stands on the page seconds later, the chart stays, and a tab that nobody sees asks nothing."""
    with opened() as page:
        sign_in(page, key)
        expect(page.locator(".uplot canvas").first).to_be_visible()
        busy.operations.pause(template_id=DAILY_NEWS, note="wrong price")
        expect(page.get_by_text("wrong price")).to_be_visible()
        expect(page.locator(".uplot canvas").first).to_be_visible()
        page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        # That nothing happens can only be seen in the time in which it would: it asks every three seconds.
        page.wait_for_timeout(4000)
        assert asked == []
