"""How answers are gathered: who waits for whom, and how many jobs may be out."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import pytest

from pushjobs.delivery.calling import Answer
from pushjobs.delivery.settle import Settlement
from pushjobs.delivery.settler import Settler, _slices
from pushjobs.domain.events import Event, SettleBroke
from pushjobs.domain.job import JobId, Lane
from pushjobs.domain.outcome import Sent
from tests.unit.delivery.test_breakers import JOB

SLICE = 10


class Written:
    """Takes slices as the database would, and can be held up or broken."""

    def __init__(self) -> None:
        self.slices: list[tuple[int, Lane, list[int]]] = []
        self.may_write = threading.Event()
        self.may_write.set()
        self.fault: Exception | None = None

    def settle(self, app_no: int, lane: Lane, answers: Sequence[Answer]) -> None:
        """Write a slice."""
        self.may_write.wait()
        if self.fault is not None:
            raise self.fault
        self.slices.append((app_no, lane, [answer.job.id for answer in answers]))


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def not_called() -> list[tuple[int, int]]:
    return []


@pytest.fixture
def settler(written: Written, told: list[Event], not_called: list[tuple[int, int]]) -> Iterator[Settler]:
    """A settler of slices of ten."""

    def put_back(app_no: int, calls: int) -> None:
        not_called.append((app_no, calls))

    made = Settler(cast("Settlement", written), slice_size=SLICE, not_called=put_back, emit=told.append)
    yield made
    written.may_write.set()
    made.close()


def answer(number: int, *, app_no: int = 1, lane: Lane = Lane.BULK, user: int | None = None) -> Answer:
    """Give a job's answer; each to another user unless one is named."""
    recipient = (number if user is None else user).to_bytes(16, "big")
    charge = replace(JOB.charge, app_no=app_no, recipient=recipient)
    return Answer(job=replace(JOB, id=JobId(number), lane=lane, charge=charge), outcome=Sent(), called_at=1.0, calls=1)


def come_back(settler: Settler, answers: Sequence[Answer]) -> None:
    """Let jobs leave and come back."""
    settler.expect(len(answers))
    for each in answers:
        settler.left()
        settler.hand_in(each)


def test_a_lone_answer_waits_for_nobody(settler: Settler, written: Written) -> None:
    """When nobody else is out, an answer is settled by itself."""
    come_back(settler, [answer(1)])
    settler.finish()
    assert written.slices == [(1, Lane.BULK, [1])]


def test_what_has_come_in_is_settled_together(settler: Settler, written: Written) -> None:
    """While one slice is being written, the next answers gather into another."""
    written.may_write.clear()
    come_back(settler, [answer(1)])
    come_back(settler, [answer(number) for number in range(2, 12)])
    written.may_write.set()
    settler.finish()
    assert sorted(number for _, _, numbers in written.slices for number in numbers) == list(range(1, 12))
    assert len(written.slices) <= 2


def test_a_slow_answer_holds_nobody_up(settler: Settler, written: Written) -> None:
    """Answers are settled though another of their slice is not there yet."""
    settler.expect(3)
    for number in (1, 2):
        settler.hand_in(answer(number))
    assert _comes_true(lambda: bool(written.slices))
    assert written.slices == [(1, Lane.BULK, [1, 2])]
    settler.hand_in(answer(3))
    settler.finish()


def test_apps_lanes_and_a_user_s_second_answer_are_written_apart() -> None:
    """One transaction holds one app's one lane, and each user once."""
    answers = [
        answer(1, user=7),
        answer(2, user=7),
        answer(3, app_no=2),
        answer(4, lane=Lane.URGENT),
        answer(5),
    ]
    assert [[each.job.id for each in together] for together in _slices(answers)] == [[1, 5], [2], [3], [4]]


def test_room_is_for_those_who_have_not_left_and_those_who_are_out(settler: Settler, written: Written) -> None:
    """No slice is admitted while half a slice still waits to leave, nor while four slices are out."""
    assert settler.has_room(within=0)
    settler.expect(SLICE)
    assert not settler.has_room(within=0)
    for _ in range(SLICE // 2):
        settler.left()
    assert settler.has_room(within=0)
    for _ in range(SLICE // 2):
        settler.left()
    for _ in range(3 * SLICE):
        settler.expect(1)
        settler.left()
    assert not settler.has_room(within=0)
    written.may_write.clear()
    for number in range(SLICE):
        settler.hand_in(answer(number))
    assert not settler.has_room(within=0)  # not settled yet
    written.may_write.set()
    assert settler.has_room(within=5)
    for number in range(SLICE, 4 * SLICE):
        settler.hand_in(answer(number))


def test_calls_that_were_not_made_are_told(settler: Settler, not_called: list[tuple[int, int]]) -> None:
    """The allowance hears how many calls of a slice were not made, less those that were made twice."""
    come_back(settler, [replace(answer(1), called_at=None, calls=0), answer(2), replace(answer(3), calls=2), answer(4)])
    settler.finish()
    assert sum(calls for _, calls in not_called) == 0
    come_back(settler, [replace(answer(5), called_at=None, calls=0)])
    settler.finish()
    assert sum(calls for _, calls in not_called) == 1


def test_a_fault_of_ours_ends_one_slice_only(settler: Settler, written: Written, told: list[Event]) -> None:
    """An error in settling is told, and the next answers are settled all the same."""
    written.fault = ValueError("ours")
    come_back(settler, [answer(1)])
    settler.finish()
    assert told == [SettleBroke(app_no=1, lane=Lane.BULK, jobs=1, fault="ValueError")]
    written.fault = None
    come_back(settler, [answer(2)])
    settler.finish()
    assert written.slices == [(1, Lane.BULK, [2])]


def _comes_true(condition: Callable[[], bool]) -> bool:
    """Wait for something that another thread does."""
    waiting = threading.Condition()
    with waiting:
        for _ in range(500):
            if condition():
                return True
            waiting.wait(0.01)
    return False
