"""Why a job is where it is: for each rule the job it holds, the words with the figures, and the next try."""

from datetime import UTC, timedelta
from typing import Any

import orjson
import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.moment import next_day_at
from pushjobs.domain.pause import PauseReason
from pushjobs.errors import NotFound
from pushjobs.inspection import Quota, Rule, Why
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS, ORDER_SHIPPED
from pushjobs.store import pauses
from tests.acceptance.installation import wait_for
from tests.integration.hands import ORDER, SEND, admit, ask, claim, deliver, end_leases, only_job, schedule

USER = "oReader000000"


@pytest.fixture
def runtime(worker: Runtime) -> Runtime:
    """A runtime that calls the sandbox, at 50 calls a second and three messages a user and day."""
    worker.settings = worker.settings.model_copy(update={"daily_quota": 3, "rate_per_second": 50.0})
    return worker


def why(runtime: Runtime) -> Why:
    """Ask of the newest job."""
    return runtime.producer.why(runtime.producer.find(limit=1)[0].id)


def pause_app(runtime: Runtime, reason: PauseReason, **more: object) -> None:
    """Pause the app as a breaker does."""
    app_no = runtime.catalogue.app.app_no
    with runtime.database.transaction() as connection:
        pauses.pause(connection, app_no, reason, **more)


def use_up_the_day(runtime: Runtime) -> None:
    """Send the user three messages."""
    for _ in range(3):
        schedule(runtime)
        deliver(runtime, claim(runtime))
    assert runtime.producer.counts()[JobState.SENT] == 3


def test_not_due(runtime: Runtime) -> None:
    """A job of tomorrow is not due, is tried at its time, and its history is empty."""
    tomorrow = clock.now() + timedelta(days=1)
    schedule(runtime, time=tomorrow)
    found = why(runtime)
    assert (found.rule, found.state, found.when, found.place) == (Rule.NOT_DUE, JobState.SCHEDULED, tomorrow, 0)
    assert found.words.startswith("It is not due before ")
    assert found.history == []


def test_not_due_names_a_pause_without_an_end(runtime: Runtime) -> None:
    """For a job of tomorrow a pause of today is no reason yet, but is worth a sentence."""
    schedule(runtime, time=clock.now() + timedelta(days=1))
    runtime.operations.pause(lane="bulk")
    found = why(runtime)
    assert found.rule is Rule.NOT_DUE
    assert "The bulk lane is paused since" in found.words
    assert "until somebody resumes, by an operator." in found.words


def test_paused_by_an_operator(runtime: Runtime) -> None:
    """A pause is named with what it holds, since when, until when and its note; the next try is its end."""
    schedule(runtime)
    until = clock.now() + timedelta(hours=2)
    runtime.operations.pause(until=until, note="moving house")
    found = why(runtime)
    assert (found.rule, found.when) == (Rule.PAUSED, until)
    assert found.words.startswith("The app is paused since ")
    assert found.words.endswith(", by an operator: moving house.")

    runtime.operations.pause(template_id=DAILY_NEWS)
    found = why(runtime)
    assert (found.rule, found.when) == (Rule.PAUSED, None)
    assert found.words.startswith("Its template is paused since ")


def test_paused_beyond_its_time(runtime: Runtime) -> None:
    """A job that falls due within a pause with an end is held by the pause."""
    schedule(runtime, time=clock.now() + timedelta(hours=1))
    until = clock.now() + timedelta(hours=2)
    runtime.operations.pause(until=until)
    assert (why(runtime).rule, why(runtime).when) == (Rule.PAUSED, until)


def test_given_back_by_a_pause(runtime: Runtime) -> None:
    """What was out already when its template was paused names the pause, and its history says that it came back."""
    schedule(runtime)
    batch = claim(runtime)
    runtime.operations.pause(template_id=DAILY_NEWS, note="wrong words")
    deliver(runtime, batch)
    found = why(runtime)
    assert (found.job.reason, found.rule) == (Reason.PAUSED, Rule.PAUSED)
    assert "wrong words" in found.words
    assert [entry.reason for entry in found.history] == [Reason.PAUSED]


def test_a_paused_template_is_not_in_the_way(runtime: Runtime) -> None:
    """Jobs of another template that is paused do not count as going before; those of the own template do."""
    schedule(runtime, 3)
    schedule(runtime, 2, **ORDER)
    assert why(runtime).place == 4
    runtime.operations.pause(template_id=DAILY_NEWS)
    assert why(runtime).place == 1
    runtime.operations.pause(template_id=ORDER_SHIPPED)
    assert (why(runtime).place, why(runtime).rule) == (1, Rule.PAUSED)


def test_a_template_s_breaker(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A job of a template that WeChat finds fault with names the code and its meaning, and waits for somebody."""
    sandbox.order_fault("errcode", SEND, errcode=40037)
    schedule(runtime)
    deliver(runtime, claim(runtime))
    assert only_job(runtime).state is JobState.REFUSED
    schedule(runtime, touser="oNext")
    found = why(runtime)
    assert (found.rule, found.when) == (Rule.BREAKER, None)
    assert found.words.startswith("Its template is paused since ")
    assert "until somebody resumes, because WeChat finds fault with the template" in found.words
    assert "(WeChat answered 40037: " in found.words


@pytest.mark.parametrize(
    ("reason", "more", "rule", "words"),
    [
        (PauseReason.APP_FAULT, {"errcode": 40013}, Rule.BREAKER, "because WeChat refuses the app's calls"),
        (PauseReason.WECHAT_DOWN, {"probe_in": 5.0}, Rule.BREAKER, "one of the jobs that try every few seconds"),
        (PauseReason.DAY_OVER, {"errcode": 45009, "until_in": 60.0}, Rule.APP_BUDGET, "WeChat says that the day's"),
        (PauseReason.APP_BUDGET, {"until_in": 60.0}, Rule.APP_BUDGET, "the app's calls of the day are used up"),
        (PauseReason.SLOW_DOWN, {"until_in": 60.0}, Rule.PACE, "the minute's calls are used up"),
    ],
)
def test_pauses_of_the_app(runtime: Runtime, reason: PauseReason, more: dict[str, Any], rule: Rule, words: str) -> None:
    """Breakers and used up allowances are named, and how long they last where that is known."""
    schedule(runtime)
    pause_app(runtime, reason, **more)
    found = why(runtime)
    assert found.rule is rule
    assert words in found.words
    assert (found.when is not None) is ("until_in" in more)


def test_quiet_hours(runtime: Runtime) -> None:
    """A bulk job that is due within the quiet hours waits for their end; an urgent one does not."""
    now = clock.now().astimezone(runtime.settings.zone)
    begin, end = now - timedelta(hours=1), now + timedelta(hours=1)
    runtime.settings = runtime.settings.model_copy(update={"quiet_hours": f"{begin:%H:%M}-{end:%H:%M}"})
    schedule(runtime)
    ends = end.replace(second=0, microsecond=0).astimezone(UTC)
    assert (why(runtime).rule, why(runtime).when) == (Rule.QUIET_HOURS, ends)

    deliver(runtime, claim(runtime))
    assert only_job(runtime).reason is Reason.QUIET_HOURS
    assert why(runtime).rule is Rule.QUIET_HOURS
    ask(runtime, "UPDATE pushjobs.jobs SET lane = 'urgent', due_at = now(), reason = NULL")
    assert why(runtime).rule is Rule.PACE


def test_quota(runtime: Runtime) -> None:
    """A user who had the day's three: the figures, and the next day at the resume hour."""
    use_up_the_day(runtime)
    schedule(runtime, expires=timedelta(days=3))
    resume = next_day_at(clock.now(), runtime.settings.zone, runtime.settings.resume_hour)
    found = why(runtime)
    assert (found.rule, found.when) == (Rule.QUOTA, resume)
    assert found.words.startswith("The user has had 3 of 3 messages today: it goes on the next day from ")

    deliver(runtime, claim(runtime))
    found = why(runtime)
    assert found.rule is Rule.QUOTA
    assert "It waits for another day, for the user has had 3 of 3 messages today" in found.words
    assert found.when is not None
    assert found.when >= resume


def test_quota_of_who_is_not_to_wait(runtime: Runtime) -> None:
    """A job that is to be refused rather than wait says that it will be; and afterwards that it was."""
    use_up_the_day(runtime)
    schedule(runtime, on_quota="refuse")
    assert why(runtime).words.endswith("and it is not to wait: it will be refused.")
    deliver(runtime, claim(runtime))
    found = why(runtime)
    assert (found.rule, found.state, found.when) == (Rule.CLOSED, JobState.REFUSED, None)
    assert "its user had had the day's messages" in found.words


def test_quota_held_by_calls_under_way(runtime: Runtime) -> None:
    """While places are only held, a job waits for the answers and not for the next day."""
    schedule(runtime)
    ask(
        runtime,
        "INSERT INTO pushjobs.recipients (app_no, recipient, quota_day, sent, held)"
        " SELECT app_no, recipient, :day, 2, 1 FROM pushjobs.jobs",
        day=clock.now().astimezone(runtime.settings.zone).date(),
    )
    found = why(runtime)
    assert found.rule is Rule.QUOTA
    assert found.words.startswith("The user has had 2 of 3 messages today (1 more under way): it goes on when")


def test_a_template_s_own_cap(runtime: Runtime) -> None:
    """A template's own daily cap is named with its own figures."""
    runtime.operations.set_policies(DAILY_NEWS, daily_cap=1)
    schedule(runtime)
    deliver(runtime, claim(runtime))
    schedule(runtime)
    found = why(runtime)
    assert found.rule is Rule.QUOTA
    assert "has had 1 of 1 messages of this template today" in found.words


def test_user_busy(runtime: Runtime) -> None:
    """While another message is on its way to the same user, the job waits for its answer."""
    schedule(runtime)
    [_] = admit(runtime, claim(runtime))
    assert why(runtime).rule is Rule.UNDER_WAY
    schedule(runtime)
    assert why(runtime).rule is Rule.USER_BUSY
    deliver(runtime, claim(runtime))
    found = why(runtime)
    assert (found.job.reason, found.rule) == (Reason.USER_BUSY, Rule.USER_BUSY)


def test_consent(runtime: Runtime) -> None:
    """A user without a credit is told of before the job is refused for it, and after."""
    runtime.operations.set_policies(DAILY_NEWS, consent="require")
    schedule(runtime)
    found = why(runtime)
    assert (found.rule, found.when) == (Rule.CONSENT, None)
    assert "no credit is known for this template (require), so it will be refused" in found.words
    deliver(runtime, claim(runtime))
    assert why(runtime).words.endswith("the user's consent was missing.")


def test_consent_held_by_a_call_under_way(runtime: Runtime) -> None:
    """While the only credit is held, the job waits for the answer."""
    runtime.producer.grant(USER, DAILY_NEWS)
    schedule(runtime)
    ask(runtime, "UPDATE pushjobs.consents SET held = 1")
    assert "All 1 credits of the user for this template are held" in why(runtime).words
    deliver(runtime, claim(runtime))
    found = why(runtime)
    assert (found.job.reason, found.rule) == (Reason.CONSENT_HELD, Rule.CONSENT)


def test_pace_tells_the_place_and_the_projected_time(runtime: Runtime) -> None:
    """Behind 970 due jobs of its lane, at 48.5 calls a second, a job leaves in 20 s; at a tenth of it in 200 s."""
    schedule(runtime, 971)
    found = why(runtime)
    assert (found.rule, found.place) == (Rule.PACE, 970)
    assert "Of the bulk lane 970 jobs go before it: at 48.5 calls a second it leaves about " in found.words
    assert found.when is not None
    assert abs(found.when - clock.now() - timedelta(seconds=20)) < timedelta(seconds=2)

    runtime.operations.set_pace(5)
    wait_for("the pace takes hold", lambda: runtime.inspection.limit().per_second == 5, 2.0)
    found = why(runtime)
    assert found.when is not None
    assert abs(found.when - clock.now() - timedelta(seconds=200)) < timedelta(seconds=2)


def test_place_counts_what_is_out_already(runtime: Runtime) -> None:
    """Jobs that are released go before those that wait; the first one of all has nobody before it."""
    schedule(runtime, 3)
    claim(runtime, 1)
    first, second, third = (runtime.producer.why(job.id) for job in reversed(runtime.producer.find()))
    assert [each.place for each in (first, second, third)] == [0, 1, 2]
    assert first.state is JobState.RELEASED
    assert first.words == "It is handed to a worker and leaves at its slot."


def test_retry(runtime: Runtime, sandbox: SandboxClient) -> None:
    """After WeChat's "system busy": which attempt it was, the code, and the next try."""
    sandbox.order_fault("errcode", SEND, errcode=-1)
    schedule(runtime)
    deliver(runtime, claim(runtime))
    found = why(runtime)
    assert (found.rule, found.when) == (Rule.RETRY, found.job.due_at)
    assert "attempt 1 of 5" in found.words
    assert "WeChat answered -1: system busy" in found.words


def test_in_doubt(runtime: Runtime) -> None:
    """A doubt says who decides it: an operator, or its template's policy in a minute."""
    schedule(runtime)
    admit(runtime, claim(runtime))
    end_leases(runtime)
    runtime.upkeep.rescue()
    found = why(runtime)
    assert (found.rule, found.state, found.when) == (Rule.IN_DOUBT, JobState.IN_DOUBT, None)
    assert found.words.endswith("it is held until WeChat or somebody resolves it, as sent or to be sent again.")
    runtime.operations.set_policies(DAILY_NEWS, in_doubt="resend")
    assert why(runtime).words.endswith("so it is sent again in a minute.")

    runtime.operations.resolve([found.job.id], as_="again")
    assert why(runtime).words.startswith("It was in doubt and is sent again by an operator's word")


def test_deadline(runtime: Runtime) -> None:
    """A job whose deadline comes before its next try expires, and says so before and after."""
    schedule(runtime)
    ask(
        runtime,
        "UPDATE pushjobs.jobs SET planned_at = now() - interval '2 h', due_at = now() - interval '2 h',"
        " expires_at = now() - interval '1 h'",
    )
    assert why(runtime).rule is Rule.DEADLINE
    deliver(runtime, claim(runtime))
    found = why(runtime)
    assert (found.rule, found.state) == (Rule.CLOSED, JobState.EXPIRED)
    assert found.words.endswith("its deadline passed before anyone called.")


def test_key(runtime: Runtime) -> None:
    """A message that no key opens waits for its key."""
    schedule(runtime)
    ask(runtime, "UPDATE pushjobs.jobs SET sealed = 'altered'")
    deliver(runtime, claim(runtime))
    assert why(runtime).rule is Rule.KEY


def test_closed(runtime: Runtime, sandbox: SandboxClient) -> None:
    """What is over names when and why, with WeChat's code and its meaning, or WeChat's number of the message."""
    schedule(runtime)
    deliver(runtime, claim(runtime))
    found = why(runtime)
    assert (found.rule, found.when, found.place) == (Rule.CLOSED, None, None)
    assert f"WeChat's number of the message is {found.job.msgid}." in found.words

    sandbox.order_fault("errcode", SEND, errcode=43101)
    schedule(runtime)
    deliver(runtime, claim(runtime))
    assert "the user's consent was missing (WeChat answered 43101: " in why(runtime).words

    schedule(runtime, time=clock.now() + timedelta(days=1))
    runtime.producer.cancel(runtime.producer.find(limit=1)[0].id)
    assert why(runtime).words.endswith(": its owner took it back.")

    schedule(runtime, touser="oDead")
    ask(
        runtime,
        "UPDATE pushjobs.jobs SET state = 'dead', attempts = 5, errcode = -1, reason = 'attempts_used_up',"
        " closed_at = now() WHERE state = 'scheduled'",
    )
    assert "after 5 attempts: its attempts were used up (WeChat answered -1" in why(runtime).words
    assert why(runtime).words.endswith("it can be replayed.")


def test_no_such_job(runtime: Runtime) -> None:
    """A number that is no job's is refused, however large."""
    for number in (12345, 0, -1, 2**70):
        with pytest.raises(NotFound):
            runtime.producer.why(number)


def test_the_answer_can_be_written_as_json(runtime: Runtime) -> None:
    """The whole answer is JSON as it stands, and holds no open id."""
    schedule(runtime)
    written = orjson.dumps(why(runtime))
    assert orjson.loads(written)["rule"] == "pace"
    assert USER.encode() not in written


def test_a_user_s_quota(runtime: Runtime) -> None:
    """Before the first message, after it, and on the morrow of the row: what was used of how many."""
    now, rules = clock.now(), runtime.settings
    expected = Quota(
        day=now.astimezone(rules.zone).date(),
        sent=0,
        held=0,
        cap=3,
        begins=next_day_at(now, rules.zone, rules.resume_hour),
    )
    assert runtime.inspection.quota(USER) == expected
    schedule(runtime)
    deliver(runtime, claim(runtime))
    assert runtime.inspection.quota(USER).sent == 1
    ask(runtime, "UPDATE pushjobs.recipients SET quota_day = quota_day - 1")
    assert runtime.inspection.quota(USER) == expected


def test_who_goes_before_it_is_counted_up_to_a_bound(runtime: Runtime) -> None:
    """Where more go before a job than are counted, the words say more than that, and that it leaves no sooner."""
    schedule(runtime, 4)
    last = runtime.producer.find(limit=1)[0]
    inspection = runtime.inspection
    assert "3 jobs go before it" in inspection.why(last.id, most=3).words
    cut = inspection.why(last.id, most=2)
    assert "more than 2 jobs go before it" in cut.words
    assert "it does not leave before" in cut.words
