"""Alerts at the terminal: what is open, and whether those who are to be told are reached."""

import json

import pytest

from pushjobs.domain.pause import PauseReason
from pushjobs.runtime import Runtime
from pushjobs.store import pauses
from tests.conftest import APPID
from tests.integration.alerts.robots import KEY, pass_time, texts, watch
from tests.integration.commands import Run, runner
from tests.integration.hands import ask
from tests.integration.own_door import OwnDoor


@pytest.fixture
def run(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run commands against this installation."""
    return runner(environment, monkeypatch, capfd)


def test_alerts_are_listed(run: Run, runtime: Runtime, robot: OwnDoor) -> None:
    """What is open stands first with what to do, what ended lately behind it; of an address only its host."""
    assert run("alerts") == (0, "nothing is wrong, and nothing was lately\n", "")
    assert json.loads(run("alerts", "--json")[1]) == {"alerts": [], "addresses": []}
    _ = runtime.catalogue.app
    for reason in (PauseReason.DAY_OVER, PauseReason.APP_FAULT):
        with runtime.database.transaction() as connection:
            pauses.pause(connection, 1, reason, errcode=48001)
        watch(runtime)
    ask(runtime, "DELETE FROM pushjobs.pauses WHERE reason = 'day_over'")
    watch(runtime)
    pass_time(runtime, 61.0)
    robot.answer = lambda _: (500, "")
    watch(runtime)
    status, out, _ = run("alerts")
    assert (status, KEY in out) == (0, False)
    assert out.index("WeChat refuses the app") < out.index("The app's calls of the day are used up")
    assert "pushjobs resume" in out
    assert "127.0.0.1: not reached: HTTP 500" in out
    listed = json.loads(run("alerts", "--json")[1])
    assert [(each["kind"], each["appid"], each["ended_at"] is None) for each in listed["alerts"]] == [
        ("app_paused", APPID, True),
        ("day_over", APPID, False),
    ]
    assert [each["waits"] for each in listed["addresses"]] == [True]
    assert len(json.loads(run("alerts", "--hours", "0", "--json")[1])["alerts"]) == 1


def test_a_test_message(run: Run, robot: OwnDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address is tried at once, and what it answered said; status 1 where one does not take it."""
    assert run("alerts", "test") == (0, "127.0.0.1: taken\n", "")
    assert texts(robot) == ["**pushjobs: a test**\n\nAlerts will be told here."]
    robot.answer = lambda _: (200, '{"errcode":93000,"errmsg":"invalid webhook url"}')
    assert run("alerts", "test") == (1, "127.0.0.1: errcode 93000: invalid webhook url\n", "")
    status, out, _ = run("alerts", "test", "--json")
    assert (status, json.loads(out)) == (1, [{"host": "127.0.0.1", "fault": "errcode 93000: invalid webhook url"}])
    monkeypatch.delenv("PUSHJOBS_ALERT_URL")
    status, out, err = run("alerts", "test")
    assert (status, out, err.startswith("pushjobs: PUSHJOBS_ALERT_URL is not set")) == (2, "", True)


@pytest.mark.parametrize(
    "url", ["nowhere", "ftp://a.example/", "https://", "slack+https://a.example/", "https://me:word@a.example/"]
)
def test_what_is_no_address_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A wrong setting is one line that names the variable and not its value."""
    monkeypatch.setenv("PUSHJOBS_ALERT_URL", url)
    status, _, err = run("alerts")
    assert (status, err.startswith("pushjobs: PUSHJOBS_ALERT_URL")) == (2, True)
    assert len(err.splitlines()) == 1
    assert url not in err
