"""`/metrics`: figures of how things stand, for whoever may operate, and of nobody."""

from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pushjobs import clock
from pushjobs.domain.client import Right
from pushjobs.domain.job import Lane
from pushjobs.domain.lateness import STEPS
from pushjobs.figures import FIGURES
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.settings import Settings
from tests.conftest import APPID
from tests.integration.campaigns.hands import begin, readers
from tests.integration.hands import ask, claim, deliver, schedule
from tests.integration.serving import doors


@pytest.fixture
def door(settings: Settings) -> Iterator[httpx.Client]:
    """The doors of a process."""
    with doors(settings) as client:
        yield client


def bearer(runtime: Runtime, *rights: Right, name: str = "prometheus", apps: Collection[str] = ()) -> dict[str, str]:
    """The header of a new client with these rights."""
    made = runtime.clients.add(name, rights=list(rights), apps=apps)
    return {"Authorization": f"Bearer {made.client.id}.{made.key}"}


def read(door: httpx.Client, header: dict[str, str]) -> dict[tuple[str, tuple[str, ...]], float]:
    """Read the page as Prometheus does: values by name and labels, these in the order of their names."""
    answer = door.get("/metrics", headers=header)
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_it_says_how_things_stand(door: httpx.Client, runtime: Runtime) -> None:
    """Jobs out, overdue, in trouble, held; runs, calls, queues, beat: read from where they are true."""
    schedule(runtime, 5)
    out = claim(runtime, limit=2)
    ask(runtime, "UPDATE pushjobs.jobs SET due_at = now() - interval '90 s' WHERE state = 'scheduled'")
    ask(
        runtime,
        "UPDATE pushjobs.jobs SET state = 'in_doubt', lease_until = NULL, closed_at = now() WHERE id = :id",
        id=out[0][0],
    )
    runtime.operations.pause(lane=Lane.URGENT)
    values = read(door, bearer(runtime, Right.OPERATE))
    assert values["pushjobs_jobs_out", (APPID, "bulk")] == 1
    assert 90 <= values["pushjobs_overdue_seconds", (APPID, "bulk")] < 150
    assert values["pushjobs_jobs_troubled", ("in_doubt",)] == 1
    assert values["pushjobs_pauses", (APPID, "operator")] == 1
    assert values["pushjobs_calls_today", (APPID,)] == 0
    assert values["pushjobs_queue_messages", ("pushjobs.bulk",)] == 0
    assert values["pushjobs_up", ("database",)] == values["pushjobs_up", ("broker",)] == 1
    of_histogram = {f"pushjobs_lateness_seconds_{part}" for part in ("bucket", "count", "sum")}
    assert {name for name, _ in values} <= {figure.name for figure in FIGURES} | of_histogram


def test_it_counts_what_became_of_jobs(sandbox: SandboxClient, worker: Runtime, door: httpx.Client) -> None:
    """Sent and refused by code, how late calls left, tokens fetched: counters that only rise, whoever worked."""
    schedule(worker, 4)
    sandbox.mark_users("oReader000001", "refusing")
    deliver(worker, claim(worker))
    schedule(worker, 6, time=clock.now() + timedelta(hours=1))
    worker.summaries.bring_up_to_date()
    values = read(door, bearer(worker, Right.OPERATE))
    assert values["pushjobs_jobs_moved_total", (APPID, "", "bulk", "", "deliver")] == 3
    assert values["pushjobs_jobs_moved_total", (APPID, "43101", "bulk", "no_consent", "reject")] == 1
    assert values["pushjobs_lateness_seconds_count", (APPID, "bulk")] == 4
    assert values["pushjobs_lateness_seconds_bucket", (APPID, "bulk", "+Inf")] == 4
    below = [values["pushjobs_lateness_seconds_bucket", (APPID, "bulk", f"{step}")] for step in STEPS]
    assert below == sorted(below)
    assert 0 < values["pushjobs_lateness_seconds_sum", (APPID, "bulk")] < 60
    assert values["pushjobs_tokens_fetched_total", (APPID,)] == 1
    assert values["pushjobs_pace_per_second", (APPID,)] == worker.app().limit().per_second
    assert values["pushjobs_jobs_scheduled", (APPID, "bulk")] == 6
    assert values["pushjobs_scheduled_age_seconds", ()] < 60


def test_a_run_that_waits_is_not_overdue(door: httpx.Client, runtime: Runtime, tmp_path: Path) -> None:
    """Jobs of a run whose content is not there yet are held, and late for nothing."""
    begin(runtime, tmp_path, readers(3))
    runtime.ticking.expand()
    ask(runtime, "UPDATE pushjobs.jobs SET due_at = now() - interval '1 hour'")
    values = read(door, bearer(runtime, Right.OPERATE))
    assert values["pushjobs_campaign_runs", (APPID, "preparing")] == 1
    assert ("pushjobs_overdue_seconds", (APPID, "bulk")) not in values


def test_only_who_may_operate_everything_reads_it(door: httpx.Client, runtime: Runtime) -> None:
    """Without a key it is not said, nor to a client that may not operate, or only one app."""
    assert door.get("/metrics").status_code == 401
    assert door.get("/metrics", headers={"Authorization": "Bearer a.b"}).status_code == 401
    assert door.get("/metrics", headers=bearer(runtime, Right.READ, Right.WRITE)).status_code == 403
    of_one = bearer(runtime, Right.OPERATE, name="agency", apps=[APPID])
    assert door.get("/metrics", headers=of_one).status_code == 403
