"""`/healthz`: this process lives. `/readyz`: everything that messages need does, each thing by its name.

Who asks gets a word within two seconds, whatever hangs. Anybody may ask: so the words hold no address and no setting,
and however many ask, each thing is looked at once a second at most.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import JSONResponse, PlainTextResponse, Response

from pushjobs import clock
from pushjobs.errors import NotReady, PushJobsError

__all__ = ["Health"]

_LONGEST_SECONDS = 1.7
_KEPT_SECONDS = 1.0
_OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look at a thing: when it began, and what it finds."""

    began: float
    found: asyncio.Future[str | None]


class Health:
    """`checks` by what they look at, each in a thread of its own: one that hangs keeps no other waiting.

    A check returns the trouble, or None, or raises what it ran into.
    """

    def __init__(self, checks: Mapping[str, Callable[[], str | None]]) -> None:
        self._checks = checks
        self._threads = {name: ThreadPoolExecutor(1, thread_name_prefix=f"check-{name}") for name in checks}
        self._looks: dict[str, _Look] = {}

    def door(self) -> APIRouter:
        """Return the two doors as routes."""
        router = APIRouter()

        @router.get("/healthz")
        async def healthz() -> Response:
            return PlainTextResponse(_OK)

        @router.get("/readyz")
        async def readyz() -> Response:
            words = await asyncio.gather(*map(self._words, self._checks))
            is_ready = all(each == _OK for each in words)
            status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
            return JSONResponse(dict(zip(self._checks, words, strict=True)), status)

        return router

    def close(self) -> None:
        """End the threads; a check that hangs is not waited for."""
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)

    async def _words(self, name: str) -> str:
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                # Others wait for the same look: it is not given up with one of them.
                return await asyncio.shield(self._look(name).found) or _OK
        except TimeoutError:
            return f"gives no answer within {_LONGEST_SECONDS:g} s"
        except NotReady:
            return "is not ready: see `pushjobs doctor`"
        except PushJobsError:
            return "does not answer: see `pushjobs doctor`"
        except Exception as fault:  # noqa: BLE001 - whatever it was, whoever asks is to know of which thing
            return f"cannot be looked at ({type(fault).__name__}): see `pushjobs doctor`"

    def _look(self, name: str) -> _Look:
        """Return the look that is under way, or was a moment ago; or begin one."""
        now = clock.monotonic()
        look = self._looks.get(name)
        if look is None or (look.found.done() and now - look.began > _KEPT_SECONDS):
            found = asyncio.get_running_loop().run_in_executor(self._threads[name], self._checks[name])
            look = self._looks[name] = _Look(began=now, found=found)
        return look
