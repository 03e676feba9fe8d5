# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One JSON object a line to stderr, with the ids of the span in which it was written."""

from __future__ import annotations

import logging
import logging.config
from typing import Any

from opentelemetry import trace

# Also the server's own lines (logger _granian) come in this form: it is handed over to it.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"span": {"()": "traced_api.logs.SpanIds"}},
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": ["levelname", "name", "message", "process"],
            "rename_fields": {"levelname": "level", "name": "logger"},
            "timestamp": True,
        }
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
            "formatter": "json",
            "filters": ["span"],
        }
    },
    # These would write what a stranger has sent, at any length, for each request: malformed or too long headers.
    "loggers": {
        name: {"level": "ERROR"}
        for name in (
            "opentelemetry.attributes",
            "opentelemetry.baggage.propagation",
            "opentelemetry.trace.propagation.tracecontext",
            "opentelemetry.trace.span",
        )
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
}


class SpanIds(logging.Filter):
    """Adds trace_id and span_id (hexadecimal, as in traceparent) to what is logged within a span."""

    def filter(self, record: logging.LogRecord) -> bool:
        here = trace.get_current_span().get_span_context()
        if here.is_valid:
            record.trace_id = trace.format_trace_id(here.trace_id)
            record.span_id = trace.format_span_id(here.span_id)
        return True


def start() -> None:
    """Log in this process."""
    logging.config.dictConfig(LOGGING)
