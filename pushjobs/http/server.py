"""uvicorn as we run it: every option that is not its default, with its reason."""

import uvicorn
from starlette.types import ASGIApp

from pushjobs.http.connection import Connection

__all__ = ["server"]

_DRAIN_SECONDS = 3
"""Every answer is given within one; a supervisor kills after five."""


def server(app: ASGIApp) -> uvicorn.Server:
    """Return a server of the application, to be run on a socket that listens."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="on",
            # Faults of ours go to standard error. What was asked for goes nowhere, and nonsense of strangers neither.
            log_config=None,
            log_level="error",
            access_log=False,
            # Nobody is judged by the address they come from, so no proxy need be believed.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )
