# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trace of a run: what is in it, what is not, and what becomes of it. Exported for real, to a receiver of ours."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.tracestack.jaeger.plugins.module_utils import _tracing
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import (
    MissingLibraryError,
    OutcomeUnknownError,
    RequestFailedError,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._tracing import OPERATIONS, Trace, traced_run
from tests.support.collector import Collector, collector
from tests.support.servers import free_port

ROOT = Path(__file__).resolve().parents[3]
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "hunter2-4711"


@pytest.fixture(autouse=True)
def own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of OpenTelemetry's from outside."""
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An export may take one second."""
    monkeypatch.setattr(_tracing, "_SECONDS", 1)


@pytest.fixture
def receiver() -> Iterator[Collector]:
    with collector() as running:
        yield running


def run(endpoint: str, **environment: str) -> tuple[Trace, list[str]]:
    """A run with one step of one request, and its warnings."""
    warnings: list[str] = []
    with (
        traced_run("es_maintenance", endpoint, {SECRET}, environment, warnings.append) as trace,
        trace.span("rollover"),
        trace.request("GET", "/_cat/tasks", 0) as request,
    ):
        request.answered(200)
    return trace, warnings


def recorded(receiver: Collector, name: str = "es_rollover") -> AbstractContextManager[Trace]:
    """A run that may not warn."""
    return traced_run(name, receiver.endpoint, {SECRET}, {}, pytest.fail)


def test_run_step_and_request_are_one_trace(receiver: Collector) -> None:
    trace, warnings = run(receiver.endpoint)
    assert warnings == []
    assert receiver.paths == ["/v1/traces"]
    assert receiver.headers["content-type"] == "application/x-protobuf"
    assert receiver.resource["service.name"] == "jaeger-es-maintenance"
    whole = receiver.one("es_maintenance")
    (step,) = receiver.below(whole)
    (request,) = receiver.below(step)
    assert (whole.parent, step.name, request.name) == ("", "rollover", "cat.tasks")
    assert {span.trace for span in receiver.spans} == {trace.id}
    assert [span.client for span in (whole, step, request)] == [False, False, True]
    assert not any(span.error for span in receiver.spans)


def test_it_is_a_part_of_the_trace_that_the_environment_names(receiver: Collector) -> None:
    trace, _warnings = run(receiver.endpoint, TRACEPARENT=PARENT, TRACESTATE="vendor=1")
    assert trace.id == "0af7651916cd43dd8448eb211c80319c"
    assert receiver.one("es_maintenance").parent == "b7ad6b7169203331"
    assert {span.trace for span in receiver.spans} == {trace.id}


@pytest.mark.parametrize(
    "parent", ["", "x", PARENT.upper(), "00-" + "0" * 32 + "-b7ad6b7169203331-01", "ff" + PARENT[2:]]
)
def test_a_parent_that_is_none_is_not_heeded(receiver: Collector, parent: str) -> None:
    trace, warnings = run(receiver.endpoint, TRACEPARENT=parent, TRACESTATE="")
    assert warnings == []
    assert receiver.one("es_maintenance").parent == ""
    assert len(trace.id) == 32


def test_a_parent_that_is_not_sampled_is_followed(receiver: Collector) -> None:
    trace, warnings = run(receiver.endpoint, TRACEPARENT=PARENT[:-1] + "0")
    assert (trace.id, warnings, receiver.paths) == ("", [], [])


def test_the_standard_variables_win(receiver: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "night")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer {SECRET}")
    run(receiver.endpoint)
    assert receiver.resource["service.name"] == "night"
    assert receiver.headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET.encode() not in receiver.bodies[0]


def test_an_endpoint_with_the_path_of_traces_is_not_given_it_twice(receiver: Collector) -> None:
    run(f"{receiver.endpoint}/v1/traces")
    run(f"{receiver.endpoint}/otlp")
    assert receiver.paths == ["/v1/traces", "/otlp/v1/traces"]


def test_what_is_told_stands_at_what_is_being_done(receiver: Collector) -> None:
    with recorded(receiver) as trace:
        trace.tell(check_mode=True, index_sets=["prod-jaeger-span", "prod-jaeger-service"])
        with trace.span("rollover"):
            trace.tell(actions=2)
            trace.fail("prod/service: no")
    whole, step = receiver.one("es_rollover"), receiver.one("rollover")
    assert whole.attributes == {
        "tracestack.check_mode": True,
        "tracestack.index_sets": ["prod-jaeger-span", "prod-jaeger-service"],
    }
    assert step.attributes == {"tracestack.actions": 2, "tracestack.failed": True}
    assert (whole.error, step.error, step.says) == (False, True, "prod/service: no")


def test_a_request_that_is_refused_is_an_error_and_so_is_what_it_ends(receiver: Collector) -> None:
    with (
        suppress(RequestFailedError),
        recorded(receiver) as trace,
        trace.request("POST", "/a-write/_rollover/a-000002", 0) as request,
    ):
        request.answered(400)
        raise RequestFailedError(f"no, {SECRET}", 400, "x")
    sent, whole = receiver.one("indices.rollover"), receiver.one("es_rollover")
    assert sent.error
    assert sent.attributes == {
        "db.system.name": "elasticsearch",
        "db.operation.name": "indices.rollover",
        "db.operation.parameter.alias": "a-write",
        "db.operation.parameter.new_index": "a-000002",
        "db.response.status_code": "400",
        "http.request.method": "POST",
        "http.response.status_code": 400,
        "url.template": "/{alias}/_rollover/{new_index}",
        "error.type": "400",
    }
    assert (whole.error, whole.says) == (True, "no, ********")
    assert SECRET.encode() not in receiver.bodies[0]


def test_a_request_without_an_answer_tells_why_and_each_attempt_is_a_span(receiver: Collector) -> None:
    def send(trace: Trace, attempt: int) -> None:
        with trace.request("GET", "/a-*", attempt):
            try:
                raise ConnectionResetError(SECRET)
            except OSError:
                raise OutcomeUnknownError(SECRET) from None

    with recorded(receiver) as trace:
        for attempt in range(3):
            with suppress(OutcomeUnknownError):
                send(trace, attempt)
    attempts = receiver.requests()
    assert [span.attributes.get("http.request.resend_count") for span in attempts] == [None, 1, 2]
    assert {(span.error, span.attributes["error.type"]) for span in attempts} == {
        (True, "ConnectionResetError")
    }
    assert SECRET.encode() not in receiver.bodies[0]


def test_words_of_an_unforeseen_error_are_not_exported(receiver: Collector) -> None:
    with suppress(ValueError), recorded(receiver) as trace, trace.span("rollover"):
        raise ValueError("something-unknown")
    assert receiver.one("rollover").says == receiver.one("es_rollover").says == "ValueError"
    assert b"something-unknown" not in receiver.bodies[0]


def test_opensearch_is_told(receiver: Collector) -> None:
    with recorded(receiver) as trace, trace.request("GET", "/_cat/tasks", 0) as request:
        request.sent_to_opensearch()
    assert receiver.one("cat.tasks").attributes["db.system.name"] == "opensearch"


def test_there_is_an_end_to_the_requests_and_to_their_names(
    receiver: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tracing, "_MOST_REQUESTS", 3)
    with recorded(receiver, "es_rollover_init") as trace:
        for _page in range(5):
            with trace.span("page"), trace.request("GET", "/" + "a" * 5000, 0) as request:
                request.answered(200)
    assert len(receiver.requests()) == 3
    assert receiver.one("es_rollover_init").attributes == {"tracestack.requests_left_out": 2}
    assert {len(span.attributes["db.collection.name"]) for span in receiver.requests()} == {1024}


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/prod-jaeger-span-*,prod-jaeger-service-*", "indices.get"),
        ("GET", "/_template/prod-jaeger-span", "indices.get_template"),
        ("POST", "/_index_template/_simulate_index/a-000001", "indices.simulate_index_template"),
        ("POST", "/a-write/_rollover", "indices.rollover"),
        ("POST", "/_aliases", "indices.update_aliases"),
        ("POST", "/_search/scroll", "scroll"),
        ("POST", "/a/_search", "search"),
        ("PUT", "/%C3%B6l-jaeger-span-000001", "indices.create"),
        ("PUT", "/_snapshot/backup/jaeger-retention-1", "snapshot.create"),
        ("GET", "/_something/of/tomorrow", "GET"),
        ("GET", "/_tomorrow", "GET"),
    ],
)
def test_the_name_of_a_request_is_the_server_s_own(
    receiver: Collector, method: str, path: str, name: str
) -> None:
    with recorded(receiver) as trace, trace.request(method, path, 0):
        pass
    assert [span.name for span in receiver.requests()] == [name]


def test_every_request_that_is_sent_has_a_name() -> None:
    """By the source: what stands as a path there."""
    sources = [ROOT / f"plugins/module_utils/{name}.py" for name in ("_connection", "_adoption")]
    code = "".join(source.read_text() for source in sources)
    known = {re.sub(r"\{\w+\}", "{}", path) for _name, _method, path in OPERATIONS}
    sent = {re.sub(r"\{.*?\}", "{}", path) for path in re.findall(r'(?<!\w)f?"(/[\w{][\w{}/().]*)"', code)}
    assert len(sent) > 15
    assert sent - known == set()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "the answer is 404 "),
        (400, "the answer is 400 "),
        (503, "the answer is 503 "),
        (307, "the answer is 307 "),
    ],
)
def test_an_export_that_is_refused_is_one_warning(receiver: Collector, status: int, said: str) -> None:
    receiver.status = status
    _trace, (warning,) = run(receiver.endpoint)
    assert warning.startswith(f"The trace of this run could not be exported to {receiver.endpoint}: {said}")
    assert warning.endswith("The run itself is not affected.")


@pytest.mark.usefixtures("quick")
def test_an_export_to_nobody_is_one_warning() -> None:
    _trace, (warning,) = run(f"http://127.0.0.1:{free_port()}")
    assert "no answer (" in warning
    assert "refused" in warning
    assert "\n" not in warning


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("drips", [False, True])
def test_an_export_to_one_who_never_answers_ends(drips: bool) -> None:
    """The one says nothing; the other a byte now and then, so that no read ever takes too long."""
    done = threading.Event()

    def hold(listener: socket.socket) -> None:
        connection, _peer = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            for _byte in range(30):
                if done.wait(0.3):
                    break
                if drips:
                    connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=hold, args=(listener,), daemon=True).start()
        began = time.monotonic()
        _trace, (warning,) = run(f"http://127.0.0.1:{listener.getsockname()[1]}")
        seconds = time.monotonic() - began
        done.set()
    assert "no answer within 1 s" in warning
    assert 0.9 < seconds < 5


def test_a_variable_that_opentelemetry_refuses_is_one_warning(
    receiver: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")
    trace, (warning,) = run(receiver.endpoint)
    assert warning.startswith("This run is not traced: OpenTelemetry fails (ValueError). Check ")
    assert (trace.id, receiver.paths) == ("", [])


def test_a_missing_library_is_told_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(MissingLibraryError, match="opentelemetry-exporter-otlp-proto-http"):
        run("http://127.0.0.1:9")


def test_without_an_endpoint_nothing_is_done() -> None:
    trace, warnings = run("", TRACEPARENT=PARENT)
    assert (trace.id, warnings) == ("", [])


LOADS_NOTHING = """
import sys
from ansible_collections.tracestack.jaeger.plugins.module_utils import _connection, _module, _tracing
_connection._transport_library()
with _tracing.traced_run("es_rollover", None, set(), {}, print) as trace, trace.request("GET", "/", 0) as request:
    request.answered(200)
assert not {"opentelemetry", "requests", "google.protobuf"} & set(sys.modules)
import opentelemetry.sdk.trace
"""
SAYS_NOTHING = """
from ansible_collections.tracestack.jaeger.plugins.module_utils import _tracing
_tracing._SECONDS = 2
warnings = []
with _tracing.traced_run("es_rollover", "http://127.0.0.1:1", set(), {}, warnings.append):
    pass
assert len(warnings) == 1, warnings
"""


@pytest.mark.parametrize("program", [LOADS_NOTHING, SAYS_NOTHING])
def test_without_an_endpoint_nothing_is_loaded_and_opentelemetry_itself_says_nothing(program: str) -> None:
    command: list[Any] = [sys.executable, "-c", program]
    environment = {"PYTHONPATH": str(ROOT / "collections")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
