"""What is an alert and what is none, from its threshold on: each found where it is true, by a look into SQL."""

from pathlib import Path

import pytest

from pushjobs.apps import Apps
from pushjobs.domain.alert import AlertKind
from pushjobs.domain.events import AlertBegan, CampaignNotTaken, MessageUnreadable, TokenUnavailable
from pushjobs.domain.job import JobId, Lane
from pushjobs.domain.lateness import STEPS
from pushjobs.domain.pause import PauseReason
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.store import pauses
from pushjobs.telemetry import emit
from tests.conftest import APPID
from tests.integration.alerts.robots import hear, kinds, let_look, look, pass_time
from tests.integration.campaigns.hands import begin, readers
from tests.integration.hands import SEND, ask, claim, deliver, schedule
from tests.integration.telling import TOKEN, take

MANY, FEW = 20, 19


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """An app with a door of its own for callbacks."""
    ours = {"PUSHJOBS_CALLBACK_TOKEN": TOKEN, "PUSHJOBS_CALLBACK_FORWARD_URL": "http://127.0.0.1:9/"}
    return environment | ours


def test_nothing_is_wrong_with_a_new_installation(runtime: Runtime) -> None:
    """A look at an installation in which all is well, and that has work to do, begins nothing."""
    schedule(runtime, 3)
    assert (look(runtime), kinds(runtime)) == ([], [])


def test_a_beat_that_is_silent(runtime: Runtime) -> None:
    """Ten seconds without a release tick, for some seconds, are an alert; nine are a restart, and one look is none."""
    for silent, found in ((9, 0), (12, 1)):
        let_look(runtime)
        ask(runtime, "UPDATE pushjobs.heartbeat SET at = now() - make_interval(secs => :silent)", silent=silent)
        assert runtime.alerts._looking.look() == []
        assert ask(runtime, "SELECT count(*) FROM pushjobs.alerts") == [(found,)]
    pass_time(runtime, 4.0)
    ask(runtime, "UPDATE pushjobs.alerts SET seen_at = now(), since = since - interval '2 s'")
    let_look(runtime)
    ask(runtime, "UPDATE pushjobs.heartbeat SET at = now() - interval '18 s'")
    [notice] = runtime.alerts._looking.look()
    assert (notice.alert.kind, notice.alert.detail) == (AlertKind.BEAT_SILENT, "the last release tick was 18 s ago")


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (PauseReason.APP_FAULT, AlertKind.APP_PAUSED),
        (PauseReason.WECHAT_DOWN, AlertKind.WECHAT_DOWN),
        (PauseReason.DAY_OVER, AlertKind.DAY_OVER),
        (PauseReason.APP_BUDGET, AlertKind.DAY_OVER),
        (PauseReason.RESTORED, AlertKind.RESTORED),
        (PauseReason.SLOW_DOWN, None),
        (PauseReason.OPERATOR, None),
    ],
)
def test_an_app_that_paused_by_itself(runtime: Runtime, reason: PauseReason, kind: AlertKind | None) -> None:
    """What paused an app is told at once, with WeChat's code in words; an operator's pause and a minute's are not."""
    _ = runtime.catalogue.app
    with runtime.database.transaction() as connection:
        pauses.pause(connection, 1, reason, errcode=48001)
    assert look(runtime) == ([] if kind is None else [f"began {kind}"])
    for alert in runtime.alerts.listed():
        assert (alert.appid, alert.detail.startswith("WeChat answered 48001: ")) == (APPID, True)


def be_late(runtime: Runtime, seconds: float) -> None:
    """Have a job wait for so long."""
    schedule(runtime, 1)
    ask(runtime, "UPDATE pushjobs.jobs SET due_at = now() - make_interval(secs => :seconds)", seconds=seconds)


def begin_late(runtime: Runtime) -> list[str]:
    """Look, and again after half a minute; return what began."""
    first = look(runtime)
    pass_time(runtime, 31.0)
    ask(runtime, "UPDATE pushjobs.alerts SET seen_at = now()")
    return [*first, *look(runtime)]


@pytest.mark.parametrize(("seconds", "began"), [(25.0, []), (35.0, ["began jobs_late"])])
def test_a_job_that_waits_though_nothing_holds_it(runtime: Runtime, seconds: float, began: list[str]) -> None:
    """Half a minute late, for half a minute, with the pace unused: that is our fault, and told by app and lane."""
    be_late(runtime, seconds)
    assert begin_late(runtime) == began
    assert [(each.appid, each.subject) for each in runtime.alerts.listed()] == [(APPID, "bulk")] * len(began)


def test_a_job_that_waits_for_a_worker(runtime: Runtime) -> None:
    """What was published and not begun is late too: nobody reads the queue."""
    be_late(runtime, 60.0)
    claim(runtime)
    assert begin_late(runtime) == ["began jobs_late"]


def test_what_waits_for_its_turn_is_not_late(runtime: Runtime) -> None:
    """A campaign that uses the pace up is as late as it is large."""
    be_late(runtime, 3600.0)
    ask(runtime, "INSERT INTO pushjobs.settlements (app_no, lane, jobs) VALUES (1, 'bulk', 1501)")
    assert begin_late(runtime) == []
    ask(runtime, "UPDATE pushjobs.settlements SET jobs = 1499")
    assert begin_late(runtime) == ["began jobs_late"]


CALLED = """
INSERT INTO pushjobs.minutes (minute, app_no, lane, transition, reason, errcode, step, template_no, jobs, late)
SELECT date_trunc('minute', now()) - make_interval(mins => ago), 1, 'urgent', 'deliver', '', 0, :step, 1, :calls, 0
  FROM generate_series(1, :minutes) AS ago"""


@pytest.mark.parametrize(
    ("minutes", "calls", "late", "began"),
    [
        (5, 60, 5.0, ["began jobs_late"]),
        (4, 60, 5.0, []),
        (5, 9, 5.0, []),
        (5, 60, 0.5, []),
        # Sixty at once take the pace more than a second; a thousand, twenty.
        (5, 60, 2.5, []),
        (5, 1000, 30.0, []),
        (5, 1000, 60.0, ["began jobs_late"]),
        # Half of what the pace allows in a minute is no room to spare.
        (5, 1500, 1800.0, []),
    ],
)
def test_calls_that_leave_late(runtime: Runtime, minutes: int, calls: int, late: float, began: list[str]) -> None:
    """Five minutes in a row whose p99 no burst explains are an alert, however few of the jobs wait at any moment."""
    schedule(runtime, 1)
    ask(runtime, CALLED, minutes=minutes, calls=calls, step=STEPS.index(late))
    assert begin_late(runtime) == began
    for alert in runtime.alerts.listed():
        assert (alert.subject, alert.detail.startswith("p99 ")) == ("urgent", True)


def test_a_code_that_no_page_lists(worker: Runtime, sandbox: SandboxClient) -> None:
    """What WeChat answers and nobody has ever heard of is told by its number, once."""
    sandbox.order_fault("errcode", SEND, errcode=99999)
    schedule(worker, 3)
    deliver(worker, claim(worker))
    assert look(worker) == ["began unlisted_code"]
    [alert] = worker.alerts.listed()
    assert (alert.appid, alert.subject, alert.detail) == (APPID, "99999", "3 jobs were refused within 10 minutes")
    ask(worker, "UPDATE pushjobs.settlements SET at = at - interval '11 minutes'")
    assert look(worker) == ["ended unlisted_code"]


@pytest.mark.parametrize("held", ["lane", "template", "app"])
def test_what_is_paused_is_not_late(runtime: Runtime, held: str) -> None:
    """Held by an operator, a job keeps its moment and is late for nothing."""
    be_late(runtime, 3600.0)
    [(template_id,)] = ask(runtime, "SELECT template_id FROM pushjobs.templates")
    more = {"lane": {"lane": Lane.BULK}, "template": {"template_id": template_id}, "app": {}}[held]
    runtime.operations.pause(**more)
    assert begin_late(runtime) == []
    runtime.operations.resume(**more)
    assert begin_late(runtime) == ["began jobs_late"]


@pytest.mark.parametrize(("state", "kind"), [("in_doubt", AlertKind.JOBS_IN_DOUBT), ("dead", AlertKind.JOBS_DEAD)])
def test_trouble_that_grows(runtime: Runtime, state: str, kind: AlertKind) -> None:
    """Twenty within ten minutes are told; nineteen are not, nor is what has been there for longer, however much."""
    schedule(runtime, MANY + 100)
    ask(
        runtime,
        "UPDATE pushjobs.jobs SET state = CAST(:state AS pushjobs.job_state),"
        " closed_at = now() - CASE WHEN id <= :few THEN interval '9 min' ELSE interval '11 min' END",
        state=state,
        few=FEW,
    )
    assert look(runtime) == []
    ask(runtime, "UPDATE pushjobs.jobs SET closed_at = now() WHERE id = :id", id=MANY)
    assert look(runtime) == [f"began {kind}"]
    [alert] = runtime.alerts.listed()
    assert (alert.appid, alert.detail.partition(" ")[0]) == (APPID, "20")


def test_a_door_that_takes_no_callbacks(runtime: Runtime) -> None:
    """A callback that the app's own door did not take five times is told; one that was just tried is not."""
    take(runtime, '{"ToUserName":"gh_1","FromUserName":"oReader000000","MsgType":"text","Content":"hm"}')
    ask(runtime, "UPDATE pushjobs.pushes SET attempts = 4")
    assert look(runtime) == []
    ask(runtime, "UPDATE pushjobs.pushes SET attempts = 5")
    assert look(runtime) == ["began callbacks_not_taken"]
    # Given up is not over.
    ask(runtime, "UPDATE pushjobs.pushes SET state = 'dead'")
    pass_time(runtime, 600.0)
    assert look(runtime) == []
    assert kinds(runtime) == [AlertKind.CALLBACKS_NOT_TAKEN]


def test_a_webhook_that_takes_nothing(runtime: Runtime) -> None:
    """A client's webhook that failed five times is told by the client's name, its address is not."""
    client = runtime.clients.add("shop").client
    strict = Runtime(runtime.settings.model_copy(update={"private_webhooks": True}))
    strict.webhooks.place(client.id, "http://127.0.0.1:9/secret")
    strict.close()
    ask(runtime, "UPDATE pushjobs.webhooks SET attempts = 5")
    assert look(runtime) == []
    ask(runtime, "UPDATE pushjobs.webhooks SET attempts = 6")
    assert look(runtime) == ["began outcomes_not_taken"]
    [alert] = runtime.alerts.listed()
    assert (alert.subject, "secret" in repr(alert)) == ("shop", False)


def test_a_run_that_came_to_nothing(runtime: Runtime, tmp_path: Path) -> None:
    """A campaign whose last run failed is told once, and is over with the next run that opens."""
    begin(runtime, tmp_path, readers(2))
    runtime.ticking.tick()
    failed = "UPDATE pushjobs.runs SET state = 'failed', reason = 'no_content', instant = now() - interval '1 day'"
    ask(runtime, f"{failed} WHERE run_no = 1")
    assert look(runtime) == ["began run_failed"]
    [alert] = runtime.alerts.listed()
    assert (alert.subject, alert.detail) == ("news", "run 1: no_content")
    pass_time(runtime, 100_000.0)
    assert look(runtime) == []
    ask(
        runtime,
        "INSERT INTO pushjobs.runs (campaign_no, app_no, template_no, instant, begins_at, state, policies, sealed) "
        "SELECT campaign_no, app_no, template_no, now(), now(), 'open', policies, sealed FROM pushjobs.runs",
    )
    assert look(runtime) == ["ended run_failed"]


def test_what_only_a_process_itself_can_see(runtime: Runtime) -> None:
    """What stands in no table is told by the process it happens in, and is over when it is not told for a while."""
    emit(MessageUnreadable(job_id=JobId(7)))
    emit(CampaignNotTaken(key="news", why="cron is missing"))
    began = look(runtime)
    assert began == ["began campaign_not_taken", "began key_missing"]
    pass_time(runtime, 170.0)
    assert look(runtime) == []
    pass_time(runtime, 20.0)
    assert look(runtime) == ["ended campaign_not_taken"]
    assert [(each.kind, "job 7" in each.detail) for each in runtime.alerts.listed()] == [(AlertKind.KEY_MISSING, True)]


def test_a_token_that_is_not_to_be_had(runtime: Runtime) -> None:
    """A token call that fails once is none; one that fails for half a minute is."""
    event = TokenUnavailable(appid=APPID, fault="Unreachable")
    emit(event)
    assert look(runtime) == []
    pass_time(runtime, 31.0)
    assert look(runtime) == []
    emit(event)
    assert look(runtime) == ["began token_unavailable"]


def test_secrets_of_an_app_that_no_key_opens(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app whose secrets this process cannot read is told by its appid."""
    monkeypatch.setattr(Apps, "unreadable", {"wxother"})
    assert look(runtime) == ["began key_missing"]
    assert [each.appid for each in runtime.alerts.listed()] == ["wxother"]


def test_what_begins_stands_in_the_log(runtime: Runtime) -> None:
    """Where nobody is told, the log says it."""
    heard = hear(runtime)
    emit(CampaignNotTaken(key="news", why="cron is missing"))
    look(runtime)
    assert [event for event in heard if isinstance(event, AlertBegan)] == [
        AlertBegan(kind=AlertKind.CAMPAIGN_NOT_TAKEN, appid="", subject="news", detail="cron is missing")
    ]
