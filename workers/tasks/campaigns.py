"""The ticks of campaigns: short steps, and those that take long."""

from pushjobs.queue import TaskName
from workers.app import app
from workers.process import runtime

__all__ = ["campaigns", "expand"]


@app.task(name=TaskName.CAMPAIGNS)
def campaigns() -> None:
    """Plan runs, fetch contents, open and close runs."""
    runtime().ticking.tick()


@app.task(name=TaskName.EXPAND)
def expand() -> None:
    """Read audiences and make jobs."""
    runtime().ticking.expand()
