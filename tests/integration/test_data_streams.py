# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data streams as in Jaeger's RFC 0004. OpenSearch has them in its core; our Elasticsearch is without that module."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.modules import check_module, run_module
from tests.support.proxy import LOST_ANSWER, nth, proxy
from tests.support.servers import Elasticsearch

STREAM = "prod.jaeger.spans"
pytestmark = pytest.mark.every_server("data streams, and the names of what is behind them, are the server's")


def sets(**changed: Any) -> list[dict[str, Any]]:
    work = {"conditions": {"max_age": "1d"}, "retention": {"days": 7}}
    return [{"index_prefix": "prod", "strategy": "data_stream", **work, **changed}]


def backing(es: Elasticsearch) -> list[str]:
    return sorted(name for name in es.indices() if name.startswith(f".ds-{STREAM}-"))


@pytest.fixture
def stream(es: Elasticsearch) -> Elasticsearch:
    """Three backing indices: born 20, 10 and 2 days ago. On a server without data streams: no fixture, a fact."""
    template = {
        "index_patterns": [STREAM],
        "data_stream": {},
        "priority": 500,
        "template": {"settings": {"number_of_shards": 1, "number_of_replicas": 0}},
    }
    es.request("PUT", f"/_index_template/{STREAM}", template)
    for day in (20, 10, 2):
        es.set_clock(f"-{day}d")
        if day != 20:
            es.request("POST", f"/{STREAM}/_rollover")
        es.request("POST", f"/{STREAM}/_doc?refresh=true", {"@timestamp": 1, "traceID": str(day)})
    es.set_clock("+0d")
    return es


def test_a_server_without_data_streams_is_told(es: Elasticsearch) -> None:
    answer = run_module("es_maintenance", server_urls=es.url, index_sets=sets())
    assert "there is no index prod.jaeger.spans" in answer.message


@pytest.mark.data_streams
def test_it_is_seen(stream: Elasticsearch) -> None:
    info = run_module("es_index_info", server_urls=stream.url, index_sets=sets())
    (one,) = info.result["index_sets"]
    assert (one["strategy"], one["index_prefix"], one["record_type"]) == ("data_stream", "prod", "span")
    assert one["write_index"] == backing(stream)[-1]
    assert [entry["readable"] for entry in one["indices"]] == [True, True, True]
    assert one["problems"] == []
    assert [action["action"] for action in one["next"]["actions"]] == ["rollover", "delete_index"]
    by_prefix = run_module("es_index_info", server_urls=stream.url, index_prefix="prod")
    assert len(by_prefix.result["index_sets"]) == 1


@pytest.mark.data_streams
def test_it_rolls_and_is_cleaned(stream: Elasticsearch) -> None:
    before = backing(stream)
    checked = check_module("es_maintenance", server_urls=stream.url, index_sets=sets())
    assert backing(stream) == before
    done = run_module("es_maintenance", server_urls=stream.url, index_sets=sets())
    assert not done.message
    assert checked.result["actions"] == done.result["actions"]
    # The first was written until ten days ago; the second until two days ago.
    assert backing(stream)[:2] == before[1:]
    assert len(backing(stream)) == 3
    assert stream.get(f"/{STREAM}/_count")["count"] == 2
    assert not run_module("es_maintenance", server_urls=stream.url, index_sets=sets()).changed


@pytest.mark.data_streams
def test_a_rollover_whose_answer_is_lost_is_not_repeated(stream: Elasticsearch) -> None:
    with proxy(stream.url, nth("POST", "/_rollover", LOST_ANSWER)) as flawed:
        work = sets(conditions={"max_age": "0s"}, retention=None)
        done = run_module("es_maintenance", server_urls=flawed.url, index_sets=work)
    assert not done.message
    assert done.changed
    assert len(backing(stream)) == 4


@pytest.mark.data_streams
def test_the_write_index_stays_whatever_the_limits_say(stream: Elasticsearch) -> None:
    work = sets(conditions=None, retention={"days": 0, "max_size": "0b", "max_generations": 1})
    done = run_module("es_maintenance", server_urls=stream.url, index_sets=work)
    assert not done.message
    assert len(backing(stream)) == 1
