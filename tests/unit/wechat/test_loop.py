"""The event loop that always runs."""

import asyncio
from collections.abc import Iterator
from threading import current_thread

import pytest

from pushjobs.wechat.loop import LoopThread


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    loop.start()
    yield loop
    loop.close()


def test_run(loop: LoopThread) -> None:
    """A coroutine runs in the loop's thread, and its result or its exception comes back."""

    async def where() -> str:
        return current_thread().name

    async def fail() -> None:
        raise LookupError("gone")

    assert loop.run(where()) == "pushjobs-loop"
    with pytest.raises(LookupError, match="gone"):
        loop.run(fail())


def test_it_always_runs(loop: LoopThread) -> None:
    """What was started goes on while nobody waits."""
    is_done = asyncio.Event()

    async def finish_later() -> None:
        asyncio.get_running_loop().call_later(0.01, is_done.set)

    loop.run(finish_later())
    assert loop.run(is_done.wait())


def test_close_cancels() -> None:
    """Closing cancels what still runs; closing again, or without having started, does nothing."""
    loop = LoopThread()
    loop.close()
    loop.start()
    endless = loop.submit(asyncio.Event().wait())
    loop.close()
    loop.close()
    assert endless.cancelled()


def test_calm_waits_for_what_it_cancels(loop: LoopThread) -> None:
    """Whoever closes what coroutines use finds them ended, their last words spoken; the loop goes on."""
    said: list[str] = []

    async def speak_last() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            said.append("bye")

    loop.submit(speak_last())
    loop.run(asyncio.sleep(0))
    loop.calm()
    assert said == ["bye"]
    assert loop.run(asyncio.sleep(0, "on")) == "on"
