"""How much a process of the doors takes on: bounded places, given back whatever happens."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from pushjobs.http.v1.capacity import Capacity
from pushjobs.http.v1.problems import OVERLOADED, Refused
from pushjobs.telemetry.asking import ASKING, Asking


def test_a_place_is_taken_by_one_and_given_back() -> None:
    """While all are taken the next is refused at once; one that is given back, by an exception too, is free again."""
    capacity = Capacity(at_once=1, large_at_once=1, long_at_once=1)

    def take_two(place: Callable[[], AbstractContextManager[None]]) -> None:
        with place(), place():
            pytest.fail("two have the one place")

    for place in (capacity.place, capacity.large_place, capacity.long_place):
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                take_two(place)
            assert refused.value.kind is OVERLOADED
    capacity.close()


async def test_a_batch_keeps_no_single_request_waiting() -> None:
    """What blocks for a large body, or for long, blocks a thread of its own; the others go on."""
    capacity = Capacity()
    names = [await capacity.run(threading.current_thread, is_large=is_large) for is_large in (False, True)]
    names.append(await capacity.run(threading.current_thread, is_long=True))
    assert [name.name.rpartition("_")[0] for name in names] == ["v1", "v1-large", "v1-long"]
    capacity.close()


async def test_a_thread_knows_what_it_works_for() -> None:
    """What is done in a thread is done for the request that it was asked in, and says so in the log."""
    capacity = Capacity()
    asked = ASKING.set(Asking(request_id="a1"))
    known = await capacity.run(ASKING.get)
    ASKING.reset(asked)
    assert known == Asking(request_id="a1")
    assert await capacity.run(ASKING.get) is None
    capacity.close()
