"""Settle: what each answer means for its job, and one transaction that writes a slice's answers.

The mapping is pure (`move_for`). The writing is repeated until it commits: a restart of the database must not turn
answers we know into doubts. Should the first try have committed unnoticed, the second finds the rows moved on, changes
nothing, and leaves a note in the history.
"""

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from pushjobs import clock
from pushjobs.delivery import charging
from pushjobs.delivery.breakers import Breakers
from pushjobs.delivery.calling import Answer
from pushjobs.delivery.charging import Over
from pushjobs.domain.backoff import MAX_ATTEMPTS, retry_delay
from pushjobs.domain.events import SettleRepeated, SliceSettled
from pushjobs.domain.job import JobState, Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.outcome import (
    DayOver,
    Fatal,
    Refused,
    Retry,
    Sent,
    SlowDown,
    TemplateFault,
    Token,
    Unknown,
)
from pushjobs.domain.steps import Called, SliceWritten
from pushjobs.errors import Unreachable
from pushjobs.store import moves
from pushjobs.store.database import Database
from pushjobs.store.moves import Move
from pushjobs.telemetry import Emit, follow

__all__ = ["Settlement", "move_for"]

_NEVER_LEFT_SECONDS = 5.0
_TOKEN_SECONDS = 10.0
_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)
_LONGEST_PAUSE = 2.0


class Settlement:
    """Writes slices' answers; one a process."""

    def __init__(self, database: Database, breakers: Breakers, *, emit: Emit) -> None:
        self._database = database
        self._breakers = breakers
        self._emit = emit

    def settle(self, app_no: int, lane: Lane, answers: Sequence[Answer]) -> None:
        """Write the answers of different users; come back only when they are committed."""
        now, since = clock.now(), clock.monotonic()
        made = [move_for(answer, draw=random.random()) for answer in answers]  # noqa: S311 - jitter
        is_down = self._breakers.weigh(answers)
        for pause in itertools.chain(_PAUSES, itertools.repeat(_LONGEST_PAUSE)):
            try:
                late = self._write(app_no, answers, made, now, is_down=is_down)
            except Unreachable as error:
                fault = type(error).__name__
                self._emit(SettleRepeated(app_no=app_no, lane=lane, jobs=len(made), fault=fault))
                clock.pause(pause)
            else:
                break
        counted = Counter(move.transition for move in made)
        seconds = clock.monotonic() - min(answer.job.admitted_at for answer in answers)
        self._emit(SliceSettled(app_no=app_no, lane=lane, moves=counted, late=late, seconds=seconds))
        follow(lambda: _written(lane, answers, made, since))

    def _write(
        self,
        app_no: int,
        answers: Sequence[Answer],
        made: Sequence[Move],
        now: datetime,
        *,
        is_down: bool,
    ) -> int:
        with self._database.transaction() as connection:
            moved = moves.apply(connection, made)
            # Charges follow the rows that moved, and only those (fine print 12.3).
            charging.settle(
                connection,
                app_no,
                [
                    _over(answer, move, moved[move.id], now)
                    for answer, move in zip(answers, made, strict=True)
                    if move.id in moved
                ],
            )
            self._breakers.note(connection, app_no, answers, now, is_down=is_down)
            late = [move for move in made if move.id not in moved]
            moves.note_late(connection, late)
        return len(late)


def _written(lane: Lane, answers: Sequence[Answer], made: Sequence[Move], since: float) -> SliceWritten:
    jobs = (_called(answer, move) for answer, move in zip(answers, made, strict=True))
    return SliceWritten(lane=lane, jobs=jobs, since=since, at=clock.monotonic())


def _called(answer: Answer, move: Move) -> Called:
    job = answer.job
    return Called(
        id=job.id,
        appid=job.appid,
        template_id=job.message.content.template_id,
        attempt=job.attempts + 1,
        due=job.not_before,
        left_at=answer.called_at,
        answered_at=answer.known_at,
        transition=move.transition,
        reason=move.reason,
        errcode=move.errcode,
    )


def _over(answer: Answer, move: Move, was: JobState, now: datetime) -> Over:
    return Over(
        charge=answer.job.charge,
        was=was,
        transition=move.transition,
        is_without_consent=move.reason is Reason.NO_CONSENT,
        voids_form_id=move.reason is Reason.FORM_ID,
        called_at=now - timedelta(seconds=move.called_ago or 0.0),
    )


def move_for(  # noqa: C901, PLR0911, PLR0912 - one arm an outcome
    answer: Answer, *, draw: float
) -> Move:
    """Say what an answer makes of its job; `draw` in [0, 1) is the jitter."""
    attempt = answer.job.attempts + 1
    match answer.outcome:
        case None:
            return _later(answer, Transition.HAND_BACK, Reason.TOO_LATE_TO_CALL, 0.0)
        case Sent(msgid=msgid):
            return _closed(answer, Transition.DELIVER, msgid=msgid)
        case Retry(never_left=True):
            return _later(answer, Transition.DEFER, Reason.NOT_SENT, _NEVER_LEFT_SECONDS * (1 + draw))
        case Retry(errcode=errcode):
            return _again(answer, Reason.RETRY, retry_delay(attempt, draw=draw).total_seconds(), errcode)
        case Token(errcode=errcode):
            return _again(answer, Reason.TOKEN, _TOKEN_SECONDS * (1 + draw), errcode)
        case SlowDown(errcode=errcode, to_next_minute=True):
            # The app pauses until then; the job keeps its place in the queue.
            return _later(answer, Transition.DEFER, Reason.SLOW_DOWN, 0.0, errcode)
        case SlowDown(errcode=errcode, seconds=seconds):
            return _later(answer, Transition.DEFER, Reason.SLOW_DOWN, seconds * (1 + draw), errcode)
        case DayOver(errcode=errcode):
            return _later(answer, Transition.DEFER, Reason.DAY_OVER, 0.0, errcode)
        case Refused(errcode=errcode, reason=reason):
            return _closed(answer, Transition.REJECT, reason, errcode)
        case TemplateFault(errcode=errcode):
            return _closed(answer, Transition.REJECT, Reason.TEMPLATE_FAULT, errcode)
        case Fatal(errcode=errcode):
            return _later(answer, Transition.DEFER, Reason.APP_FAULT, 0.0, errcode)
        case Unknown():
            return _closed(answer, Transition.DOUBT, Reason.UNKNOWN_OUTCOME)
        case _:
            assert_never(answer.outcome)


def _again(answer: Answer, reason: Reason, wait: float, errcode: int | None) -> Move:
    """Count the attempt, and come back later unless it was the last one."""
    if answer.job.attempts + 1 >= MAX_ATTEMPTS:
        return _closed(answer, Transition.GIVE_UP, Reason.ATTEMPTS_USED_UP, errcode)
    return _later(answer, Transition.DEFER, reason, wait, errcode, counts=True)


def _later(
    answer: Answer,
    transition: Transition,
    reason: Reason,
    wait: float,
    errcode: int | None = None,
    *,
    counts: bool = False,
) -> Move:
    return Move(
        id=answer.job.id,
        release_no=answer.job.release_no,
        transition=transition,
        reason=reason,
        errcode=errcode,
        due_in=wait,
        called_ago=_ago(answer),
        counts=counts,
    )


def _closed(
    answer: Answer,
    transition: Transition,
    reason: Reason | None = None,
    errcode: int | None = None,
    *,
    msgid: int | None = None,
) -> Move:
    return Move(
        id=answer.job.id,
        release_no=answer.job.release_no,
        transition=transition,
        reason=reason,
        errcode=errcode,
        msgid=msgid,
        called_ago=_ago(answer),
        counts=True,
    )


def _ago(answer: Answer) -> float | None:
    return None if answer.called_at is None else clock.monotonic() - answer.called_at
