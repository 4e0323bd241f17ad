"""The release tick."""

from pushjobs.queue import TaskName
from workers.app import app
from workers.process import runtime

__all__ = ["release"]


@app.task(name=TaskName.RELEASE)
def release() -> None:
    """Release what falls due within the look-ahead, from a database that has not stepped back."""
    runtime().witness.beat()
    runtime().releaser.tick()
