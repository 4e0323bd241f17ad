"""Slots on the production event loop: never early, never late."""

import asyncio
import math
from collections.abc import Callable
from threading import Event

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from pushjobs import clock
from pushjobs.errors import InvalidInput
from pushjobs.pace import Grant, Limit, Slot


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on uvloop, as the workers do."""
    return {"uvloop": uvloop.new_event_loop}


def slot_in(seconds: float, *, valid_for: float = 0.020) -> Slot:
    opens = clock.monotonic() + seconds
    return Slot(opens=opens, closes=opens + valid_for)


async def test_never_early() -> None:
    """Of many slots in a short while none is used before it opens."""

    async def early(slot: Slot) -> float:
        await slot.reached()
        return slot.opens - clock.monotonic()

    waits = [early(slot_in(0.0003 * number)) for number in range(300)]
    assert max(await asyncio.gather(*waits)) <= 0


async def test_in_time() -> None:
    """A slot that has just opened is used at once."""
    assert await slot_in(-0.001, valid_for=1).reached()


async def test_forfeited() -> None:
    """12.6 A slot that has closed is not used, even by one microsecond."""
    assert not await slot_in(-0.020).reached()


async def test_forfeited_by_a_stall() -> None:
    """A loop that was blocked beyond the slot's end lets it go."""
    slot = slot_in(0.005)
    waiting = asyncio.create_task(slot.reached())
    await asyncio.sleep(0)
    Event().wait(0.030)
    assert not await waiting


def test_slots_of_a_grant() -> None:
    """A grant's slots are a spacing apart and valid as long as it says; there are as many as it says."""
    grant = Grant(first=100.0, spacing=0.5, count=3, valid_for=0.015)
    assert [grant.slot(index).opens for index in range(3)] == [100.0, 100.5, 101.0]
    assert grant.slot(2).closes == 101.015
    for index in (-1, 3):
        with pytest.raises(IndexError, match="3 slots"):
            grant.slot(index)


@given(st.integers(1, 100_000))
def test_a_second_has_room(per_second: int) -> None:
    """12.6 Slots that are each up to 20 ms late still fit into a sliding second, at any limit."""
    assert math.floor(1.020 / Limit(per_second=per_second, urgent_share=0).spacing) + 1 <= per_second


@pytest.mark.parametrize("per_second", [0, -1, 100_001, math.inf, math.nan])
def test_absurd_limits(per_second: float) -> None:
    """A limit is a number above 0 that a machine can keep."""
    with pytest.raises(InvalidInput, match="per_second is"):
        Limit(per_second=per_second, urgent_share=0.2)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_absurd_shares(share: float) -> None:
    """A share is part of a whole."""
    with pytest.raises(InvalidInput, match="urgent_share is"):
        Limit(per_second=50, urgent_share=share)
