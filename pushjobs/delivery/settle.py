"""Settle: what each answer means for its job, and one transaction that writes a slice's answers.

The mapping is pure (`move_for`). The writing is repeated until it commits: a restart of the database must not turn
answers we know into doubts. Should the first try have committed unnoticed, the second finds the rows moved on, changes
nothing, and leaves a note in the history.
"""

import itertools
import random
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from pushjobs import clock
from pushjobs.delivery.calling import Answer
from pushjobs.domain.backoff import MAX_ATTEMPTS, retry_delay
from pushjobs.domain.events import SettleRepeated, SliceSettled
from pushjobs.domain.job import Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.moment import SHANGHAI, next_midnight, next_minute
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
from pushjobs.errors import Unreachable
from pushjobs.store import moves, slices
from pushjobs.store.database import Database
from pushjobs.store.moves import Move
from pushjobs.telemetry import Emit

__all__ = ["Settlement", "move_for"]

_NEVER_LEFT_SECONDS = 5.0
_TOKEN_SECONDS = 10.0
_FATAL_SECONDS = 60.0
_SPREAD_SECONDS = 600.0
_SECONDS_OF_A_MINUTE = 10.0
_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)
_LONGEST_PAUSE = 2.0
_pause = threading.Event().wait


class Settlement:
    """Writes slices' answers; one a process."""

    def __init__(self, database: Database, *, emit: Emit) -> None:
        self._database = database
        self._emit = emit

    def settle(self, app_no: int, lane: Lane, answers: Sequence[Answer], *, since: float) -> None:
        """Write the answers; come back only when they are committed. `since`: when the slice was admitted."""
        now = clock.now()
        made = [move_for(answer, now=now, draw=random.random()) for answer in answers]  # noqa: S311 - jitter
        for pause in itertools.chain(_PAUSES, itertools.repeat(_LONGEST_PAUSE)):
            try:
                late = self._write(app_no, lane, made)
            except Unreachable as error:
                fault = type(error).__name__
                self._emit(SettleRepeated(app_no=app_no, lane=lane, jobs=len(made), fault=fault))
                _pause(pause)
            else:
                break
        counted = Counter(move.transition for move in made)
        seconds = clock.monotonic() - since
        self._emit(SliceSettled(app_no=app_no, lane=lane, moves=counted, late=late, seconds=seconds))

    def _write(self, app_no: int, lane: Lane, made: Sequence[Move]) -> int:
        with self._database.transaction() as connection:
            moved = moves.apply(connection, made)
            late = [move for move in made if move.id not in moved]
            moves.note_late(connection, late)
            slices.note_settled(connection, app_no=app_no, lane=lane, jobs=len(moved))
        return len(late)


def move_for(  # noqa: C901, PLR0911, PLR0912 - one arm an outcome
    answer: Answer, *, now: datetime, draw: float
) -> Move:
    """Say what an answer makes of its job. `now` places clock minutes and days; `draw` in [0, 1) is the jitter."""
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
            wait = (next_minute(now) - now).total_seconds() + _SECONDS_OF_A_MINUTE * draw
            return _later(answer, Transition.DEFER, Reason.SLOW_DOWN, wait, errcode)
        case SlowDown(errcode=errcode, seconds=seconds):
            return _later(answer, Transition.DEFER, Reason.SLOW_DOWN, seconds * (1 + draw), errcode)
        case DayOver(errcode=errcode):
            wait = (next_midnight(now, SHANGHAI) - now).total_seconds() + _SPREAD_SECONDS * draw
            return _later(answer, Transition.DEFER, Reason.DAY_OVER, wait, errcode)
        case Refused(errcode=errcode, reason=reason):
            return _closed(answer, Transition.REJECT, reason, errcode)
        case TemplateFault(errcode=errcode):
            return _closed(answer, Transition.REJECT, Reason.TEMPLATE_FAULT, errcode)
        case Fatal(errcode=errcode, hold_seconds=hold):
            return _again(answer, Reason.APP_FAULT, hold or _FATAL_SECONDS * (1 + draw), errcode)
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
        # Not beyond the deadline: there the job expires, and its owner should hear of that then, not later.
        due_in=min(wait, max(answer.job.expires_in, 0.0)),
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
