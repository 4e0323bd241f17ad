"""Traces: one a job, from `send` to the receipt, days apart and in whichever processes.

Nothing is handed on for it, neither in SQL nor in messages. A job's trace id and the id of its first span are derived
from the installation's fingerprint and the job's id, so that every process knows them; and whether a job is traced is
read off its id and its lane, so that every process decides alike without asking. Spans are made after the fact, from
steps with their moments: nothing is open between two of them, and a process that dies leaves no half of one.

What many jobs do together (an admission, a settlement, a tick's publishing) is one span with a trace of its own, which
links to its jobs' spans, as they do to it. So does the caller's own trace, where it has one: its span of `send` and the
job's first span link to each other.

The only room that knows OpenTelemetry, and imported only where jobs are traced: after the fork, for its exporter has a
thread. Where spans go is said by the standard OTEL_* variables, which its SDK reads itself. Refuses to: hold anybody
up. What the exporter cannot keep up with is dropped, and the end of a process waits for it a moment only.
"""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple, assert_never

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import PROCESS_PID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from pushjobs import clock
from pushjobs.domain.job import JobId, Lane
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.steps import (
    Called,
    JobsAccepted,
    JobsHeld,
    JobsPublished,
    NewJob,
    ReceiptsPlaced,
    SliceAdmitted,
    SliceWritten,
    Step,
)
from pushjobs.telemetry.asking import ASKING

__all__ = ["Shares", "Traces"]

_NAME = "pushjobs"
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_LAST_SECONDS = 1.5
"""How long the end of a process waits for its last spans: the HTTP doors have two seconds left by then."""

_SCALE = 1 << 32
_SPREAD = 1_640_531_527
"""2³² over the square of the golden ratio: numbers in a row, times this, are spread evenly over 2³²."""

_Attributes = Mapping[str, AttributeValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Which share of the jobs of each lane is traced, from 0 to 1."""

    urgent: float
    bulk: float

    def has(self, job_id: JobId, lane: Lane) -> bool:
        """Whether the job is traced: the same answer in every process with the same shares."""
        share = self.urgent if lane is Lane.URGENT else self.bulk
        return (job_id % _SCALE * _SPREAD) % _SCALE < share * _SCALE


class _When(NamedTuple):
    """From when to when, in nanoseconds since 1970."""

    since: int
    at: int


class _Ids(RandomIdGenerator):
    """Random ids, but for the first span of a job."""

    def __init__(self) -> None:
        self._next = threading.local()

    def give(self, context: SpanContext) -> None:
        """Have the next span of this thread, which has no parent, carry these ids."""
        self._next.context = context

    def generate_trace_id(self) -> int:
        context: SpanContext | None = getattr(self._next, "context", None)
        return super().generate_trace_id() if context is None else context.trace_id

    def generate_span_id(self) -> int:
        context: SpanContext | None = getattr(self._next, "context", None)
        self._next.context = None
        return super().generate_span_id() if context is None else context.span_id


class Traces:
    """Makes spans of the steps it is told; one a process, safe to call from any thread.

    `fingerprint` is the installation's: two of them that send to one collector have jobs of the same numbers.
    """

    def __init__(self, shares: Shares, fingerprint: Callable[[], str]) -> None:
        self._shares = shares
        self._fingerprint = fingerprint
        self._ids = _Ids()
        resource = Resource.create({PROCESS_PID: os.getpid()})
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: _NAME}))
        # Sampled by their ids already: OTEL_TRACES_SAMPLER would decide otherwise in each process.
        self._provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False, id_generator=self._ids)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(_NAME)

    def __call__(self, step: Step) -> None:
        """Make the spans of a step, of those of its jobs that are traced."""
        match step:
            case JobsAccepted():
                self._accept(step)
            case JobsPublished():
                outcome = {} if step.is_taken else {"pushjobs.reason": "not_published"}
                self._together("release", step.lane, step.jobs, _when(step.since, step.at), outcome)
            case SliceAdmitted():
                self._together("admit", step.lane, step.jobs, _when(step.since, step.at), {})
            case JobsHeld():
                self._hold(step)
            case SliceWritten():
                self._write(step)
            case ReceiptsPlaced():
                self._place(step)
            case _:
                assert_never(step)

    def close(self) -> None:
        """Send what is left, or give it up after a moment."""
        # In a thread that does not keep the process: a collector that is gone is tried for ten seconds.
        ending = threading.Thread(target=self._provider.shutdown, name="pushjobs-last-spans", daemon=True)
        ending.start()
        ending.join(_LAST_SECONDS)

    def first_span(self, job_id: JobId) -> SpanContext:
        """Return the ids of a job's trace and of its first span."""
        digest = sha256(f"{self._fingerprint()}:{job_id}".encode()).digest()
        trace_id, span_id = int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])
        return SpanContext(trace_id, span_id, is_remote=True, trace_flags=_SAMPLED)

    def _accept(self, step: JobsAccepted) -> None:
        traced = [job for job in step.jobs if self._shares.has(job.id, job.lane)]
        if not traced:
            return
        when = _when(step.since, step.at)
        caller = self._asked(step.appid, traced, when)
        for job in traced:
            # Nobody's child: the caller's trace ends in seconds, the job's in days.
            self._ids.give(self.first_span(job.id))
            self._span("accept", when, _of_new(step.appid, job), links=[] if caller is None else [caller])

    def _asked(self, appid: str, jobs: Sequence[NewJob], when: _When) -> SpanContext | None:
        """Make the span of `send` in the caller's own trace, and return its ids; None where it has none."""
        ours, current = self._tracer, trace.get_current_span()
        if current.is_recording():
            # In the caller's own process, and with an SDK of its own: so its exporter has it.
            ours = trace.get_tracer(_NAME)
        elif not current.get_span_context().is_valid and (asking := ASKING.get()) is not None:
            told = {} if asking.traceparent is None else {"traceparent": asking.traceparent}
            current = trace.get_current_span(TraceContextTextMapPropagator().extract(told))
        caller = current.get_span_context()
        if not caller.is_valid or not caller.trace_flags.sampled:
            return caller if caller.is_valid else None
        span = ours.start_span(
            f"{_NAME} send",
            trace.set_span_in_context(current),
            kind=SpanKind.PRODUCER,
            attributes={"pushjobs.appid": appid, "pushjobs.jobs": len(jobs)},
            links=[Link(self.first_span(job.id)) for job in jobs],
            start_time=when.since,
        )
        span.end(when.at)
        return span.get_span_context()

    def _together(
        self, name: str, lane: Lane, jobs: Iterable[JobId], when: _When, more: _Attributes
    ) -> dict[JobId, SpanContext]:
        """Make one span of many jobs, and one in each one's own trace; return those that are traced."""
        traced = {job_id: self.first_span(job_id) for job_id in jobs if self._shares.has(job_id, lane)}
        if traced:
            attributes: _Attributes = {"pushjobs.lane": lane, **more}
            whole = self._span(
                f"{name} slice", when, {**attributes, "pushjobs.traced": len(traced)}, links=traced.values()
            )
            for job_id, first in traced.items():
                self._span(name, when, {"pushjobs.job": job_id, **attributes}, parent=first, links=[whole])
        return traced

    def _hold(self, step: JobsHeld) -> None:
        when = _when(step.at, step.at)
        for job_id, transition, reason in step.jobs:
            if self._shares.has(job_id, step.lane):
                attributes: dict[str, AttributeValue] = {"pushjobs.job": job_id, "pushjobs.lane": step.lane}
                attributes |= {"pushjobs.transition": transition}
                self._span("hold", when, attributes | _reason(reason), parent=self.first_span(job_id))

    def _write(self, step: SliceWritten) -> None:
        jobs = [job for job in step.jobs if self._shares.has(job.id, step.lane)]
        if not jobs:
            return
        firsts = self._together("settle", step.lane, [job.id for job in jobs], _when(step.since, step.at), {})
        for job in jobs:
            if job.left_at is not None:
                self._span(
                    "call",
                    _when(job.left_at, job.answered_at),
                    _of_call(job, step.lane),
                    parent=firsts[job.id],
                    kind=SpanKind.CLIENT,
                    fault=None if job.transition is Transition.DELIVER else str(job.reason),
                )

    def _place(self, step: ReceiptsPlaced) -> None:
        when = _when(step.since, step.at)
        for job in step.jobs:
            if self._shares.has(job.id, job.lane):
                attributes: dict[str, AttributeValue] = {
                    "pushjobs.job": job.id,
                    "pushjobs.lane": job.lane,
                    "pushjobs.told_at": _text(job.told_at),
                    "pushjobs.was_in_doubt": job.is_confirmed,
                }
                if job.errcode is not None:
                    attributes["pushjobs.errcode"] = job.errcode
                self._span(
                    "receipt",
                    when,
                    attributes,
                    parent=self.first_span(job.id),
                    kind=SpanKind.CONSUMER,
                    fault=f"errcode {job.errcode}" if job.errcode else None,
                )

    def _span(  # noqa: PLR0913 - what a span has
        self,
        name: str,
        when: _When,
        attributes: _Attributes,
        *,
        parent: SpanContext | None = None,
        links: Iterable[SpanContext] = (),
        kind: SpanKind = SpanKind.INTERNAL,
        fault: str | None = None,
    ) -> SpanContext:
        """Make a span that is over, and return its ids. Without a parent it has none, whatever goes on around."""
        span = self._tracer.start_span(
            f"{_NAME} {name}",
            trace.set_span_in_context(trace.INVALID_SPAN if parent is None else NonRecordingSpan(parent)),
            kind=kind,
            attributes=attributes,
            links=[Link(each) for each in links],
            start_time=when.since,
        )
        if fault is not None:
            span.set_status(Status(StatusCode.ERROR, fault))
        span.end(when.at)
        return span.get_span_context()


def _of_new(appid: str, job: NewJob) -> _Attributes:
    attributes: dict[str, AttributeValue] = {
        "pushjobs.job": job.id,
        "pushjobs.appid": appid,
        "pushjobs.template": job.template_id,
        "pushjobs.lane": job.lane,
    }
    if job.due is not None:
        attributes["pushjobs.due"] = _text(job.due)
    return attributes


def _of_call(job: Called, lane: Lane) -> _Attributes:
    attributes: dict[str, AttributeValue] = {
        "pushjobs.job": job.id,
        "pushjobs.appid": job.appid,
        "pushjobs.template": job.template_id,
        "pushjobs.lane": lane,
        "pushjobs.attempt": job.attempt,
        "pushjobs.transition": job.transition,
    }
    if job.left_at is not None:
        attributes["pushjobs.late_ms"] = round((job.left_at - job.due) * 1000, 1)
    if job.errcode is not None:
        attributes["pushjobs.errcode"] = job.errcode
    return attributes | _reason(job.reason)


def _reason(reason: str | None) -> dict[str, AttributeValue]:
    return {} if reason is None else {"pushjobs.reason": reason}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _when(since: float, at: float) -> _When:
    """Say moments of this process's monotonic clock as all processes do."""
    ahead = clock.now().timestamp() - clock.monotonic()
    return _When(round((since + ahead) * 1e9), round((at + ahead) * 1e9))
