"""The Celery app. Every option that is not Celery's default stands here with its reason."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from celery import Celery

from pushjobs import settings
from pushjobs.campaigns.declared import load
from pushjobs.queue import BROKER_OPTIONS, QueueName
from pushjobs.settings import Settings
from workers import transport

__all__ = ["app"]


def _make(configured: Settings) -> Celery:
    transport.install()
    made = Celery("pushjobs", broker=configured.require_broker_url, include=["workers.process", "workers.tasks"])
    made.conf.update(
        # Redis, tuned for prompt redelivery and bounded waits (the reasons stand with the options).
        broker_transport_options=BROKER_OPTIONS,
        # A worker that starts before its Redis waits for it.
        broker_connection_retry_on_startup=True,
        # A lost broker must not cancel tasks in mid-call: their leases and numbers keep them right.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # The database holds the results.
        task_ignore_result=True,
        # Acknowledged when it starts: a task that dies is not run again by the broker, its jobs come back by lease.
        task_acks_late=False,
        # Batches are about a second's work: hold one more than is running, no more, so that the others get theirs.
        worker_prefetch_multiplier=1,
        # JSON only: a message is data.
        accept_content=["json"],
        task_serializer="json",
        # Flower lives on these. Arguments in them are job ids.
        worker_send_task_events=True,
        # Our handlers log through structlog; Celery leaves the root logger alone.
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # A queue nobody declared is a typing slip.
        task_create_missing_queues=True,
        task_default_queue=QueueName.TICKS,
        # In memory, for every entry is an interval and every tick idempotent: no state file to lose or to share.
        beat_scheduler="celery.beat:Scheduler",
        beat_max_loop_interval=1,
        beat_schedule=_ticks(),
        timezone="UTC",
    )
    return made


def _ticks() -> dict[str, Any]:
    """Return the timetable's ticks: ours, unless a copy of it stands in the current directory."""
    found = getattr(load("beat_schedule"), "TICKS", None)
    if found is None:
        spec = spec_from_file_location("beat_schedule", Path(__file__).parents[1] / "beat_schedule.py")
        assert spec is not None  # noqa: S101 - a path that ends in .py has one
        assert spec.loader is not None  # noqa: S101 - as above
        ours = module_from_spec(spec)
        spec.loader.exec_module(ours)
        found = ours.TICKS
    return dict(found)


app = _make(settings.load())
