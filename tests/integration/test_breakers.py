"""Breakers: what WeChat's answers pause, for how long, at what cost in calls, and how it goes on."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState, Lane, Reason
from pushjobs.domain.moment import SHANGHAI, next_midnight, next_minute
from pushjobs.domain.pause import Pause, PauseReason
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.settings import Settings
from pushjobs.store import paces, pauses
from tests.integration.hands import SEND, admit, ask, call, claim, deliver, let_due, schedule, settle

IN_A_ROW = 10
SLICE = 20
CAMPAIGN = 1500
MOST_UNDER_WAY = 4
DOWN_IN_A_ROW = 5


@pytest.fixture
def runtime(sandbox: SandboxClient, settings: Settings) -> Iterator[Runtime]:
    """A worker's runtime, fast and with small slices."""
    assert sandbox is not None
    update = {"faults_in_a_row": IN_A_ROW, "slice_size": SLICE, "rate_per_second": 1000.0}
    made = Runtime(settings.model_copy(update=update))
    yield made
    made.close()


def active(runtime: Runtime) -> list[Pause]:
    """The pauses in force."""
    with runtime.database.transaction() as connection:
        return pauses.active(connection)


def only_pause(runtime: Runtime) -> Pause:
    """The one pause in force."""
    [found] = active(runtime)
    return found


def let_probe(runtime: Runtime) -> None:
    """Let the next probe be due now."""
    ask(runtime, "UPDATE pushjobs.pauses SET probe_at = now() - interval '1 ms'")


def send(runtime: Runtime, count: int, **more: object) -> None:
    """Send that many in one slice, each to a user of its own."""
    schedule(runtime, count, **more)
    settle(runtime, call(runtime, admit(runtime, claim(runtime))))


def test_a_broken_template_costs_few_calls(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A campaign with a content WeChat refuses stops after N faults and what is under way; the rest waits."""
    sandbox.order_fault("errcode", SEND, errcode=47003)
    schedule(runtime, CAMPAIGN)
    deliver(runtime, claim(runtime, CAMPAIGN))

    received = sandbox.summary().received
    assert IN_A_ROW <= received <= IN_A_ROW + MOST_UNDER_WAY * SLICE
    paused = only_pause(runtime)
    assert (paused.reason, paused.template_id, paused.errcode) == (PauseReason.TEMPLATE_FAULT, DAILY_NEWS, 47003)
    assert paused.until is None
    counts = runtime.producer.counts()
    assert (counts[JobState.REFUSED], counts[JobState.SCHEDULED]) == (received, CAMPAIGN - received)
    assert ask(runtime, "SELECT DISTINCT reason FROM pushjobs.jobs WHERE state = 'scheduled'") == [(Reason.PAUSED,)]
    # Nor do the jobs that come later cost a call.
    let_due(runtime)
    deliver(runtime, claim(runtime, 200))
    assert sandbox.summary().received == received


def test_a_success_in_between_counts_from_anew(runtime: Runtime, sandbox: SandboxClient) -> None:
    """Nine faults, a success and nine faults pause nothing; a tenth does."""
    for faults in (IN_A_ROW - 1, 0, IN_A_ROW - 1):
        if faults:
            sandbox.order_fault("errcode", SEND, errcode=47003, times=faults)
        send(runtime, max(faults, 1))
    assert active(runtime) == []
    sandbox.order_fault("errcode", SEND, errcode=47003, times=1)
    send(runtime, 1)
    assert only_pause(runtime).reason is PauseReason.TEMPLATE_FAULT


def test_a_template_wechat_does_not_know_pauses_at_once(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A code that damns the template as such needs no second one."""
    sandbox.order_fault("errcode", SEND, errcode=40037)
    send(runtime, 1)
    assert (only_pause(runtime).reason, only_pause(runtime).errcode) == (PauseReason.TEMPLATE_FAULT, 40037)


def test_a_code_that_is_fatal_pauses_the_app(runtime: Runtime, sandbox: SandboxClient) -> None:
    """Where the account is at fault nothing goes until somebody resumes, and no job loses an attempt by it."""
    sandbox.order_fault("errcode", SEND, errcode=48001)
    schedule(runtime, CAMPAIGN)
    deliver(runtime, claim(runtime, CAMPAIGN))

    assert sandbox.summary().received <= MOST_UNDER_WAY * SLICE
    paused = only_pause(runtime)
    assert (paused.reason, paused.errcode, paused.template_no) == (PauseReason.APP_FAULT, 48001, None)
    assert (paused.until, paused.probe_in) == (None, None)
    assert ask(runtime, "SELECT state, sum(attempts) FROM pushjobs.jobs GROUP BY state") == [("scheduled", 0)]
    assert runtime.releaser.tick() == 0
    sandbox.clear_faults()
    with runtime.database.transaction() as connection:
        pauses.lift(connection, 1)
    deliver(runtime, claim(runtime, 100))
    assert sandbox.summary().accepted == 100


def test_a_code_with_a_term_pauses_for_its_term(runtime: Runtime, sandbox: SandboxClient) -> None:
    """An address that an administrator must confirm is tried again after ten minutes."""
    sandbox.order_fault("errcode", SEND, errcode=89503)
    send(runtime, 1)
    assert only_pause(runtime).until_in == pytest.approx(600.0, abs=5.0)


def test_a_refusal_at_the_token_call_has_its_term_too(runtime: Runtime, sandbox: SandboxClient) -> None:
    """What the token call answers means the same as if a send had been answered so; no send is made."""
    sandbox.order_fault("errcode", {"path": "/cgi-bin/stable_token"}, errcode=89507)
    send(runtime, 3)
    assert only_pause(runtime).errcode == 89507
    assert only_pause(runtime).until_in == pytest.approx(3600.0, abs=5.0)
    assert sandbox.summary().received == 0


def test_a_day_that_is_over_pauses_until_midnight_in_shanghai(runtime: Runtime, sandbox: SandboxClient) -> None:
    """Past WeChat's own allowance the app rests until WeChat counts anew."""
    sandbox.change_settings(per_day=3)
    before = clock.now()
    send(runtime, 5)
    paused = only_pause(runtime)
    assert (paused.reason, paused.errcode) == (PauseReason.DAY_OVER, 45009)
    assert paused.until in {next_midnight(moment, SHANGHAI) for moment in (before, clock.now())}
    assert runtime.producer.counts()[JobState.SENT] == 3
    assert runtime.releaser.tick() == 0


@pytest.mark.parametrize("errcode", [45011, 44991, 45009])
def test_a_code_of_the_minute_pauses_to_the_next_one(runtime: Runtime, sandbox: SandboxClient, errcode: int) -> None:
    """Where a clock minute is used up (45009 too, while WeChat says the day is not) the app waits for the next one."""
    sandbox.order_fault("errcode", SEND, errcode=errcode)
    before = clock.now()
    send(runtime, 1)
    paused = only_pause(runtime)
    ends: set[datetime] = {next_minute(moment) for moment in (before, clock.now())}
    assert (paused.reason, paused.until in ends) == (PauseReason.SLOW_DOWN, True)
    [job] = runtime.producer.find()
    assert (job.state, job.reason, job.attempts) == (JobState.SCHEDULED, Reason.SLOW_DOWN, 0)
    assert job.due_at - clock.now() < timedelta(seconds=1)


def share(runtime: Runtime) -> float:
    """The share of the pace that holds now."""
    with runtime.database.transaction() as connection:
        return paces.read(connection, 1).share


def test_too_fast_halves_the_pace_and_it_recovers(runtime: Runtime, sandbox: SandboxClient) -> None:
    """44990 halves the pace once for all answers of a second; it comes back evenly over a minute, by itself."""
    sandbox.order_fault("errcode", SEND, errcode=44990)
    send(runtime, 10)
    assert active(runtime) == []
    assert share(runtime) == pytest.approx(0.5, abs=0.05)
    fresh = Runtime(runtime.settings)
    assert fresh.app().limit().per_second == pytest.approx(500.0, abs=50.0)
    fresh.close()
    for seconds, expected in ((30, 0.75), (60, 1.0), (600, 1.0)):
        ask(runtime, "UPDATE pushjobs.paces SET slowed_at = now() - make_interval(secs => :s)", s=seconds)
        assert share(runtime) == pytest.approx(expected, abs=0.05)


def test_too_fast_again_and_again_keeps_a_tenth(runtime: Runtime) -> None:
    """However often WeChat complains, a tenth of the pace is left."""
    schedule(runtime)
    for _ in range(6):
        with runtime.database.transaction() as connection:
            paces.slow_down(connection, 1)
        ask(runtime, "UPDATE pushjobs.paces SET slowed_at = slowed_at - interval '1.1 s'")
    assert 0.1 <= share(runtime) < 0.15


def test_wechat_down_opens_the_breaker_and_one_probe_at_a_time_goes(runtime: Runtime, sandbox: SandboxClient) -> None:
    """12.13 Five silences open it; a probe every ten seconds tries; the first answer closes it and the rest follows."""
    order = sandbox.order_fault("drop_after_read", SEND, accepted=False)
    assert order
    send(runtime, DOWN_IN_A_ROW)
    paused = only_pause(runtime)
    assert (paused.reason, paused.until) == (PauseReason.WECHAT_DOWN, None)
    assert paused.probe_in == pytest.approx(10.0, abs=2.0)
    schedule(runtime, 30, reference="rest")
    assert runtime.releaser.tick() == 0

    let_probe(runtime)
    deliver(runtime, claim(runtime))  # more than the tick would give: one is tried, the others go back
    assert sandbox.summary().received == DOWN_IN_A_ROW + 1
    assert only_pause(runtime).probe_in == pytest.approx(10.0, abs=2.0)
    assert runtime.releaser.tick() == 0

    sandbox.clear_faults()
    let_probe(runtime)
    assert runtime.releaser.tick() == 1  # no more are released than may be tried
    ask(runtime, "UPDATE pushjobs.jobs SET state = 'scheduled', lease_until = NULL WHERE state = 'released'")
    deliver(runtime, claim(runtime, 1))
    assert active(runtime) == []
    deliver(runtime, claim(runtime))
    counts = runtime.producer.counts()
    assert (counts[JobState.IN_DOUBT], counts[JobState.SENT]) == (DOWN_IN_A_ROW + 1, 29)


def test_a_probe_that_is_refused_was_answered(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A user who did not consent is WeChat's word: it is there again, and the breaker closes."""
    sandbox.order_fault("http", SEND, status=502, times=DOWN_IN_A_ROW)
    send(runtime, DOWN_IN_A_ROW)
    sandbox.order_fault("errcode", SEND, errcode=43101)
    let_probe(runtime)
    schedule(runtime, 1, touser="oProbe")
    deliver(runtime, claim(runtime, lane=Lane.BULK))
    assert active(runtime) == []


def test_nobody_listening_costs_no_attempts(runtime: Runtime) -> None:
    """With WeChat out of reach a campaign is not worn down: a few calls open the breaker, and none uses an attempt."""
    nowhere = Runtime(runtime.settings.model_copy(update={"wechat_base_url": "http://127.0.0.1:9"}))
    try:
        schedule(nowhere, 300)
        deliver(nowhere, claim(nowhere))
    finally:
        nowhere.close()
    assert only_pause(runtime).reason is PauseReason.WECHAT_DOWN
    assert ask(runtime, "SELECT state, sum(attempts) FROM pushjobs.jobs GROUP BY state") == [("scheduled", 0)]
