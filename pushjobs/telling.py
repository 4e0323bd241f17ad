"""Clients told of their jobs' ends: one signed POST for up to 500 of them, repeated until it is taken.

A tick takes what is due, calls for all clients at once with no transaction open, and writes what became of it. An
outcome may be told twice (whoever dies behind a POST has it repeated, under the same id) and is not lost, but for one
that nobody took in a day: that is counted. Nothing of a message is told, and nobody's open id.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

import orjson

from pushjobs import clock
from pushjobs.domain.backoff import tell_delay
from pushjobs.domain.events import OutcomesGivenUp, OutcomesNotTold
from pushjobs.errors import Undecryptable
from pushjobs.posting import Post, headers
from pushjobs.store import outcomes
from pushjobs.store.database import Database
from pushjobs.store.envelope import bound_webhook
from pushjobs.store.outcomes import Delivery, Told
from pushjobs.store.sealing import Sealer
from pushjobs.telemetry import Emit
from pushjobs.wechat.loop import LoopThread

__all__ = ["MOST_OUTCOMES", "TOLD_FOR_SECONDS", "Telling", "body_of"]

MOST_OUTCOMES = 500
"""How many outcomes a POST tells at most."""

TOLD_FOR_SECONDS = 86_400.0
"""How long after its job closed an outcome is worth telling."""

_CLIENTS = 32
_SWEPT = 10_000
_PROMISE_SECONDS = 60.0
"""How long what was claimed is left alone: many times what a round of calls can take."""

_LONGEST_SECONDS = 1.0
"""How long a tick goes on while there is more; the next one follows."""


class Telling:
    """Tells all clients; one a process."""

    def __init__(
        self, database: Database, loop: LoopThread, post: Callable[[], Post], *, sealer: Sealer, emit: Emit
    ) -> None:
        self._database = database
        self._loop = loop
        self._post = post
        self._sealer = sealer
        self._emit = emit

    def tell(self) -> int:
        """Tell what is due, full batches for about a second; return how many outcomes were taken."""
        self._give_up()
        until, taken = clock.monotonic() + _LONGEST_SECONDS, 0
        while clock.monotonic() < until:
            due = self._claim()
            if not due:
                break
            faults = self._loop.run(self._post_all(due))
            with self._database.transaction() as connection:
                outcomes.settle(connection, [_told(each, fault) for each, fault in zip(due, faults, strict=True)])
            for each, fault in zip(due, faults, strict=True):
                if fault is None:
                    taken += len(each.outcomes)
                else:
                    self._emit_failed(each, fault)
            # What came meanwhile makes a fuller batch at the next tick.
            if all(len(each.outcomes) < MOST_OUTCOMES for each in due):
                break
        return taken

    def _give_up(self) -> None:
        """Drop what is too late, whenever its client is tried next: a tick drops more than can close in its second."""
        with self._database.transaction() as connection:
            outcomes.sweep(connection, limit=_SWEPT)
        with self._database.transaction() as connection:
            late = outcomes.lock_late(connection, after=TOLD_FOR_SECONDS)
            gone = outcomes.give_up(connection, late, after=TOLD_FOR_SECONDS, limit=_SWEPT) if late else {}
        for client, count in gone.items():
            self._emit(OutcomesGivenUp(client=client, outcomes=count))

    def _claim(self) -> list[Delivery]:
        with self._database.transaction() as connection:
            clients = outcomes.lock_due(connection, limit=_CLIENTS)
            if not clients:
                return []
            return outcomes.claim(connection, clients, most=MOST_OUTCOMES, promise=_PROMISE_SECONDS)

    async def _post_all(self, due: Sequence[Delivery]) -> list[str | None]:
        return list(await asyncio.gather(*map(self._post_one, due)))

    async def _post_one(self, delivery: Delivery) -> str | None:
        try:
            secret = self._sealer.open(delivery.sealed, bound_webhook(delivery.client_id))
        except Undecryptable as fault:
            # It waits for its key.
            return str(fault)
        body = body_of(delivery)
        signed = headers(secret, f"msg_{delivery.delivery.hex}", int(clock.now().timestamp()), body)
        return await self._post().post(delivery.url, body, signed)

    def _emit_failed(self, delivery: Delivery, fault: str) -> None:
        self._emit(
            OutcomesNotTold(
                client=delivery.client_id, outcomes=len(delivery.outcomes), attempts=delivery.attempts, fault=fault
            )
        )


def body_of(delivery: Delivery) -> bytes:
    """Return what a client is told, the same at every attempt; times are in UTC."""
    jobs = [
        {
            "id": each.job_id,
            "reference": each.reference,
            "state": each.state,
            "reason": each.reason,
            "errcode": each.errcode,
            "closed_at": each.closed_at,
        }
        for each in delivery.outcomes
    ]
    body = {"type": "jobs.closed", "timestamp": delivery.outcomes[-1].closed_at, "data": {"jobs": jobs}}
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)


def _told(delivery: Delivery, fault: str | None) -> Told:
    if fault is None:
        return Told(client_no=delivery.client_no, delivery=delivery.delivery, is_taken=True)
    wait = tell_delay(delivery.attempts, draw=random.random()).total_seconds()  # noqa: S311 - jitter
    return Told(client_no=delivery.client_no, delivery=delivery.delivery, is_taken=False, wait=wait)
