"""What a crash may cost, counted at the sandbox: nothing sent twice, nothing lost, few in doubt."""

import os
import signal
from datetime import timedelta

from redis import Redis
from sqlalchemy import text

from pushjobs import clock
from pushjobs.domain.job import JobState
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from tests.acceptance.installation import Up, is_running, news, wait_for


def closed(push: Runtime) -> int:
    """Return how many jobs have come to their end."""
    return sum(jobs for state, jobs in push.producer.counts().items() if state.is_final)


def account(push: Runtime, sandbox: SandboxClient, *, planned: int, most_in_doubt: int) -> None:
    """Check the ledger: every job closed, none sent twice, what is `sent` was received, few in doubt."""
    counts, summary = push.producer.counts(), sandbox.summary()
    assert sum(counts.values()) == planned
    assert summary.repeats == 0
    assert counts[JobState.SENT] + counts[JobState.IN_DOUBT] == planned
    assert counts[JobState.IN_DOUBT] <= most_in_doubt
    assert counts[JobState.SENT] <= summary.accepted <= counts[JobState.SENT] + counts[JobState.IN_DOUBT]


def open_transactions(push: Runtime) -> set[tuple[object, ...]]:
    """Return which transactions our processes have open: those of the living come and go."""
    asked = text(
        "SELECT pid, xact_start FROM pg_stat_activity"
        " WHERE application_name = 'pushjobs' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
    )
    with push.database.transaction() as connection:
        return {tuple(row) for row in connection.execute(asked)}


def left_sending(push: Runtime, dead: list[int]) -> int:
    """Return how many jobs killed processes leave `sending`, once they are gone and what they committed last is in."""
    wait_for("the killed processes are gone", lambda: not any(map(is_running, dead)), 5)
    open_then = open_transactions(push)
    wait_for("PostgreSQL has ended their transactions", lambda: not open_then & open_transactions(push))
    return push.producer.counts()[JobState.SENDING]


def test_flushing_redis_between_send_and_time_changes_nothing(push: Runtime, sandbox: SandboxClient) -> None:
    """FLUSHALL while jobs wait: they arrive at their time, once."""
    moment = clock.now() + timedelta(seconds=4)
    push.producer.send_many([news(number, time=moment) for number in range(50)])
    with Redis.from_url(push.settings.require_redis_url) as redis:
        redis.flushall()
        wait_for("the jobs are released", lambda: push.producer.counts()[JobState.RELEASED] > 0)
        redis.flushall()
    wait_for("all are sent", lambda: closed(push) == 50, 40)

    account(push, sandbox, planned=50, most_in_doubt=0)
    assert min(entry.arrived_at for entry in sandbox.all_received()) >= moment.timestamp()


def test_a_worker_killed_in_mid_slice_sends_nothing_twice(up: Up, push: Runtime, sandbox: SandboxClient) -> None:
    """SIGKILL while calls are in flight: at most those are in doubt, decided within 20 s, and the rest is sent."""
    sandbox.change_settings(latency_ms=400)
    push.producer.send_many([news(number) for number in range(600)])
    wait_for("a slice is sending", lambda: push.producer.counts()[JobState.SENDING] > 0)
    victims = up.children_of("bulk")
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    killed_at, sending = clock.monotonic(), left_sending(push, victims)
    wait_for("the dead workers' jobs are decided", lambda: push.producer.counts()[JobState.IN_DOUBT] > 0, 20)
    assert clock.monotonic() - killed_at <= 20
    sandbox.change_settings(latency_ms=0)
    wait_for("all are closed", lambda: closed(push) == 600, 60)

    account(push, sandbox, planned=600, most_in_doubt=sending)


def test_up_killed_and_started_again_sends_nothing_twice(up: Up, push: Runtime, sandbox: SandboxClient) -> None:
    """SIGKILL to `up` itself: its processes end within 5 s, the next start finds servers and data, and goes on."""
    sandbox.change_settings(latency_ms=400)
    push.producer.send_many([news(number) for number in range(600)])
    wait_for("a slice is sending", lambda: push.producer.counts()[JobState.SENDING] > 0)
    sending = left_sending(push, up.kill())
    sandbox.change_settings(latency_ms=0)
    up.start()
    wait_for("all are closed", lambda: closed(push) == 600, 60)

    account(push, sandbox, planned=600, most_in_doubt=sending)


def test_a_clean_stop_in_mid_slice_leaves_no_doubt(up: Up, push: Runtime, sandbox: SandboxClient) -> None:
    """Ctrl-C drains: calls in flight finish and are settled, the rest goes back, and is sent after the next start."""
    sandbox.change_settings(latency_ms=400)
    push.producer.send_many([news(number) for number in range(3000)])
    wait_for("a slice is sending", lambda: push.producer.counts()[JobState.SENDING] > 0)
    assert up.stop() == 0
    received = sandbox.summary().received
    assert 0 < received < 3000
    sandbox.change_settings(latency_ms=0)
    up.start()
    # What the stop had left in mid-call would end in doubt.
    wait_for("all are closed", lambda: closed(push) == 3000, 60)

    account(push, sandbox, planned=3000, most_in_doubt=0)


def test_sigterm_to_the_delivering_children_only_drains_them(up: Up, push: Runtime, sandbox: SandboxClient) -> None:
    """12.16 A SIGTERM that reaches the prefork children (a container's stop) kills no call."""
    sandbox.change_settings(latency_ms=400)
    push.producer.send_many([news(number) for number in range(300)])
    wait_for("a slice is sending", lambda: push.producer.counts()[JobState.SENDING] > 0)
    for child in up.children_of("bulk"):
        os.kill(child, signal.SIGTERM)
    sandbox.change_settings(latency_ms=0)
    wait_for("all are closed", lambda: closed(push) == 300, 60)

    account(push, sandbox, planned=300, most_in_doubt=0)


def test_a_rolling_restart_under_load_loses_and_repeats_nothing(up: Up, push: Runtime, sandbox: SandboxClient) -> None:
    """12.16 SIGTERM to each worker in turn while jobs are sent: every one is sent, once, and none is in doubt."""
    sandbox.change_settings(latency_ms=200)
    for turn, node in enumerate(("bulk", "urgent", "ticks")):
        numbers = range(turn * 1000, (turn + 1) * 1000)
        push.producer.send_many(news(number, lane="urgent" if number % 2 else "bulk") for number in numbers)
        wait_for("calls are under way", lambda: push.producer.counts()[JobState.SENDING] > 0)
        up.restart(node)
    wait_for("all are closed", lambda: closed(push) == 3000, 60)

    account(push, sandbox, planned=3000, most_in_doubt=0)
