# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""States that people, other tools and half-done requests leave behind: nothing that is needed is hidden or deleted."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.test_adoption import SPAN as ADOPT
from tests.integration.test_adoption import STEPS, Source, adopt, bulk, count
from tests.support.corners import Corner, build, try_all
from tests.support.modules import Answer, check_module, run_module
from tests.support.proxy import Fault, nth, proxy
from tests.support.servers import Elasticsearch

LOOKBACK: dict[str, Any] = {"unit": "days", "unit_count": 7}
READ, WRITE = "prod-jaeger-span-read", "prod-jaeger-span-write"
# What an alias can be beyond its name. Servers refuse an alias that is hidden on one index and not on another.
SPEC: dict[str, Any] = {
    "filter": {"term": {"tenant": "a"}},
    "index_routing": "1",
    "search_routing": "1,2",
    "is_hidden": True,
}


def grow(es: Elasticsearch, *prefixes: str, days: tuple[int, ...]) -> list[Corner]:
    """A span set of each prefix, with a generation for each of these days before now; each has a document."""

    def builder(corner: Corner) -> Iterator[int]:
        for number, ago in enumerate(days, 1):
            yield ago
            corner.generation(number)

    corners = [Corner(es, prefix) for prefix in prefixes]
    build(builder, corners)
    return corners


def day(ago: int) -> str:
    """The date in the name of that day's index."""
    return f"{datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}"


def spans(*prefixes: str, **steps: Any) -> list[dict[str, Any]]:
    """Entries of index_sets with the same steps for the span set of each prefix."""
    return [{"index_prefix": prefix, "record_types": ["span"], **steps} for prefix in prefixes]


def maintain(es: Elasticsearch, *index_sets: dict[str, Any], **options: Any) -> Answer:
    """A run that check mode foretells."""
    options = {"server_urls": es.url, "index_sets": list(index_sets), **options}
    checked = check_module("es_maintenance", **options)
    done = run_module("es_maintenance", **options)
    assert not done.message
    assert checked.result["actions"] == done.result["actions"]
    return done


def init(url: str, prefix: str = "prod") -> Answer:
    """Mend one span set."""
    options = {"index_prefix": prefix, "record_types": ["span"], "shards": 1, "replicas": 0}
    return run_module("es_rollover_init", server_urls=url, **options)


def roll(es: Elasticsearch, prefix: str = "prod") -> Answer:
    """Roll one span set, whatever its age."""
    options = {"index_prefix": prefix, "record_types": ["span"], "conditions": {"max_age": "0s"}}
    return run_module("es_rollover", server_urls=es.url, **options)


def info(es: Elasticsearch, prefix: str = "prod", **options: Any) -> dict[str, Any]:
    """What es_index_info says of one span set."""
    answer = run_module("es_index_info", server_urls=es.url, index_prefix=prefix, **options)
    (told,) = answer.result["index_sets"]
    return dict(told)


def change_aliases(es: Elasticsearch, **actions: dict[str, Any]) -> None:
    """One or more alias actions: add, remove."""
    es.request("POST", "/_aliases", {"actions": [{kind: body} for kind, body in actions.items()]})


def behind(es: Elasticsearch, alias: str) -> dict[str, Any]:
    """What an alias is on each index that it is on."""
    found = es.get("/*jaeger-*?expand_wildcards=all")
    return {name: body["aliases"][alias] for name, body in found.items() if alias in body["aliases"]}


def generation(number: int, prefix: str = "prod") -> str:
    """Name of a generation of spans."""
    return f"{prefix}-jaeger-span-{number:06d}"


@pytest.mark.every_server("when an alias was rolled away is in the server's cluster state")
def test_a_dated_index_that_was_written_until_tonight_is_as_young_as_a_generation(es: Elasticsearch) -> None:
    """Its name says a day 45 days ago, but a collector has written to it through the write alias until now."""
    retention = {"days": 14, "include_dated": True}
    steps: dict[str, dict[str, Any]] = {
        "readable": {"lookback": LOOKBACK, "retention": {**retention, "only_unreadable": False}},
        "default": {"lookback": LOOKBACK, "retention": retention},
        "lookback": {"lookback": LOOKBACK},
    }
    old = {prefix: f"{prefix}-jaeger-span-{day(45)}" for prefix in steps}
    corners = [Corner(es, prefix) for prefix in steps]
    es.set_clock("-45d")
    for corner in corners:
        corner.index(day(45), "read", "write")
    es.set_clock("+0d")
    for corner in corners:
        assert corner.writes("just now")
    nights = [entry for prefix, work in steps.items() for entry in spans(prefix, **work)]
    done = maintain(es, *({**entry, "conditions": {"max_age": "2d"}} for entry in nights))
    assert done.actions("rollover") == [generation(1, prefix) for prefix in steps]
    assert len(done.result["actions"]) == 3
    for clock, hidden, deleted in (
        ("+0d", False, False),
        ("+6d", False, False),
        ("+8d", True, False),
        ("+13d", True, False),
        ("+15d", True, True),
    ):
        es.set_clock(clock)
        maintain(es, *nights)
        for corner in corners:
            readable = set() if hidden else {"just now", f"jaeger-span-{day(45)}"}
            assert corner.readable() == readable, (clock, corner.prefix)
            gone = deleted and corner.prefix != "lookback"
            assert (old[corner.prefix] in es.indices()) is not gone, (clock, corner.prefix)


@pytest.mark.every_server("sizes come from the server's _cat/indices")
def test_of_dated_indices_and_generations_that_which_was_written_longest_ago_goes_first(
    es: Elasticsearch,
) -> None:
    """Generation 1 was written until 18 days ago, the dated index until yesterday."""
    prefixes = ("number", "size", "least")
    corners = grow(es, *prefixes, days=(20, 18))
    es.set_clock("-1d")
    for corner in corners:
        corner.index(day(1), "read")
    es.set_clock("+0d")
    for corner in corners:
        corner.documents("")  # refreshed, so that there are sizes
    sizes = {row["index"]: int(row["store.size"]) for row in es.get("/_cat/indices?format=json&bytes=b")}
    newest = sizes[generation(2, "size")] + sizes[f"size-jaeger-span-{day(1)}"]
    limits: dict[str, dict[str, Any]] = {
        "number": {"max_generations": 2},
        "size": {"max_size": f"{newest + 10}b"},
        "least": {"days": 0, "min_generations": 2},
    }
    keep = {"include_dated": True, "only_unreadable": False}
    nights = [spans(prefix, retention={**keep, **limits[prefix]})[0] for prefix in prefixes]
    done = maintain(es, *nights)
    assert sorted(done.actions("delete_index")) == sorted(generation(1, prefix) for prefix in prefixes)
    for prefix in prefixes:
        assert f"{prefix}-jaeger-span-{day(1)}" in es.indices()


@pytest.mark.every_server("what becomes of an alias without a write index is the server's rule")
def test_an_index_that_the_write_alias_was_taken_from_counts_as_written_until_then(es: Elasticsearch) -> None:
    """Generation 2 is written until today though 3 has been there for 20 days; then the alias is on both."""
    (corner,) = grow(es, "prod", days=(40, 30))
    es.set_clock("-20d")
    corner.index("000003", "read")
    es.set_clock("+0d")
    assert corner.writes("just now")
    change_aliases(es, add={"index": generation(3), "alias": WRITE})
    assert not corner.writes("nowhere")
    assert "none of them is marked as its write index" in roll(es).message
    keep = {"days": 14, "only_unreadable": False}
    (night,) = spans("prod", lookback=LOOKBACK, retention=keep)
    assert maintain(es, night).actions("delete_index") == [generation(1)]
    mended = init(es.url)
    assert mended.actions("remove_alias") == [generation(2)]
    assert set(behind(es, WRITE)) == {generation(3)}
    (mark,) = [alias for alias, index in es.aliases() if index == generation(2) and alias != READ]
    assert mark.startswith("prod-jaeger-span-written-until-20")
    told = {
        entry["generation"]: entry["written_until"] for entry in mended.result["index_sets"][0]["indices"]
    }
    assert told[2][:10] == day(0)
    assert told[3] is None
    assert corner.writes("afterwards")
    assert not init(es.url).changed
    for clock, readable, stored in (("+1d", True, True), ("+8d", False, True), ("+15d", False, False)):
        es.set_clock(clock)
        maintain(es, night)
        assert (generation(2) in behind(es, READ)) is readable, clock
        assert (generation(2) in es.indices()) is stored, clock
    assert set(behind(es, WRITE)) == set(behind(es, READ)) == {generation(3)}
    assert {"afterwards", "jaeger-span-000003"} <= corner.readable()


@contextmanager
def watched(es: Elasticsearch, alias: str) -> Iterator[list[tuple[float, set[str]]]]:
    """What is behind an alias while the block runs, each time with when that was asked."""
    seen: list[tuple[float, set[str]]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append((time.monotonic(), set(behind(es, alias))))
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def _lost(es: Elasticsearch, prefix: str) -> None:
    change_aliases(es, remove={"index": generation(2, prefix), "alias": f"{prefix}-jaeger-span-write"})


def _ambiguous(es: Elasticsearch, prefix: str) -> None:
    change_aliases(es, add={"index": generation(1, prefix), "alias": f"{prefix}-jaeger-span-write"})


def _closed(es: Elasticsearch, prefix: str) -> None:
    es.request("POST", f"/{generation(2, prefix)}/_close")
    es.get(f"/_cluster/health/{generation(2, prefix)}?wait_for_status=yellow")  # it is red for a moment


BROKEN: dict[str, Callable[[Elasticsearch, str], None]] = {
    "lost": _lost,
    "ambiguous": _ambiguous,
    "closed": _closed,
}


@pytest.mark.every_server("the server takes an alias from a pattern of names in one step")
def test_an_init_that_read_long_ago_never_leaves_two_indices_behind_the_write_alias(
    es: Elasticsearch,
) -> None:
    """Another one mends the set, and it is rolled over, before the first one's alias change arrives."""

    def race(corner: Corner) -> None:
        prefix, alias = corner.prefix, f"{corner.prefix}-jaeger-span-write"
        BROKEN[prefix](es, prefix)
        others: list[Answer] = []
        mended: list[float] = []

        def overtake(method: str, path: str) -> Fault | None:
            if method == "POST" and path.startswith("/_aliases") and not others:
                others.append(init(es.url, prefix))
                others.append(roll(es, prefix))
                mended.append(time.monotonic())
            return None

        with watched(es, alias) as seen, proxy(es.url, overtake) as held:
            done = init(held.url, prefix)
            assert corner.writes("afterwards")
            last = init(es.url, prefix)
        assert [answer.message for answer in (*others, done, last)] == [""] * 4
        since = [indices for asked, indices in seen if asked > mended[0]]
        assert since
        assert all(len(indices) == 1 for indices in since), since
        assert not last.changed
        assert set(behind(es, alias)) <= set(behind(es, f"{prefix}-jaeger-span-read"))
        assert es.get(f"/{alias}/_doc/afterwards")["found"]

    corners = grow(es, *BROKEN, days=(10, 5))
    try_all({corner.prefix: functools.partial(race, corner) for corner in corners})


@pytest.mark.every_server("sizes come from the server's _cat/indices")
def test_what_other_aliases_need_is_kept_and_named(es: Elasticsearch) -> None:
    """1 is behind another set's read alias, 2 behind a filtered one; 3 and all others behind one that follows the set."""
    (corner,) = grow(es, "prod", days=(50, 40, 30, 20))
    for number in (1, 2, 3):
        corner.remove_alias(f"{number:06d}", "read")
    hold = {"filter": {"term": {"traceID.keyword": "jaeger-span-000002"}}}
    change_aliases(es, add={"index": generation(1), "alias": "audit-jaeger-span-read"})
    change_aliases(es, add={"index": generation(2), "alias": "legal-hold", **hold})
    change_aliases(es, add={"index": "prod-jaeger-span-0*", "alias": "everything"})
    corner.documents("")
    (night,) = spans("prod", retention={"days": 7, "max_generations": 1, "only_unreadable": False})
    told = info(es)
    assert [entry["held_by"] for entry in told["indices"]] == [
        ["audit-jaeger-span-read"],
        ["legal-hold"],
        [],
        [],
    ]
    assert told["problem_kinds"] == ["held_by_alias"] * 2
    for entry, problem in zip(told["indices"], told["problems"], strict=False):
        assert entry["size_bytes"] > 0
        assert problem.startswith(f"{entry['index']} ({entry['size_bytes']} bytes) is never deleted")
        assert f"the alias {entry['held_by'][0]}" in problem
    done = maintain(es, night)
    assert done.actions("delete_index") == [generation(3)]
    reasons = {kept["index"]: kept["reason"] for kept in done.result["kept"]}
    assert "the alias audit-jaeger-span-read" in reasons[generation(1)]
    assert "the alias legal-hold" in reasons[generation(2)]
    assert es.get("/legal-hold/_count")["count"] == 1
    cleaner = {"days": 7, "only_unreadable": False, "server_urls": es.url, "index_prefix": "prod"}
    alone = run_module("es_index_cleaner", **cleaner, record_types=["span"])
    assert not alone.changed
    assert "the alias legal-hold" in str(alone.result["kept"])
    ignored = ["audit-*", "legal-hold"]
    ignoring = info(es, ignored_aliases=ignored)
    assert (ignoring["problem_kinds"], ignoring["indices"][0]["held_by"]) == ([], [])
    assert maintain(es, night, ignored_aliases=ignored[:1]).actions("delete_index") == [generation(1)]
    assert maintain(es, night, ignored_aliases=ignored).actions("delete_index") == [generation(2)]
    assert corner.indices().keys() == {generation(4)}


def concrete(es: Elasticsearch, name: str = WRITE, **body: Any) -> None:
    """An index that sits where an alias belongs, with five documents and what the body says."""
    es.request("PUT", f"/{name}", body)
    bulk(es, name, range(5))


@pytest.mark.every_server("how an alias is stored is the server's rule")
def test_the_aliases_of_an_adopted_index_go_with_its_documents(es: Elasticsearch) -> None:
    grafana = {"filter": {"term": {"traceID.keyword": f"{3:032x}"}}, "search_routing": "1"}
    aliases = {"grafana-traces": grafana, "traces": {"is_write_index": True}}
    concrete(es, aliases=aliases)
    assert es.get("/grafana-traces/_count")["count"] == 1
    stored = {alias: behind(es, alias)[WRITE] for alias in aliases}
    checked = check_module("es_rollover_init", server_urls=es.url, **ADOPT)
    assert set(es.indices()) == {WRITE}
    done = adopt(es.url)
    assert not done.message
    for answer in (checked, done):
        moved = [action for action in answer.result["actions"] if action["action"] == "add_alias"]
        assert {(action["index"], action["alias"]) for action in moved} == {
            (generation(1), alias) for alias in aliases
        }
    assert {alias: behind(es, alias) for alias in aliases} == {
        alias: {generation(1): body} for alias, body in stored.items()
    }
    assert count(es) == count(es, "traces") == 5
    assert not adopt(es.url).changed


@pytest.mark.every_server("what _source can be is the server's rule")
def test_an_index_that_does_not_keep_its_documents_whole_is_not_adopted(es: Elasticsearch) -> None:
    mappings: dict[str, dict[str, Any]] = {
        "excludes": {"mappings": {"_source": {"excludes": ["process.*"]}}},
        "includes": {"mappings": {"_source": {"includes": ["traceID"]}}},
        "disabled": {"mappings": {"_source": {"enabled": False}}},
    }
    if es.distribution == "elasticsearch" and es.composable_templates:
        mappings["synthetic"] = {"settings": {"index.mapping.source.mode": "synthetic"}}
    for prefix, body in mappings.items():
        concrete(es, f"{prefix}-jaeger-span-write", **body)
    before = es.get("/*jaeger-*")
    for prefix in mappings:
        done = adopt(es.url, index_prefix=prefix)
        assert "does not keep its documents whole" in done.message, prefix
        assert "Nothing was changed" in done.message
    assert es.get("/*jaeger-*") == before
    bulk(es, "disabled-jaeger-span-write", range(5, 9))


def test_an_alias_that_two_adopted_indices_have_in_two_forms_is_refused(es: Elasticsearch) -> None:
    for name, tenant in ((WRITE, "a"), (READ, "b")):
        concrete(es, name, aliases={"grafana-traces": {"filter": {"term": {"tenant": tenant}}}})
    before = es.get("/*jaeger-*")
    done = adopt(es.url)
    assert "the alias grafana-traces is not the same on" in done.message
    assert "Nothing was changed" in done.message
    assert es.get("/*jaeger-*") == before
    change_aliases(es, add={"index": READ, "alias": "grafana-traces", "filter": {"term": {"tenant": "a"}}})
    checked = check_module("es_rollover_init", server_urls=es.url, **ADOPT)
    assert checked.actions("add_alias") == [generation(1)]


@pytest.mark.every_server("what an alias can be, and that it must be hidden everywhere, is the server's rule")
def test_each_new_generation_gets_the_read_alias_as_it_is(es: Elasticsearch) -> None:
    grow(es, "prod", days=(10, 5))
    for number in (1, 2):
        change_aliases(es, remove={"index": generation(number), "alias": READ})
    change_aliases(es, add={"index": "prod-jaeger-span-0*", "alias": READ, **SPEC})
    stored = behind(es, READ)[generation(2)]
    assert stored == SPEC
    assert roll(es).actions("rollover") == [generation(3)]
    (night,) = spans("prod", conditions={"max_age": "0s"}, lookback=LOOKBACK)
    assert maintain(es, night).actions("rollover") == [generation(4)]
    assert behind(es, READ) == {generation(number): SPEC for number in (1, 2, 3, 4)}
    change_aliases(es, remove={"index": generation(4), "alias": READ})
    mended = init(es.url)
    assert mended.actions("add_alias") == [generation(4)]
    assert behind(es, READ)[generation(4)] == SPEC
    change_aliases(es, remove={"index": generation(4), "alias": READ})
    assert roll(es).changed
    assert behind(es, READ) == {generation(number): SPEC for number in (1, 2, 3, 4, 5)}
    es.request("PUT", f"/{generation(5)}/_settings", {"index.blocks.write": True})
    change_aliases(es, remove={"index": generation(5), "alias": WRITE})
    assert init(es.url).actions("create_index") == [generation(6)]
    assert behind(es, READ)[generation(6)] == SPEC
    assert not init(es.url).changed


FAILED_ALIAS = {
    "action": {"type": "add", "indices": ["any"], "aliases": ["any"]},
    "status": 404,
    "error": {"type": "aliases_not_found_exception", "reason": "made by the test", "status": 404},
}
DONE_ALIAS = {**FAILED_ALIAS, "status": 200}
# 200 OK, and not all of it was done.
PARTLY = json.dumps({"acknowledged": True, "errors": True, "action_results": [DONE_ALIAS, FAILED_ALIAS]})


def test_alias_changes_that_were_done_in_part_are_not_taken_for_done(es: Elasticsearch) -> None:
    def lookback(url: str) -> Answer:
        options = {"index_prefix": "prod", "record_types": ["span"], **LOOKBACK}
        return run_module("es_lookback", server_urls=url, retries=1, **options)

    grow(es, "prod", days=(30, 20, 10))
    faulty = Fault(reaches=False, status=200, content=PARTLY)
    with proxy(es.url, nth("POST", "/_aliases", faulty, times=99)) as flawed:
        failed = lookback(flawed.url)
    assert "1 of 2 actions failed" in failed.message
    assert not failed.changed
    assert set(behind(es, READ)) == {generation(number) for number in (1, 2, 3)}
    with proxy(es.url, nth("POST", "/_aliases", faulty)) as flawed:
        done = lookback(flawed.url)
    assert not done.message
    assert len(flawed.changes()) == 2
    assert done.actions("remove_alias") == [generation(1), generation(2)]
    assert set(behind(es, READ)) == {generation(3)}
    change_aliases(es, remove={"index": generation(3), "alias": WRITE})
    with proxy(es.url, nth("POST", "/_aliases", faulty)) as flawed:
        mended = init(flawed.url)
    assert not mended.message
    assert set(behind(es, WRITE)) == {generation(3)}


SHARDS = {"total": 1, "successful": 0, "failed": 1}
ALL_SHARDS = {"total": 1, "successful": 1, "failed": 0}
PAGE = {"_scroll_id": "none", "hits": {"hits": []}}
# What an adoption is answered, with status 200, by a server that has not done all of it; by the step of an adoption.
IN_PART: dict[str, tuple[str, dict[str, Any]]] = {
    "refresh, a shard failed": ("refresh", {"_shards": SHARDS}),
    "search, a shard failed": ("search", {**PAGE, "timed_out": False, "_shards": SHARDS}),
    "search, timed out": ("search", {**PAGE, "timed_out": True, "_shards": ALL_SHARDS}),
    "count, a shard failed": ("count", {"count": 20, "_shards": SHARDS}),
    "count, timed out": ("count", {"count": 20, "timed_out": True, "_shards": ALL_SHARDS}),
    "block, not on all shards": (
        "block",
        {"acknowledged": True, "shards_acknowledged": False, "indices": [{"blocked": True}]},
    ),
    "swap, not all actions": ("swap", json.loads(PARTLY)),
}


def test_an_adoption_that_is_answered_in_part_deletes_nothing(es: Elasticsearch) -> None:
    """Each step is answered so for ever, then once; the collector goes on writing in both cases."""

    def trouble(name: str) -> None:
        step, content = IN_PART[name]
        source = Source(es, f"at-{list(IN_PART).index(name)}", step)
        source.write(range(source.documents))
        index = f"{source.prefix}-jaeger-span-write"
        faulty = Fault(reaches=step == "block", status=200, content=json.dumps(content))
        with proxy(es.url, nth(*STEPS[step], faulty, times=99)) as flawed:
            failed = adopt(flawed.url, index_prefix=source.prefix, retries=1)
        assert failed.message, name
        assert "Unforeseen" not in failed.message
        assert not failed.actions("adopt")
        assert behind(es, index) == {}
        assert count(es, index) == source.documents
        source.write(range(source.documents))  # no block is left
        with proxy(es.url, nth(*STEPS[step], faulty)) as flawed:
            done = source.adopt(flawed.url)
        assert flawed.faults
        if done.message:
            assert count(es, index) == source.documents
            assert not source.adopt().message
        source.check()

    try_all({name: functools.partial(trouble, name) for name in IN_PART})


@pytest.mark.every_server("how an alias is named is the server's rule")
def test_what_is_marked_by_hand_stays_readable_until_then(es: Elasticsearch) -> None:
    """Generation 1 is old and hidden; two nights come before the instant, and the third one after it."""
    (corner,) = grow(es, "prod", days=(40, 30, 20))
    for number in (1, 2):
        corner.remove_alias(f"{number:06d}", "read")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    mark = f"prod-jaeger-span-readable-until-{until:%Y%m%dt%H%M%Sz}"
    change_aliases(es, add={"index": generation(1), "alias": READ})
    change_aliases(es, add={"index": generation(1), "alias": mark})
    told = info(es)
    assert told["problems"] == []
    assert told["indices"][0]["readable_until"] == f"{until:%Y-%m-%dT%H:%M:%S}.000Z"
    keep = {"days": 14, "max_generations": 1, "only_unreadable": False}
    (night,) = spans("prod", lookback=LOOKBACK, retention=keep)
    for clock, deleted in (("+0d", [generation(2)]), ("+1d", [])):
        es.set_clock(clock)
        done = maintain(es, night)
        assert done.actions("delete_index") == deleted, clock
        assert not done.actions("remove_alias")
        assert f"to stay readable until {until:%Y-%m-%dT%H:%M:%S}Z" in str(done.result["kept"])
        assert corner.readable() == {"jaeger-span-000001", "jaeger-span-000003"}
        assert info(es)["problems"] == []
    es.set_clock("+3d")
    options = {"index_prefix": "prod", "record_types": ["span"], **LOOKBACK}
    hidden = run_module("es_lookback", server_urls=es.url, **options)
    assert {action["alias"] for action in hidden.result["actions"]} == {READ, mark}
    assert hidden.actions("remove_alias") == [generation(1)] * 2
    assert corner.readable() == {"jaeger-span-000003"}
    assert info(es)["indices"][0]["readable_until"] is None
    assert maintain(es, night).actions("delete_index") == [generation(1)]


def set_block(es: Elasticsearch, index: str, block: str) -> None:
    """Set a block as a person or a full disk does."""
    es.request("PUT", f"/{index}/_settings", {f"index.blocks.{block}": True})


@pytest.mark.every_server("what a closed or blocked index refuses is the server's rule")
def test_where_the_newest_generation_cannot_be_written_to_init_goes_on_with_the_next(
    es: Elasticsearch,
) -> None:
    corners = grow(es, "closed", "blocked", "written", days=(10, 5))
    newest = {corner.prefix: generation(2, corner.prefix) for corner in corners}
    for prefix in ("closed", "blocked"):
        change_aliases(es, remove={"index": newest[prefix], "alias": f"{prefix}-jaeger-span-write"})
    set_block(es, newest["blocked"], "write")
    for prefix in ("closed", "written"):
        _closed(es, prefix)
    for prefix in ("closed", "written"):
        assert info(es, prefix)["problem_kinds"] == ["no_write_index", "closed"], prefix
    assert info(es, "blocked")["problem_kinds"] == ["no_write_index", "blocked"]
    refused = roll(es, "written")
    assert f"{newest['written']}, the write index, is closed" in refused.message
    assert "run es_rollover_init" in refused.message
    assert generation(3, "written") not in es.indices()
    with pytest.raises(AssertionError, match="index_closed_exception"):
        corners[-1].writes("refused")
    for corner in corners:
        prefix, alias = corner.prefix, f"{corner.prefix}-jaeger-span-write"
        options = {"index_prefix": prefix, "record_types": ["span"], "shards": 1, "replicas": 0}
        checked = check_module("es_rollover_init", server_urls=es.url, **options)
        assert generation(3, prefix) not in es.indices()
        done = init(es.url, prefix)
        assert not done.message
        assert checked.actions("create_index") == done.actions("create_index") == [generation(3, prefix)]
        assert set(behind(es, alias)) == {generation(3, prefix)}
        assert corner.writes("afterwards")
        assert es.get(f"/{alias}/_doc/afterwards")["found"]
        assert generation(3, prefix) in behind(es, f"{prefix}-jaeger-span-read")
        kinds = info(es, prefix)["problem_kinds"]
        assert kinds == ["blocked" if prefix == "blocked" else "closed"], prefix
        assert not init(es.url, prefix).changed
        assert roll(es, prefix).actions("rollover") == [generation(4, prefix)]


@pytest.mark.every_server("which blocks there are is the server's rule")
def test_a_full_disk_is_not_mended_by_another_generation(es: Elasticsearch) -> None:
    (corner,) = grow(es, "prod", days=(10, 5))
    assert init(es.url).changed  # the template
    set_block(es, generation(2), "read_only_allow_delete")
    assert not corner.writes("refused")
    done = init(es.url)
    assert not done.message
    assert not done.changed
    assert set(behind(es, WRITE)) == {generation(2)}
    assert info(es)["problem_kinds"] == ["blocked"]
    es.request("PUT", f"/{generation(2)}/_settings", {"index.blocks.read_only_allow_delete": None})
    assert corner.writes("afterwards")
