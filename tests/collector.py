"""A collector of traces that tests run: takes OTLP over HTTP, as any backend does, and keeps the spans."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

__all__ = ["Collector", "Span"]


@dataclass(frozen=True, kw_only=True)
class Span:
    """One span, as it came. Ids in hexadecimal, moments in seconds since 1970."""

    name: str
    trace: str
    id: str
    parent: str
    links: list[tuple[str, str]] = field(repr=False)
    since: float
    at: float
    attributes: Mapping[str, object]
    is_fault: bool
    pid: object


class Collector:
    """`with Collector() as collector:` listens at `url`; told to hang, it takes requests and answers none."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.spans: list[Span] = []
        self.bytes = bytearray()
        self._released = threading.Event()
        if not hangs:
            self._released.set()
        collector = self

        class Door(BaseHTTPRequestHandler):
            """Where exporters post."""

            def do_POST(self) -> None:
                """Keep what is posted."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector._take(body)
                collector._released.wait()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What the processes of a collector's users are given; they export at once."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "100", "NO_PROXY": "127.0.0.1"}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of who hangs, and listen no more."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def named(self, name: str) -> list[Span]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == f"pushjobs {name}"]

    def of_trace(self, trace: str) -> dict[str, Span]:
        """Return a trace's spans by name; a name comes once."""
        found = [span for span in self.spans if span.trace == trace]
        by_name = {span.name.removeprefix("pushjobs "): span for span in found}
        assert len(by_name) == len(found), found
        return by_name

    def _take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.bytes += body
        for each in request.resource_spans:
            resource = {one.key: one.value for one in each.resource.attributes}
            assert resource["service.name"].string_value == "pushjobs"
            pid = resource["process.pid"].int_value
            self.spans += [_read(span, pid) for scope in each.scope_spans for span in scope.spans]


def _read(span: trace_pb2.Span, pid: int) -> Span:
    values = {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in span.attributes}
    return Span(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        since=span.start_time_unix_nano / 1e9,
        at=span.end_time_unix_nano / 1e9,
        attributes=values,
        is_fault=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        pid=pid,
    )
