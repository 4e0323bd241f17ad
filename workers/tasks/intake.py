"""Take in one job that an application enqueued through its own Celery."""

from typing import Any

from pushjobs.queue import TaskName
from workers.app import app
from workers.process import runtime

__all__ = ["send"]


@app.task(name=TaskName.SEND)
def send(**arguments: Any) -> None:  # noqa: ANN401 - the producer reads and checks them
    """Schedule one push."""
    runtime().producer.send(**arguments)
