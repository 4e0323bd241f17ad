"""What operators do, on a real database, counted at the sandbox where something is sent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from pushjobs import clock
from pushjobs.domain.consent import ConsentPolicy
from pushjobs.domain.content_check import CheckPolicy, CheckRules, ContentCheck
from pushjobs.domain.job import DoubtPolicy, JobId, JobState, Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.pause import PauseReason
from pushjobs.errors import InvalidInput, NotFound, NotPossible
from pushjobs.operations import Operations, Reopened
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.store import pauses as stored_pauses
from tests.acceptance.installation import wait_for
from tests.integration.hands import SEND, admit, ask, claim, deliver, end_leases, let_due, only_job, schedule


@pytest.fixture
def runtime(worker: Runtime) -> Runtime:
    """A runtime that calls the sandbox."""
    return worker


def ids_of(runtime: Runtime) -> list[JobId]:
    return sorted(job.id for job in runtime.producer.find(limit=1000))


def doubt(runtime: Runtime, count: int = 1, **more: object) -> list[JobId]:
    """Schedule that many jobs and leave them in doubt: admitted, and their worker gone."""
    schedule(runtime, count, **more)
    admitted = admit(runtime, claim(runtime))
    end_leases(runtime)
    runtime.upkeep.rescue()
    return sorted(job.id for job in admitted)


def kill(runtime: Runtime, count: int = 1, **more: object) -> list[JobId]:
    """Schedule that many jobs and let them use up their attempts."""
    schedule(runtime, count, **more)
    ids = ids_of(runtime)
    ask(
        runtime,
        "UPDATE pushjobs.jobs SET state = 'dead', attempts = 5, reason = 'attempts_used_up', errcode = -1,"
        " closed_at = now()",
    )
    return ids


def grow_old(runtime: Runtime) -> None:
    """Let every deadline have passed."""
    ask(
        runtime,
        "UPDATE pushjobs.jobs SET planned_at = now() - interval '2 days', expires_at = now() - interval '1 day'",
    )


def test_replay_gives_a_dead_job_all_its_attempts_again(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A dead job that is replayed is due now with no attempt counted, says so in its history, and is sent."""
    [job_id] = kill(runtime)
    assert runtime.operations.replay([job_id]) == Reopened(jobs=1)

    job = runtime.producer.get(job_id)
    assert (job.state, job.attempts, job.reason, job.errcode) == (JobState.SCHEDULED, 0, Reason.REPLAYED, None)
    assert job.closed_at is None
    [entry] = runtime.producer.history(job_id)
    assert (entry.transition, entry.state, entry.reason) == (Transition.REPLAY, JobState.SCHEDULED, Reason.REPLAYED)
    deliver(runtime, claim(runtime))
    assert (runtime.producer.get(job_id).state, sandbox.summary().accepted) == (JobState.SENT, 1)


def test_replay_by_filter_takes_every_job_that_matches_and_no_other(runtime: Runtime) -> None:
    """Thousands of dead jobs are replayed page by page; those of another reference stay dead."""
    kill(runtime, 1100, reference="campaign")
    schedule(runtime, 1, touser="oOther", reference="other")
    ask(runtime, "UPDATE pushjobs.jobs SET state = 'dead', closed_at = now() WHERE state = 'scheduled'")

    assert runtime.operations.replay(reference="campaign") == Reopened(jobs=1100)
    counts = runtime.producer.counts()
    assert (counts[JobState.SCHEDULED], counts[JobState.DEAD]) == (1100, 1)
    assert runtime.operations.replay(reference="campaign") == Reopened(jobs=0)


def test_replay_past_the_deadline_needs_another_one(runtime: Runtime) -> None:
    """What would only expire is refused by number and left by filter; with `expires` it goes."""
    [job_id] = kill(runtime, reference="old")
    grow_old(runtime)
    with pytest.raises(NotPossible, match=f"the deadline of job {job_id} has passed.*expires"):
        runtime.operations.replay([job_id])
    assert runtime.operations.replay(reference="old") == Reopened(jobs=0, overdue=1)
    assert only_job(runtime).state is JobState.DEAD

    assert runtime.operations.replay([job_id], expires=timedelta(hours=1)) == Reopened(jobs=1)
    left = only_job(runtime).expires - clock.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


def test_replay_of_what_is_not_dead_changes_nothing(runtime: Runtime) -> None:
    """One job among those named that was sent, or is not there, leaves all of them as they are."""
    [dead, sent] = kill(runtime, 2)
    ask(runtime, "UPDATE pushjobs.jobs SET state = 'sent' WHERE id = :id", id=sent)
    with pytest.raises(NotPossible, match=f"job {sent} is sent: only a job that is dead can be replayed"):
        runtime.operations.replay([dead, sent])
    with pytest.raises(NotFound):
        runtime.operations.replay([dead, sent + 1])
    assert runtime.producer.get(dead).state is JobState.DEAD
    assert runtime.producer.history(dead) == []


def test_resolve_as_sent_keeps_what_the_call_was_charged(runtime: Runtime) -> None:
    """A doubt that arrived is sent, by an operator's word; the day's place and the credit stay used."""
    runtime.producer.grant("oReader000000", DAILY_NEWS, 2)
    [job_id] = doubt(runtime)
    assert runtime.operations.resolve([job_id], as_="sent") == Reopened(jobs=1)

    job = runtime.producer.get(job_id)
    assert (job.state, job.reason) == (JobState.SENT, Reason.RESOLVED)
    entry = runtime.producer.history(job_id)[-1]
    assert (entry.transition, entry.reason) == (Transition.CONFIRM, Reason.RESOLVED)
    assert ask(runtime, "SELECT sent, held FROM pushjobs.recipients") == [(1, 0)]
    assert ask(runtime, "SELECT credits, held FROM pushjobs.consents") == [(1, 0)]


def test_resolve_as_again_gives_the_charge_back_and_waits_a_minute(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A doubt sent again is due in a minute; place, credit and the template's place are free, and used once."""
    runtime.settings = runtime.settings.model_copy(update={"daily_quota": 1})
    runtime.producer.grant("oReader000000", DAILY_NEWS)
    runtime.operations.set_policies(DAILY_NEWS, daily_cap=1, consent="require")
    [job_id] = doubt(runtime)
    charges = (
        "SELECT r.sent, r.held, c.credits, c.held, d.used"
        "  FROM pushjobs.recipients r, pushjobs.consents c, pushjobs.template_days d"
    )
    assert ask(runtime, charges) == [(1, 0, 0, 0, 1)]

    assert runtime.operations.resolve([job_id], as_="again") == Reopened(jobs=1)
    assert ask(runtime, charges) == [(0, 0, 1, 0, 0)]
    job = runtime.producer.get(job_id)
    assert (job.state, job.reason, job.attempts) == (JobState.SCHEDULED, Reason.RESOLVED, 1)
    assert timedelta(seconds=55) < job.due_at - clock.now() <= timedelta(seconds=60)
    assert claim(runtime) == []

    let_due(runtime)
    deliver(runtime, claim(runtime))
    assert ask(runtime, charges) == [(1, 0, 0, 0, 1)]
    assert (runtime.producer.get(job_id).state, sandbox.summary().accepted) == (JobState.SENT, 1)


def test_resolve_gives_back_to_each_user_what_is_theirs(runtime: Runtime) -> None:
    """Several doubts of one user and some of others, resolved together, give back as many places to each."""
    ids = doubt(runtime, 2)
    ids += doubt(runtime, 1)
    assert ask(runtime, "SELECT sent FROM pushjobs.recipients ORDER BY sent") == [(1,), (2,)]
    assert runtime.operations.resolve(template_id=DAILY_NEWS, as_="again") == Reopened(jobs=3)
    assert ask(runtime, "SELECT sent FROM pushjobs.recipients") == [(0,), (0,)]


def test_resolve_leaves_a_call_of_the_same_user_alone(runtime: Runtime) -> None:
    """While another job of the user is in mid-call, sending an older doubt again does not free the user."""
    [job_id] = doubt(runtime)
    schedule(runtime)
    [_] = admit(runtime, claim(runtime))
    runtime.operations.resolve([job_id], as_="again")
    assert ask(runtime, "SELECT in_flight_until > now(), held, sent FROM pushjobs.recipients") == [(True, 1, 0)]


def test_resolve_of_what_is_not_in_doubt_changes_nothing(runtime: Runtime) -> None:
    """A job that is not in doubt is named, and the doubts named beside it stay."""
    [job_id] = doubt(runtime)
    schedule(runtime)
    other = max(ids_of(runtime))
    for word in ("sent", "again"):
        with pytest.raises(NotPossible, match=f"job {other} is scheduled: only a job that is in_doubt"):
            runtime.operations.resolve([job_id, other], as_=word)
    assert runtime.producer.get(job_id).state is JobState.IN_DOUBT
    assert ask(runtime, "SELECT sent FROM pushjobs.recipients") == [(1,)]


def test_resolve_as_again_needs_a_deadline_behind_the_wait(runtime: Runtime) -> None:
    """A doubt whose deadline comes before it could be sent again stays, unless it is given another."""
    [job_id] = doubt(runtime)
    grow_old(runtime)
    with pytest.raises(NotPossible, match="deadline"):
        runtime.operations.resolve([job_id], as_="again")
    with pytest.raises(InvalidInput, match="expires"):
        runtime.operations.resolve([job_id], as_="again", expires=clock.now() + timedelta(seconds=30))
    assert runtime.operations.resolve([job_id], as_="again", expires=clock.now() + timedelta(hours=1)).jobs == 1


def test_a_template_that_accepts_repeats_is_sent_again_after_a_minute(runtime: Runtime, sandbox: SandboxClient) -> None:
    """Its doubts stay for a minute, in which an answer may settle them, and are then scheduled; others are held."""
    [job_id] = doubt(runtime)
    runtime.operations.set_policies(DAILY_NEWS, in_doubt="resend")
    assert runtime.upkeep.resend_doubts() == 0

    ask(runtime, "UPDATE pushjobs.jobs SET closed_at = now() - interval '61 s'")
    assert runtime.upkeep.resend_doubts() == 1
    assert runtime.upkeep.resend_doubts() == 0
    entry = runtime.producer.history(job_id)[-1]
    assert (entry.transition, entry.reason) == (Transition.SEND_AGAIN, Reason.UNKNOWN_OUTCOME)
    assert ask(runtime, "SELECT sent FROM pushjobs.recipients") == [(0,)]
    deliver(runtime, claim(runtime))
    assert (only_job(runtime).state, sandbox.summary().accepted) == (JobState.SENT, 1)


def test_what_used_up_its_attempts_is_not_sent_again_by_itself(runtime: Runtime) -> None:
    """A job that ends in doubt every time does not repeat for ever, and `hold` holds."""
    doubt(runtime)
    ask(runtime, "UPDATE pushjobs.jobs SET closed_at = now() - interval '61 s'")
    assert runtime.upkeep.resend_doubts() == 0
    runtime.operations.set_policies(DAILY_NEWS, in_doubt="resend")
    ask(runtime, "UPDATE pushjobs.jobs SET attempts = 5")
    assert runtime.upkeep.resend_doubts() == 0
    assert only_job(runtime).state is JobState.IN_DOUBT


@pytest.mark.parametrize("narrowed", [{}, {"lane": "bulk"}, {"template_id": DAILY_NEWS}])
def test_what_is_paused_is_not_released_until_it_is_resumed(runtime: Runtime, narrowed: dict[str, Any]) -> None:
    """The next tick after the pause claims nothing; the next after the resumption everything, at its old time."""
    schedule(runtime, 3)
    due = [job.due_at for job in runtime.producer.find()]
    made = runtime.operations.pause(**narrowed, note="flood")
    assert (made.reason, made.note, made.until) == (PauseReason.OPERATOR, "flood", None)
    assert runtime.operations.pauses() == [made]
    assert runtime.releaser.tick() == 0
    assert [job.due_at for job in runtime.producer.find()] == due
    assert runtime.operations.resume(**narrowed) == 1
    assert runtime.operations.pauses() == []
    assert runtime.releaser.tick() == 3


def test_a_pause_ends_by_itself(runtime: Runtime) -> None:
    """Its end passed, it holds nothing, is not shown, and cannot be lifted."""
    schedule(runtime)
    runtime.operations.pause(until=clock.now() + timedelta(hours=1))
    assert runtime.releaser.tick() == 0
    ask(runtime, "UPDATE pushjobs.pauses SET until = now() - interval '1 s'")
    assert runtime.operations.pauses() == []
    with pytest.raises(NotPossible, match="nothing is paused there"):
        runtime.operations.resume()
    assert runtime.releaser.tick() == 1


def test_resume_lifts_breakers_too_but_nothing_beside_it(runtime: Runtime) -> None:
    """Whoever set it, a pause on exactly this is lifted; one on a lane stays when the app is resumed."""
    app_no = runtime.catalogue.app.app_no
    with runtime.database.transaction() as connection:
        stored_pauses.pause(connection, app_no, PauseReason.APP_FAULT, errcode=40013)
    runtime.operations.pause()
    runtime.operations.pause(lane="urgent")
    assert runtime.operations.resume() == 2
    assert [pause.lane for pause in runtime.operations.pauses()] == [Lane.URGENT]


def test_the_pace_is_changed_while_everything_runs(runtime: Runtime) -> None:
    """A pace that is set holds within a second; None goes back to the setting."""
    setting = runtime.inspection.limit().per_second
    runtime.operations.set_pace(7.5)
    wait_for("the pace takes hold", lambda: runtime.inspection.limit().per_second == 7.5, 1.0)
    runtime.operations.set_pace(None)
    wait_for("the setting takes hold", lambda: runtime.inspection.limit().per_second == setting, 1.0)


def test_policies_are_set_one_by_one(runtime: Runtime) -> None:
    """What is given changes, what is not stays; a cap of None is no cap."""
    policies = "SELECT consent, in_doubt, daily_cap FROM pushjobs.templates"
    runtime.operations.set_policies(DAILY_NEWS, consent="require", daily_cap=2)
    assert ask(runtime, policies) == [(ConsentPolicy.REQUIRE, DoubtPolicy.HOLD, 2)]
    runtime.operations.set_policies(DAILY_NEWS, in_doubt=DoubtPolicy.RESEND, daily_cap=None)
    assert ask(runtime, policies) == [(ConsentPolicy.REQUIRE, DoubtPolicy.RESEND, None)]


def test_policies_of_the_content_check(runtime: Runtime) -> None:
    """The check is off and strict by default; each of its policies is set for itself, and holds at once."""
    assert runtime.catalogue.check_rules(DAILY_NEWS) == CheckRules()
    runtime.operations.set_policies(DAILY_NEWS, content_check="forum")
    runtime.operations.set_policies(DAILY_NEWS, on_review=CheckPolicy.ACCEPT, on_unchecked="accept")
    accept = CheckPolicy.ACCEPT
    assert runtime.catalogue.check_rules(DAILY_NEWS) == CheckRules(
        check=ContentCheck.FORUM, on_review=accept, on_unchecked=accept
    )


BAD_INPUT: list[tuple[str, Callable[[Operations], object]]] = [
    ("ids are missing", lambda verbs: verbs.replay()),
    ("ids stand beside a filter", lambda verbs: verbs.replay([1], reference="a")),
    ("ids hold what is no number", lambda verbs: verbs.replay(["1"])),  # type: ignore[list-item]  # bad input is the point
    ("ids are 10,001", lambda verbs: verbs.replay([1] * 10_001)),
    ("expires", lambda verbs: verbs.replay([1], expires="yesterday")),
    ("expires does not lie after", lambda verbs: verbs.replay([1], expires="2020-01-01 00:00:00")),
    ("touser", lambda verbs: verbs.replay(touser="张三")),
    ("as is not one of its values: use sent or again", lambda verbs: verbs.resolve([1], as_="lost")),
    ("expires is given for jobs that were sent", lambda verbs: verbs.resolve([1], as_="sent", expires="2099-01-01")),
    ("lane is not one of its values: use urgent or bulk", lambda verbs: verbs.pause(lane="slow")),
    ("until has passed", lambda verbs: verbs.pause(until="2020-01-01 00:00:00")),
    ("until cannot be read", lambda verbs: verbs.pause(until="soon")),
    ("note is no short text", lambda verbs: verbs.pause(note="\n")),
    ("note is no short text", lambda verbs: verbs.pause(note="x" * 201)),
    ("template_id", lambda verbs: verbs.pause(template_id="")),
    ("lane is not one", lambda verbs: verbs.resume(lane="slow")),
    ("per_second is -1", lambda verbs: verbs.set_pace(-1)),
    ("per_second is 0", lambda verbs: verbs.set_pace(0)),
    ("per_second is 1e", lambda verbs: verbs.set_pace(1e9)),
    ("per_second is nan", lambda verbs: verbs.set_pace(float("nan"))),
    ("per_second is no number", lambda verbs: verbs.set_pace("10")),  # type: ignore[arg-type]  # as above
    ("policies are missing", lambda verbs: verbs.set_policies(DAILY_NEWS)),
    ("consent is not one of its values: use require or optimistic", lambda v: v.set_policies(DAILY_NEWS, consent="x")),
    ("in_doubt is not one of its values: use hold or resend", lambda v: v.set_policies(DAILY_NEWS, in_doubt="drop")),
    ("daily_cap is no number", lambda verbs: verbs.set_policies(DAILY_NEWS, consent="require", daily_cap=-1)),
    ("content_check is not one of its values: use off or", lambda v: v.set_policies(DAILY_NEWS, content_check="blog")),
    ("on_review is not one of its values", lambda verbs: verbs.set_policies(DAILY_NEWS, on_review="maybe")),
    ("on_unchecked is not one of its values", lambda verbs: verbs.set_policies(DAILY_NEWS, on_unchecked="")),
    ("daily_cap is no number", lambda verbs: verbs.set_policies(DAILY_NEWS, daily_cap=0)),
    ("daily_cap is no number", lambda verbs: verbs.set_policies(DAILY_NEWS, daily_cap=1001)),
    ("daily_cap is no number", lambda verbs: verbs.set_policies(DAILY_NEWS, daily_cap=True)),
]


def test_bad_input_is_refused_with_the_reason_and_changes_nothing(runtime: Runtime) -> None:
    """Limits, lanes, words and times that make no sense are named; no pause, pace, policy or job is touched."""
    [job_id] = kill(runtime)
    for said, verb in BAD_INPUT:
        with pytest.raises(InvalidInput) as refused:
            verb(runtime.operations)
        assert str(refused.value).startswith(said), said
    assert runtime.producer.get(job_id).state is JobState.DEAD
    assert runtime.operations.pauses() == []
    assert ask(runtime, "SELECT count(*) FROM pushjobs.paces") == [(0,)]
    assert ask(runtime, "SELECT consent, in_doubt, daily_cap FROM pushjobs.templates") == [("optimistic", "hold", None)]


def test_an_unknown_template_has_no_pause_and_no_policy(runtime: Runtime) -> None:
    """Once the catalogue is read, a slip of the pen in a template's id is refused and not taken on trust."""
    runtime.catalogue.sync()
    for verb in (
        lambda: runtime.operations.pause(template_id="Daily-News"),
        lambda: runtime.operations.set_policies("Daily-News", daily_cap=1),
        lambda: runtime.producer.grant("oReader", "Daily-News"),
    ):
        with pytest.raises(InvalidInput, match="template_id is not in the app's catalogue"):
            verb()
    assert runtime.operations.pauses() == []


def test_a_dead_end_at_wechat_can_be_replayed(runtime: Runtime, sandbox: SandboxClient) -> None:
    """A job that WeChat answered with "system busy" to the last is dead with that code, and goes when replayed."""
    sandbox.order_fault("errcode", SEND, errcode=-1)
    schedule(runtime)
    ask(runtime, "UPDATE pushjobs.jobs SET attempts = 4")
    deliver(runtime, claim(runtime))
    job = only_job(runtime)
    assert (job.state, job.reason, job.errcode) == (JobState.DEAD, Reason.ATTEMPTS_USED_UP, -1)
    sandbox.clear_faults()
    runtime.operations.replay([job.id])
    deliver(runtime, claim(runtime))
    assert only_job(runtime).state is JobState.SENT
