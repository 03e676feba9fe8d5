# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spans of a request, as the exporter gives them away."""

from __future__ import annotations

from collections.abc import Callable
from wsgiref.util import setup_testing_defaults

import pytest
from bottle import Bottle
from opentelemetry import baggage
from prometheus_client import REGISTRY
from traced_api import tracing
from traced_api.middleware import Environ, StartResponse, observed

from app.tests.service import HOST, Api, Span

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
CALLER = f"00-{TRACE}-{PARENT}-01"


ROUTE = "/api/v1/users/<user_id>"


def three(spans: list[Span], method: str = "GET") -> tuple[Span, Span, Span]:
    """The spans of one request: the server's, user.Find inside it, and user.isValid inside that."""
    by_name = {span["name"]: span for span in spans}
    assert len(spans) == 3
    server, find, is_valid = by_name[f"{method} {ROUTE}"], by_name["user.Find"], by_name["user.isValid"]
    for outer, inner in ((server, find), (find, is_valid)):
        assert inner["parent_id"] == outer["context"]["span_id"]
        assert inner["context"]["trace_id"] == outer["context"]["trace_id"]
        assert outer["start_time"] <= inner["start_time"] <= inner["end_time"] <= outer["end_time"]
    return server, find, is_valid


def test_a_good_id(start: Callable[..., Api]) -> None:
    api = start()
    assert api.get("/api/v1/users/b") == (200, b"")
    server, find, is_valid = three(api.spans())
    assert server["parent_id"] is None
    assert server["kind"] == "SpanKind.SERVER"
    for one in (server, find, is_valid):
        assert one["status"] == {"status_code": "UNSET"}
        assert one["events"] == []
    assert find["attributes"] == is_valid["attributes"] == {}


def test_a_bad_id(start: Callable[..., Api]) -> None:
    api = start()
    assert api.get("/api/v1/users/a") == (400, b"")
    server, find, is_valid = three(api.spans())
    assert server["status"] == {"status_code": "UNSET"}  # the client's fault, not ours
    assert find["status"] == {"status_code": "ERROR", "description": "invalid user id"}
    (event,) = find["events"]
    assert event["name"] == "exception"
    assert event["attributes"]["exception.type"] == "ValueError"
    assert event["attributes"]["exception.message"] == "invalid user id"
    assert is_valid["status"] == {"status_code": "UNSET"}
    assert is_valid["events"] == []
    (line,) = (line for line in api.logged() if line["message"] == "invalid user id")
    ids = {"trace_id": f"0x{line['trace_id']}", "span_id": f"0x{line['span_id']}"}
    assert ids.items() <= find["context"].items()


def test_the_server_spans_attributes(start: Callable[..., Api]) -> None:
    """Those of the stable conventions: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ ."""
    api = start()
    api.get("/api/v1/users/b%20c?q=1&sig=abc&Signature=s", **{"User-Agent": "test"})
    server = three(api.spans())[0]
    assert server["attributes"] == {
        "http.request.method": "GET",
        "http.response.status_code": 400,
        "http.route": ROUTE,
        "url.scheme": "http",
        "url.path": "/api/v1/users/b c",
        "url.query": "q=1&sig=REDACTED&Signature=REDACTED",
        "server.address": HOST,
        "server.port": api.port,
        "client.address": HOST,
        "network.protocol.version": "1.1",
        "user_agent.original": "test",
    }


@pytest.mark.parametrize(
    ("method", "path", "name", "attributes"),
    [
        ("GET", "/nowhere", "GET", {"http.response.status_code": 404}),
        ("POST", "/api/v1/users/b", "POST", {"http.response.status_code": 405}),
        (
            "BREW",
            "/api/v1/users/b",
            "HTTP",
            {"http.request.method": "_OTHER", "http.request.method_original": "BREW"},
        ),
    ],
)
def test_what_has_no_route_is_named_by_its_method(
    start: Callable[..., Api], method: str, path: str, name: str, attributes: dict[str, object]
) -> None:
    api = start()
    api.get(path, method)
    (server,) = api.spans()
    assert server["name"] == name
    assert attributes.items() <= server["attributes"].items()
    assert "http.route" not in server["attributes"]


def test_a_long_address_does_not_swell_the_queue(start: Callable[..., Api]) -> None:
    api = start()
    assert api.get("/api/v1/users/" + "a" * 60_000) == (400, b"")
    server = three(api.spans())[0]
    assert len(server["attributes"]["url.path"]) == tracing.LONGEST_ATTRIBUTE


@pytest.mark.parametrize(
    ("settings", "attributes"),
    [
        (
            {"SVC": "users", "VER": "v1.2.3", "ENV": "production"},
            {"service.name": "users", "service.version": "v1.2.3", "deployment.environment": "production"},
        ),
        ({}, {"service.name": "api", "service.version": "v0.0.1"}),
        (
            {"OTEL_SERVICE_NAME": "long", "OTEL_RESOURCE_ATTRIBUTES": "service.version=v7"},
            {"service.name": "long", "service.version": "v7"},
        ),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=long,service.version=v7", "SVC": "short", "VER": "v1"},
            {"service.name": "short", "service.version": "v1"},
        ),
    ],
)
def test_the_resource(
    start: Callable[..., Api], settings: dict[str, str], attributes: dict[str, str]
) -> None:
    api = start(**settings)
    api.get("/api/v1/users/b")
    for span in api.spans():
        found = span["resource"]["attributes"]
        names = ("service.name", "service.version", "deployment.environment")
        assert {name: found[name] for name in names if name in found} == attributes


def test_the_callers_trace_goes_on(start: Callable[..., Api]) -> None:
    api = start()
    api.get("/api/v1/users/b", traceparent=CALLER, tracestate="vendor=1", baggage="tenant=blue")
    server, _find, is_valid = three(api.spans())
    assert server["context"]["trace_id"] == f"0x{TRACE}"
    assert server["parent_id"] == f"0x{PARENT}"
    assert "vendor" in is_valid["context"]["trace_state"]


def test_an_unsampled_trace_is_not_exported(start: Callable[..., Api]) -> None:
    api = start()
    assert api.get("/api/v1/users/a", traceparent=CALLER.removesuffix("1") + "0") == (400, b"")
    assert api.spans() == []


@pytest.mark.parametrize(
    "traceparent",
    [
        "nonsense",
        "00",
        f"00-{TRACE}-{PARENT}",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-extra",
        f"00-{'g' * 32}-{PARENT}-01",
        f"{CALLER}, {CALLER}",
        "\xff" * 55,
        "0" * 10_000,
    ],
)
def test_a_malformed_traceparent_is_ignored(start: Callable[..., Api], traceparent: str) -> None:
    api = start()
    assert api.get("/api/v1/users/b", traceparent=traceparent) == (200, b"")
    server = three(api.spans())[0]
    assert server["parent_id"] is None


@pytest.mark.parametrize(
    "value", ["=", ",,;;==", "a=%ff%", "a=\xff", "a=" + "b" * 9000, ",".join(["a=1"] * 500)]
)
def test_a_malformed_baggage_is_ignored(start: Callable[..., Api], value: str) -> None:
    api = start()
    assert api.get("/api/v1/users/b", traceparent=CALLER, baggage=value) == (200, b"")
    server = three(api.spans())[0]
    assert server["parent_id"] == f"0x{PARENT}"


def test_a_handler_sees_the_callers_baggage() -> None:
    seen: list[dict[str, object]] = []
    app = Bottle()
    app.get("/", callback=lambda: seen.append(dict(baggage.get_all())))
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "SERVER_NAME": "a",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "HTTP_BAGGAGE": "tenant=blue,user=%C3%BC",
    }
    observed(app)(environ, lambda *_: None)
    assert seen == [{"tenant": "blue", "user": "ü"}]
    assert baggage.get_all() == {}


def test_an_application_that_fails_after_its_first_words_is_a_500() -> None:
    """As PEP 3333 has it: start_response a second time, with exc_info."""
    told: list[tuple[str, bool]] = []

    def broken(_environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        raise KeyError

    environ: Environ = {}
    setup_testing_defaults(environ)
    answer = observed(broken)(
        environ, lambda status, _headers, exc_info=None: told.append((status, bool(exc_info)))
    )
    assert b"".join(answer) == b""
    assert told == [("200 OK", False), ("500 Internal Server Error", True)]
    labels = {"http_request_method": "GET", "http_route": "", "http_response_status_code": "500"}
    assert REGISTRY.get_sample_value("http_server_request_duration_seconds_count", labels) == 1


def test_without_tracing_there_are_no_spans_and_the_rest_is_the_same(start: Callable[..., Api]) -> None:
    api = start(TYPE="none")
    assert api.get("/api/v1/users/b") == (200, b"")
    assert api.get("/api/v1/users/a") == (400, b"")
    assert sum(value for series, value in api.metrics().items() if "duration_seconds_count" in series) == 2
    assert api.spans() == []
