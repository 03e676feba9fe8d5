# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observes a Bottle application: a server span and a duration for each request, and no traceback to anybody.

Nothing here knows the API: copy it to any other Bottle service. For another WSGI framework change `_route`. The span ends
when the application returns its answer: an answer that is made while it is sent (a generator) is sent after it.
Names and attributes are OpenTelemetry's stable semantic conventions for HTTP servers:
https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

import functools
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import context, propagate, trace
from prometheus_client import Histogram

from traced_api.metrics import BUCKETS

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

# Any other method is _OTHER, so that nobody can fill the metrics with words of his own.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
LONGEST_HOST = 255  # characters
UNSEEN = frozenset({"/healthz", "/readyz"})

log = logging.getLogger(__name__)

_DURATION = Histogram(
    "http_server_request_duration_seconds",
    "Duration of HTTP requests: from the call of the application to its answer.",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=BUCKETS,
)
# The query's parameters that the conventions tell to hide.
_SECRET = re.compile(r"(?<![^&])(AWSAccessKeyId|Signature|sig|X-Goog-Signature)=[^&]*")


def observed(app: Application) -> Application:
    """The application, with a server span that goes on in its caller's trace, and its duration measured."""
    tracer = trace.get_tracer("traced_api.middleware")

    def observe(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in UNSEEN:
            return app(environ, start_response)
        began = time.perf_counter()
        caller = propagate.extract(_carrier(environ))
        method = environ["REQUEST_METHOD"]
        name = method if method in METHODS else "HTTP"
        known = method if method in METHODS else "_OTHER"
        attributes = _request(environ, method, known)
        span = tracer.start_span(name, context=caller, kind=trace.SpanKind.SERVER, attributes=attributes)
        token = context.attach(trace.set_span_in_context(span, caller))
        status = 500

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = int(line[:3])
            return start_response(line, headers, exc_info) if exc_info else start_response(line, headers)

        try:
            return app(environ, start)
        except Exception as error:
            log.exception("the request failed")
            span.record_exception(error)
            start("500 Internal Server Error", [("Content-Length", "0")], sys.exc_info())
            return [b""]
        finally:
            route = _route(environ)
            _finish(span, name, route, status)
            context.detach(token)
            _duration(known, route, status).observe(time.perf_counter() - began)

    return observe


def _finish(span: trace.Span, name: str, route: str, status: int) -> None:
    """What is known only now: the route, and how it ended. A wrong request (4xx) is no error of the server."""
    if span.is_recording():
        if route:
            span.update_name(f"{name} {route}")
            span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(trace.StatusCode.ERROR)
    span.end()


@functools.lru_cache(maxsize=1024)
def _duration(method: str, route: str, status: int) -> Any:
    return _DURATION.labels(method, route, status)


def _route(environ: Mapping[str, Any]) -> str:
    """The template of the route that Bottle has found, not the address; empty where there is none."""
    route = environ.get("bottle.route")
    return str(route.rule) if route else ""


def _carrier(environ: Mapping[str, str]) -> dict[str, str]:
    """The headers that the propagators read."""
    return {name: environ[key] for name, key in _carried() if key in environ}


@functools.lru_cache(maxsize=1)
def _carried() -> tuple[tuple[str, str], ...]:
    fields = sorted(propagate.get_global_textmap().fields)
    return tuple((name, f"HTTP_{name.upper().replace('-', '_')}") for name in fields)


def _request(environ: Mapping[str, Any], method: str, known: str) -> dict[str, str | int]:
    """What the conventions ask for at the start of a span, for samplers to decide by."""
    own = f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    address, port = _host((environ.get("HTTP_HOST") or own)[:LONGEST_HOST], environ["wsgi.url_scheme"])
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    found: dict[str, str | int] = {
        "http.request.method": known,
        "url.scheme": environ["wsgi.url_scheme"],
        "url.path": path.encode("latin-1", "replace").decode("utf-8", "replace"),
        "server.address": address,
        "server.port": port,
        "network.protocol.version": environ["SERVER_PROTOCOL"].removeprefix("HTTP/"),
    }
    if client := environ.get("REMOTE_ADDR"):
        found["client.address"] = client
    if known != method:
        found["http.request.method_original"] = method
    if agent := environ.get("HTTP_USER_AGENT"):
        found["user_agent.original"] = agent
    if query := environ.get("QUERY_STRING"):
        found["url.query"] = _SECRET.sub(r"\1=REDACTED", query)
    return found


@functools.lru_cache(maxsize=256)
def _host(host: str, scheme: str) -> tuple[str, int]:
    """Name and port of a Host header, which may be anything."""
    default = 443 if scheme == "https" else 80
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname or host, parts.port or default
    except ValueError:
        return host, default
