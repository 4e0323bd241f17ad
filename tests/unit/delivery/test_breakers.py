"""When WeChat counts as down, as one process sees it."""

from collections.abc import Sequence
from datetime import date

import pytest

from pushjobs.delivery.admission import Admitted
from pushjobs.delivery.breakers import Breakers
from pushjobs.delivery.calling import Answer
from pushjobs.delivery.charging import Charge
from pushjobs.domain.job import JobId, Lane, Reason
from pushjobs.domain.message import Content, Message
from pushjobs.domain.outcome import Outcome, Refused, Retry, Sent, Unknown
from pushjobs.pace import Slot

SENT, SILENT = Sent(msgid=1), Unknown(what="ReadTimeout")
REFUSED = Refused(errcode=43101, reason=Reason.NO_CONSENT)
JOB = Admitted(
    id=JobId(1),
    release_no=1,
    attempts=0,
    appid="wxapp",
    template_no=1,
    faults_in_a_row=0,
    message=Message(touser="oUser", content=Content(template_id="tpl", data=())),
    charge=Charge(app_no=1, recipient=b"r", template_no=1, day=date(2026, 12, 1), credit_held=False, is_capped=False),
    slot=Slot(opens=0.0, closes=0.0),
    admitted_at=0.0,
    not_before=0.0,
    call_by=0.0,
    lane=Lane.BULK,
    is_probe=False,
)


def weigh(breakers: Breakers, outcomes: Sequence[Outcome | None]) -> bool:
    """Weigh a slice whose calls left in this order."""
    return breakers.weigh([Answer(job=JOB, outcome=each, called_at=float(n)) for n, each in enumerate(outcomes)])


@pytest.fixture
def breakers() -> Breakers:
    """Those of a process that has called nobody yet."""
    return Breakers(faults_in_a_row=10, emit=lambda _: None)


@pytest.mark.parametrize("silent", [SILENT, Retry(never_left=True)], ids=str)
def test_five_silences_in_a_row_are_an_outage(breakers: Breakers, silent: Outcome) -> None:
    """Four unknown or unsent calls are bad luck, a fifth makes it an outage, over slices too; then it starts afresh."""
    assert not weigh(breakers, [silent] * 4)
    assert weigh(breakers, [silent])
    assert not weigh(breakers, [silent] * 4)


@pytest.mark.parametrize("answer", [SENT, REFUSED, Retry(errcode=-1)], ids=str)
def test_any_answer_interrupts_the_row(breakers: Breakers, answer: Outcome) -> None:
    """WeChat that refuses, or says it is busy, is not down."""
    assert not weigh(breakers, [SILENT, SILENT, SILENT, SILENT, answer, SILENT, SILENT, SILENT, SILENT])


def test_a_fifth_of_the_last_hundred_is_an_outage(breakers: Breakers) -> None:
    """Nineteen silences of a hundred are not, twenty are, however they are spread; fewer calls say nothing."""
    spread: list[Outcome] = [SILENT, SENT, SENT, SENT, SENT]
    assert not weigh(breakers, spread * 19 + [SENT] * 5)
    assert weigh(breakers, spread * 20)
    assert not weigh(breakers, spread * 19)


def test_what_was_never_called_says_nothing(breakers: Breakers) -> None:
    """Jobs handed back uncalled are no silence of WeChat's, and no answer."""
    assert not weigh(breakers, [SILENT] * 4 + [None] * 50)
    assert weigh(breakers, [SILENT])
