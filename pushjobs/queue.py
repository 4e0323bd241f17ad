"""Names on the wire, and publishing by name. The only file of this package that imports Celery.

Names of tasks and queues are a wire format: messages of an older release may be under way, so they are never renamed.
A message carries job ids and release numbers, nothing else; losing one costs a lease, doubling one costs nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from pushjobs import clock
from pushjobs.domain.job import JobId, Lane
from pushjobs.errors import Unreachable

__all__ = ["BROKER_OPTIONS", "LEAD_SECONDS", "Batch", "Publisher", "QueueName", "TaskName"]


class TaskName(StrEnum):
    """What a message asks for."""

    DELIVER = "pushjobs.deliver"
    SEND = "pushjobs.send"
    RELEASE = "pushjobs.release"
    RESCUE = "pushjobs.rescue"
    RESEND = "pushjobs.resend"
    PRUNE = "pushjobs.prune"
    REFRESH = "pushjobs.refresh"
    APPLY = "pushjobs.apply"
    FORWARD = "pushjobs.forward"
    TELL = "pushjobs.tell"
    FORGET = "pushjobs.forget"
    SUMMARISE = "pushjobs.summarise"
    CAMPAIGNS = "pushjobs.campaigns"
    EXPAND = "pushjobs.expand"


class QueueName(StrEnum):
    """Which processes read a message."""

    URGENT = "pushjobs.urgent"
    BULK = "pushjobs.bulk"
    INTAKE = "pushjobs.intake"
    TICKS = "pushjobs.ticks"
    CALLBACKS = "pushjobs.callbacks"
    CAMPAIGNS = "pushjobs.campaigns"


BROKER_OPTIONS: dict[str, Any] = {
    # Redelivery is prompt because fencing makes it harmless. It must exceed the longest ETA we publish (look-ahead).
    "visibility_timeout": 30,
    # kombu sweeps for lost messages only every interval x throttle seconds; its defaults mean 100 s.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    # Without these a publisher waits for ever on a Redis that hangs.
    "socket_timeout": 5.0,
    "socket_connect_timeout": 2.0,
    "health_check_interval": 10,
    # No prefix for all keys: applications publish to `pushjobs.intake` with their own options, and must reach it. What
    # kombu would otherwise share with their workers is kept apart: we redeliver after 30 s, their tasks may run longer.
    "unacked_key": "pushjobs:unacked",
    "unacked_index_key": "pushjobs:unacked_index",
    "unacked_mutex_key": "pushjobs:unacked_mutex",
    "fanout_prefix": "/pushjobs/{db}.",
}

LEAD_SECONDS = 0.15
"""A worker begins this long before a batch's first job, so that admission is no part of the lateness."""

_ANSWER_SECONDS = 1.0

_QUEUES = {Lane.URGENT: QueueName.URGENT, Lane.BULK: QueueName.BULK}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Jobs of one app and lane that fall due together: (id, release number, seconds after the first one) each.

    `due_in`: seconds until the first one's moment; `expires_in`: seconds until the leases are over.
    """

    app_no: int
    lane: Lane
    jobs: Sequence[tuple[JobId, int, float]]
    due_in: float
    expires_in: float


class Publisher:
    """Publishes batches to the workers' queues. Time-boxed; a failure is an exception, never a wait."""

    def __init__(self, broker_url: str) -> None:
        self._celery = Celery("pushjobs", broker=broker_url, set_as_current=False)
        self._celery.conf.update(
            # Repeating is the tick's business, which sees the job come back: kombu must not, neither the connecting
            # (for 6 s by default) nor the publishing.
            broker_transport_options={**BROKER_OPTIONS, "socket_timeout": 2.0, "max_retries": 0},
            task_publish_retry=False,
            task_ignore_result=True,
        )

    def publish(self, batches: Iterable[Batch]) -> None:
        """Publish in one pipeline; raises Unreachable, and then any of the messages may or may not be under way."""
        with (
            self._reaching(),
            self._celery.producer_pool.acquire(block=True, timeout=2.0) as producer,
            producer.batch(),
        ):
            for batch in batches:
                self._send(batch, producer)

    def lengths(self) -> dict[QueueName, int]:
        """Return how many messages wait in each queue; raises Unreachable."""
        with self._reaching(), self._celery.connection_for_write() as connection:
            client = connection.default_channel.client
            return {queue: int(client.llen(queue)) for queue in QueueName}

    def readers(self) -> dict[QueueName, int]:
        """Return how many worker nodes read each queue, as they answer within a second; raises Unreachable."""
        with self._reaching():
            answers = self._celery.control.inspect(timeout=_ANSWER_SECONDS).active_queues() or {}
        read = Counter(queue["name"] for queues in answers.values() for queue in queues)
        return {queue: read[queue] for queue in QueueName}

    def close(self) -> None:
        """Close the connections."""
        self._celery.close()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (KombuError, RedisError, OSError) as error:
            raise Unreachable(f"the broker takes no messages ({type(error).__name__}): is Redis running?") from None

    def _send(self, batch: Batch, producer: object) -> None:
        ids = [job_id for job_id, _, _ in batch.jobs]
        now = clock.now()
        self._celery.send_task(
            TaskName.DELIVER,
            args=[
                batch.app_no,
                batch.lane,
                ids,
                [number for _, number, _ in batch.jobs],
                [round(after * 1000) for _, _, after in batch.jobs],
            ],
            queue=_QUEUES[batch.lane],
            eta=now + timedelta(seconds=batch.due_in - LEAD_SECONDS) if batch.due_in > LEAD_SECONDS else None,
            expires=now + timedelta(seconds=batch.expires_in),
            argsrepr=f"({batch.lane}, {len(ids)} jobs from {ids[0]})",
            kwargsrepr="{}",
            producer=producer,
        )
