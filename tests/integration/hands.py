"""Delivery by hand, in the test's own process: the steps of a worker one by one, without Celery."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from pushjobs import clock
from pushjobs.delivery import Waiting
from pushjobs.delivery.admission import Admitted
from pushjobs.delivery.calling import Answer
from pushjobs.domain.job import Job, JobId, Lane
from pushjobs.pace import Slot
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS, ORDER_SHIPPED
from pushjobs.store import releases
from pushjobs.store.releases import Bucket

__all__ = [
    "ORDER",
    "SEND",
    "Batch",
    "admit",
    "ask",
    "call",
    "claim",
    "deliver",
    "end_leases",
    "let_due",
    "only_job",
    "schedule",
    "settle",
]

Batch = list[tuple[JobId, int]]

ORDER: dict[str, Any] = {
    "template_id": ORDER_SHIPPED,
    "data": {
        "thing1": "高山乌龙茶",
        "character_string2": "OD20261201000001",
        "thing3": "顺丰速运",
        "time5": "2026年12月1日 15:01",
    },
}
"""What makes an order's notice of what would be news."""

SEND = {"path": "/cgi-bin/message/subscribe/send"}
"""What a fault matches that is for sends alone."""


def schedule(runtime: Runtime, count: int = 1, **more: object) -> None:
    """Schedule news for as many users, due at the next tick; `more` goes into each request."""
    rows = [
        {
            "touser": f"oReader{number:06d}",
            "template_id": DAILY_NEWS,
            "data": {"thing1": f"第{number}条", "thing2": "今日要闻", "date3": "2026年12月1日"},
            **more,
        }
        for number in range(count)
    ]
    assert runtime.producer.send_many(rows).rejected == []


def claim(runtime: Runtime, limit: int = 1000, *, lane: Lane = Lane.BULK) -> Batch:
    """Release what is due and return the batch that would be published."""
    with runtime.database.transaction() as connection:
        released = releases.claim(connection, Bucket(1, lane), limit=limit, lookahead=5.0)
    return [(job.id, job.release_no) for job in released]


def deliver(runtime: Runtime, batch: Batch, *, lane: Lane = Lane.BULK) -> None:
    """Deliver as a worker would; nothing is nothing."""
    now = clock.monotonic()
    runtime.delivery.deliver(1, lane, [Waiting(id=job_id, release_no=number, due=now) for job_id, number in batch])
    runtime.delivery.finish()


class _Heard:
    """What is told of a slice's calls."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.leavings = 0

    def left(self) -> None:
        self.leavings += 1

    def hand_in(self, answer: Answer) -> None:
        self.answers.append(answer)


def admit(runtime: Runtime, batch: Batch) -> list[Admitted]:
    """Admit as a worker would, with slots enough."""
    opens = clock.monotonic()
    slots = [Slot(opens=opens, closes=opens + 60.0) for _ in batch]
    return runtime.delivery._admission.admit(batch, slots)


def call(runtime: Runtime, admitted: Sequence[Admitted]) -> list[Answer]:
    """Call WeChat for a slice and wait for its answers."""
    heard = _Heard()
    runtime.delivery._caller.start(admitted, heard).result()
    assert heard.leavings == len(heard.answers)
    return heard.answers


def settle(runtime: Runtime, answers: Sequence[Answer]) -> None:
    """Write a slice's answers."""
    runtime.delivery._settler._settlement.settle(1, Lane.BULK, answers)


def only_job(runtime: Runtime) -> Job:
    """Return the one job there is."""
    [job] = runtime.producer.find()
    return job


def end_leases(runtime: Runtime) -> None:
    """Let every lease run out now, as if its worker had died long ago."""
    ask(runtime, "UPDATE pushjobs.jobs SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL")
    ask(
        runtime,
        "UPDATE pushjobs.recipients SET in_flight_until = now() - interval '1 s' WHERE in_flight_until IS NOT NULL",
    )


def let_due(runtime: Runtime) -> None:
    """Let every scheduled job be due now, whatever it waits for."""
    ask(runtime, "UPDATE pushjobs.jobs SET due_at = now() WHERE state = 'scheduled'")


def ask(runtime: Runtime, sql: str, **values: object) -> list[tuple[Any, ...]]:
    """Run a statement of the test's own; return its rows, if it has any."""
    with runtime.database.transaction() as connection:
        result = connection.execute(text(sql), values)
        return [tuple(row) for row in result] if result.returns_rows else []
