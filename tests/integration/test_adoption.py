# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An index that sits where an alias belongs is moved into the set, and no document is lost on the way."""

from __future__ import annotations

import functools
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.corners import try_all
from tests.support.modules import Answer, check_module, run_module, start_module
from tests.support.proxy import LOST_ANSWER, LOST_REQUEST, UNAVAILABLE, Fault, nth, proxy
from tests.support.servers import Elasticsearch, wait_for

SPAN: dict[str, Any] = {
    "index_prefix": "prod",
    "record_types": ["span"],
    "shards": 1,
    "replicas": 0,
    "adopt": ["concrete"],
}
WRITE = "prod-jaeger-span-write"
READ = "prod-jaeger-span-read"


def bulk(es: Elasticsearch, index: str, ids: range) -> None:
    """Write documents as a collector does, with its own ids so that they can be counted."""
    lines = [
        line
        for n in ids
        for line in (json.dumps({"index": {"_id": str(n)}}), json.dumps({"traceID": f"{n:032x}"}))
    ]
    url = f"{es.url}/{index}/_bulk?refresh=true"
    headers = {"Content-Type": "application/x-ndjson"}
    request = urllib.request.Request(url, ("\n".join(lines) + "\n").encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert not json.load(answer)["errors"]


def adopt(url: str, **options: Any) -> Answer:
    return run_module("es_rollover_init", server_urls=url, **{**SPAN, **options})


def count(es: Elasticsearch, index: str = READ) -> int:
    es.request("POST", f"/{index}/_refresh")
    return int(es.get(f"/{index}/_count")["count"])


@pytest.mark.every_server("an adoption is made of the server's answers: scroll, bulk, blocks, the swap")
def test_all_documents_are_readable_and_can_be_searched_as_jaeger_does(es: Elasticsearch) -> None:
    bulk(es, WRITE, range(2500))
    checked = check_module("es_rollover_init", server_urls=es.url, **SPAN)
    assert WRITE in es.indices()
    done = adopt(es.url)
    assert not done.message
    assert checked.actions("adopt") == done.actions("adopt") == ["prod-jaeger-span-000001"]
    (told,) = [action for action in done.result["actions"] if action["action"] == "adopt"]
    assert told["documents"] == 2500
    assert 0 < told["write_blocked_seconds"] < 30
    assert es.indices() == {"prod-jaeger-span-000001"}
    assert es.aliases() == {(READ, "prod-jaeger-span-000001"), (WRITE, "prod-jaeger-span-000001")}
    assert count(es) == 2500
    # A keyword now: dynamic mapping had made it a text, which this finds nothing in.
    found = es.request("POST", f"/{READ}/_search", {"query": {"term": {"traceID": f"{7:032x}"}}})
    assert found["hits"]["total"]["value"] == 1
    bulk(es, WRITE, range(2500, 2510))
    assert count(es) == 2510
    assert not adopt(es.url).changed


def test_a_set_that_lost_its_write_alias_to_a_collector_keeps_all_generations(es: Elasticsearch) -> None:
    assert not run_module("es_rollover_init", server_urls=es.url, **SPAN).message
    bulk(es, WRITE, range(10))
    remove = {"index": "prod-jaeger-span-000001", "alias": WRITE}
    es.request("POST", "/_aliases", {"actions": [{"remove": remove}]})
    bulk(es, WRITE, range(10, 30))
    assert WRITE in es.indices()
    done = adopt(es.url)
    assert not done.message
    assert count(es) == 30
    assert es.aliases() == {
        (READ, "prod-jaeger-span-000001"),
        (READ, "prod-jaeger-span-000002"),
        (WRITE, "prod-jaeger-span-000002"),
    }


def test_while_a_collector_goes_on_writing_no_accepted_document_is_lost(es: Elasticsearch) -> None:
    bulk(es, WRITE, range(3000))
    accepted = list(range(3000))
    refused: list[int] = []
    stop = threading.Event()

    def collector() -> None:
        number = 10_000
        while not stop.is_set():
            url = f"{es.url}/{WRITE}/_doc/{number}"
            body = json.dumps({"traceID": f"{number:032x}"}).encode()
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="PUT")
            try:
                urllib.request.urlopen(request, timeout=60).close()
                accepted.append(number)
            except urllib.error.HTTPError as blocked:
                refused.append(blocked.code)
            number += 1

    writer = threading.Thread(target=collector)
    writer.start()
    try:
        wait_for(lambda: len(accepted) > 3050)
        done = adopt(es.url)
        so_far = len(accepted)
        wait_for(lambda: len(accepted) > so_far + 20)
    finally:
        stop.set()
        writer.join()
    assert not done.message
    assert set(refused) <= {403, 404}  # the block, and an index that has just gone
    assert count(es) == len(accepted)
    ids = {"ids": {"values": [str(number) for number in accepted[-2000:]]}}
    found = es.request("POST", f"/{READ}/_search?size=0&track_total_hits=true", {"query": ids})
    assert found["hits"]["total"]["value"] == len(accepted[-2000:])


STEPS = {
    "target": ("PUT", "-jaeger-span-000001"),
    "stats": ("GET", "/_stats"),
    "refresh": ("POST", "/_refresh"),
    "search": ("POST", "/_search?"),
    "scroll": ("POST", "/_search/scroll"),
    "bulk": ("POST", "/_bulk"),
    "block": ("PUT", "/_block/write"),
    "count": ("GET", "/_count"),
    "settings": ("GET", "/_settings"),
    "swap": ("POST", "/_aliases"),
}
# Where a second page of documents is still to come. Before and after, their number makes no difference.
PAGED = ("search", "scroll", "bulk")
# tests/faults has each of them at each request of an adoption of one document.
FAULTS = {
    "before the server": {step: (LOST_REQUEST, UNAVAILABLE)[place % 2] for place, step in enumerate(STEPS)},
    "after the server": dict.fromkeys(STEPS, LOST_ANSWER),
}


@dataclass(frozen=True)
class Source:
    """An index in the place of a prefix's write alias, for a trouble at this step."""

    es: Elasticsearch
    prefix: str
    step: str

    @property
    def documents(self) -> int:
        """How many documents it has."""
        return 1010 if self.step in PAGED else 20

    def write(self, ids: range) -> None:
        """Write documents as a collector does, which makes the index."""
        bulk(self.es, f"{self.prefix}-jaeger-span-write", ids)

    def adopt(self, url: str = "") -> Answer:
        """Adopt it, perhaps through a proxy."""
        return adopt(url or self.es.url, index_prefix=self.prefix)

    def check(self) -> None:
        """It has become the first generation, with all documents, and the collector goes on."""
        read = f"{self.prefix}-jaeger-span-read"
        assert set(self.es.get(f"/{self.prefix}-*")) == {f"{self.prefix}-jaeger-span-000001"}
        assert count(self.es, read) == self.documents
        self.write(range(self.documents, self.documents + 10))
        assert count(self.es, read) == self.documents + 10


def trouble_at(es: Elasticsearch, steps: Iterable[str], trouble: Callable[[Source], None]) -> None:
    """Let this trouble come at each of these steps, each time with a source of its own."""

    def one(source: Source) -> None:
        source.write(range(source.documents))
        trouble(source)
        source.check()

    try_all({step: functools.partial(one, Source(es, f"at-{step}", step)) for step in steps})


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_one_fault_does_not_matter(es: Elasticsearch, fault: dict[str, Fault]) -> None:
    def trouble(source: Source) -> None:
        with proxy(es.url, nth(*STEPS[source.step], fault[source.step])) as flawed:
            done = source.adopt(flawed.url)
        assert flawed.faults
        assert not done.message

    trouble_at(es, STEPS, trouble)


def test_a_run_that_is_killed_is_finished_by_the_next(es: Elasticsearch) -> None:
    def trouble(source: Source) -> None:
        with proxy(es.url, nth(*STEPS[source.step], Fault(status=0, seconds=20))) as stalled:
            run = start_module(
                "es_rollover_init", server_urls=stalled.url, **{**SPAN, "index_prefix": source.prefix}
            )
            wait_for(lambda: bool(stalled.faults))
            run.kill()
            assert run.wait() is None
        assert not source.adopt().message

    trouble_at(es, STEPS, trouble)


@pytest.mark.every_server("the answers about a document in a bulk request differ")
def test_a_document_that_does_not_fit_leaves_everything_as_it_was(es: Elasticsearch) -> None:
    bulk(es, WRITE, range(10))
    es.request("PUT", f"/{WRITE}/_doc/odd?refresh=true", {"duration": 1})
    es.request("PUT", f"/{WRITE}/_doc/worse?refresh=true", {"process": {"serviceName": "a"}, "flags": 1})
    es.request("PUT", f"/{WRITE}/_mapping", {"properties": {"startTimeMillis": {"type": "keyword"}}})
    es.request("PUT", f"/{WRITE}/_doc/worst?refresh=true", {"startTimeMillis": "yesterday"})
    done = adopt(es.url)
    assert "document worst does not fit into prod-jaeger-span-000001" in done.message
    assert "Nothing was deleted" in done.message
    assert count(es, WRITE) == 13
    bulk(es, WRITE, range(20, 30))  # and no block is left
    es.request("DELETE", f"/{WRITE}/_doc/worst?refresh=true")
    assert not adopt(es.url).message
    assert count(es) == 22


def test_several_adoptions_at_once_lose_nothing(es: Elasticsearch) -> None:
    bulk(es, WRITE, range(1010))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _n: adopt(es.url), range(4)))
    last = adopt(es.url)
    assert not last.message
    assert [answer.message for answer in answers if "Unforeseen" in answer.message] == []
    assert count(es) == 1010
    assert es.indices() == {"prod-jaeger-span-000001"}


@pytest.mark.every_server("the health is the server's word")
def test_an_index_of_which_a_part_is_missing_is_left_as_it_is(es: Elasticsearch) -> None:
    """Searches and counts answer from the shards that are left; its documents would be lost."""
    settings = {"number_of_shards": 2, "number_of_replicas": 0, "routing.allocation.total_shards_per_node": 1}
    es.request("PUT", f"/{WRITE}?wait_for_active_shards=0", {"settings": {"index": settings}})
    done = adopt(es.url)
    assert f"{WRITE} has health red" in done.message
    assert es.indices() == {WRITE}


@pytest.mark.every_server("which template comes first is the server's rule")
def test_a_foreign_template_is_told_before_anything_is_moved(es: Elasticsearch) -> None:
    bulk(es, WRITE, range(5))
    foreign = {"index_patterns": ["prod-jaeger-*"], "priority": 7, "template": {"settings": {}}}
    es.request("PUT", "/_index_template/foreign", foreign)
    try:
        done = adopt(es.url)
    finally:
        es.request("DELETE", "/_index_template/foreign")
    assert "another index template catches prod-jaeger-span-000001" in done.message
    assert count(es, WRITE) == 5


def test_the_mark_of_an_adoption_with_nothing_left_to_adopt_is_taken_away(es: Elasticsearch) -> None:
    assert not adopt(es.url).message
    mark = {"index": "prod-jaeger-span-000001", "alias": "prod-jaeger-span-adopting"}
    es.request("POST", "/_aliases", {"actions": [{"add": mark}]})
    assert adopt(es.url).changed
    assert {alias for alias, _index in es.aliases()} == {READ, WRITE}


@pytest.mark.every_server("what an index is asked meets an alias, and each server has its own answer")
def test_a_swap_of_another_run_in_between_does_not_matter(es: Elasticsearch) -> None:
    """From then on the source's name is that of an alias of the target, in each request that follows."""

    def trouble(source: Source) -> None:
        others: list[Answer] = []

        def first(method: str, path: str) -> Fault | None:
            if method == STEPS[source.step][0] and STEPS[source.step][1] in path and not others:
                others.append(source.adopt())
            return None

        with proxy(es.url, first) as watched:
            done = source.adopt(watched.url)
        assert [answer.message for answer in others] == [""]
        assert not done.message

    steps = ("stats", "search", "bulk", "block", "count", "settings", "swap")
    trouble_at(es, steps, trouble)


@pytest.mark.every_server("the server sets a block by an alias")
def test_a_block_that_came_late_to_the_alias_is_ended_by_the_next_run(es: Elasticsearch) -> None:
    assert not adopt(es.url).message
    es.request("PUT", f"/{WRITE}/_block/write")
    info = run_module("es_index_info", server_urls=es.url, index_prefix="prod")
    assert "prod-jaeger-span-000001 is blocked (write)" in info.result["index_sets"][0]["problems"][0]
    checked = check_module("es_rollover_init", server_urls=es.url, **SPAN)
    assert checked.actions("end_write_block") == ["prod-jaeger-span-000001"]
    done = adopt(es.url)
    assert checked.result["actions"] == done.result["actions"]
    bulk(es, WRITE, range(3))
    assert not adopt(es.url).changed
