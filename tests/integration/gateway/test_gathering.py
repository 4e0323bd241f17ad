"""Sends that come at the same time: gathered, bounded, and independent of each other's faults."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from pushjobs import clock
from pushjobs.acceptance import Asked
from pushjobs.batches import AcceptedJob
from pushjobs.errors import InvalidInput, Overloaded, UnknownTemplate
from pushjobs.http.gathering import _MOST_WAITING, Gathering
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.telemetry import emit
from tests.acceptance.installation import wait_for
from tests.integration.hands import ask
from tests.integration.pushes import news

AT_ONCE_SECONDS = 1.0


@pytest.fixture
def gathering(runtime: Runtime) -> Iterator[Gathering]:
    """What gathers for one process, which knows the template of the news."""
    runtime.acceptance.accept([asked(0)])
    made = Gathering(lambda: runtime.acceptance, emit=emit)
    yield made
    made.close()


def asked(number: int, **more: Any) -> Asked:  # noqa: ANN401 - arguments of `send`
    return Asked(arguments=news(number, time="2099-12-01 08:00:00", **more))


async def test_who_comes_too_many_is_told_at_once(gathering: Gathering, runtime: Runtime) -> None:
    """While nothing can be stored, so many wait; the next one hears that it is too much, and those go in afterwards."""
    with runtime.database.transaction() as connection:
        connection.exec_driver_sql("LOCK TABLE pushjobs.jobs")
        waiting = [asyncio.create_task(gathering.accept(asked(number))) for number in range(_MOST_WAITING)]
        await asyncio.sleep(0)
        begun = clock.monotonic()
        with pytest.raises(Overloaded):
            await gathering.accept(asked(_MOST_WAITING))
        assert clock.monotonic() - begun < AT_ONCE_SECONDS
        assert not any(task.done() for task in waiting)
    jobs = [accepted.job for accepted in await asyncio.gather(*waiting)]
    assert len({job.id for job in jobs}) == _MOST_WAITING
    assert (await gathering.accept(asked(_MOST_WAITING))).job.id not in {job.id for job in jobs}
    [(transactions,)] = ask(runtime, "SELECT count(DISTINCT xmin::text) FROM pushjobs.jobs")
    assert transactions < _MOST_WAITING / 10


async def test_who_has_stopped_waiting_is_no_job(gathering: Gathering, runtime: Runtime) -> None:
    """A request that was given up while it still waited is not accepted behind its caller's back."""
    with runtime.database.transaction() as connection:
        connection.exec_driver_sql("LOCK TABLE pushjobs.jobs")
        first = asyncio.create_task(gathering.accept(asked(1)))
        await asyncio.to_thread(wait_for, "it is in work", lambda: gathering._in_work == 1)
        given_up = asyncio.create_task(gathering.accept(asked(2, reference="given up")))
        await asyncio.sleep(0)
        given_up.cancel()
    assert isinstance(await first, AcceptedJob)
    assert isinstance(await gathering.accept(asked(3)), AcceptedJob)
    assert ask(runtime, "SELECT id FROM pushjobs.jobs WHERE reference = 'given up'") == []


async def test_one_s_fault_is_not_the_others(gathering: Gathering, runtime: Runtime) -> None:
    """What the database will not take of one request, nobody else's fails for; each bad one has its own refusal."""
    ask(runtime, "ALTER TABLE pushjobs.jobs ADD CONSTRAINT no_reference CHECK (reference <> 'unlucky')")
    others = [gathering.accept(asked(number)) for number in range(20)]
    unlucky = gathering.accept(asked(20, reference="unlucky"))
    bad = gathering.accept(asked(21, page="/slash"))
    *jobs, fault, refusal = await asyncio.gather(*others, unlucky, bad, return_exceptions=True)
    assert all(isinstance(job, AcceptedJob) for job in jobs)
    assert isinstance(refusal, InvalidInput)
    assert "of our own making" in str(fault)


async def test_nobody_waits_for_wechat_but_who_asked(
    sandbox: SandboxClient, worker: Runtime, gathering: Gathering
) -> None:
    """A template that WeChat must be asked about keeps its own request waiting; others are accepted meanwhile."""
    worker.catalogue.sync()
    ask(worker, "UPDATE pushjobs.apps SET templates_synced_at = now() - interval '1 hour'")
    worker.catalogue.reload()
    sandbox.change_settings(latency_ms=2000)
    slow = asyncio.create_task(gathering.accept(asked(1, template_id="no-such-template")))
    await asyncio.to_thread(wait_for, "it waits for WeChat", lambda: gathering._slow == 1)
    order = {"template_id": DAILY_NEWS, "data": {"thing1": "x", "thing2": "y", "date3": "2026-12-01"}}
    assert isinstance(await gathering.accept(asked(2, **order)), AcceptedJob)
    assert not slow.done()
    with pytest.raises(UnknownTemplate):
        await slow
