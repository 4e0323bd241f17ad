"""Traces: what a job's spans say, which jobs have them, and what becomes of jobs whose traces go nowhere."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pushjobs import clock, telemetry
from pushjobs.domain.job import JobId, JobState, Lane
from pushjobs.errors import Misconfigured
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.settings import Settings
from pushjobs.telemetry.traces import Shares, Traces
from tests.acceptance.installation import wait_for
from tests.collector import Collector
from tests.integration.hands import SEND, claim, deliver, only_job, schedule
from tests.integration.pushes import TOMORROW, news
from tests.integration.telling import TOKEN, apply, receipt, tell

CALLER = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Where this test's spans go."""
    with Collector() as running:
        yield running


@pytest.fixture
def environment(environment: dict[str, str], collector: Collector, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every job is traced, those of the bulk lane too; receipts are taken."""
    for name, value in collector.environment.items():
        monkeypatch.setenv(name, value)
    return environment | {
        "PUSHJOBS_TRACE_SHARE": "1",
        "PUSHJOBS_TRACE_BULK_SHARE": "1",
        "PUSHJOBS_CALLBACK_TOKEN": TOKEN,
    }


def has(collector: Collector, name: str, count: int = 1) -> None:
    """Wait until there are so many spans of a name."""
    wait_for(f"{count} spans of {name}", lambda: len(collector.named(name)) >= count)


def test_a_job_is_one_trace_from_send_to_receipt(worker: Runtime, sandbox: SandboxClient, collector: Collector) -> None:
    """Accept, release, admit, call, settle, receipt: all below the first, whose ids every process can tell."""
    schedule(worker)
    deliver(worker, claim(worker))
    job, [received] = only_job(worker), sandbox.all_received()
    tell(worker, "sent", receipt(received.msgid))
    apply(worker)
    has(collector, "receipt")

    [accepted] = collector.named("accept")
    spans = collector.of_trace(accepted.trace)
    assert spans.keys() == {"accept", "admit", "call", "settle", "receipt"}
    assert accepted.parent == ""
    assert {span.parent for name, span in spans.items() if name != "accept"} == {accepted.id}
    assert {span.attributes["pushjobs.job"] for span in spans.values()} == {job.id}
    moments = [spans[name].since for name in ("accept", "admit", "call", "settle", "receipt")]
    assert moments == sorted(moments)
    call = spans["call"]
    assert call.since <= received.arrived_at <= call.at
    assert call.attributes["pushjobs.transition"] == "deliver"
    elsewhere = Traces(Shares(urgent=1, bulk=1), lambda: worker.connections.lookup.fingerprint)
    first = elsewhere.first_span(job.id)
    elsewhere.close()
    assert (accepted.trace, accepted.id) == (f"{first.trace_id:032x}", f"{first.span_id:016x}")


def test_slices_and_their_jobs_link_to_each_other(worker: Runtime, collector: Collector) -> None:
    """What three jobs did together is one span of a trace of its own."""
    schedule(worker, 3)
    deliver(worker, claim(worker))
    has(collector, "settle", 3)

    accepted = {(span.trace, span.id) for span in collector.named("accept")}
    for name in ("admit", "settle"):
        slices = collector.named(f"{name} slice")
        assert {link for span in slices for link in span.links} == accepted
        back = {link for span in collector.named(name) for link in span.links}
        assert back == {(span.trace, span.id) for span in slices}


def test_what_went_wrong_is_seen_in_the_trace(worker: Runtime, sandbox: SandboxClient, collector: Collector) -> None:
    """A refusal is a fault of its call, with code and reason; a job that a gate holds has the gate's word."""
    sandbox.order_fault("errcode", SEND, errcode=43101, times=1)
    schedule(worker)
    deliver(worker, claim(worker))
    refused = only_job(worker)
    schedule(worker, expires=timedelta(seconds=1))
    batch = claim(worker)
    [late] = worker.producer.find(limit=1)
    wait_for("it has expired", lambda: clock.now() > late.expires)
    deliver(worker, batch)
    has(collector, "call")
    has(collector, "hold")

    [call] = collector.named("call")
    assert call.is_fault
    said = {"pushjobs.job": refused.id, "pushjobs.errcode": 43101, "pushjobs.reason": "no_consent"}
    assert said.items() <= call.attributes.items()
    [hold] = collector.named("hold")
    assert (hold.attributes["pushjobs.job"], hold.attributes["pushjobs.transition"]) == (late.id, "expire")


def test_the_caller_s_own_trace_has_the_send(producer_in_trace: InMemorySpanExporter, collector: Collector) -> None:
    """In the caller's process and by its own SDK: a span of `send` below its current one, linked with the job's."""
    has(collector, "accept")
    [accepted] = collector.named("accept")
    sent, around = producer_in_trace.get_finished_spans()
    assert sent.parent is not None
    assert sent.context is not None
    assert (sent.name, sent.parent.span_id) == ("pushjobs send", around.context and around.context.span_id)
    assert [(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in sent.links] == [
        (accepted.trace, accepted.id)
    ]
    assert accepted.links == [(f"{sent.context.trace_id:032x}", f"{sent.context.span_id:016x}")]
    assert accepted.parent == ""


@pytest.fixture
def producer_in_trace(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """A job that was sent from within a span of an application that traces."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    with provider.get_tracer("shop").start_as_current_span("order"):
        runtime.producer.send(**news(1, time=TOMORROW))
    return kept


@pytest.mark.parametrize("lane", Lane)
def test_every_process_traces_the_same_jobs(lane: Lane) -> None:
    """A share of 3 % is 3 % of any thousand numbers in a row, near enough; of all and of none it is exact."""
    shares = Shares(urgent=0.03, bulk=0.03)
    for first in (1, 5_000_000, 2**52):
        traced = sum(shares.has(JobId(number), lane) for number in range(first, first + 1000))
        assert 27 <= traced <= 33
    numbers = [JobId(number) for number in range(1000)]
    assert all(Shares(urgent=1, bulk=1).has(number, lane) for number in numbers)
    assert not any(Shares(urgent=0, bulk=0).has(number, lane) for number in numbers)


def test_bulk_jobs_have_a_share_of_their_own(settings: Settings) -> None:
    """To trace every urgent job is not to trace every reader of a campaign."""
    fields = type(settings).model_fields
    shares = Shares(urgent=1.0, bulk=fields["trace_bulk_share"].default)
    assert shares.has(JobId(1), Lane.URGENT)
    assert sum(shares.has(JobId(number), Lane.BULK) for number in range(100_000)) in {99, 100, 101}


def test_off_nothing_is_imported(environment: dict[str, str]) -> None:
    """Without a share no process of ours imports what makes and sends spans (redis imports its own metrics' part)."""
    program = (
        "import sys; from pushjobs import settings, telemetry; from pushjobs.runtime import Runtime;"
        "import pushjobs.http.application, workers.tasks;"
        "made = Runtime(settings.load()); made.producer.counts(); made.close();"
        "print([name for name in ('trace', 'exporter', 'proto') if any(name in each for each in sys.modules"
        " if each.startswith(('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'opentelemetry.proto')))],"
        " telemetry.is_followed())"
    )
    off = {**environment, "PUSHJOBS_TRACE_SHARE": "0"}
    run = subprocess.run([sys.executable, "-c", program], env=off, check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "[] False"


def test_without_the_extra_it_is_said_what_to_install(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share, and OpenTelemetry not there: a fault of the settings, with the remedy."""
    monkeypatch.setitem(sys.modules, "pushjobs.telemetry.traces", None)
    with pytest.raises(Misconfigured, match=r"pip install 'pushjobs\[tracing\]'"):
        Runtime(settings)


def test_a_collector_that_hangs_holds_up_nobody(
    environment: dict[str, str], settings: Settings, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs are sent as ever, and the process ends within two seconds, though not one answer comes."""
    assert sandbox is not None
    settings = settings.model_copy(update={"wechat_base_url": environment["PUSHJOBS_WECHAT_BASE_URL"]})
    with Collector(hangs=True) as stuck:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", stuck.url)
        made = Runtime(settings)
        schedule(made, 50)
        deliver(made, claim(made))
        assert made.producer.counts()[JobState.SENT] == 50
        wait_for("a batch is on its way", lambda: bool(stuck.spans))
        begun = time.monotonic()
        made.close()
        assert time.monotonic() - begun < 2.0


def test_a_fault_in_a_trace_is_told_once_and_harms_no_job(
    runtime: Runtime, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks in the making of spans: `send` goes on, and the log has one line."""
    monkeypatch.setattr(Traces, "first_span", lambda *_: 1 / 0)
    jobs = [runtime.producer.send(**news(number, time=TOMORROW)) for number in range(3)]
    assert [job.state for job in jobs] == [JobState.SCHEDULED] * 3
    assert [(each.message, vars(each)["fault"]) for each in caplog.records] == [("trace_broke", "ZeroDivisionError")]


def test_after_the_end_nobody_follows(settings: Settings) -> None:
    """A runtime that is closed leaves nobody to be told."""
    made = Runtime(settings)
    assert telemetry.is_followed()
    made.close()
    assert not telemetry.is_followed()


def test_a_process_that_forks_traces_in_the_child(settings: Settings, collector: Collector) -> None:
    """A runtime is made after the fork, and so is the thread that exports: the child's spans arrive."""
    child = os.fork()
    if child == 0:
        made = Runtime(settings)
        made.producer.send(**news(1, time=TOMORROW))
        made.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    has(collector, "accept")
    assert [span.pid for span in collector.named("accept")] == [child]
