# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that knows OpenTelemetry: exporter, provider, propagators, and helpers for handlers."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import ParamSpec, TypeVar

from bottle import request
from opentelemetry import context, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from traced_api import __version__
from traced_api.config import Config

P = ParamSpec("P")
R = TypeVar("R")


def start(config: Config) -> TracerProvider:
    """Make the process's tracer provider: spans go to the exporter in batches, off the request's path.

    Raises ValueError when one of the SDK's own `OTEL_*` variables is wrong.
    """
    # `stop` ends it within a deadline; the SDK's own exit hook could wait for half a minute.
    provider = TracerProvider(resource=_resource(config), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter(config)))
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(
        CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    )
    return provider


def stop(provider: TracerProvider, seconds: float) -> bool:
    """Export what is still queued; False when that was not done after so many seconds."""
    flusher = threading.Thread(target=provider.shutdown, name="flush", daemon=True)
    flusher.start()
    flusher.join(seconds)
    return not flusher.is_alive()


def continue_trace(handler: Callable[P, R]) -> Callable[P, R]:
    """Bottle plugin: run a handler in the trace of its caller.

    The caller is named by the W3C headers `traceparent`, `tracestate` and `baggage`. Without them, or
    with malformed ones, the handler's first span starts a trace of its own.
    """

    @functools.wraps(handler)
    def traced(*args: P.args, **kwargs: P.kwargs) -> R:
        token = context.attach(propagate.extract(_carrier(request.environ)))
        try:
            return handler(*args, **kwargs)
        finally:
            context.detach(token)

    return traced


def span(name: str) -> AbstractContextManager[trace.Span]:
    """A span inside the current one, ended with the `with` block."""
    return trace.get_tracer("traced_api", __version__).start_as_current_span(name)


def record_error(failed: trace.Span, error: Exception) -> None:
    """Put the error on the span as an event, and as the reason of its status."""
    failed.record_exception(error)
    failed.set_status(trace.StatusCode.ERROR, str(error))


def _carrier(environ: Mapping[str, str]) -> dict[str, str]:
    """The headers that the propagators read. Bottle's own mapping raises on bytes that are not UTF-8."""
    keys = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in propagate.get_global_textmap().fields}
    return {name: environ[key] for name, key in keys.items() if key in environ}


def _resource(config: Config) -> Resource:
    attributes = {
        "service.name": config.service,
        "service.version": config.version,
        "deployment.environment": config.environment,
    }
    return Resource.create({name: value for name, value in attributes.items() if value})


def _exporter(config: Config) -> SpanExporter:
    if config.exporter == "stdout":
        return ConsoleSpanExporter(formatter=lambda ended: ended.to_json(indent=None) + "\n")
    return OTLPSpanExporter(endpoint=f"http://{config.collector}/v1/traces")
