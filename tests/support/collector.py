# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver of OTLP by HTTP, which keeps what it is sent. What Jaeger makes of it: tests/integration/test_tracing.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.serving import serving


@dataclass(frozen=True)
class Seen:
    """A span that has come. error: whether its status is one, and what it says."""

    name: str
    trace: str
    id: str
    parent: str
    client: bool
    error: bool
    says: str
    attributes: dict[str, Any]


@dataclass
class Collector:
    """A running receiver. bodies are what came, as it came; headers those of the last request."""

    endpoint: str
    status: int = 200
    spans: list[Seen] = field(default_factory=list)
    resource: dict[str, Any] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def one(self, name: str) -> Seen:
        """The only span of this name."""
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def below(self, parent: Seen) -> list[Seen]:
        """The spans right below this one, in the order in which they ended."""
        return [span for span in self.spans if span.parent == parent.id]

    def requests(self) -> list[Seen]:
        """The spans of requests."""
        return [span for span in self.spans if span.client]

    def keep(self, body: bytes) -> None:
        """Understand what came."""
        self.bodies.append(body)
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = _attributes(part.resource.attributes)
            self.spans += [_seen(span) for scope in part.scope_spans for span in scope.spans]


@contextmanager
def collector(status: int = 200) -> Iterator[Collector]:
    """Run a receiver that answers with this status until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            running.paths.append(self.path)
            running.headers = dict(self.headers.items())
            if running.status == 200:
                running.keep(body)
            self.send_response(running.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Collector(f"http://127.0.0.1:{server.server_address[1]}", status)
    with serving(server):
        yield running


def _seen(span: Span) -> Seen:
    return Seen(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        client=span.kind == Span.SPAN_KIND_CLIENT,
        error=span.status.code == Status.STATUS_CODE_ERROR,
        says=span.status.message,
        attributes=_attributes(span.attributes),
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    found: list[KeyValue] = list(pairs)
    return {pair.key: _value(pair.value) for pair in found}


def _value(value: AnyValue) -> Any:
    if value.HasField("array_value"):
        return [_value(one) for one in value.array_value.values]
    return getattr(value, str(value.WhichOneof("value")))
