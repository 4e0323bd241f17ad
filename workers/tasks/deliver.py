"""Deliver one batch of released jobs."""

from pushjobs.domain.job import JobId, Lane
from pushjobs.queue import TaskName
from workers.app import app
from workers.process import runtime

__all__ = ["deliver"]


@app.task(name=TaskName.DELIVER)
def deliver(app_no: int, lane: str, ids: list[int], release_nos: list[int]) -> None:
    """Send the jobs of these ids that still stand under these release numbers."""
    batch = [(JobId(job_id), release_no) for job_id, release_no in zip(ids, release_nos, strict=True)]
    runtime().delivery.deliver(app_no, Lane(lane), batch)
