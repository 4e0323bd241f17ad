"""Breakers: what a slice's answers say about the template, the app and WeChat itself, beyond their own jobs.

A broken template must not burn a million calls, and an app whose account is blocked none at all: what is opened here
is a pause in SQL, which claims and gates respect within a tick. Written in the settling transaction.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pushjobs.delivery.admission import PROBE_SECONDS
from pushjobs.delivery.calling import Answer
from pushjobs.domain.events import Paused
from pushjobs.domain.moment import SHANGHAI, next_midnight, next_minute
from pushjobs.domain.outcome import DayOver, Fatal, Outcome, Retry, Sent, SlowDown, TemplateFault, Unknown
from pushjobs.domain.pause import PauseReason
from pushjobs.store import paces, pauses
from pushjobs.store import templates as stored
from pushjobs.store.database import Transaction
from pushjobs.telemetry import Emit

__all__ = ["Breakers"]

_DOWN_IN_A_ROW = 5
_DOWN_OF_THE_LAST = 20
_LAST = 100


class _Health:
    """Whether WeChat answers at all, as one process sees it: several silences in a row, or a fifth of the last ones."""

    def __init__(self) -> None:
        self._silences: deque[bool] = deque(maxlen=_LAST)
        self._in_a_row = 0

    def note(self, outcome: Outcome) -> None:
        is_silent = _is_silent(outcome)
        self._silences.append(is_silent)
        self._in_a_row = self._in_a_row + 1 if is_silent else 0

    def is_down(self) -> bool:
        """Whether to open the breaker; starts afresh once it says so."""
        is_often = len(self._silences) == _LAST and sum(self._silences) >= _DOWN_OF_THE_LAST
        if self._in_a_row < _DOWN_IN_A_ROW and not is_often:
            return False
        self._silences.clear()
        self._in_a_row = 0
        return True


@dataclass(slots=True)
class _Faults:
    """A template's faults in a slice: how many since the last that was sent, and how many in a row are enough."""

    in_a_row: int = 0
    enough: int | None = None
    was_sent: bool = False
    before: int = 0
    errcode: int | None = None


class Breakers:
    """Opens and closes pauses; one a process. `faults_in_a_row`: how many pause a template, unless a code says one."""

    def __init__(self, *, faults_in_a_row: int, emit: Emit) -> None:
        self._enough = faults_in_a_row
        self._emit = emit
        self._health = _Health()

    def weigh(self, answers: Sequence[Answer]) -> bool:
        """Take the answers into account, once; tell whether WeChat seems to be down."""
        for answer in sorted(answers, key=_left):
            if answer.outcome is not None:
                self._health.note(answer.outcome)
        return self._health.is_down()

    def note(
        self, connection: Transaction, app_no: int, answers: Sequence[Answer], now: datetime, *, is_down: bool
    ) -> None:
        """Write a slice's conclusions; may be repeated until it commits."""
        told = [(answer, answer.outcome) for answer in sorted(answers, key=_left) if answer.outcome is not None]
        self._note_templates(connection, app_no, told)
        self._note_app(connection, app_no, [outcome for _, outcome in told], now)
        if is_down:
            self._pause(connection, app_no, PauseReason.WECHAT_DOWN, probe_in=PROBE_SECONDS)
        elif any(answer.job.is_probe and not _is_silent(outcome) for answer, outcome in told):
            # A refusal is an answer too: WeChat is back.
            pauses.lift_breaker(connection, app_no, PauseReason.WECHAT_DOWN)

    def _note_templates(self, connection: Transaction, app_no: int, told: Iterable[tuple[Answer, Outcome]]) -> None:
        seen: dict[int, _Faults] = {}
        for answer, outcome in told:
            faults = seen.setdefault(answer.job.template_no, _Faults(before=answer.job.faults_in_a_row))
            if isinstance(outcome, Sent):
                faults.was_sent, faults.in_a_row = True, 0
            elif isinstance(outcome, TemplateFault):
                faults.in_a_row += 1
                faults.errcode = outcome.errcode
                faults.enough = min(faults.enough or self._enough, outcome.in_a_row or self._enough)
        for template_no, faults in sorted(seen.items()):
            # The usual case, nothing wrong now and nothing before, costs no statement.
            if faults.in_a_row or (faults.was_sent and faults.before):
                total = stored.count_faults(connection, template_no, faults.in_a_row, starts_anew=faults.was_sent)
                if total >= (faults.enough or self._enough):
                    reason = PauseReason.TEMPLATE_FAULT
                    self._pause(connection, app_no, reason, template_no=template_no, errcode=faults.errcode)
                    stored.count_faults(connection, template_no, 0, starts_anew=True)

    def _note_app(self, connection: Transaction, app_no: int, outcomes: Sequence[Outcome], now: datetime) -> None:
        seen: set[PauseReason] = set()
        for outcome in outcomes:
            more: dict[str, object]
            match outcome:
                case Fatal(errcode=errcode, hold_seconds=hold):
                    reason, more = PauseReason.APP_FAULT, {"errcode": errcode, "until_in": hold}
                case DayOver(errcode=errcode):
                    reason = PauseReason.DAY_OVER
                    more = {"errcode": errcode, "until": next_midnight(now, SHANGHAI)}
                case SlowDown(errcode=errcode, to_next_minute=True):
                    reason, more = PauseReason.SLOW_DOWN, {"errcode": errcode, "until": next_minute(now)}
                case SlowDown():
                    paces.slow_down(connection, app_no)
                    continue
                case _:
                    continue
            if reason not in seen:
                seen.add(reason)
                self._pause(connection, app_no, reason, **more)

    def _pause(self, connection: Transaction, app_no: int, reason: PauseReason, **more: object) -> None:
        if pauses.pause(connection, app_no, reason, **more):
            template_no = more.get("template_no")
            self._emit(
                Paused(
                    app_no=app_no,
                    template_no=template_no if isinstance(template_no, int) else None,
                    reason=reason,
                )
            )


def _is_silent(outcome: Outcome) -> bool:
    return isinstance(outcome, Unknown) or (isinstance(outcome, Retry) and outcome.never_left)


def _left(answer: Answer) -> float:
    return answer.called_at or 0.0
