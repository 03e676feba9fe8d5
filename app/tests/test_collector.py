# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real collector: what it gets, and what happens while it is gone."""

from __future__ import annotations

import json
import secrets
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from app.tests.service import HOST, Api
from tests.support.servers import Jaeger, all_in_one, free_port, wait_for


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    with all_in_one("memory", tmp_path_factory.mktemp("jaeger")) as running:
        yield running


def address(jaeger: Jaeger) -> str:
    return jaeger.otlp_url.removeprefix("http://").partition("/")[0]


def stored(jaeger: Jaeger, trace: str) -> bool:
    """Whether all three spans of a request are there."""
    return jaeger.spans(trace) == 3


def ask(api: Api, user: str = "b") -> str:
    """One request as a traced caller sends it; the id of its trace."""
    trace = secrets.token_hex(16)
    status, _body = api.get(f"/api/v1/users/{user}", traceparent=f"00-{trace}-{'1' * 16}-01")
    assert status == (200 if user == "b" else 400)
    return trace


def test_the_trace_in_jaeger(start: Callable[..., Api], collector: Jaeger) -> None:
    api = start(TYPE="http", JAEGER=address(collector), SVC="whole", WORKERS="2")
    traces = {user: ask(api, user) for user in ("a", "b")}
    assert api.stop() == 0
    for user, trace in traces.items():
        wait_for(partial(stored, collector, trace), 10)
        with urllib.request.urlopen(f"{collector.query_url}/api/traces/{trace}", timeout=10) as answer:
            (found,) = json.load(answer)["data"]
        names = {span["operationName"] for span in found["spans"]}
        assert names == {"GET /api/v1/users/<user_id>", "user.Find", "user.isValid"}
        failed = [
            span["operationName"] for span in found["spans"] for tag in span["tags"] if tag["key"] == "error"
        ]
        assert failed == (["user.Find"] if user == "a" else [])
    assert "whole" in collector.services()


def test_opentelemetrys_own_endpoint_variable(start: Callable[..., Api], collector: Jaeger) -> None:
    api = start(
        TYPE="", OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{address(collector)}"
    )
    trace = ask(api)
    assert api.stop() == 0
    wait_for(partial(stored, collector, trace), 10)


def test_a_collector_that_is_away_and_comes_back(start: Callable[..., Api], tmp_path: Path) -> None:
    port = free_port()
    settings = {"TYPE": "http", "JAEGER": f"{HOST}:{port}", "OTEL_EXPORTER_OTLP_TIMEOUT": "2"}
    api = start(**settings)
    lost = ask(api)
    wait_for(lambda: api.spans_counted("failed") == 3, 30)
    with all_in_one("memory", tmp_path, otlp_port=port) as collector:
        trace = ask(api)
        wait_for(partial(stored, collector, trace), 30)
        assert collector.spans(lost) == 0
    assert api.spans_counted("exported") == 3


def test_no_collector_makes_nothing_slower_and_the_queue_stays_bounded(start: Callable[..., Api]) -> None:
    """The queue turns over many times, as it does in an hour: memory stays, what is dropped is counted."""
    away = f"{HOST}:{free_port()}"
    api = start(TYPE="http", JAEGER=away, OTEL_BSP_MAX_QUEUE_SIZE="2000", OTEL_EXPORTER_OTLP_TIMEOUT="60")
    plain = start(TYPE="none")
    fill(api, 2000)
    filled = api.memory()
    fill(api, 8000)
    assert api.memory() - filled < 10_000_000
    assert api.spans_counted("dropped") > 10_000
    ratio = statistics.median(durations(api)) / statistics.median(durations(plain))
    assert ratio < 20, (
        "a request waits for the exporter"
    )  # three spans take their time; a retry would be 1,000
    gone = sum(api.spans_counted(result) for result in ("exported", "failed", "dropped"))
    assert api.spans_counted("exported") == 0
    assert 3 * 10_000 - 2000 - 512 <= gone <= 3 * 10_200


def durations(api: Api) -> list[float]:
    found = []
    for _dummy in range(200):
        began = time.monotonic()
        assert api.get("/api/v1/users/b") == (200, b"")
        found.append(time.monotonic() - began)
    return found


def fill(api: Api, requests: int) -> None:
    """So many requests from a few clients at once."""

    def ask_some() -> None:
        for _dummy in range(requests // 4):
            assert api.get("/api/v1/users/b") == (200, b"")

    clients = [threading.Thread(target=ask_some) for _client in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
