"""One job's trace over real processes: sent at the HTTP door, released, called, receipted; each where it happened."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from statistics import quantiles

import httpx
import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState
from pushjobs.domain.receipt import ReceiptState
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from tests.acceptance.installation import Up, news, wait_for
from tests.collector import Collector
from tests.conftest import APPID
from tests.integration.telling import AES_KEY, TOKEN

CALLER = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
STEPS = ("accept", "release", "admit", "call", "settle", "receipt")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where the installation's spans go."""
    with Collector() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def more_settings(collector: Collector) -> dict[str, str]:
    """Urgent jobs are traced, all of them; callbacks are taken."""
    assert collector.url
    return {"CALLBACK_TOKEN": TOKEN, "CALLBACK_AES_KEY": AES_KEY, "TRACE_SHARE": "1", "TRACE_BULK_SHARE": "0"}


@pytest.fixture(scope="module")
def options() -> Sequence[str]:
    """With the doors."""
    return ["--http", "0", "--no-flower"]


@pytest.fixture
def told(push: Runtime, sandbox: SandboxClient, up: Up) -> Runtime:
    """A runtime whose installation the sandbox tells of everything."""
    door = f"{up.address('http')}/callback/{APPID}"
    where = {"callback_url": door, "callback_token": TOKEN, "callback_aes_key": AES_KEY}
    sandbox.change_settings(**where, callback_mode="secure")
    return push


@pytest.fixture
def client(told: Runtime, up: Up) -> Iterator[httpx.Client]:
    """A client of the HTTP door."""
    told.catalogue.sync()
    made = told.clients.add("shop", rights=("read", "write"))
    who = {"Authorization": f"Bearer {made.client.id}.{made.key}"}
    with httpx.Client(base_url=up.address("http"), headers=who, trust_env=False, timeout=30) as opened:
        yield opened
    told.clients.revoke(made.client.id)


def test_a_trace_goes_through_every_process(
    told: Runtime, client: httpx.Client, sandbox: SandboxClient, collector: Collector
) -> None:
    """A job for in two seconds, sent with the caller's `traceparent`: six steps in four processes make one trace.

    The caller's own trace has the span of `send`, below the caller's; it and the job's first span link to each other.
    """
    moment = clock.now() + timedelta(seconds=2)
    sent = client.post(
        "/v1/jobs",
        json=news(1, time=moment.isoformat()),
        headers={"traceparent": f"00-{CALLER[0]}-{CALLER[1]}-01"},
    )
    job_id = sent.json()["id"]

    def is_told() -> bool:
        return told.producer.get(job_id).receipt is not None

    wait_for("it has its receipt", is_told)
    receipt = told.producer.get(job_id).receipt
    assert receipt is not None
    assert receipt.state is ReceiptState.DELIVERED
    wait_for("its last span is here", lambda: bool(collector.named("receipt")))

    [accepted] = collector.named("accept")
    spans = collector.of_trace(accepted.trace)
    assert spans.keys() == set(STEPS)
    assert {span.parent for name, span in spans.items() if name != "accept"} == {accepted.id}
    assert {span.attributes["pushjobs.job"] for span in spans.values()} == {job_id}
    # The door, the ticks' worker, the urgent one, and the one that applies callbacks.
    assert len({span.pid for span in spans.values()}) == 4
    assert len({spans[name].pid for name in ("admit", "call", "settle")}) == 1
    starts = [spans[name].since for name in STEPS]
    assert starts == sorted(starts)
    [received] = sandbox.all_received()
    assert moment.timestamp() <= spans["call"].since <= received.arrived_at <= spans["call"].at

    [ours] = collector.of_trace(CALLER[0]).values()
    assert (ours.name, ours.parent) == ("pushjobs send", CALLER[1])
    assert ours.links == [(accepted.trace, accepted.id)]
    assert accepted.links == [(CALLER[0], ours.id)]


def test_bulk_jobs_have_their_own_share(told: Runtime, collector: Collector) -> None:
    """With a share of none, a thousand of them leave no span, though every urgent job does."""
    before = len(collector.spans)
    told.producer.send_many([news(number) for number in range(1000)])
    wait_for("all are sent", lambda: told.producer.counts()[JobState.SENT] == 1000, 60)
    told.producer.send_many([news(1000, lane="urgent")])
    wait_for("the urgent one is traced", lambda: len(collector.named("settle")) == 2)
    new = {span.attributes.get("pushjobs.lane") for span in collector.spans[before:]}
    assert new == {"urgent"}


@pytest.mark.timing
def test_a_collector_that_is_gone_costs_no_lateness(
    told: Runtime, sandbox: SandboxClient, collector: Collector
) -> None:
    """Promise 1 holds with every job traced and nobody to take the spans: p50 of 50 ms, p99 of 500 ms."""
    collector.close()
    moments = [clock.now() + timedelta(seconds=2 + number / 50) for number in range(300)]
    told.producer.send_many([news(number, time=at, lane="urgent") for number, at in enumerate(moments)])
    wait_for("all are sent", lambda: told.producer.counts()[JobState.SENT] == 300, 60)
    arrived = {str(each.body["touser"]): each.arrived_at for each in sandbox.all_received() if each.body}
    late = [arrived[f"oReader{number:06d}"] - at.timestamp() for number, at in enumerate(moments)]
    assert min(late) >= 0
    cuts = quantiles(late, n=100)
    assert cuts[49] <= 0.05
    assert cuts[98] <= 0.5
