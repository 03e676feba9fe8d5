# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two clusters behind what is taken for one: what was read of the first is never done to the second."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.balancer import balancer
from tests.support.corners import Builder, Corner, build, try_all
from tests.support.modules import Answer, check_module, run_module
from tests.support.proxy import Fault, Proxy, proxy
from tests.support.servers import Elasticsearch
from tests.support.shared_servers import shared_server
from tests.support.starts import collector_came_first, hidden_generations, lost_write_alias, three_generations

pytestmark = pytest.mark.xdist_group("two clusters")  # so that one worker alone starts the second one
TOMORROW = datetime.now(UTC) + timedelta(days=1)
WEEK = {"unit": "days", "unit_count": 7}
NIGHT = {"conditions": {"max_age": "1d"}, "lookback": WEEK, "retention": {"days": 8}}
# Every module that changes anything: what it finds, and what it is told.
WORK: dict[str, tuple[Builder, dict[str, Any]]] = {
    "es_rollover_init": (lost_write_alias, {"shards": 1, "replicas": 0}),
    "es_rollover": (three_generations, {"conditions": {"max_age": "1d"}}),
    "es_lookback": (three_generations, WEEK),
    "es_index_cleaner": (hidden_generations, {"days": 7}),
    "es_maintenance": (three_generations, NIGHT),
    "es_restore": (hidden_generations, {"readable_until": f"{TOMORROW:%Y-%m-%d}"}),
}


@pytest.fixture(scope="module")
def another() -> Iterator[Elasticsearch]:
    """A second cluster."""
    with shared_server() as running:
        yield running


@pytest.fixture
def other(another: Elasticsearch) -> Elasticsearch:
    """The second cluster, empty, with the right time."""
    another.set_clock("+0d")
    another.wipe()
    return another


def options_for(module: str, prefix: str, **options: Any) -> dict[str, Any]:
    """What a module is told about the span set of a prefix."""
    if module == "es_restore":
        return {"index_prefix": prefix, "indices": [f"{prefix}-jaeger-span-000001"], **options}
    spans = {"index_prefix": prefix, "record_types": ["span"]}
    return {"index_sets": [{**spans, **options}]} if module == "es_maintenance" else {**spans, **options}


def run(module: str, prefix: str, *urls: str, **options: Any) -> Answer:
    """A module's work on a prefix."""
    told = options_for(module, prefix, **{**WORK[module][1], **options})
    return run_module(module, server_urls=list(urls), retries=1, **told)


def whole(es: Elasticsearch) -> Any:
    """All that a cluster has: indices with their aliases, templates, the number of documents."""
    es.request("POST", "/_refresh")
    return es.get("/*jaeger*?expand_wildcards=all"), es.templates(), es.get("/_count")["count"]


def alike(builder: Builder, prefixes: Sequence[str], *servers: Elasticsearch) -> list[list[Corner]]:
    """The same index sets on each of these clusters."""
    corners = [[Corner(es, prefix) for prefix in prefixes] for es in servers]
    for on_one in corners:
        build(builder, on_one)
    return corners


def all_work(es: Elasticsearch, other: Elasticsearch) -> None:
    """On both clusters what each module finds something to do in, with the module's place in WORK as the prefix."""
    for place, (builder, _options) in enumerate(WORK.values()):
        alike(builder, [f"work{place}"], es, other)


def uuid_of(es: Elasticsearch) -> str:
    """The cluster's own name for itself."""
    return str(es.get("/")["cluster_uuid"])


def test_urls_of_two_clusters_are_refused_by_every_module(es: Elasticsearch, other: Elasticsearch) -> None:
    all_work(es, other)
    before = whole(es), whole(other)
    for urls in ((es.url, other.url), (other.url, es.url)):
        answers = [run(module, f"work{place}", *urls) for place, module in enumerate(WORK)]
        answers.append(run_module("es_index_info", server_urls=list(urls)))
        answers.append(check_module("es_rollover", server_urls=list(urls), index_prefix="work1"))
        for answer in answers:
            assert "are not of one cluster" in answer.message
            assert "Nothing was changed" in answer.message
            assert all(word in answer.message for word in (*urls, uuid_of(es), uuid_of(other)))
    assert (whole(es), whole(other)) == before
    for place, module in enumerate(WORK):  # and each of them has something to do
        assert run(module, f"work{place}", es.url, es.url).changed, module


def test_a_load_balancer_in_front_of_two_clusters_is_found_out_before_a_change(
    es: Elasticsearch, other: Elasticsearch
) -> None:
    all_work(es, other)
    before = whole(es), whole(other)

    def refused(url: str) -> None:
        for place, module in enumerate(WORK):
            answer = run(module, f"work{place}", url)
            assert "has answered for two clusters" in answer.message, (module, answer.result)
            assert uuid_of(es) in answer.message
            assert uuid_of(other) in answer.message
            assert not answer.changed

    for targets in ((es.url, other.url), (other.url, es.url), (es.url, es.url, other.url)):
        with balancer(targets) as by_connection:
            refused(by_connection.url)
    for targets in ((es.url, other.url), (other.url, es.url)):
        with proxy(es.url) as by_request:
            by_request.choose = alternating(by_request, targets)
            refused(by_request.url)
    assert (whole(es), whole(other)) == before


def alternating(running: Proxy, targets: Sequence[str]) -> Callable[[str, str], None]:
    """Each request goes to the next of these servers."""

    def choose(_method: str, _path: str) -> None:
        running.target = targets[len(running.requests) % 2]

    return choose


# What is under way when the load balancer switches, by module: what it finds, and what it is told.
SWITCHED: dict[str, tuple[Builder, dict[str, Any]]] = {
    "es_maintenance": (three_generations, {**NIGHT, "retention": {"days": 8, "only_unreadable": False}}),
    "es_rollover_init": (collector_came_first, {"shards": 1, "replicas": 0, "adopt": ["concrete"]}),
}


@pytest.mark.parametrize("module", SWITCHED)
def test_a_load_balancer_that_switches_to_another_cluster_in_the_middle(
    es: Elasticsearch, other: Elasticsearch, module: str
) -> None:
    """After each request of a run the connection is closed, and the next one goes to the other cluster.

    But for the first one: it asks for the time alone, so the other cluster is then the one that is read.
    """
    builder, options = SWITCHED[module]

    def switched(corner: Corner, after: int) -> None:
        with proxy(es.url) as seen:

            def choose(_method: str, _path: str) -> Fault | None:
                if len(seen.requests) < after:
                    return None
                if len(seen.requests) > after:
                    seen.target = other.url
                return Fault(closes=True) if len(seen.requests) == after else None

            seen.choose = choose
            answer = run(module, corner.prefix, seen.url, **options)
        if len(seen.requests) > after:
            said = f"{answer.message} after {after} of {seen.requests}"
            assert "has answered for two clusters" in answer.message, said
        last = run(module, corner.prefix, es.url, **options)
        assert not last.message
        assert not run(module, corner.prefix, es.url, **options).changed

    alike(builder, ["first"], es)
    with proxy(es.url) as undisturbed:
        assert run(module, "first", undisturbed.url, **options).changed
    requests = len(undisturbed.requests)
    prefixes = [f"after-{after}" for after in range(2, requests + 1)]
    corners, _others = alike(builder, prefixes, es, other)
    before = whole(other)
    try_all(
        {corner.prefix: functools.partial(switched, corner, after) for after, corner in enumerate(corners, 2)}
    )
    assert whole(other) == before


def test_a_node_without_a_cluster_is_waited_for_and_then_refused(es: Elasticsearch) -> None:
    alike(three_generations, ["prod"], es)
    before = whole(es)
    unformed = Fault(status=200, content=json.dumps({**es.get("/"), "cluster_uuid": "_na_"}))

    def choose(times: int) -> Callable[[str, str], Fault | None]:
        left = [times]

        def first(method: str, path: str) -> Fault | None:
            left[0] -= method == "GET" and path == "/"
            return unformed if (method, path) == ("GET", "/") and left[0] >= 0 else None

        return first

    for module in ("es_maintenance", "es_lookback"):
        with proxy(es.url, choose(99)) as flawed:
            answer = run(module, "prod", flawed.url)
        assert "the cluster has not formed yet: its cluster_uuid is _na_" in answer.message
        assert not flawed.changes()
    assert whole(es) == before
    with proxy(es.url, choose(2)) as flawed:
        assert run("es_lookback", "prod", flawed.url).changed
