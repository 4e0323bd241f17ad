"""uvicorn as we run it: every option that is not its default, with its reason."""

import ssl
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from pushjobs.errors import Misconfigured
from pushjobs.http.connection import Connection

__all__ = ["server"]

_DRAIN_SECONDS = 3
"""Every answer is given within one; a supervisor kills after five."""


def server(
    app: ASGIApp, *, certificate: Path | None = None, key: Path | None = None, proxies: Sequence[str] = ()
) -> uvicorn.Server:
    """Return a server of the application, to be run on a socket that listens.

    With a certificate (a file, with its chain) it speaks TLS and nothing else; the key may stand in the same file.
    `proxies`: addresses and networks whose word is taken for who called them. Raises Misconfigured for files that are
    no certificate and its key.
    """
    if certificate is not None:
        _prove(certificate, key)
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
            # From anybody else the headers that proxies set are nothing: whoever calls us can write them.
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            ssl_certfile=certificate,
            ssl_keyfile=key,
            server_header=False,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )


def _prove(certificate: Path, key: Path | None) -> None:
    """Load them once, to say what is wrong: uvicorn would end with a traceback."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise Misconfigured(
            f"PUSHJOBS_HTTP_CERTIFICATE and PUSHJOBS_HTTP_KEY are no certificate and its key ({error.reason}): "
            "both are PEM files, the key without a password"
        ) from None
    except OSError as error:
        raise Misconfigured(
            f"PUSHJOBS_HTTP_CERTIFICATE or PUSHJOBS_HTTP_KEY cannot be read ({error.strerror})"
        ) from None


def _no_password() -> str:
    """Have a key that needs a password refused; without this OpenSSL would ask for it at the terminal."""
    return ""
