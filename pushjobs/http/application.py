"""The ASGI application: every door over one Runtime, and the end of both.

What is not there and what is not told of look the same: an error is its status and nothing more.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from pushjobs.http.callbacks import Refusals, callback_door
from pushjobs.http.health import Health
from pushjobs.http.keeping import Keeping
from pushjobs.runtime import Runtime
from pushjobs.telemetry import emit

__all__ = ["application"]


def application(runtime: Runtime) -> FastAPI:
    """Return the doors of a process, which close the runtime when they close.

    Raises Misconfigured where a setting is missing. Without a callback token there is no callback door.
    """
    health = Health(runtime.checks)
    keeping = None if runtime.settings.callback_token is None else Keeping(runtime.callbacks.keep, emit=emit)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            # The server has waited for the answers that were due; what is left waits for nobody.
            health.close()
            if keeping is not None:
                keeping.close()
            runtime.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.add_exception_handler(HTTPException, _bare)
    app.include_router(health.door())
    if keeping is not None:
        app.include_router(callback_door(runtime.callbacks, keeping, Refusals(emit)))
    return app


async def _bare(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = error.headers if isinstance(error, HTTPException) else None
    return PlainTextResponse(HTTPStatus(status).phrase, status, headers)
