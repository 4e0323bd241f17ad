"""The ASGI application: every door over one Runtime, and the end of both.

What is not there and what is not told of look the same: an error is its status and nothing more.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from pushjobs.alerts import Watch
from pushjobs.doctor import Doctor
from pushjobs.domain.events import CallbacksRefused, RequestsFailed
from pushjobs.errors import PushJobsError
from pushjobs.http.callbacks import Doors, callback_door
from pushjobs.http.console.door import Console
from pushjobs.http.edge import Edge
from pushjobs.http.faults import Faults
from pushjobs.http.gateway import Gateway
from pushjobs.http.gathering import Gathering
from pushjobs.http.health import Health
from pushjobs.http.metrics import Metrics
from pushjobs.http.permission import Permission
from pushjobs.http.v1.door import OwnApi, problem_of
from pushjobs.runtime import Runtime
from pushjobs.telemetry import emit

__all__ = ["application"]

_SEE_SECONDS = 5.0
"""How often the apps are read anew: what was changed takes hold within it."""


def application(runtime: Runtime) -> ASGIApp:
    """Return the doors of a process, which close the runtime when they close.

    Raises Misconfigured where a setting is missing. An app without a callback token has no callback door.
    """
    health = Health(Doctor(runtime).readiness())
    doors = Doors(runtime.door, emit=emit)
    permission = Permission(runtime.clients)
    gathering = Gathering(lambda: runtime.acceptance, emit=emit)
    gateway = Gateway(
        permission, lambda: runtime.access_tokens, gathering, lambda appid: runtime.app(appid).relay, emit=emit
    )
    metrics = Metrics(runtime.figures, permission)
    faults = Faults(lambda count, fault: emit(RequestsFailed(requests=count, fault=fault)))
    own = OwnApi(runtime, permission, gathering, faults)
    console = Console(runtime, permission, faults)
    _see_apps(runtime)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watch = Watch(partial(_watch, runtime))
        watch.start()
        seeing = [asyncio.create_task(_keep_seeing_apps(runtime)), asyncio.create_task(permission.keep_seeing())]
        try:
            yield
        finally:
            for each in seeing:
                each.cancel()
            # A look into SQL that is under way must not find it closed.
            await asyncio.to_thread(watch.stop)
            await asyncio.get_running_loop().shutdown_default_executor()
            # The server has waited for the answers that were due; what is left waits for nobody.
            health.close()
            metrics.close()
            doors.close()
            gathering.close()
            gateway.close()
            own.close()
            console.close()
            runtime.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.add_exception_handler(HTTPException, _bare)
    app.add_exception_handler(Exception, _bare)
    refusals = Faults(lambda count, fault: emit(CallbacksRefused(callbacks=count, fault=fault)))
    routers = (
        health.door(),
        metrics.door(),
        callback_door(doors, refusals),
        gateway.door(runtime.settings.pass_through),
        own.door(),
        console.door(),
    )
    for each in routers:
        app.include_router(each)
    paths = {route.endpoint: route.path for each in routers for route in each.routes if isinstance(route, Route)}
    return Edge(app, paths, emit=emit if runtime.settings.access_log else None)


def _watch(runtime: Runtime) -> None:
    runtime.alerts.watch()


async def _keep_seeing_apps(runtime: Runtime) -> None:
    """Know the apps as they stand in SQL without asking for them at a request."""
    while True:
        await asyncio.sleep(_SEE_SECONDS)
        with suppress(Exception):  # whatever it was, the next look may succeed; ended, it would never see another app
            await asyncio.to_thread(_see_apps, runtime)


def _see_apps(runtime: Runtime) -> None:
    # Without the database the doors stay what they were: what they are pushed cannot be kept anyway.
    with suppress(PushJobsError):
        runtime.apps.refresh()


async def _bare(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = error.headers if isinstance(error, HTTPException) else None
    if request.url.path.startswith("/v1/"):
        return problem_of(HTTPStatus(status), headers)
    return PlainTextResponse(HTTPStatus(status).phrase, status, headers)
