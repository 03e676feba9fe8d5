# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that knows the OpenTelemetry SDK: exporter, provider, resource, and helpers for handlers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SpanExporter,
    SpanExportResult,
)
from prometheus_client import Counter

from traced_api import __version__
from traced_api.config import Config

# A hostile address or User-Agent of 64 KB in each of the queued spans would be 1 GB.
LONGEST_ATTRIBUTE = 1024

log = logging.getLogger(__name__)

_SPANS = Counter("traced_api_spans", "Spans by what became of them.", ["result"])
_EXPORTED, _FAILED, _DROPPED = (_SPANS.labels(result) for result in ("exported", "failed", "dropped"))


def start(config: Config) -> TracerProvider | None:
    """Make this process's tracer provider: spans go to the exporter in batches, off the request's path.

    Call it in the process that serves, after the fork. None with TYPE=none: no span is ever made.
    """
    if config.exporter == "none":
        return None
    limits = SpanLimits()
    if limits.max_attribute_length is None:
        limits = SpanLimits(max_attribute_length=LONGEST_ATTRIBUTE)
    # `stop` ends it within a deadline; the SDK's own exit hook could wait for half a minute.
    provider = TracerProvider(resource=resource(config), span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(
        _CountingProcessor(
            _CountingExporter(_exporter(config)),
            max_queue_size=config.queue_size,
            max_export_batch_size=config.batch_size,
            schedule_delay_millis=config.schedule_delay,
        )
    )
    trace.set_tracer_provider(provider)
    return provider


def stop(provider: TracerProvider, seconds: float) -> bool:
    """Export what is still queued; False when that was not done after so many seconds."""
    flusher = threading.Thread(target=provider.shutdown, name="flush", daemon=True)
    flusher.start()
    flusher.join(seconds)
    return not flusher.is_alive()


def resource(config: Config) -> Resource:
    """Who the spans come from: our short variables, else OTEL_RESOURCE_ATTRIBUTES, else the defaults."""
    defaults = {"service.name": "api", "service.version": f"v{__version__}"}
    short = {
        "service.name": config.service,
        "service.version": config.version,
        "deployment.environment": config.environment,
    }
    given = {name: value for name, value in short.items() if value}
    return Resource.create({**defaults, **OTELResourceDetector().detect().attributes, **given})


def span(name: str) -> AbstractContextManager[trace.Span]:
    """A span inside the current one, ended with the `with` block."""
    return trace.get_tracer("traced_api", __version__).start_as_current_span(name)


def record_error(failed: trace.Span, error: Exception) -> None:
    """Put the error on the span as an event, and as the reason of its status."""
    failed.record_exception(error)
    failed.set_status(trace.StatusCode.ERROR, str(error))


def _exporter(config: Config) -> SpanExporter:
    if config.exporter == "stdout":
        return ConsoleSpanExporter(formatter=lambda ended: ended.to_json(indent=None) + "\n")
    # Without JAEGER the exporter reads OTEL_EXPORTER_OTLP_ENDPOINT itself.
    return OTLPSpanExporter(endpoint=f"http://{config.collector}/v1/traces" if config.collector else None)


class _CountingProcessor(BatchSpanProcessor):
    """Counts what the full queue drops (its oldest span, for each new one)."""

    def on_end(self, span: ReadableSpan) -> None:
        queue = self._batch_processor._queue  # the SDK tells nobody but its log
        if span.context and span.context.trace_flags.sampled and len(queue) == queue.maxlen:
            _DROPPED.inc()
        super().on_end(span)


class _CountingExporter(SpanExporter):
    """Counts what the exporter delivers and what it gives up."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            (_EXPORTED if result is SpanExportResult.SUCCESS else _FAILED).inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
