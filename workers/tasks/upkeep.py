"""The ticks that take back, resend, forget, summarise, and keep up with WeChat's list of templates."""

from pushjobs.queue import TaskName
from workers.app import app
from workers.process import runtime

__all__ = ["forget", "prune", "refresh", "rescue", "resend", "summarise"]


@app.task(name=TaskName.RESCUE)
def rescue() -> None:
    """Take back the jobs of workers that died."""
    runtime().upkeep.rescue()


@app.task(name=TaskName.RESEND)
def resend() -> None:
    """Schedule doubts again where a repeat is accepted."""
    runtime().upkeep.resend_doubts()


@app.task(name=TaskName.PRUNE)
def prune() -> None:
    """Delete what has served its time."""
    runtime().upkeep.prune()


@app.task(name=TaskName.FORGET)
def forget() -> None:
    """Go on forgetting users whose jobs were being sent."""
    runtime().upkeep.forget()


@app.task(name=TaskName.SUMMARISE)
def summarise() -> None:
    """Bring the summaries up to date."""
    runtime().summaries.bring_up_to_date()


@app.task(name=TaskName.REFRESH)
def refresh() -> None:
    """Read each app's templates anew, once a night."""
    for each in runtime().all_apps():
        each.templates.refresh()
