"""WeChat's daily allowance for the whole app: we stop before WeChat does, over all processes."""

from collections.abc import Iterator

import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.moment import SHANGHAI, next_midnight
from pushjobs.domain.pause import PauseReason
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.settings import Settings
from pushjobs.store import pauses
from tests.integration.hands import ask, claim, deliver, schedule

A_DAY = 40


@pytest.fixture
def workers(sandbox: SandboxClient, settings: Settings) -> Iterator[list[Runtime]]:
    """Two processes' runtimes of an app with a small allowance."""
    assert sandbox is not None
    narrow = settings.model_copy(update={"app_daily_limit": A_DAY, "rate_per_second": 1000.0})
    made = [Runtime(narrow), Runtime(narrow)]
    yield made
    for runtime in made:
        runtime.close()


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
