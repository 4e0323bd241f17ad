"""The consent ledger: what a send takes from it, what its answer makes of that, and what WeChat teaches it."""

from datetime import UTC, datetime

import pytest

from pushjobs import clock
from pushjobs.domain.consent import Consent, ConsentPolicy
from pushjobs.domain.job import JobState, Reason
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.store import consents, templates
from tests.integration.hands import (
    SEND,
    admit,
    ask,
    call,
    claim,
    deliver,
    end_leases,
    let_due,
    only_job,
    schedule,
    settle,
)

Ledger = tuple[int, int, bool]
NOTHING: Ledger = (0, 0, False)


def key(worker: Runtime) -> consents.Key:
    """The recipient and template of the jobs of the test's one user."""
    [(recipient, template_no)] = ask(worker, "SELECT DISTINCT recipient, template_no FROM pushjobs.jobs")
    return bytes(recipient), template_no


def grant(worker: Runtime, credits_: int = 1, *, is_standing: bool = False) -> None:
    """Give the test's one user credits or a standing consent."""
    with worker.database.transaction() as connection:
        consents.grant(connection, 1, [key(worker)], credits=credits_, is_standing=is_standing)


def require(worker: Runtime, policy: ConsentPolicy = ConsentPolicy.REQUIRE) -> None:
    """Send the template's messages by this policy from now on."""
    with worker.database.transaction() as connection:
        templates.set_policies(connection, key(worker)[1], consent=policy)


def ledger(worker: Runtime) -> Ledger | None:
    """Credits, held ones and whether there is a standing consent; None where the ledger knows nothing."""
    recipient, template_no = key(worker)
    with worker.database.transaction() as connection:
        known: Consent | None = consents.read(connection, 1, recipient).get(template_no)
    return None if known is None else (known.credits, known.held, known.is_standing)


def test_a_credit_is_one_message(worker: Runtime, sandbox: SandboxClient) -> None:
    """Two credits send two of three messages; the third is refused without a call."""
    schedule(worker)
    grant(worker, 2)
    for _ in range(3):
        deliver(worker, claim(worker))
        schedule(worker)
    assert sandbox.summary().received == 2
    assert ledger(worker) == NOTHING
    assert worker.producer.counts()[JobState.SENT] == 2
    [refused] = worker.producer.find(state="refused")
    assert refused.reason is Reason.NO_CONSENT


def test_a_standing_consent_is_never_used_up(worker: Runtime, sandbox: SandboxClient) -> None:
    """A long-term consent sends any number of messages and stays, and the credits beside it too."""
    schedule(worker)
    require(worker)
    grant(worker, 2)
    grant(worker, 0, is_standing=True)
    for _ in range(4):
        deliver(worker, claim(worker))
        schedule(worker)
    assert sandbox.summary().accepted == 4
    assert ledger(worker) == (2, 0, True)


@pytest.mark.parametrize(("policy", "calls"), [(ConsentPolicy.REQUIRE, 0), (ConsentPolicy.OPTIMISTIC, 1)])
def test_policy_judges_whom_the_ledger_does_not_know(
    worker: Runtime, sandbox: SandboxClient, policy: ConsentPolicy, calls: int
) -> None:
    """A user the ledger never heard of is called by `optimistic` and refused by `require`, and gets no entry."""
    schedule(worker)
    require(worker, policy)
    deliver(worker, claim(worker))
    assert sandbox.summary().received == calls
    assert only_job(worker).state is (JobState.SENT if calls else JobState.REFUSED)
    assert ledger(worker) is None


def test_43101_teaches_of_a_user_nobody_knew(worker: Runtime, sandbox: SandboxClient) -> None:
    """Once WeChat has refused an unknown user, no second call is made until the user says yes again."""
    sandbox.order_fault("errcode", SEND, errcode=43101, times=1)
    for _ in range(2):
        schedule(worker)
        deliver(worker, claim(worker))
    assert ledger(worker) == NOTHING
    assert sandbox.summary().received == 1
    grant(worker)
    schedule(worker)
    deliver(worker, claim(worker))
    assert sandbox.summary().accepted == 1


@pytest.mark.parametrize("is_standing", [False, True])
def test_43101_empties_what_was_given_before_the_call(
    worker: Runtime, sandbox: SandboxClient, is_standing: bool
) -> None:
    """WeChat's refusal takes away every credit and the standing consent: it is the truth."""
    sandbox.order_fault("errcode", SEND, errcode=43101)
    schedule(worker)
    grant(worker, 3, is_standing=is_standing)
    deliver(worker, claim(worker))
    assert ledger(worker) == NOTHING


@pytest.mark.parametrize("is_standing", [False, True])
def test_43101_leaves_what_was_given_after_the_call(worker: Runtime, sandbox: SandboxClient, is_standing: bool) -> None:
    """12.17 A yes that came in while the refusal was under way survives it."""
    sandbox.order_fault("errcode", SEND, errcode=43101)
    schedule(worker)
    grant(worker, 3)
    answers = call(worker, admit(worker, claim(worker)))
    grant(worker, int(not is_standing), is_standing=is_standing)
    settle(worker, answers)
    left = ledger(worker)
    assert left is not None
    assert left[1:] == (0, is_standing)
    assert left[0] <= 1


def test_a_held_credit_makes_the_next_job_wait(worker: Runtime, sandbox: SandboxClient) -> None:
    """While the last credit is held by a call, another job is neither called nor refused, and waits a second."""
    schedule(worker)
    grant(worker)
    admitted = admit(worker, claim(worker))
    assert ledger(worker) == (1, 1, False)
    ask(worker, "UPDATE pushjobs.recipients SET in_flight_until = NULL")  # the rule before this one
    schedule(worker, reference="second")
    assert admit(worker, claim(worker)) == []
    [second] = worker.producer.find(reference="second")
    assert (second.state, second.reason) == (JobState.SCHEDULED, Reason.CONSENT_HELD)
    assert 0.0 < (second.due_at - clock.now()).total_seconds() <= 1.0
    settle(worker, call(worker, admitted))
    let_due(worker)
    deliver(worker, claim(worker))
    assert worker.producer.get(second.id).reason is Reason.NO_CONSENT
    assert sandbox.summary().received == 1


@pytest.mark.parametrize("errcode", [-1, 45011, 40003, 47003, 48001])
def test_a_credit_that_was_not_used_comes_back(worker: Runtime, sandbox: SandboxClient, errcode: int) -> None:
    """An answer that sent nothing gives the credit back, whether the job comes again or is refused."""
    sandbox.order_fault("errcode", SEND, errcode=errcode)
    schedule(worker)
    grant(worker)
    deliver(worker, claim(worker))
    assert sandbox.summary().received == 1
    assert ledger(worker) == (1, 0, False)


def test_a_doubt_keeps_its_credit(worker: Runtime, sandbox: SandboxClient) -> None:
    """A message that may have arrived has used its credit."""
    sandbox.order_fault("drop_after_read", SEND)
    schedule(worker)
    grant(worker, 2)
    deliver(worker, claim(worker))
    assert only_job(worker).state is JobState.IN_DOUBT
    assert ledger(worker) == (1, 0, False)


@pytest.mark.parametrize(("errcode", "left"), [(None, (1, 0, False)), (-1, (2, 0, False)), (43101, NOTHING)])
def test_a_late_answer_puts_the_ledger_right(
    worker: Runtime, sandbox: SandboxClient, errcode: int | None, left: Ledger
) -> None:
    """12.3 A call given up for dead has used its credit; its answer, when it comes, says whether it had."""
    if errcode:
        sandbox.order_fault("errcode", SEND, errcode=errcode)
    schedule(worker)
    grant(worker, 2)
    answers = call(worker, admit(worker, claim(worker)))
    end_leases(worker)
    worker.upkeep.rescue()
    assert ledger(worker) == (1, 0, False)
    for _ in range(2):  # the second time nothing moves
        settle(worker, answers)
    assert ledger(worker) == left


def test_a_cancelled_job_never_held_a_credit(worker: Runtime, sandbox: SandboxClient) -> None:
    """What never came to admission has nothing to give back."""
    schedule(worker)
    grant(worker)
    batch = claim(worker)
    worker.producer.cancel(only_job(worker).id)
    deliver(worker, batch)
    assert ledger(worker) == (1, 0, False)
    assert sandbox.summary().received == 0


def test_grants_are_dated(worker: Runtime) -> None:
    """The ledger knows when the latest yes was said: a refusal is compared with it."""
    schedule(worker)
    grant(worker)
    [(granted_at,)] = ask(worker, "SELECT granted_at FROM pushjobs.consents")
    assert abs((granted_at - datetime.now(UTC)).total_seconds()) < 5.0
