"""Chapter 2: find what was asked for, take it back, move it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

import pushjobs
from pushjobs.sandbox.catalogue import APPOINTMENT
from tests.story.conftest import Phones

FAR_OFF = "2040-12-01 08:00:00"


def appointment(push: pushjobs.Producer, user: str, reference: str = "YY00000001") -> pushjobs.Job:
    """Remind a user of an appointment in the far future."""
    data = {"thing1": "洗牙", "date2": "2040年12月1日 09:30", "thing3": "人民路 18 号", "name4": "王小明"}
    return push.send(touser=user, template_id=APPOINTMENT, data=data, time=FAR_OFF, reference=reference)


def test_a_push_is_found_by_the_caller_s_own_number(push: pushjobs.Producer, user: str) -> None:
    """A `reference`, such as an order's number, finds the jobs that were made for it; so does the user."""
    reference = f"YY{uuid4().hex[:8]}"
    first = appointment(push, user, reference=reference)
    second = appointment(push, user)

    assert [job.id for job in push.find(reference=reference)] == [first.id]
    assert [job.id for job in push.find(touser=user)] == [second.id, first.id]
    push.cancel(touser=user)


def test_a_push_is_taken_back(push: pushjobs.Producer, user: str) -> None:
    """What nobody has begun to send can be cancelled, once."""
    job = appointment(push, user)

    assert push.cancel(job.id) == 1
    assert push.get(job.id).state is pushjobs.JobState.CANCELLED
    with pytest.raises(pushjobs.errors.NotPossible, match="is cancelled"):
        push.cancel(job.id)


def test_everything_for_a_user_is_taken_back(push: pushjobs.Producer, user: str) -> None:
    """`cancel` takes what `find` takes: here, all that still waits for one user."""
    for _ in range(3):
        appointment(push, user)

    assert push.cancel(touser=user) == 3
    assert {job.state for job in push.find(touser=user)} == {pushjobs.JobState.CANCELLED}


def test_a_push_is_moved(push: pushjobs.Producer, phones: Phones, user: str) -> None:
    """A job that waits for 2040 is moved to the next second, and arrives; its history tells of the move."""
    job = appointment(push, user)
    moved = push.reschedule(job.id, time=datetime.now(UTC) + timedelta(seconds=1))

    assert moved.id == job.id
    assert moved.expires - moved.time == job.expires - job.time
    assert phones.wait_for(user)["data"]["thing1"] == {"value": "洗牙"}
    assert [happening.transition for happening in push.history(job.id)] == ["reschedule"]
