"""Scheduled push for WeChat Mini Programs: durable, on the second, never twice.

    import pushjobs

    push = pushjobs.connect()
    push.send(touser="…", template_id="…", data={"thing1": "订单已发货"}, time="2026-12-01 08:00:00")

What stands here is the public interface; everything else may move.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pushjobs import errors
from pushjobs.domain.job import Job, JobId, JobState, Lane, OnQuota
from pushjobs.errors import PushJobsError

if TYPE_CHECKING:
    from pushjobs.checking import Checked
    from pushjobs.producer import Producer, Rejection, Report
    from pushjobs.wechat.login import Login

__all__ = [
    "Checked",
    "Job",
    "JobId",
    "JobState",
    "Lane",
    "Login",
    "OnQuota",
    "Producer",
    "PushJobsError",
    "Rejection",
    "Report",
    "connect",
    "errors",
]


def connect(directory: str | Path | None = None) -> "Producer":
    """Return the verbs of application code, connected as the environment says; opens no connection until first used.

    One for each process is enough: share it between threads, make it after a fork. Close it, or use it as a context
    manager, where the process goes on without it.

    `directory` stands in for PUSHJOBS_DIRECTORY: that of an installation on this machine, whose servers and keys are
    used for what the environment does not set. Raises NotRunning when no address is set and nothing runs there,
    Misconfigured when a setting is missing or wrong. It never starts a server: `pushjobs up` does.
    """
    from pushjobs import runtime, settings  # noqa: PLC0415 - as in __getattr__

    made = runtime.Runtime(settings.load(None if directory is None else Path(directory)))
    return made.producer.owns(made.close)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what a module's attributes are
    # Celery, SQLAlchemy and httpx take most of a second to import: the sandbox and `pushjobs --help` do without.
    if name in {"Checked", "Login", "Producer", "Rejection", "Report"}:
        from pushjobs import producer  # noqa: PLC0415

        return getattr(producer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
