"""One Runtime a process: made after fork, closed at exit. And how a worker drains.

Celery's prefork children die of SIGTERM by default, in mid-call. Ours only raise a flag, which delivery reads between
slices; the parent's shutdown raises the same flag, in memory that parent and children share.
"""

import multiprocessing
import os
import signal
from pathlib import Path
from types import FrameType

from celery.signals import (
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutting_down,
)

from pushjobs import settings
from pushjobs.local.bound import die_with_parent
from pushjobs.runtime import Runtime
from pushjobs.telemetry import logs

__all__ = ["runtime"]

# Made before the fork, so that the parent's word reaches its children.
_draining = multiprocessing.Value("b", 0, lock=False)
_parent = os.getpid()
_runtime: Runtime | None = None


def runtime() -> Runtime:
    """Return this process's runtime."""
    global _runtime  # noqa: PLW0603 - one a process is the point
    if _runtime is None:
        _runtime = Runtime(settings.load(), is_draining=lambda: bool(_draining.value))
    return _runtime


def _drain(_signal: int, _frame: FrameType | None) -> None:
    _draining.value = 1


@worker_init.connect
def _begin(**_: object) -> None:
    logs.configure()


@worker_process_init.connect
def _enter(**_: object) -> None:
    # A child must not outlive a killed parent: its messages come from there.
    if os.getpid() != _parent:
        die_with_parent(_parent)
        signal.signal(signal.SIGTERM, _drain)


@worker_process_shutdown.connect
def _leave(**_: object) -> None:
    if _runtime is not None:
        _runtime.close()


@worker_shutting_down.connect
def _shut_down(**_: object) -> None:
    _draining.value = 1


@worker_ready.connect
def _ready(sender: object, **_: object) -> None:
    """Tell whoever started us (`pushjobs up`) that messages will be read from now on."""
    node = str(getattr(sender, "hostname", "worker")).partition("@")[0]
    run = Path(settings.load().directory) / "run"
    if run.is_dir():
        (run / f"{node}.ready").touch()
