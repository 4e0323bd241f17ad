"""How much is in work at once: so many requests, few of them with a large body. The rest is told to come back.

A door that takes whatever comes grows until it dies, and answers everybody late before that. Refused at once, a caller
may wait, or go to another process of the doors.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from pushjobs.http.v1.problems import OVERLOADED, Refused

__all__ = ["Capacity"]

_Result = TypeVar("_Result")

_THREADS = 8
_AT_ONCE = 256
"""A quarter of a second's single sends: who would wait longer is refused instead."""
_LARGE_AT_ONCE = 4
"""Bodies of up to 16 MiB, and the jobs read from them, that the memory holds at one time."""
_LONG_AT_ONCE = 2
"""Audiences that are uploaded or gone through, each in a thread of its own."""


class Capacity:
    """Bounds the requests in work; used from one event loop.

    Large ones, batches, have a thread of their own: two would only share one processor, and single sends must not wait
    behind a second's work.
    """

    def __init__(
        self, *, at_once: int = _AT_ONCE, large_at_once: int = _LARGE_AT_ONCE, long_at_once: int = _LONG_AT_ONCE
    ) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="v1")
        self._large_thread = ThreadPoolExecutor(1, thread_name_prefix="v1-large")
        self._long_threads = ThreadPoolExecutor(long_at_once, thread_name_prefix="v1-long")
        self._left = at_once
        self._large_left = large_at_once
        self._long_left = long_at_once

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place among the requests in work; raises Refused when all are taken."""
        if self._left <= 0:
            raise Refused(OVERLOADED, "as many requests are in work as this process takes: come back in a second")
        self._left -= 1
        try:
            yield
        finally:
            self._left += 1

    @contextmanager
    def large_place(self) -> Iterator[None]:
        """Take a place among those with a large body; raises Refused when all are taken."""
        if self._large_left <= 0:
            raise Refused(OVERLOADED, "as many batches are in work as this process takes: come back in a second")
        self._large_left -= 1
        try:
            yield
        finally:
            self._large_left += 1

    @contextmanager
    def long_place(self) -> Iterator[None]:
        """Take a place among those that take their time; raises Refused when all are taken."""
        if self._long_left <= 0:
            raise Refused(OVERLOADED, "as many audiences are in work as this process takes: come back in a second")
        self._long_left -= 1
        try:
            yield
        finally:
            self._long_left += 1

    async def run(self, work: Callable[[], _Result], *, is_large: bool = False, is_long: bool = False) -> _Result:
        """Do what blocks, in a thread; it knows there which request it is done for."""
        threads = self._long_threads if is_long else self._large_thread if is_large else self._threads
        return await asyncio.get_running_loop().run_in_executor(threads, copy_context().run, work)

    def close(self) -> None:
        """End the threads, when they have done what they have in hand."""
        self._threads.shutdown(cancel_futures=True)
        self._large_thread.shutdown(cancel_futures=True)
        self._long_threads.shutdown(cancel_futures=True)
