"""The ticks behind the callback door."""

from pushjobs.queue import TaskName
from workers.app import app
from workers.process import runtime

__all__ = ["apply", "forward", "tell"]


@app.task(name=TaskName.APPLY)
def apply() -> None:
    """Put what WeChat told where it belongs."""
    runtime().receipts.apply()


@app.task(name=TaskName.FORWARD)
def forward() -> None:
    """Forward callbacks to the apps' own doors, where they have one."""
    for each in runtime().all_apps():
        if each.app.settings.callback_forward_url is not None:
            each.forwarding.forward()


@app.task(name=TaskName.TELL)
def tell() -> None:
    """Tell clients what became of their jobs, where they have a webhook."""
    runtime().telling.tell()
