"""Deliver one batch of released jobs."""

from datetime import datetime

from celery import Task

from pushjobs import clock
from pushjobs.delivery import Waiting
from pushjobs.domain.job import JobId, Lane
from pushjobs.queue import LEAD_SECONDS, TaskName
from workers.app import app
from workers.process import runtime

__all__ = ["deliver"]


@app.task(name=TaskName.DELIVER, bind=True)
def deliver(self: Task, app_no: int, lane: str, ids: list[int], release_nos: list[int], after_ms: list[int]) -> None:
    """Send the jobs of these ids that still stand under these numbers, each so many milliseconds after the first."""
    first = clock.monotonic()
    if self.request.eta is not None:
        begins_in = (datetime.fromisoformat(self.request.eta) - clock.now()).total_seconds()
        first += max(begins_in + LEAD_SECONDS, 0.0)
    batch = [
        Waiting(id=JobId(job_id), release_no=release_no, due=first + after / 1000)
        for job_id, release_no, after in zip(ids, release_nos, after_ms, strict=True)
    ]
    app = runtime().app_numbered(app_no)
    # What cannot be sent for is not claimed. If it was a moment ago, the leases run out and the jobs wait.
    if app is not None:
        app.delivery.deliver(app_no, Lane(lane), batch)
