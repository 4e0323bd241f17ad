"""The ticks behind the callback door."""

from pushjobs.queue import TaskName
from workers.app import app
from workers.process import runtime

__all__ = ["apply"]


@app.task(name=TaskName.APPLY)
def apply() -> None:
    """Put what WeChat told where it belongs."""
    runtime().receipts.apply()
