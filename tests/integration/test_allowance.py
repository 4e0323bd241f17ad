"""WeChat's daily allowance for the whole app: we stop before WeChat does, over all processes."""

from collections.abc import Iterator

import pytest
from freezegun import freeze_time

from pushjobs import clock
from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.moment import SHANGHAI, next_midnight, quota_day
from pushjobs.domain.pause import PauseReason
from pushjobs.inspection import QuotaSource
from pushjobs.local.daemon import wait_until
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.settings import Settings
from pushjobs.store import pauses
from tests.integration.hands import SEND, ask, claim, deliver, schedule

A_DAY = 40


QUOTA = {"path": "/cgi-bin/openapi/quota/get"}


@pytest.fixture
def workers(sandbox: SandboxClient, settings: Settings) -> Iterator[list[Runtime]]:
    """Two processes' runtimes of an app with a small allowance."""
    assert sandbox is not None
    narrow = settings.model_copy(update={"app_daily_limit": A_DAY, "rate_per_second": 1000.0})
    made = [Runtime(narrow), Runtime(narrow)]
    yield made
    for runtime in made:
        runtime.close()


@pytest.fixture
def asking(sandbox: SandboxClient, settings: Settings) -> Iterator[list[Runtime]]:
    """Two processes' runtimes of an app whose allowance is not set, at a WeChat that allows few calls."""
    sandbox.change_settings(per_day=A_DAY)
    made = [Runtime(settings.model_copy(update={"rate_per_second": 1000.0})) for _ in range(2)]
    yield made
    for runtime in made:
        runtime.close()


def learn(runtime: Runtime, *, hour: int = 12, minute: int = 0) -> bool:
    """Let a process look at an hour of today in Shanghai whether to ask, and wait for the answer; tell if it asked."""
    with freeze_time(clock.now().astimezone(SHANGHAI).replace(hour=hour, minute=minute), tick=True):
        asked = runtime.allowance.learn(1)
    if asked is not None:
        asked.result(timeout=10)
    return asked is not None


def let_pass(runtime: Runtime, interval: str) -> None:
    """Let it be so long ago that WeChat was asked."""
    ask(runtime, f"UPDATE pushjobs.app_days SET asked_at = asked_at - interval '{interval}'")  # noqa: S608 - ours


def test_the_apps_allowance_holds_over_all_processes(workers: list[Runtime], sandbox: SandboxClient) -> None:
    """Two workers make the day's calls and not one more; the app then pauses until midnight in Shanghai."""
    one, other = workers
    schedule(one, 60)
    batch = claim(one)
    deliver(one, batch[:25])
    deliver(other, batch[25:])

    assert sandbox.summary().received == A_DAY
    counts = one.producer.counts()
    assert (counts[JobState.SENT], counts[JobState.SCHEDULED]) == (A_DAY, 60 - A_DAY)
    assert {job.reason for job in one.producer.find(state="scheduled")} == {Reason.APP_BUDGET}
    with one.database.transaction() as connection:
        [pause] = pauses.active(connection)
    assert (pause.reason, pause.until) == (PauseReason.APP_BUDGET, next_midnight(clock.now(), SHANGHAI))
    assert one.releaser.tick() == other.releaser.tick() == 0
    assert sandbox.summary().received == A_DAY


def test_the_next_day_has_its_own_allowance(workers: list[Runtime], sandbox: SandboxClient) -> None:
    """After midnight in Shanghai the app goes on by itself with a whole allowance."""
    one, other = workers
    schedule(one, 60)
    deliver(one, claim(one))
    # Midnight has passed: the day that was used up is yesterday's, and the pause is over.
    ask(one, "UPDATE pushjobs.app_days SET day = day - 1")
    ask(one, "UPDATE pushjobs.pauses SET until = now() - interval '1 s'")
    deliver(other, claim(other))

    assert one.producer.counts()[JobState.SENT] == 60
    assert sandbox.summary().received == 60
    assert ask(one, "SELECT day, taken FROM pushjobs.app_days ORDER BY day DESC")[0][1] == 20


def test_calls_that_were_not_made_cost_no_allowance(workers: list[Runtime], sandbox: SandboxClient) -> None:
    """Jobs that a gate holds back leave their calls to others."""
    one, _ = workers
    schedule(one, 30)
    ask(one, "UPDATE pushjobs.jobs SET planned_at = now() - interval '2 h', expires_at = now() - interval '1 s'")
    deliver(one, claim(one))
    assert one.producer.counts()[JobState.EXPIRED] == 30
    schedule(one, 50)
    deliver(one, claim(one))
    assert sandbox.summary().received == A_DAY


def test_calls_beyond_those_taken_are_owed_to_the_day(workers: list[Runtime], sandbox: SandboxClient) -> None:
    """A repeat that no call was taken for is paid for by the next ones: the day has no call more."""
    one, other = workers
    assert one.allowance.take(1, 10) == 10
    one.allowance.put_back(1, -3)
    assert one.allowance.take(1, 10) == 10
    assert other.allowance.take(1, A_DAY) == A_DAY - 23
    one.allowance.put_back(1, -1)
    assert one.allowance.take(1, 1) == 0
    assert sandbox.summary().received == 0


def test_unset_the_allowance_is_what_wechat_says(asking: list[Runtime], sandbox: SandboxClient) -> None:
    """One process asks, and all of them stop before WeChat refuses a single call."""
    one, other = asking
    assert learn(one)
    assert not learn(other)
    schedule(one, 60)
    batch = claim(one)
    deliver(other, batch[:25])
    deliver(one, batch[25:])

    assert sandbox.summary().by_errcode == {"0": A_DAY}
    assert {job.reason for job in one.producer.find(state="scheduled")} == {Reason.APP_BUDGET}
    found = other.inspection.app_quota()
    assert (found.used, found.cap, found.source) == (A_DAY, A_DAY, QuotaSource.WECHAT)
    assert found.begins == next_midnight(clock.now(), SHANGHAI)


def test_what_others_use_up_is_gone(asking: list[Runtime], sandbox: SandboxClient) -> None:
    """Calls that WeChat counted and we did not make are not there for us, and are no reason to be refused."""
    one, other = asking
    schedule(one, 15)
    deliver(one, claim(one))
    # As if somebody else's software had made them: our books know nothing of it.
    ask(one, "DELETE FROM pushjobs.app_days")
    assert learn(other)
    assert other.inspection.app_quota().used_elsewhere == 15
    schedule(other, 60)
    deliver(other, claim(other))
    assert sandbox.summary().by_errcode == {"0": A_DAY}


def test_a_hundredth_is_kept_back(asking: list[Runtime], sandbox: SandboxClient) -> None:
    """WeChat's counters may be off by as much."""
    sandbox.change_settings(per_day=30_000_000)
    assert learn(asking[0])
    found = asking[1].inspection.app_quota()
    assert (found.cap, found.wechat_limit) == (29_700_000, 30_000_000)


def test_wechat_is_asked_once_an_hour_and_more_often_near_the_end(asking: list[Runtime]) -> None:
    """Over all processes: again after an hour, or after five minutes when less than a tenth of the day is left."""
    one, other = asking
    assert learn(one)
    let_pass(one, "59 min")
    assert not learn(other)
    let_pass(one, "1 min")
    assert learn(other)
    assert not learn(one)
    assert one.allowance.take(1, A_DAY - 3) == A_DAY - 3
    let_pass(one, "5 min")
    assert learn(one)


@pytest.mark.parametrize(
    "fault", [("errcode", {"errcode": 44993}), ("http", {"status": 500}), ("not_json", {}), ("drop_before_read", {})]
)
def test_without_an_answer_the_allowance_is_what_wechat_documents(
    asking: list[Runtime], sandbox: SandboxClient, fault: tuple[str, dict[str, int]]
) -> None:
    """A question that fails stops nothing; it is asked again after five minutes, and then the answer counts."""
    one, _ = asking
    kind, more = fault
    sandbox.order_fault(kind, QUOTA, **more)
    assert learn(one)
    found = one.inspection.app_quota()
    assert (found.cap, found.source, found.wechat_limit) == (10_000_000, QuotaSource.DOCUMENTED, None)
    schedule(one, 5)
    deliver(one, claim(one))
    assert sandbox.summary().accepted == 5

    sandbox.clear_faults()
    let_pass(one, "5 min")
    assert learn(one)
    assert one.inspection.app_quota().cap == A_DAY


def test_no_block_is_taken_while_the_answer_is_on_its_way(asking: list[Runtime]) -> None:
    """It may be less than a block; once it is clear that none comes, blocks are taken of what is documented."""
    one, other = asking
    day = quota_day(clock.now(), SHANGHAI)
    ask(one, "INSERT INTO pushjobs.app_days (app_no, day, taken, asked_at) VALUES (1, :day, 0, now())", day=day)
    assert one.allowance.take(1, 10) == 10
    assert ask(one, "SELECT taken FROM pushjobs.app_days") == [(10,)]
    let_pass(one, "11 s")
    assert other.allowance.take(1, 10) == 10
    assert ask(one, "SELECT taken FROM pushjobs.app_days") == [(1010,)]


def test_a_day_begins_with_what_wechat_said_last(asking: list[Runtime]) -> None:
    """The limit of yesterday holds until WeChat is asked again; what was used up yesterday does not."""
    one, other = asking
    assert learn(one)
    ask(one, "UPDATE pushjobs.app_days SET day = day - 1, taken = 40, elsewhere = 7")
    for _ in range(2):
        found = one.inspection.app_quota()
        assert (found.used, found.cap, found.source) == (0, A_DAY, QuotaSource.WECHAT)
    assert other.allowance.take(1, 60) == A_DAY
    assert one.inspection.app_quota().used == A_DAY


def test_wechat_is_not_asked_in_the_first_minutes_of_a_day(asking: list[Runtime]) -> None:
    """By WeChat's clock it may still be yesterday, all used up; that must not end the new day."""
    assert not learn(asking[0], hour=0, minute=4)
    assert learn(asking[0], hour=0, minute=5)


def test_wechat_is_not_asked_where_the_allowance_is_set(workers: list[Runtime]) -> None:
    """The setting is the allowance, whatever WeChat says."""
    assert not learn(workers[0])
    found = workers[0].inspection.app_quota()
    assert (found.cap, found.source) == (A_DAY, QuotaSource.SETTING)


def test_a_worker_asks_when_it_starts(asking: list[Runtime]) -> None:
    """The answer is there before the first job is."""
    one, other = asking
    with freeze_time(clock.now().astimezone(SHANGHAI).replace(hour=12), tick=True):
        one.warm_up()
    assert wait_until(lambda: other.inspection.app_quota().source is QuotaSource.WECHAT, 10), "no answer in SQL"


def test_a_repeat_after_a_token_refresh_is_a_call_of_the_day(workers: list[Runtime], sandbox: SandboxClient) -> None:
    """The day has one call less for others, as WeChat counts both."""
    one, _ = workers
    sandbox.order_fault("errcode", SEND, errcode=42001, times=1)
    schedule(one, 10)
    deliver(one, claim(one))
    assert one.producer.counts()[JobState.SENT] == 10
    assert sandbox.summary().received == 11
    schedule(one, 60)
    deliver(one, claim(one))
    assert sandbox.summary().received == A_DAY


def test_a_process_that_leaves_does_not_wait_for_the_answer(asking: list[Runtime], sandbox: SandboxClient) -> None:
    """A question that is under way when its process ends is given up, with whatever connection it had begun to make."""
    sandbox.order_fault("slow", QUOTA, seconds=30.0)
    for _ in range(20):
        leaving = Runtime(asking[0].settings)
        let_pass(asking[0], "1 day")
        learn_without_waiting(leaving)
        began = clock.monotonic()
        leaving.close()
        assert clock.monotonic() - began < 5


def learn_without_waiting(runtime: Runtime) -> None:
    """Let a process ask at noon."""
    with freeze_time(clock.now().astimezone(SHANGHAI).replace(hour=12), tick=True):
        assert runtime.allowance.learn(1) is not None
