"""One Runtime a process: made after fork, closed at exit. How a worker drains, and what it does without being asked.

Celery's prefork children die of SIGTERM by default, in mid-call. Ours, while they run a task, only raise a flag, which
delivery reads between slices, and leave when the task is done. Leaving, they wait for the calls that are still out and
settle them. The parent's shutdown raises a flag of its own, in memory that parent and children share.
"""

import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType

import billiard.pool
from celery.signals import (
    celeryd_init,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutting_down,
)

from pushjobs import settings
from pushjobs.alerts import Watch
from pushjobs.local.bound import die_with_parent
from pushjobs.runtime import Runtime
from pushjobs.telemetry import logs

__all__ = ["runtime"]

# Made before the fork, so that the parent's word reaches its children.
_parent_leaves = multiprocessing.Value("b", 0, lock=False)
_parent = os.getpid()
_SWITCH_SECONDS = 0.0005
_RESCUE_SECONDS = 2.0
_YOUNG_OBJECTS = 50_000

# A child that leaves waits until its parent has counted every result, 30 s at most in tenths. Of some forty ends the
# parent missed one (billiard 4.3): as long as a supervisor's patience, for results that nobody reads.
billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 10


class _Child:
    """What a prefork child remembers."""

    runtime: Runtime | None = None
    is_busy = False
    is_told = False
    leaves = threading.Event()
    rescuer: threading.Thread | None = None
    watch: Watch | None = None


def runtime() -> Runtime:
    """Return this process's runtime."""
    if _Child.runtime is None:
        _Child.runtime = Runtime(settings.load(), is_draining=_is_draining)
    return _Child.runtime


def _is_draining() -> bool:
    return _Child.is_told or bool(_parent_leaves.value)


# As soon as there is a worker, for it may warn before it sets its logging up.
@celeryd_init.connect
@setup_logging.connect
def _log(loglevel: int = logging.WARNING, **_: object) -> None:
    """Have Celery's lines, of the worker and of beat, written as ours are, from `--loglevel` on.

    Not its debug lines, whatever is asked for: they show the arguments of tasks.
    """
    configured = settings.load()
    logs.configure(configured.log_format, configured.log_level)
    logging.getLogger("celery").setLevel(max(loglevel, logging.INFO))


@worker_process_init.connect
def _enter(**_: object) -> None:
    # A child must not outlive a killed parent: its messages come from there.
    if os.getpid() != _parent:
        die_with_parent(_parent)
    # The thread that speaks to PostgreSQL waits for the interpreter after every answer while the loop's thread is busy
    # calling; with Python's 5 ms, and some ten answers a slice, that wait is most of a slice's time.
    sys.setswitchinterval(_SWITCH_SECONDS)
    runtime().warm_up()
    # What is there by now stays: the collector need not go through it again with every slice.
    gc.collect()
    gc.freeze()
    # A slice makes tens of thousands of objects and hardly a cycle: looking at the youngest 700, as Python does, takes
    # a twentieth of a send.
    gc.set_threshold(_YOUNG_OBJECTS)
    _Child.rescuer = threading.Thread(target=_keep_rescuing, name="pushjobs-rescuer", daemon=True)
    _Child.rescuer.start()
    _Child.watch = Watch(_watch)
    _Child.watch.start()


def _keep_rescuing() -> None:
    """Decide what dead workers held, with beat, Redis and the ticks' own worker gone too: PostgreSQL is all it takes.

    Beat's tick does the same, sooner; whoever comes second finds nothing.
    """
    while not _Child.leaves.wait(_RESCUE_SECONDS):
        with suppress(Exception):  # whatever it was, beat's tick tells of it; a thread that ended would rescue nobody
            runtime().upkeep.rescue()


def _watch() -> None:
    runtime().alerts.watch()


@task_prerun.connect
def _guard(**_: object) -> None:
    # Here, because billiard puts its own handler back after every hook a child has for starting; and from the first
    # task on, because calls may be under way between two tasks too.
    _Child.is_busy = True
    if os.getpid() != _parent:
        signal.signal(signal.SIGTERM, _drain)


def _drain(_signal: int, _frame: FrameType | None) -> None:
    _Child.is_told = True
    if not _Child.is_busy:
        raise SystemExit


@task_postrun.connect
def _unguard(**_: object) -> None:
    _Child.is_busy = False
    if _Child.is_told:
        raise SystemExit


@worker_process_shutdown.connect
def _leave(**_: object) -> None:
    # Told again while the last answers are awaited, it goes on waiting.
    _Child.is_busy = True
    _Child.leaves.set()
    if _Child.rescuer is not None:
        _Child.rescuer.join()
    if _Child.watch is not None:
        _Child.watch.stop()
    if _Child.runtime is not None:
        _Child.runtime.close()


@worker_shutting_down.connect
def _shut_down(**_: object) -> None:
    _parent_leaves.value = 1


@worker_ready.connect
def _ready(sender: object, **_: object) -> None:
    """Tell whoever started us (`pushjobs up`) that messages will be read from now on."""
    node = str(getattr(sender, "hostname", "worker")).partition("@")[0]
    run = Path(settings.load().directory) / "run"
    if run.is_dir():
        (run / f"{node}.ready").touch()
