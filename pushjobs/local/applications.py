"""What runs on one machine: the command line, rank and patience of every process of the application.

Data only, started elsewhere. Passwords go through the environment: everybody can read a command line.
"""

import sys
from collections.abc import Mapping
from enum import IntEnum
from importlib.util import find_spec
from pathlib import Path

from pushjobs.errors import Misconfigured
from pushjobs.local.directory import Installation
from pushjobs.local.processes import Application

__all__ = ["NODES", "SANDBOX_CREDENTIALS", "Rank", "beat", "flower", "http", "sandbox", "workers"]

NODES = ("ticks", "urgent", "bulk")
"""The workers' node names before the `@`; each writes `run/<name>.ready` when it consumes."""

SANDBOX_CREDENTIALS = ("wxsandbox00000000", "sandbox-secret")
"""Appid and secret of the app that a fresh sandbox knows."""

# Quiet: its banners are no lines of a log.
_CELERY = (sys.executable, "-m", "celery", "--quiet", "-A", "workers.app")
_WORKER = (*_CELERY, "worker", "--without-gossip", "--without-mingle", "--loglevel=WARNING", "-E")

_PATIENCE = 5.0
_DRAIN_PATIENCE = 30.0
"""A drain ends with the calls under way: twice a lease is more than any of them may take."""


class Rank(IntEnum):
    """The order of stopping: no new work, no new requests, the work in hand, and whom it is calling last."""

    BEAT = 0
    DOOR = 1
    WORKER = 2
    SANDBOX = 3


def beat(installation: Installation, environment: Mapping[str, str]) -> Application:
    """Return the clock that ticks."""
    return Application(
        name="beat",
        command=(*_CELERY, "beat", "--loglevel=WARNING"),
        environment=environment,
        log=installation.log("beat"),
        rank=Rank.BEAT,
        patience=_PATIENCE,
    )


def workers(installation: Installation, environment: Mapping[str, str], *, bulk: int) -> list[Application]:
    """Return one process for ticks, one for urgent jobs and the intake, `bulk` processes for the rest."""
    nodes = (
        ("pushjobs.ticks", 1),
        ("pushjobs.urgent,pushjobs.intake", 1),
        ("pushjobs.bulk,pushjobs.callbacks,pushjobs.campaigns", bulk),
    )
    return [
        Application(
            name=name,
            command=(*_WORKER, "-Q", queues, "-n", f"{name}@%h", "-c", str(processes)),
            environment=environment,
            log=installation.log(name),
            rank=Rank.WORKER,
            patience=_DRAIN_PATIENCE,
        )
        for name, (queues, processes) in zip(NODES, nodes, strict=True)
    ]


def flower(
    installation: Installation, environment: Mapping[str, str], *, port: int, password: str | None
) -> Application:
    """Return Flower on this machine's own address, behind a password; None: the one the installation made up.

    Raises Misconfigured where Flower is not installed.
    """
    spec = find_spec("workers")
    if find_spec("flower") is None or spec is None or spec.origin is None:
        raise Misconfigured("Flower is not installed: pip install 'pushjobs[local]', or use --no-flower")
    configuration = Path(spec.origin).with_name("flowerconfig.py")
    return Application(
        name="flower",
        command=(*_CELERY, "flower", f"--conf={configuration}", "--address=127.0.0.1", f"--port={port}"),
        environment={**environment, "PUSHJOBS_FLOWER_PASSWORD": password or installation.flower_password()},
        log=installation.log("flower"),
        rank=Rank.DOOR,
        patience=_PATIENCE,
    )


def http(installation: Installation, environment: Mapping[str, str], *, listening: int) -> Application:
    """Return the HTTP doors, which answer what comes to a socket that listens already.

    Without TLS, whatever is set: the socket is this machine's own, and so is whoever calls.
    """
    return Application(
        name="http",
        command=(sys.executable, "-m", "pushjobs.http", "--socket", str(listening)),
        environment={**environment, "PUSHJOBS_HTTP_CERTIFICATE": "", "PUSHJOBS_HTTP_KEY": ""},
        log=installation.log("http"),
        rank=Rank.DOOR,
        patience=_PATIENCE,
        sockets=(listening,),
    )


def sandbox(
    installation: Installation, environment: Mapping[str, str], *, port: int, behaviour: Mapping[str, str]
) -> Application:
    """Return the WeChat stand-in, which behaves as these of its settings say."""
    settings = installation.write_sandbox(behaviour)
    return Application(
        name="sandbox",
        command=(sys.executable, "-m", "pushjobs.sandbox", "--port", str(port), "--settings", f"@{settings}"),
        environment=environment,
        log=installation.log("sandbox"),
        rank=Rank.SANDBOX,
        patience=_PATIENCE,
    )
