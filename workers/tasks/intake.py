"""Take in one job that an application enqueued through its own Celery.

The message is given up only after the commit (`acks_late`), and comes twice sooner than not at all.
"""

import threading
from typing import Any

from celery import Task
from celery.exceptions import Reject
from celery.worker.request import Request

from pushjobs import intake
from pushjobs.errors import PushJobsError
from pushjobs.queue import TaskName
from workers.app import app
from workers.process import runtime

__all__ = ["send"]

_AGAIN_SECONDS = 5
"""Far below the broker's visibility time-out, for a worker holds the message that long."""

_pause = threading.Event().wait


class _Reticent(Request):
    """A message that shows no arguments in events, logs and inspections: a plain one carries them in its headers."""

    def __init__(self, message: Any, **options: Any) -> None:  # noqa: ANN401 - Celery's own signature
        super().__init__(message, **options)
        self._argsrepr, self._kwargsrepr = "()", "{}"
        self._request_dict.update(argsrepr="()", kwargsrepr="{}")

    def info(self, safe: bool = False) -> Any:  # noqa: ANN401, ARG002 - Celery's own signature
        return super().info(safe=True)


@app.task(
    name=TaskName.SEND, bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=None, Request=_Reticent
)
def send(self: Task, **payload: Any) -> None:  # noqa: ANN401 - the producer reads and checks it
    """Accept the job; a trouble that passes sends the message round again, behind the others."""
    try:
        intake.take_in(payload, runtime(), message_id=self.request.id)
    except PushJobsError as trouble:
        # In an outage every message comes by here: held back to ten a second, no crowd of them waits in memory.
        _pause(0.1)
        try:
            raise self.retry(exc=trouble, countdown=_AGAIN_SECONDS) from None
        except Reject as unpublished:
            # Celery means to drop a message that it cannot publish again.
            unpublished.requeue = True
            raise
