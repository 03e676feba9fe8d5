# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both services have in common: the spans of a request, and their export with the SDK's defaults.

OTEL_SERVICE_NAME and OTEL_EXPORTER_OTLP_ENDPOINT say who exports them and where to.
"""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

TRACER = trace.get_tracer("bench")
PATH = "/api/v1/users/"


def export_spans() -> TracerProvider:
    """Have all spans of this process exported in batches; at its ordinary end the rest of them."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


def status_of(user_id: str) -> int:
    """The status to answer with: 200 for the one user there is, else 400."""
    with TRACER.start_as_current_span("user.Find") as span:
        if is_valid(user_id):
            return 200
        error = ValueError("invalid user id")
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, str(error)))
        return 400


def is_valid(user_id: str) -> bool:
    """Whether there is such a user."""
    with TRACER.start_as_current_span("user.isValid"):
        return user_id == "b"
