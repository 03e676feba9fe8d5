# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as a trace: in the very Jaeger whose indices it looks after, and with everything that may go wrong."""

from __future__ import annotations

import base64
import json
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.collector import Collector, Seen, collector
from tests.support.drop_in import drop_in, start_drop_in
from tests.support.modules import Answer, check_module, run_module, run_module_with, start_module
from tests.support.proxy import UNAVAILABLE, Fault, nth, proxy
from tests.support.servers import JAEGER_READS, Elasticsearch, free_port, jaeger, wait_for, wait_for_equal

PREFIX = "live"
RECORDS = ("span", "service", "dependencies")
SECRET = "hunter2-4711"
NIGHT = {
    "index_prefix": PREFIX,
    "conditions": {"max_age": "1d"},
    "lookback": {"unit": "days", "unit_count": 7},
    "retention": {"days": 8},
}

SPANS_OF_A_NIGHT = [
    *(
        "cat.tasks",
        "clean",
        "cluster.state",
        "es_maintenance",
        "indices.delete",
        "indices.get",
        "indices.get",
    ),
    *("indices.rollover", "indices.rollover", "indices.rollover", "indices.update_aliases"),
    *("info", "info", "info", "info", "lookback", "read", "rollover"),
]


@pytest.fixture
def receiver() -> Iterator[Collector]:
    with collector() as running:
        yield running


def grow(es: Elasticsearch) -> None:
    """Index sets of two generations, written until ten days ago and until now: the night has something in each step."""
    for clock, module, options in (
        ("-20d", "es_rollover_init", {"shards": 1, "replicas": 0}),
        ("-10d", "es_rollover", {"conditions": {"max_age": "0s"}}),
    ):
        es.set_clock(clock)
        assert not run_module(module, server_urls=es.url, index_prefix=PREFIX, **options).message
    es.set_clock("+0d")


def night(url: str, endpoint: str, env: dict[str, str] | None = None, **options: Any) -> Answer:
    """A run of es_maintenance, traced."""
    wanted = {"server_urls": url, "index_sets": [NIGHT], "otlp_endpoint": endpoint, **options}
    return run_module_with(env or {}, "es_maintenance", **wanted)


def warnings(answer: Answer) -> list[str]:
    return [str(warning) for warning in answer.result.get("warnings", [])]


@pytest.mark.every_server("Jaeger speaks to each server in its own way, and the trace names the server")
def test_a_night_is_a_trace_in_the_jaeger_that_it_looks_after(es: Elasticsearch, tmp_path: Path) -> None:
    """Below the span of whoever started it; stored in the generation that the run itself has made."""
    grow(es)
    trace = uuid.uuid4().hex
    with jaeger(es, PREFIX, tmp_path) as traces:
        traces.send(trace, "cron")  # a span of this number
        cron = f"{trace[:12]}0001"
        env = {"TRACEPARENT": f"00-{trace}-{cron}-01"}
        done = night(es.url, traces.otlp_url.removesuffix("/v1/traces"), env)
        assert not done.message
        assert warnings(done) == []
        assert done.result["trace_id"] == trace
        assert len(done.result["actions"]) == 9
        wait_for_equal(lambda: stored(es, f"{PREFIX}-jaeger-span-000003", trace), SPANS_OF_A_NIGHT)
        if not JAEGER_READS:
            return
        wait_for_equal(lambda: len({span["spanID"] for span in traces.trace(trace).get("spans", [])}), 19)
        told = traces.trace(trace)
        wait_for(lambda: {"cron", "jaeger-es-maintenance"} <= set(traces.services()))
    services = {one: process["serviceName"] for one, process in told["processes"].items()}
    found = {
        span["spanID"]: (span["operationName"], services[span["processID"]], parent(span), tags(span))
        for span in told["spans"]
    }
    below: dict[str, list[str]] = {}
    for name, service, above, _tags in found.values():
        if service != "cron":
            below.setdefault(found[above][0], []).append(name)
    assert {name: sorted(names) for name, names in below.items()} == {
        "work": ["es_maintenance"],  # that is cron's span
        "es_maintenance": ["cat.tasks", "clean", "info", "lookback", "read", "rollover"],
        "read": ["indices.get"],
        "rollover": ["indices.rollover"] * 3 + ["info"] * 3,
        "lookback": ["cluster.state", "indices.update_aliases"],
        "clean": ["indices.delete", "indices.get"],
    }
    by_name = {name: its for name, _service, _above, its in found.values()}
    assert by_name["es_maintenance"]["tracestack.actions"] == 9
    assert by_name["es_maintenance"]["tracestack.changed"] is True
    assert by_name["es_maintenance"]["tracestack.failed"] is False
    sets = json.loads(by_name["es_maintenance"]["tracestack.index_sets"])
    assert sets == [f"{PREFIX}-jaeger-{record}" for record in RECORDS]
    assert [by_name[step]["tracestack.actions"] for step in ("rollover", "lookback", "clean")] == [3, 3, 3]
    sent = by_name["indices.delete"]
    assert sent["db.system.name"] == es.distribution
    assert sent["http.request.method"] == "DELETE"
    assert sent["http.response.status_code"] == 200
    assert sent["url.template"] == "/{index}"
    assert sent["span.kind"] == "client"
    assert sorted(sent["db.collection.name"].split(",")) == sorted(f"{one}-000001" for one in sets)
    assert f"http://{sent['server.address']}:{sent['server.port']}" == es.url
    assert sent["url.full"].startswith(f"{es.url}/{PREFIX}-jaeger-")
    assert not any("error" in its for its in by_name.values())


def stored(es: Elasticsearch, index: str, trace: str) -> list[str]:
    """The operations of this trace's spans in an index. Jaeger may store a span twice: its bulk requests are repeated."""
    hits = es.get(f"/{index}/_search?size=100&q=traceID:{trace}")["hits"]["hits"]
    spans = {hit["_source"]["spanID"]: hit["_source"]["operationName"] for hit in hits}
    return sorted(spans.values())


def parent(span: dict[str, Any]) -> str:
    """The span that this one is a child of."""
    return next((str(one["spanID"]) for one in span["references"] if one["refType"] == "CHILD_OF"), "")


def tags(span: dict[str, Any]) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def test_check_mode_is_traced_too_and_changes_nothing(es: Elasticsearch, receiver: Collector) -> None:
    grow(es)
    with proxy(es.url) as seen:
        options = {"server_urls": seen.url, "index_sets": [NIGHT], "otlp_endpoint": receiver.endpoint}
        checked = check_module("es_maintenance", **options)
    assert not checked.message
    assert seen.changes() == []
    whole = receiver.one("es_maintenance")
    assert whole.attributes["tracestack.check_mode"] is True
    assert whole.attributes["tracestack.actions"] == 9
    assert whole.attributes["tracestack.changed"] is True
    assert {span.attributes["http.request.method"] for span in receiver.requests()} == {"GET", "POST"}


def test_tracing_changes_no_request(es: Elasticsearch, receiver: Collector) -> None:
    asked: list[list[str]] = []
    for endpoint in ("", receiver.endpoint):
        es.wipe()
        grow(es)
        with proxy(es.url) as seen:
            assert night(seen.url, endpoint).changed
        asked.append(seen.requests)
    assert asked[0] == asked[1]
    assert len(receiver.requests()) == len(asked[0]) == 13


@pytest.mark.every_server("which requests there are depends on the server's answers")
def test_every_module_and_every_request_has_a_name(es: Elasticsearch, receiver: Collector) -> None:
    """With an adoption and a snapshot's repository that is not there: the most kinds of requests."""
    es.request("POST", f"/{PREFIX}-jaeger-span-write/_doc?refresh=true", {"traceID": "1"})
    common = {"server_urls": es.url, "index_prefix": PREFIX, "otlp_endpoint": receiver.endpoint}
    for module, options in (
        ("es_rollover_init", {"shards": 1, "replicas": 0, "adopt": ["concrete"]}),
        ("es_rollover", {"conditions": {"max_age": "0s"}}),
        ("es_lookback", {"unit": "seconds", "unit_count": 0, "service_cache_ttl": "0s"}),
        ("es_index_cleaner", {"days": 0, "snapshot_repository": "nowhere", "service_cache_ttl": "0s"}),
        ("es_index_cleaner", {"days": 0, "max_size": "1b", "service_cache_ttl": "0s"}),
        ("es_index_info", {"index_sets": [{"conditions": {"max_age": "0s"}}]}),
    ):
        time.sleep(1.1 if module == "es_lookback" else 0)  # whole seconds count
        receiver.spans.clear()
        answer = run_module(module, **common, **options)
        whole = receiver.one(module)
        assert answer.result["trace_id"] == whole.trace
        assert whole.error is bool(answer.message), answer.message
        assert receiver.requests()
        assert [span.name for span in receiver.requests() if "db.operation.name" not in span.attributes] == []
        if module == "es_rollover_init":
            # Twice: the second time it looks whether another run was in between.
            first, _settled = (span for span in receiver.spans if span.name == "init")
            names = {span.name for span in receiver.below(first)}
            assert {"indices.add_block", "bulk", "scroll", "indices.update_aliases"} <= names
        if module == "es_index_info":
            assert [span.name for span in receiver.below(whole)] == ["cat.tasks", "info", "look", "foretell"]
    assert not any(name.endswith("-000001") for name in es.indices() if name.startswith(PREFIX))


def test_a_read_that_is_repeated_is_a_span_for_each_attempt(es: Elasticsearch, receiver: Collector) -> None:
    grow(es)
    lost = Fault(reaches=False, status=0)
    faults = iter([UNAVAILABLE, lost])
    with proxy(es.url, lambda _method, path: next(faults, None) if "filter_path" in path else None) as flawed:
        done = night(flawed.url, receiver.endpoint)
    assert not done.message
    first, second, third, who = receiver.below(receiver.one("read"))
    assert who.name == "info"  # as the connection is a new one
    assert {span.name for span in (first, second, third)} == {"indices.get"}
    resent = [span.attributes.get("http.request.resend_count") for span in (first, second, third)]
    assert resent == [None, 1, 2]
    assert (first.error, first.attributes["http.response.status_code"]) == (True, 503)
    assert (second.error, "http.response.status_code" in second.attributes) == (True, False)
    assert (second.attributes["error.type"], first.attributes["error.type"]) == ("ConnectionError", "503")
    assert (third.error, third.attributes["http.response.status_code"]) == (False, 200)
    assert not receiver.one("read").error


def test_what_the_server_refuses_is_an_error_of_request_step_and_run(
    es: Elasticsearch, receiver: Collector
) -> None:
    grow(es)
    content = '{"error": {"type": "x", "reason": "no more shards"}}'
    refusal = Fault(reaches=False, status=400, content=content)
    with proxy(es.url, nth("POST", "service-write/_rollover", refusal)) as flawed:
        done = night(flawed.url, receiver.endpoint)
    assert done.message.startswith("1 of 3 index sets failed")
    (refused,) = [span for span in receiver.requests() if span.error]
    assert refused.name == "indices.rollover"
    assert refused.attributes["http.response.status_code"] == 400
    assert refused.attributes["db.operation.parameter.alias"] == f"{PREFIX}-jaeger-service-write"
    step, whole = receiver.one("rollover"), receiver.one("es_maintenance")
    for span in (step, whole):
        assert span.error
        assert span.attributes["tracestack.failed"] is True
        assert "no more shards" in span.says
    assert step.attributes["tracestack.actions"] == 2
    assert not receiver.one("lookback").error
    assert whole.attributes["tracestack.actions"] == 8


def test_nobody_at_the_server_is_a_trace_all_the_same(receiver: Collector) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = night(url, receiver.endpoint, retries=1)
    assert "no answer" in done.message
    assert done.result["trace_id"] == receiver.one("es_maintenance").trace
    assert [span.attributes["error.type"] for span in receiver.requests()] == ["ConnectionError"] * 2
    assert receiver.one("es_maintenance").says == done.message


def test_no_secret_is_in_it(es: Elasticsearch, receiver: Collector) -> None:
    """Not even where the server's own words have it."""
    grow(es)
    key = base64.b64encode(SECRET.encode()).decode()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"username": "u", "password": SECRET}, SECRET),
        ({"api_key": key}, key),
        ({"bearer_token": SECRET}, SECRET),
    ]
    for options, secret in cases:
        receiver.spans.clear()
        content = json.dumps({"error": {"type": secret, "reason": f"you said {secret}"}})
        refusal = Fault(reaches=False, status=400, content=content)
        with proxy(es.url, nth("POST", "_rollover", refusal)) as flawed:
            done = night(flawed.url, receiver.endpoint, **options)
        assert "index sets failed" in done.message
        assert "you said ****" in receiver.one("rollover").says
        (sent,) = flawed.authorizations
        for hidden in (secret, str(sent).split()[1]):
            assert hidden.encode() not in b"".join(receiver.bodies)
            assert hidden not in done.output


def test_no_secret_of_a_url_is_in_it(es: Elasticsearch, receiver: Collector) -> None:
    """The program of the image takes it from the URL, as Go does; the modules refuse it."""
    grow(es)
    with proxy(es.url) as seen:
        url = seen.url.replace("//", f"//jaeger:{SECRET}@")
        arguments = ["rollover", url, f"--index-prefix={PREFIX}", '--conditions={"max_age":"0s"}']
        done = drop_in(*arguments, env={"OTLP_ENDPOINT": receiver.endpoint})
    assert done.returncode == 0, done.stderr
    pair = base64.b64encode(f"jaeger:{SECRET}".encode()).decode()
    assert seen.authorizations == {f"Basic {pair}"}
    assert receiver.one("es_rollover").attributes["tracestack.actions"] == 3
    for secret in (SECRET, pair):
        assert secret.encode() not in b"".join(receiver.bodies)
    refused = night(url, receiver.endpoint)
    assert "carries credentials" in refused.message
    assert len(receiver.bodies) == 1


def test_a_wrong_endpoint_sends_nothing() -> None:
    form = "is not a URL of the form http://localhost:4318"
    in_the_variable = "carries credentials: put them in the variable OTEL_EXPORTER"
    with proxy(f"http://127.0.0.1:{free_port()}") as seen:
        for endpoint, said in (
            (f"http://somebody:{SECRET}@127.0.0.1:4318", in_the_variable),
            (f"http://127.0.0.1:4318/?token={SECRET}", "has a query or a fragment"),
            ("127.0.0.1:4318", form),
            ("grpc://127.0.0.1:4317", form),
        ):
            answer = night(seen.url, endpoint)
            assert answer.message.startswith("otlp_endpoint: ")
            assert said in answer.message
            assert seen.requests == []
            assert SECRET not in answer.output


@contextmanager
def silent() -> Iterator[tuple[str, threading.Event]]:
    """An endpoint that takes every connection and never answers, and whether anybody has come."""
    came = threading.Event()
    kept: list[socket.socket] = []

    def take(listener: socket.socket) -> None:
        while True:
            try:
                kept.append(listener.accept()[0])
            except OSError:
                return
            came.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=take, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", came
        listener.shutdown(socket.SHUT_RDWR)
    for connection in kept:
        connection.close()


@pytest.mark.parametrize("kind", ["dead", "silent"])
def test_an_endpoint_that_is_of_no_use_is_one_warning_in_good_time(es: Elasticsearch, kind: str) -> None:
    grow(es)
    with silent() as (never, _came):
        endpoint = never if kind == "silent" else f"http://127.0.0.1:{free_port()}"
        began = time.monotonic()
        done = night(es.url, endpoint)
        seconds = time.monotonic() - began
    assert not done.message
    assert len(done.result["actions"]) == 9
    (warning,) = warnings(done)
    assert f"The trace of this run could not be exported to {endpoint}: no answer" in warning
    assert seconds < 10
    assert len([name for name in es.indices() if name.startswith(PREFIX)]) == 6


def test_a_failure_comes_first_and_the_warning_with_it(es: Elasticsearch) -> None:
    env = {"OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    done = drop_in("rollover", es.url, env=env)
    assert done.returncode == 1
    failed, warning = done.stderr.splitlines()
    assert failed.startswith("error: there is no index jaeger-span-*")
    assert warning.startswith(
        f"warning: The trace of this run could not be exported to {env['OTLP_ENDPOINT']}: "
    )


def test_maintain_takes_the_endpoint_from_its_options_and_the_parent_from_its_environment(
    es: Elasticsearch, receiver: Collector, tmp_path: Path
) -> None:
    grow(es)
    file = tmp_path / "options.json"
    file.write_text(json.dumps({"index_sets": [NIGHT], "otlp_endpoint": receiver.endpoint}))
    trace, above = uuid.uuid4().hex, uuid.uuid4().hex[:16]
    env = {"ES_SERVER_URLS": es.url, "TRACEPARENT": f"00-{trace}-{above}-01"}
    done = drop_in("maintain", "--options", str(file), "--json", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["trace_id"] == trace
    whole = receiver.one("es_maintenance")
    assert (whole.trace, whole.parent) == (trace, above)


def test_a_library_that_is_missing_is_told_and_nothing_is_sent(es: Elasticsearch, tmp_path: Path) -> None:
    grow(es)
    (tmp_path / "opentelemetry.py").write_text("raise ImportError('as if it were not there')\n")
    with proxy(es.url) as seen:
        paths = f"{tmp_path}:maintenance/src:collections"
        env = {"PYTHONPATH": paths, "OTLP_ENDPOINT": "http://127.0.0.1:9"}
        done = drop_in("lookback", seen.url, f"--index-prefix={PREFIX}", env=env)
        assert done.returncode == 1
        assert "Failed to import the required Python library (opentelemetry-sdk and " in done.stderr
        assert seen.requests == []
        without = drop_in("lookback", seen.url, f"--index-prefix={PREFIX}", env={"PYTHONPATH": paths})
        assert without.returncode == 0, without.stderr


def test_a_run_that_is_ended_from_outside_is_exported_whole(es: Elasticsearch, receiver: Collector) -> None:
    """With the request that it waited for: that is what whoever ended it wants to know."""
    grow(es)
    with proxy(es.url, nth("GET", "jaeger", Fault(held=20))) as front:
        arguments = ("lookback", front.url, f"--index-prefix={PREFIX}")
        process = start_drop_in(*arguments, env={"OTLP_ENDPOINT": receiver.endpoint})
        wait_for(lambda: bool(front.faults))
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output, _none = process.communicate(timeout=20)
        seconds = time.monotonic() - began
    assert process.returncode == 143
    assert output == "error: ended from outside. What was begun, the next run finishes.\n"
    assert seconds < 5
    whole = receiver.one("es_lookback")
    (waited,) = receiver.below(receiver.one("read"))
    for span in (whole, waited):
        assert span.error
    assert (waited.name, waited.attributes["error.type"], whole.says) == (
        "indices.get",
        "Terminated",
        "Terminated",
    )
    assert all(known(span, receiver) for span in receiver.spans)


def known(span: Seen, receiver: Collector) -> bool:
    """Whether a span's parent is in the trace; that of the run is nobody."""
    return span.parent in {"", *(one.id for one in receiver.spans)}


def test_a_run_that_is_ended_while_it_exports_ends_at_once(es: Elasticsearch) -> None:
    grow(es)
    with silent() as (endpoint, came):
        arguments = ("lookback", es.url, f"--index-prefix={PREFIX}")
        process = start_drop_in(*arguments, env={"OTLP_ENDPOINT": endpoint})
        assert came.wait(30)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output, _none = process.communicate(timeout=20)
        seconds = time.monotonic() - began
    assert (process.returncode, output.count("\n")) == (143, 1)
    assert seconds < 3


def test_a_module_that_is_killed_exports_nothing(es: Elasticsearch, receiver: Collector) -> None:
    """Ansible's own end of a module: no half of a trace is left."""
    grow(es)
    with proxy(es.url, nth("GET", "jaeger", Fault(held=3))) as front:
        options = {"server_urls": front.url, "index_prefix": PREFIX, "otlp_endpoint": receiver.endpoint}
        running = start_module("es_lookback", **options)
        wait_for(lambda: bool(front.faults))
        running.kill()
        assert running.wait() is None
    assert receiver.paths == []
