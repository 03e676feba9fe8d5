# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Jaeger in front of the real Elasticsearch: what it finds while its indices are looked after."""

from __future__ import annotations

import threading
import time
import urllib.error
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import run_module
from tests.support.servers import JAEGER_READS, Elasticsearch, Jaeger, jaeger, wait_for

PREFIX = "live"
reading = pytest.mark.skipif(
    not JAEGER_READS, reason="Jaeger v1.57.0 cannot read from Elasticsearch 9 (test_a_trace)"
)


@pytest.fixture
def stack(es: Elasticsearch, tmp_path: Path) -> Iterator[tuple[Elasticsearch, Jaeger]]:
    """Initialised index sets and a Jaeger that writes to them."""
    run(es, "es_rollover_init", shards=1, replicas=0)
    with jaeger(es, PREFIX, tmp_path) as running:
        yield es, running


def run(es: Elasticsearch, module: str, **options: Any) -> None:
    answer = run_module(module, server_urls=es.url, index_prefix=PREFIX, **options)
    assert not answer.message


@pytest.mark.every_server("Jaeger speaks to each server in its own way")
def test_a_trace_is_found_where_jaeger_can_read(stack: tuple[Elasticsearch, Jaeger]) -> None:
    es, traces = stack
    trace = uuid.uuid4().hex
    traces.send(trace, "api")
    wait_for(lambda: es.get(f"/{PREFIX}-jaeger-span-read/_count")["count"] > 0)
    if JAEGER_READS:
        wait_for(lambda: traces.finds(trace))
    else:
        with pytest.raises(urllib.error.HTTPError, match="500"):
            traces.finds(trace)


@reading
@pytest.mark.every_server("Jaeger speaks to each server in its own way")
def test_lookback_hides_old_traces_and_keeps_the_list_of_services(
    stack: tuple[Elasticsearch, Jaeger],
) -> None:
    es, traces = stack
    old, new = uuid.uuid4().hex, uuid.uuid4().hex
    traces.send(old, "api")
    wait_for(lambda: traces.finds(old) and traces.services() == ["api"])
    run(es, "es_rollover", conditions={"max_age": "0s"})
    assert traces.finds(old)
    traces.send(new, "api")
    wait_for(lambda: traces.finds(new))
    time.sleep(3)
    run(es, "es_lookback", unit="seconds", unit_count=1)
    assert not traces.finds(old)
    assert traces.finds(new)
    assert traces.services() == ["api"]
    run(es, "es_index_cleaner", days=0)
    assert traces.finds(new)
    assert traces.services() == ["api"]
    # Fault 14 of the peers, and the reason for service_cache_ttl: without it the list is lost.
    run(es, "es_lookback", unit="seconds", unit_count=1, service_cache_ttl="0s")
    assert traces.services() == []
    assert traces.finds(new)


@reading
def test_every_trace_is_found_while_its_indices_roll(stack: tuple[Elasticsearch, Jaeger]) -> None:
    """Fault 1 of the peers: between rollover and alias, and after a kill there, traces were invisible."""
    es, traces = stack
    sent: list[str] = []
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.005):  # more often, and to find them all takes the most time
            trace = uuid.uuid4().hex
            traces.send(trace, "api")
            sent.append(trace)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _night in range(8):
            run(es, "es_rollover", conditions={"max_age": "0s"})
            run(es, "es_lookback", unit="hours", unit_count=2)
    finally:
        done.set()
        writer.join()
    assert len(sent) > 50
    wait_for(lambda: traces.finds(sent[-1]))
    assert set(sent) - traces.found(sent) == set()
    assert len([name for name in es.indices() if name.startswith(f"{PREFIX}-jaeger-span-")]) == 9
