"""Who is told: once at the beginning and once at the end, whatever flaps, dies, is down or says no."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from pushjobs.domain.alert import AlertKind
from pushjobs.domain.events import AlertsNotTold
from pushjobs.domain.job import Lane
from pushjobs.domain.pause import PauseReason
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.settings import Settings
from pushjobs.store import pauses
from pushjobs.wechat.events import Callback
from tests.conftest import APPID
from tests.integration.alerts.robots import (
    KEY,
    TAKEN,
    hear,
    kinds,
    let_look,
    look,
    pass_time,
    texts,
    watch,
)
from tests.integration.hands import SEND, ask, claim, deliver, schedule
from tests.integration.own_door import OwnDoor


def trouble(runtime: Runtime, reason: PauseReason = PauseReason.APP_FAULT) -> None:
    """Have something be wrong."""
    _ = runtime.catalogue.app
    with runtime.database.transaction() as connection:
        pauses.pause(connection, 1, reason, errcode=48001)


def mend(runtime: Runtime) -> None:
    """Have it be right again, and for long enough."""
    ask(runtime, "DELETE FROM pushjobs.pauses")
    look(runtime)
    pass_time(runtime, 600.0)


def test_a_breaker_is_one_message_and_its_end_another(worker: Runtime, sandbox: SandboxClient, robot: OwnDoor) -> None:
    """A template that WeChat's answers pause is told once, with the code's meaning; resumed, its end is told once."""
    sandbox.order_fault("errcode", SEND, errcode=40037)
    schedule(worker, 5)
    deliver(worker, claim(worker))
    for _ in range(3):
        watch(worker)
    [told] = texts(robot)
    assert told.startswith(f"**pushjobs: A template is paused ({APPID}, {DAILY_NEWS})**")
    assert all(word in told for word in ("WeChat answered 40037: ", "pushjobs resume --template-id", "since "))
    assert "oReader" not in told
    sandbox.clear_faults()
    worker.operations.resume(template_id=DAILY_NEWS)
    for _ in range(3):
        watch(worker)
    [_, over] = texts(robot)
    assert over.startswith(f"**pushjobs: over: A template is paused ({APPID}, {DAILY_NEWS})**")
    assert ", until " in over


def test_what_flaps_is_told_once(runtime: Runtime, robot: OwnDoor) -> None:
    """A condition that goes for less than its time is the same alert; gone for longer, it is over, and then another."""
    for _ in range(4):
        trouble(runtime)
        watch(runtime)
        ask(runtime, "DELETE FROM pushjobs.pauses")
        pass_time(runtime, 50.0)
        watch(runtime)
    assert len(texts(robot)) == 1
    pass_time(runtime, 61.0)
    watch(runtime)
    assert len(texts(robot)) == 2
    trouble(runtime)
    watch(runtime)
    assert len(texts(robot)) == 3


def test_what_goes_on_is_told_again_after_hours(runtime: Runtime, robot: OwnDoor) -> None:
    """What is critical is told again every four hours, and not sooner."""
    trouble(runtime)
    watch(runtime)
    for seconds, messages in ((3.9 * 3600, 1), (0.2 * 3600, 2), (3.9 * 3600, 2)):
        pass_time(runtime, seconds)
        watch(runtime)
        assert len(texts(robot)) == messages
    assert texts(robot)[1].startswith("**pushjobs: still: WeChat refuses the app")


def test_many_at_once_are_one_message(runtime: Runtime, robot: OwnDoor) -> None:
    """What begins with one look, and what comes within seconds, is told together; a robot takes 20 a minute."""
    trouble(runtime)
    trouble(runtime, PauseReason.WECHAT_DOWN)
    watch(runtime)
    let_look(runtime)
    trouble(runtime, PauseReason.DAY_OVER)
    runtime.alerts.watch()
    assert len(texts(robot)) == 1
    assert texts(robot)[0].startswith("**pushjobs: 2 alerts**")
    let_look(runtime)
    trouble(runtime, PauseReason.RESTORED)
    runtime.alerts.watch()
    assert len(texts(robot)) == 1
    watch(runtime)
    assert texts(robot)[1].startswith("**pushjobs: 2 alerts**")
    assert ask(runtime, "SELECT try_at - told_at BETWEEN '5 s' AND '7 s' FROM pushjobs.alert_addresses") == [(True,)]


def test_of_many_processes_one_tells(settings: Settings, runtime: Runtime, robot: OwnDoor) -> None:
    """Eight processes' threads look and tell at the same moment: what is wrong begins once, and is told once."""
    trouble(runtime)
    let_look(runtime)
    others = [Runtime(settings) for _ in range(8)]
    ready = threading.Barrier(len(others))

    def keep_watch(mine: Runtime) -> None:
        ready.wait()
        for _ in range(5):
            mine.alerts.watch()

    threads = [threading.Thread(target=keep_watch, args=(each,)) for each in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in others:
        each.close()
    assert len(texts(robot)) == 1
    assert ask(runtime, "SELECT what FROM pushjobs.alert_notices") == [("began",)]


def test_whoever_stood_still_writes_nothing_old(
    settings: Settings, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that another has overtaken is not written: what it saw may be over."""
    slow = Runtime(settings)
    schedule(runtime, 1)
    ask(runtime, "UPDATE pushjobs.jobs SET due_at = now() - interval '1 hour'")
    with runtime.database.transaction() as connection:
        pauses.pause(connection, 1, PauseReason.APP_FAULT, lane=Lane.URGENT)
    let_look(runtime)

    def overtake(_: int) -> None:
        monkeypatch.undo()
        ask(runtime, "DELETE FROM pushjobs.pauses")
        let_look(runtime)
        assert runtime.alerts._looking.look() == []

    monkeypatch.setattr(slow.alerts._looking, "_rate", overtake)
    assert slow.alerts._looking.look() == []
    assert kinds(runtime) == []
    slow.close()


KILLED = """
from pushjobs import settings
from pushjobs.runtime import Runtime
Runtime(settings.load()).alerts.watch()
print("not reached")
"""


def test_a_kill_between_telling_and_noting_repeats_it_once(
    environment: dict[str, str], runtime: Runtime, robot: OwnDoor
) -> None:
    """Whoever dies behind its message has it told once more by another, and by nobody after that."""
    trouble(runtime)
    let_look(runtime)
    started: list[subprocess.Popen[str]] = []
    has_begun = threading.Event()

    def kill(_: Callback) -> tuple[int, str]:
        assert has_begun.wait(30)
        os.kill(started[0].pid, signal.SIGKILL)
        return 200, TAKEN

    robot.answer = kill
    started.append(subprocess.Popen([sys.executable, "-c", KILLED], env=environment, stdout=subprocess.PIPE, text=True))
    has_begun.set()
    out, _ = started[0].communicate(timeout=60)
    assert (started[0].returncode, out, len(robot.taken)) == (-signal.SIGKILL, "", 1)
    robot.answer = lambda _: (200, TAKEN)
    # Until its promise is over, nobody else tells.
    runtime.alerts.watch()
    assert len(robot.taken) == 1
    for _ in range(3):
        watch(runtime)
    assert len(texts(robot)) == 2
    assert len(set(texts(robot))) == 1


@pytest.fixture
def hanging() -> Iterator[Callable[[Callback], tuple[int, str]]]:
    """A robot that answers when the test is over."""
    over = threading.Event()

    def answer(_: Callback) -> tuple[int, str]:
        over.wait(60)
        return 200, TAKEN

    yield answer
    over.set()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ((200, '{"errcode":45009,"errmsg":"api freq out of limit"}'), "errcode 45009: api freq out of limit"),
        ((200, f'{{"errcode":93000,"errmsg":"invalid webhook url {KEY}"}}'), "errcode 93000"),
        ((500, "oops"), "HTTP 500"),
        ((302, ""), "HTTP 302"),
        ((200, "<html>a proxy's page</html>"), "the answer is none of a robot's"),
        ((200, "[]"), "the answer is none of a robot's"),
    ],
)
def test_a_robot_that_says_no_is_tried_again(
    runtime: Runtime, robot: OwnDoor, answer: tuple[int, str], fault: str
) -> None:
    """An error in a body of HTTP 200 is none taken either; the same is told later, and what came meanwhile with it."""
    robot.answer = lambda _: answer
    heard = hear(runtime)
    trouble(runtime)
    watch(runtime)
    runtime.alerts.watch()
    assert len(robot.taken) == 1
    [event] = [each for each in heard if isinstance(each, AlertsNotTold)]
    assert (event.host, event.fault, event.attempts) == ("127.0.0.1", fault, 1)
    [(stored, soon)] = ask(
        runtime, "SELECT fault, try_at - now() BETWEEN '1 s' AND '6 s' FROM pushjobs.alert_addresses"
    )
    assert (stored, soon) == (fault, True)
    robot.answer = lambda _: (200, TAKEN)
    trouble(runtime, PauseReason.WECHAT_DOWN)
    watch(runtime)
    assert len(robot.taken) == 2
    assert texts(robot)[1].startswith("**pushjobs: 2 alerts**")
    assert [each.fault for each in runtime.alerts.addresses()] == [None]


def test_a_robot_that_hangs_is_given_up_on(
    runtime: Runtime, robot: OwnDoor, hanging: Callable[[Callback], tuple[int, str]]
) -> None:
    """Five seconds without an answer are none; nothing else of ours waits for it."""
    robot.answer = hanging
    trouble(runtime)
    watch(runtime)
    assert [each.fault for each in runtime.alerts.addresses()] == ["no answer within 5 seconds"]


def test_a_robot_that_was_away_hears_what_came_and_went(runtime: Runtime, robot: OwnDoor) -> None:
    """What began and ended while nobody could be told is told in one message, with both its moments."""
    robot.answer = lambda _: (503, "")
    trouble(runtime)
    watch(runtime)
    mend(runtime)
    watch(runtime)
    robot.answer = lambda _: (200, TAKEN)
    robot.taken.clear()
    watch(runtime)
    [told] = texts(robot)
    assert told.startswith("**pushjobs: came and went: WeChat refuses the app")
    assert ", until " in told


def test_one_address_does_not_wait_for_another(settings: Settings, runtime: Runtime, robot: OwnDoor) -> None:
    """Each address is told what it has not taken yet; one that is set later hears what is open then, and no more."""
    trouble(runtime)
    watch(runtime)
    mend(runtime)
    watch(runtime)
    assert len(robot.taken) == 2
    trouble(runtime, PauseReason.WECHAT_DOWN)
    with OwnDoor(answer=lambda _: (200, "anything")) as another:
        ours = Settings.model_validate({"alert_url": f"{settings.alert_url[0].get_secret_value()},{another.url}?id=1"})
        both = Runtime(settings.model_copy(update={"alert_url": ours.alert_url}))
        robot.answer = lambda _: (500, "")
        watch(both)
        watch(both)
        assert len(robot.taken) == 4
        [taken] = another.taken
        both.close()
    [told] = json.loads(taken.callback.body)["data"]["alerts"]
    assert (told["what"], told["kind"], told["appid"]) == ("began", "wechat_down", APPID)


def test_where_nobody_is_told_alerts_are_noticed_all_the_same(settings: Settings) -> None:
    """Without an address they stand in SQL, for terminal and console."""
    silent = Runtime(settings.model_copy(update={"alert_url": ()}))
    trouble(silent)
    watch(silent)
    assert kinds(silent) == [AlertKind.APP_PAUSED]
    assert silent.alerts.addresses() == []
    silent.close()


LOGGED = """
import logging
from pushjobs import settings
from pushjobs.runtime import Runtime
from pushjobs.telemetry import logs
logging.basicConfig(level=logging.DEBUG)
logs.configure()
Runtime(settings.load()).alerts.watch()
"""


def test_the_address_is_told_to_nobody(environment: dict[str, str], runtime: Runtime, robot: OwnDoor) -> None:
    """Whoever knows a robot's address may write to its group: it is in no log, no row, no representation."""
    robot.answer = lambda _: (500, KEY)
    trouble(runtime)
    let_look(runtime)
    done = subprocess.run(
        [sys.executable, "-c", LOGGED], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert "alerts_not_told" in done.stderr
    assert len(robot.taken) == 1
    rows = ask(runtime, "SELECT t::text FROM pushjobs.alert_addresses t")
    for text in (done.stdout + done.stderr, str(rows), repr(runtime.settings), repr(runtime.alerts._telling.addresses)):
        assert KEY not in text
    assert KEY in environment["PUSHJOBS_ALERT_URL"]


def test_old_alerts_are_pruned(runtime: Runtime) -> None:
    """An alert that ended a month ago goes with its notices; one that is open stays however old it is."""
    trouble(runtime)
    watch(runtime)
    mend(runtime)
    watch(runtime)
    trouble(runtime)
    watch(runtime)
    ask(runtime, "UPDATE pushjobs.alerts SET ended_at = now() - interval '31 days' WHERE ended_at IS NOT NULL")
    ask(runtime, "UPDATE pushjobs.alerts SET began_at = now() - interval '90 days'")
    runtime.upkeep.prune()
    assert ask(runtime, "SELECT count(*) FROM pushjobs.alerts") == [(1,)]
    assert ask(runtime, "SELECT what FROM pushjobs.alert_notices") == [("began",)]
