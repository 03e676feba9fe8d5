# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""es_maintenance on a real server: all steps from one read, the fewest requests, each set on its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.modules import Answer, check_module, run_module
from tests.support.proxy import LOST_REQUEST, Fault, nth, proxy
from tests.support.servers import Elasticsearch

TYPES = ("span", "service", "dependencies")


def grow(es: Elasticsearch, *prefixes: str, days: tuple[int, ...] = (20, 15, 10, 5)) -> None:
    """Index sets with one generation for each of these days before now, all readable; the last is written."""
    for number, day in enumerate(days):
        es.set_clock(f"-{day}d")
        for prefix in prefixes:
            if number == 0:
                answer = run_module(
                    "es_rollover_init", server_urls=es.url, index_prefix=prefix, shards=1, replicas=0
                )
            else:
                answer = run_module(
                    "es_rollover", server_urls=es.url, index_prefix=prefix, conditions={"max_age": "0s"}
                )
            assert not answer.message
    es.set_clock("+0d")


def night(prefix: str, **changed: Any) -> dict[str, Any]:
    """A night's work on one prefix: rolls at 1 day, looks back 7 days, keeps 12."""
    work = {
        "index_prefix": prefix,
        "conditions": {"max_age": "1d"},
        "lookback": {"unit": "days", "unit_count": 7},
        "retention": {"days": 12},
    }
    return {**work, **changed}


def date_of(days_ago: int) -> str:
    """The date in the name of that day's index."""
    return f"{datetime.now(UTC) - timedelta(days=days_ago):%Y-%m-%d}"


def numbers(es: Elasticsearch, prefix: str, record_type: str = "span") -> tuple[list[int], list[int], int]:
    """Generations that are stored, that are readable, and the one that is written."""
    base = f"{prefix}-jaeger-{record_type}"
    stored = sorted(int(n[-6:]) for n in es.indices() if n.startswith(f"{base}-") and n[-6:].isdigit())
    readable = sorted(int(index[-6:]) for alias, index in es.aliases() if alias == f"{base}-read")
    (written,) = [int(index[-6:]) for alias, index in es.aliases() if alias == f"{base}-write"]
    return stored, readable, written


def run(es: Elasticsearch, *index_sets: dict[str, Any], **options: Any) -> Answer:
    return run_module("es_maintenance", server_urls=es.url, index_sets=list(index_sets), **options)


@pytest.mark.every_server("a night is made of the server's answers: _rollover, _aliases, _cluster/state")
def test_check_mode_foretells_just_what_is_done_and_a_second_run_does_nothing(es: Elasticsearch) -> None:
    grow(es, "prod", "staging")
    sets = [night("prod"), night("staging")]
    before = (es.indices(), es.aliases())
    checked = check_module("es_maintenance", server_urls=es.url, index_sets=sets)
    assert (es.indices(), es.aliases()) == before
    done = run(es, *sets)
    assert not done.message
    assert checked.result["actions"] == done.result["actions"]
    assert checked.result["diff"] == done.result["diff"]
    for prefix in ("prod", "staging"):
        for record_type in TYPES:
            # 1 was written until 15 days ago and goes, 2 until 10 days ago and is hidden, 4 until now
            assert numbers(es, prefix, record_type) == ([2, 3, 4, 5], [3, 4, 5], 5)
    again = run(es, *sets)
    assert not again.message
    assert not again.changed


def test_the_requests_are_few_and_do_not_grow_with_the_prefixes_but_for_rollovers(es: Elasticsearch) -> None:
    """The peers need 17 requests for each prefix: 9 for rollover, 6 for lookback, 2 for the cleaner.

    Four ask who the cluster is: one at the start, three on new connections before the first change.
    """
    grow(es, "prod", "staging", "test")
    for prefixes in (("prod",), ("prod", "staging", "test")):
        with proxy(es.url) as seen:
            done = run_module(
                "es_maintenance", server_urls=seen.url, index_sets=[night(prefix) for prefix in prefixes]
            )
        assert not done.message
        rollovers = [request for request in seen.requests if "/_rollover/" in request]
        assert len(rollovers) == 3 * len(prefixes)
        assert len(seen.requests) == len(rollovers) + 6 + 4


def test_each_record_type_has_its_own_rules(es: Elasticsearch) -> None:
    grow(es, "prod")
    done = run(
        es,
        night("prod", record_types=["span"], retention={"max_generations": 2, "only_unreadable": False}),
        {"index_prefix": "prod", "record_types": ["service"], "conditions": {"max_age": "0s"}},
        {"index_prefix": "prod", "record_types": ["dependencies"], "retention": {"days": 9}},
    )
    assert not done.message
    assert numbers(es, "prod", "span") == ([4, 5], [4, 5], 5)
    assert numbers(es, "prod", "service") == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 5)
    assert numbers(es, "prod", "dependencies") == ([1, 2, 3, 4], [1, 2, 3, 4], 4)
    assert "still readable" in str(done.result["kept"])


def test_a_set_that_fails_does_not_keep_the_others_from_their_night(es: Elasticsearch) -> None:
    """Fault 13 of the peers. Three kinds: no such prefix, a lost write alias, a server that refuses one rollover."""
    grow(es, "prod", "staging")
    remove = {"index": "prod-jaeger-service-000004", "alias": "prod-jaeger-service-write"}
    es.request("POST", "/_aliases", {"actions": [{"remove": remove}]})

    def refuse(_method: str, path: str) -> Fault | None:
        if "/prod-jaeger-dependencies-write/_rollover" in path:
            return Fault(
                reaches=False, status=400, content='{"error": {"type": "x", "reason": "no more shards"}}'
            )
        return None

    with proxy(es.url, refuse) as flawed:
        sets = [night("prod"), night("prdo"), night("staging")]
        done = run_module("es_maintenance", server_urls=flawed.url, index_sets=sets)
    assert done.message.startswith("5 of 9 index sets failed: ")
    assert "there is no index prdo-jaeger-span-*" in done.message
    assert "no index is behind the write alias prod-jaeger-service-write" in done.message
    assert "no more shards" in done.message
    assert numbers(es, "prod", "span") == ([2, 3, 4, 5], [3, 4, 5], 5)
    assert numbers(es, "prod", "dependencies") == ([2, 3, 4], [3, 4], 4)
    assert numbers(es, "staging", "service") == ([2, 3, 4, 5], [3, 4, 5], 5)


def test_an_alias_change_that_is_refused_for_one_set_is_made_for_the_others(es: Elasticsearch) -> None:
    grow(es, "prod", "staging")
    refused = [0]

    def refuse(_method: str, path: str) -> Fault | None:
        refused[0] += path.startswith("/_aliases")
        content = '{"error": {"type": "x", "reason": "not all of them"}}'
        return (
            Fault(reaches=False, status=400, content=content)
            if path.startswith("/_aliases") and refused[0] == 1
            else None
        )

    with proxy(es.url, refuse) as flawed:
        done = run_module(
            "es_maintenance", server_urls=flawed.url, index_sets=[night("prod"), night("staging")]
        )
    assert not done.message
    assert refused[0] == 1 + 6
    assert numbers(es, "prod") == numbers(es, "staging") == ([2, 3, 4, 5], [3, 4, 5], 5)


@pytest.mark.every_server("sizes come from the server's _cat/indices")
def test_retention_by_size(es: Elasticsearch) -> None:
    grow(es, "prod")
    for number, documents in ((1, 200), (2, 200), (3, 200)):
        for _document in range(documents // 50):
            index = f"/prod-jaeger-span-{number:06d}/_doc?refresh=true"
            es.request(
                "POST", index, {"operationName": "x" * 200, "tags": [{"key": str(n)} for n in range(50)]}
            )
    sizes = {row["index"]: int(row["store.size"]) for row in es.get("/_cat/indices?format=json&bytes=b")}
    three = sizes["prod-jaeger-span-000003"] + sizes["prod-jaeger-span-000004"]
    keep = {"max_size": f"{three + 10}b", "only_unreadable": False}
    spans = {"index_prefix": "prod", "record_types": ["span"]}
    checked = check_module("es_maintenance", server_urls=es.url, index_sets=[{**spans, "retention": keep}])
    done = run(es, {**spans, "retention": keep})
    assert not done.message
    assert checked.result["actions"] == done.result["actions"]
    assert numbers(es, "prod")[0] == [3, 4]
    assert "more than max_size" in done.result["actions"][0]["why"]
    least = run(
        es, {**spans, "retention": {"max_size": "1b", "min_generations": 2, "only_unreadable": False}}
    )
    assert not least.changed
    assert "min_generations" in str(least.result["kept"])


def test_a_set_that_came_from_dated_indices_keeps_them_in_sight_and_loses_them_in_time(
    es: Elasticsearch,
) -> None:
    for day in (30, 9, 2):
        es.set_clock(f"-{day}d")
        name = date_of(day)
        es.request("POST", f"/prod-jaeger-span-{name}/_doc?refresh=true", {"traceID": f"{day}"})
    es.set_clock("+0d")
    spans = {"index_prefix": "prod", "record_types": ["span"]}
    init = {"shards": 1, "replicas": 0, "adopt": ["dated"], **spans}
    adopted = run_module("es_rollover_init", server_urls=es.url, **init)
    assert not adopted.message
    assert es.get("/prod-jaeger-span-read/_count")["count"] == 3
    assert not run_module("es_rollover_init", server_urls=es.url, **init).changed
    steps = {"lookback": {"unit": "days", "unit_count": 7}, "retention": {"days": 14}}
    first = run(es, {**spans, **steps})
    assert not first.message
    assert es.get("/prod-jaeger-span-read/_count")["count"] == 1
    assert not first.actions("delete_index")
    done = run(es, {**spans, **steps, "retention": {"days": 14, "include_dated": True}})
    assert done.actions("delete_index") == [f"prod-jaeger-span-{date_of(30)}"]


def test_restored_generations_are_shown_again_on_demand(es: Elasticsearch) -> None:
    grow(es, "prod")
    assert run(es, night("prod", retention=None)).changed
    assert numbers(es, "prod") == ([1, 2, 3, 4, 5], [3, 4, 5], 5)
    options = {"index_prefix": "prod", "shards": 1, "replicas": 0, "adopt": ["generations"]}
    assert run_module("es_rollover_init", server_urls=es.url, **options).changed
    assert numbers(es, "prod") == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 5)


@pytest.mark.every_server("health comes from the server's _cat/indices")
def test_what_the_next_night_would_do_is_told_by_info(es: Elasticsearch) -> None:
    grow(es, "prod")
    before = (es.indices(), es.aliases())
    sets = [night("prod"), night("prdo")]
    both = run_module("es_index_info", server_urls=es.url, index_prefix="prod", index_sets=sets)
    absent = [one for one in both.result["index_sets"] if one["index_prefix"] == "prdo"]
    assert len(absent) == 3
    assert "there is no index prdo-jaeger-" in absent[0]["next"]["failures"][0]["msg"]
    info = run_module("es_index_info", server_urls=es.url, index_prefix="prod", index_sets=[night("prod")])
    assert not info.message
    assert (es.indices(), es.aliases()) == before
    done = run(es, night("prod"))
    told = [action for one in info.result["index_sets"] for action in one["next"]["actions"]]
    assert sorted(map(str, told)) == sorted(map(str, done.result["actions"]))
    span = next(one for one in info.result["index_sets"] if one["record_type"] == "span")
    assert [entry["age_seconds"] // 86400 for entry in span["indices"]] == [20, 15, 10, 5]
    assert {entry["health"] for entry in span["indices"]} == {"green"}


def refusal(status: int) -> Fault:
    """What a server says to somebody who may not, or to whom something went wrong."""
    content = '{"error": {"type": "security_exception", "reason": "made by the test"}}'
    return Fault(reaches=False, status=status, content=content)


def put_write_alias_back(es: Elasticsearch, number: int, record_type: str = "span") -> None:
    """What Jaeger's own init leaves after a lost write alias (fault 3): it is on an old generation, and is written."""
    base = f"prod-jaeger-{record_type}"
    actions = [
        {"remove": {"index": f"{base}-000004", "alias": f"{base}-write"}},
        {"add": {"index": f"{base}-{number:06d}", "alias": f"{base}-write"}},
    ]
    es.request("POST", "/_aliases", {"actions": actions})
    es.request("POST", f"/{base}-write/_doc?refresh=true", {"traceID": "just written"})


@pytest.mark.parametrize("may_read_the_state", [True, False])
def test_what_this_very_run_has_rolled_over_is_young(es: Elasticsearch, may_read_the_state: bool) -> None:
    """Its birth is long ago, and without the cluster state only this run knows until when it was written."""
    grow(es, "prod")
    put_write_alias_back(es, 1)
    work = night("prod", record_types=["span"])
    faults = nth("GET", "/_cluster/state", refusal(403), times=0 if may_read_the_state else 99)
    with proxy(es.url, faults) as flawed:
        checked = check_module("es_maintenance", server_urls=flawed.url, index_sets=[work])
        done = run_module("es_maintenance", server_urls=flawed.url, index_sets=[work])
    assert not done.message
    assert checked.result["actions"] == done.result["actions"]
    assert es.get("/prod-jaeger-span-read/_count")["count"] == 1
    assert numbers(es, "prod")[2] == 5
    assert 1 in numbers(es, "prod")[1]


def test_ages_that_cannot_be_told_hide_and_delete_nothing_and_what_was_done_is_told(
    es: Elasticsearch,
) -> None:
    grow(es, "prod")
    with proxy(es.url, nth("GET", "/_cluster/state", refusal(500), times=99)) as flawed:
        done = run_module("es_maintenance", server_urls=flawed.url, index_sets=[night("prod")])
    assert done.message.startswith("3 of 3 index sets failed")
    assert done.changed
    assert len(done.actions("rollover")) == 3
    assert not done.actions("remove_alias")
    assert numbers(es, "prod") == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 5)


def test_a_server_that_goes_away_is_told_once_with_what_was_done_before(es: Elasticsearch) -> None:
    grow(es, "prod", "staging")
    gone = [False]

    def going(_method: str, path: str) -> Fault | None:
        gone[0] = gone[0] or "/prod-jaeger-service-write/_rollover" in path
        return LOST_REQUEST if gone[0] else None

    with proxy(es.url, going) as flawed:
        sets = [night("prod"), night("staging")]
        done = run_module("es_maintenance", server_urls=flawed.url, index_sets=sets, retries=1)
    assert "no answer" in done.message
    assert len(done.message) < 300
    assert done.actions("rollover") == ["prod-jaeger-span-000005"]
    assert len(flawed.requests) < 15


@pytest.mark.every_server("how long a URL may be is the server's rule")
def test_deletions_that_were_made_are_told_when_a_later_request_is_refused(es: Elasticsearch) -> None:
    base = "ölçüm-ürünü-" * 6 + "x-jaeger-span"
    prefix = base.removesuffix("-jaeger-span")
    es.set_clock("-40d")
    spans = {"index_prefix": prefix, "record_types": ["span"]}
    run_module("es_rollover_init", server_urls=es.url, shards=1, replicas=0, **spans)
    for _night in range(24):
        es.request("POST", f"/{base}-write/_rollover", {})
    es.set_clock("+0d")
    seen = [0]

    def second(method: str, _path: str) -> Fault | None:
        seen[0] += method == "DELETE"
        return refusal(403) if method == "DELETE" and seen[0] > 1 else None

    with proxy(es.url, second) as flawed:
        done = run_module("es_index_cleaner", server_urls=flawed.url, days=7, only_unreadable=False, **spans)
    assert "may not do DELETE" in done.message
    assert done.changed
    left = {name for name in es.indices() if name.startswith(base)}
    told = set(done.actions("delete_index"))
    assert told
    assert told | left == {f"{base}-{number:06d}" for number in range(1, 26)}
    assert not told & left
