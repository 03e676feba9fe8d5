# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spans of a request, as the exporter gives them away."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bottle import Bottle
from opentelemetry import baggage, propagate
from opentelemetry.propagators.composite import CompositePropagator
from traced_api import tracing
from traced_api.config import from_environment

from app.tests.service import Api, Span

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
CALLER = f"00-{TRACE}-{PARENT}-01"


def pair(spans: list[Span]) -> tuple[Span, Span]:
    """The two spans of one request: user.Find and its child user.isValid."""
    by_name = {span["name"]: span for span in spans}
    assert len(spans) == 2
    find, is_valid = by_name["user.Find"], by_name["user.isValid"]
    assert is_valid["parent_id"] == find["context"]["span_id"]
    assert is_valid["context"]["trace_id"] == find["context"]["trace_id"]
    assert find["start_time"] <= is_valid["start_time"] <= is_valid["end_time"] <= find["end_time"]
    return find, is_valid


def test_a_good_id(start: Callable[..., Api]) -> None:
    api = start()
    assert api.get("/api/v1/users/b") == (200, b"")
    find, is_valid = pair(api.spans())
    assert find["parent_id"] is None
    assert find["status"] == is_valid["status"] == {"status_code": "UNSET"}
    assert find["events"] == is_valid["events"] == []


def test_a_bad_id(start: Callable[..., Api]) -> None:
    api = start()
    assert api.get("/api/v1/users/a") == (400, b"")
    find, is_valid = pair(api.spans())
    assert find["status"] == {"status_code": "ERROR", "description": "invalid user id"}
    (event,) = find["events"]
    assert event["name"] == "exception"
    assert event["attributes"]["exception.type"] == "ValueError"
    assert event["attributes"]["exception.message"] == "invalid user id"
    assert is_valid["status"] == {"status_code": "UNSET"}
    assert is_valid["events"] == []


@pytest.mark.parametrize(
    ("settings", "attributes"),
    [
        (
            {"SVC": "users", "VER": "v1.2.3", "ENV": "production"},
            {"service.name": "users", "service.version": "v1.2.3", "deployment.environment": "production"},
        ),
        ({}, {"service.name": "api", "service.version": "v0.0.1"}),
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
    find, is_valid = pair(api.spans())
    assert find["context"]["trace_id"] == f"0x{TRACE}"
    assert find["parent_id"] == f"0x{PARENT}"
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
    find = pair(api.spans())[0]
    assert find["parent_id"] is None


@pytest.mark.parametrize(
    "value", ["=", ",,;;==", "a=%ff%", "a=\xff", "a=" + "b" * 9000, ",".join(["a=1"] * 500)]
)
def test_a_malformed_baggage_is_ignored(start: Callable[..., Api], value: str) -> None:
    api = start()
    assert api.get("/api/v1/users/b", traceparent=CALLER, baggage=value) == (200, b"")
    find = pair(api.spans())[0]
    assert find["parent_id"] == f"0x{PARENT}"


def test_a_handler_sees_the_callers_baggage() -> None:
    propagate.set_global_textmap(CompositePropagator([]))  # so that only tracing.start can make this pass
    provider = tracing.start(from_environment({"TYPE": "stdout"}))
    seen: list[dict[str, object]] = []
    app = Bottle()
    app.install(tracing.continue_trace)
    app.get("/", callback=lambda: seen.append(dict(baggage.get_all())))
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_BAGGAGE": "tenant=blue,user=%C3%BC"}
    app.wsgi(environ, lambda *_: None)
    assert seen == [{"tenant": "blue", "user": "ü"}]
    assert baggage.get_all() == {}
    assert tracing.stop(provider, 5)
