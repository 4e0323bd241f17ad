"""Every row of the table of WeChat's codes, ordered at the sandbox and looked up in the job it leaves."""

from typing import assert_never

from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.outcome import (
    DayOver,
    Fatal,
    Outcome,
    Refused,
    Retry,
    Sent,
    SlowDown,
    TemplateFault,
    Token,
    Unknown,
)
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.wechat.errcodes import ERRCODES
from tests.integration.hands import SEND, admit, ask, call, claim, schedule, settle

UNLISTED = 99999


def ends_as(outcome: Outcome) -> tuple[JobState, Reason | None]:  # noqa: PLR0911 - one return a kind
    """What an outcome makes of a job at its first attempt, in the words of the design."""
    match outcome:
        case Sent():
            return JobState.SENT, None
        case Retry():
            return JobState.SCHEDULED, Reason.RETRY
        case Token():
            return JobState.SCHEDULED, Reason.TOKEN
        case SlowDown():
            return JobState.SCHEDULED, Reason.SLOW_DOWN
        case DayOver():
            return JobState.SCHEDULED, Reason.DAY_OVER
        case Refused(reason=reason):
            return JobState.REFUSED, reason
        case TemplateFault():
            return JobState.REFUSED, Reason.TEMPLATE_FAULT
        case Fatal():
            return JobState.SCHEDULED, Reason.APP_FAULT
        case Unknown():
            return JobState.IN_DOUBT, Reason.UNKNOWN_OUTCOME
        case _:
            assert_never(outcome)


def test_every_code_ends_its_job_as_its_row_says(worker: Runtime, sandbox: SandboxClient) -> None:
    """Each listed code leads to its outcome's state and reason, and one nobody listed refuses its job."""
    codes = [*ERRCODES, UNLISTED]
    sandbox.change_settings(per_day=0)  # so that WeChat stands by "the day is over" when it is asked
    for code in codes:
        sandbox.order_fault("errcode", SEND | {"touser": f"oCode{code}"}, errcode=code)
        schedule(worker, touser=f"oCode{code}", reference=str(code))
    settle(worker, call(worker, admit(worker, claim(worker))))

    rows = ask(worker, "SELECT reference, errcode, state, reason FROM pushjobs.jobs")
    assert {int(reference): errcode for reference, errcode, _, _ in rows} == {code: code for code in codes}
    assert {int(reference): (state, reason) for reference, _, state, reason in rows} == {
        **{code: ends_as(row.outcome) for code, row in ERRCODES.items()},
        UNLISTED: (JobState.REFUSED, Reason.UNLISTED_CODE),
    }
    # Codes of the token kind are called a second time, with a token renewed; everything else is called once.
    tokens = sum(isinstance(row.outcome, Token) for row in ERRCODES.values())
    assert sandbox.summary().received == len(codes) + tokens
