"""An event loop that always runs, in a thread of its own, for callers that are not asynchronous.

A loop that runs only while a call is under way learns too late that a server has closed its idle connections: the
next request would be written into one of them, and its outcome be unknown. This one notices at once.

Refuses to: exist before it is started (a thread does not survive a fork: start it in the child), share its loop.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import uvloop

__all__ = ["LoopThread"]

T = TypeVar("T")


class LoopThread:
    """A uvloop event loop in a daemon thread; `start` it after a fork, `close` it once."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._closing: asyncio.Event
        self._waiting: asyncio.Task[None] | None

    def start(self) -> None:
        """Start the thread, and return when its loop runs."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="pushjobs-loop", daemon=True)
        self._thread.start()
        ready.result()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for what it returns or raises; never from the loop's own thread."""
        return self.submit(coroutine).result()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def calm(self) -> None:
        """Cancel what runs and return when it has ended, so that what it used can be closed, on the loop, for good.

        A connection that is being made when its loop closes keeps that from closing.
        """
        self.run(self._end_all())

    def close(self) -> None:
        """Cancel what runs, stop the loop and wait for its thread; a second time does nothing."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()
        self._thread = None

    async def _end_all(self) -> None:
        running = asyncio.all_tasks() - {asyncio.current_task(), self._waiting}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _run(self, ready: Future[None]) -> None:
        # The runner, on leaving, cancels what is left and closes the loop.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._until_closing(ready))

    async def _until_closing(self, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        self._waiting = asyncio.current_task()
        ready.set_result(None)
        await self._closing.wait()
