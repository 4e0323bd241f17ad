"""`/healthz`: this process lives. `/readyz`: what it needs answers, too; who asks gets a word within a second."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import JSONResponse, PlainTextResponse, Response

from pushjobs.errors import PushJobsError

__all__ = ["Health"]

_LONGEST_SECONDS = 0.9


class Health:
    """`checks` by what they ask, each in a thread of its own: one that hangs keeps no other waiting."""

    def __init__(self, checks: Mapping[str, Callable[[], None]]) -> None:
        self._checks = checks
        self._threads = {name: ThreadPoolExecutor(1, thread_name_prefix=f"check-{name}") for name in checks}

    def door(self) -> APIRouter:
        """Return the two doors as routes."""
        router = APIRouter()

        @router.get("/healthz")
        async def healthz() -> Response:
            return PlainTextResponse("ok")

        @router.get("/readyz")
        async def readyz() -> Response:
            answers = await asyncio.gather(*map(self._answers, self._checks))
            status = HTTPStatus.OK if all(answers) else HTTPStatus.SERVICE_UNAVAILABLE
            return JSONResponse(dict(zip(self._checks, answers, strict=True)), status)

        return router

    def close(self) -> None:
        """End the threads; a check that hangs is not waited for."""
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)

    async def _answers(self, name: str) -> bool:
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                await asyncio.get_running_loop().run_in_executor(self._threads[name], self._checks[name])
        except (PushJobsError, TimeoutError):
            return False
        return True
