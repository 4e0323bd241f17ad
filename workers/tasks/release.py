"""The release tick."""

from pushjobs.queue import TaskName
from workers.app import app
from workers.process import runtime

__all__ = ["release"]


@app.task(name=TaskName.RELEASE)
def release() -> None:
    """Release what falls due within the look-ahead."""
    runtime().releaser.tick()
