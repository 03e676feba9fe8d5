# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd answers, clocks that are wrong, indices that go while they are looked at; tests/faults has all the rest."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.corners import Corner, build, try_all
from tests.support.modules import Answer, check_module, run_module
from tests.support.proxy import (
    LOST_ANSWER,
    LOST_REQUEST,
    UNAVAILABLE,
    Fault,
    nth,
    proxy,
)
from tests.support.servers import Elasticsearch

SPAN = {"index_prefix": "prod", "record_types": ["span"]}
NOW: dict[str, Any] = {"conditions": {"max_age": "0s"}}
WEEK: dict[str, Any] = {"unit": "days", "unit_count": 7}
CLEAN: dict[str, Any] = {"days": 7, "only_unreadable": False}
INIT: dict[str, Any] = {"shards": 1}


def grow(es: Elasticsearch, generations: int, *prefixes: str) -> None:
    """A span set of each prefix (prod) with so many generations, all readable, a day apart and long ago."""

    def builder(corner: Corner) -> Iterator[int]:
        for number in range(1, generations + 1):
            yield 61 - number
            corner.generation(number)

    build(builder, [Corner(es, prefix) for prefix in prefixes or ("prod",)])


def numbers(es: Elasticsearch, prefix: str = "prod") -> tuple[list[int], list[int], int]:
    """Generations of the span set that are stored, that are readable, and the one that is written."""
    base = f"{prefix}-jaeger-span"
    stored = sorted(int(name[-6:]) for name in es.indices() if name.startswith(f"{base}-"))
    readable = sorted(int(index[-6:]) for alias, index in es.aliases() if alias == f"{base}-read")
    (written,) = [int(index[-6:]) for alias, index in es.aliases() if alias == f"{base}-write"]
    return stored, readable, written


def roll(url: str, **options: Any) -> Answer:
    return run_module("es_rollover", server_urls=url, **{**SPAN, **NOW, **options})


@pytest.mark.every_server("the answers of _rollover differ")
def test_a_rollover_without_an_answer_is_one_clear_sentence_or_is_found_done(es: Elasticsearch) -> None:
    grow(es, 2)
    for fault in (LOST_REQUEST, UNAVAILABLE):
        with proxy(es.url, nth("POST", "/_rollover/", fault, times=99)) as flawed:
            answer = roll(flawed.url, retries=1)
        assert answer.message.startswith("1 of 1 index sets failed: prod/span: ")
        assert "_rollover" in answer.message or "no answer" in answer.message
        assert len(flawed.changes()) == 2
        assert numbers(es) == ([1, 2], [1, 2], 2)
    with proxy(es.url, nth("POST", "/_rollover/", LOST_ANSWER)) as flawed:
        roll(flawed.url)
    assert len(flawed.changes()) == 1
    assert numbers(es) == ([1, 2, 3], [1, 2, 3], 3)


@pytest.mark.every_server("each server has its own answer about an index that is gone")
def test_an_index_that_goes_between_list_and_change(es: Elasticsearch) -> None:
    """Fault 10 of the peers: one index gone, and the whole batch stayed."""
    cases: dict[str, tuple[dict[str, Any], str, tuple[list[int], list[int], int]]] = {
        "es_index_cleaner": (CLEAN, "DELETE /", ([4], [4], 4)),
        "es_lookback": (WEEK, "POST /_aliases", ([1, 3, 4], [4], 4)),
    }
    grow(es, 4, *cases)
    for module, (options, change, expected) in cases.items():
        second = f"{module}-jaeger-span-000002"

        def meanwhile(method: str, path: str, change: str = change, second: str = second) -> Fault | None:
            if f"{method} {path}".startswith(change) and second in es.indices():
                es.request("DELETE", f"/{second}")
            return None

        with proxy(es.url, meanwhile) as raced:
            answer = run_module(module, server_urls=raced.url, **{**SPAN, "index_prefix": module, **options})
        assert not answer.message
        assert second not in es.indices()
        assert numbers(es, module) == expected


def test_a_servers_clock_that_is_wrong_hastens_nothing_and_gives_no_birth(es: Elasticsearch) -> None:
    grow(es, 1)
    roll(es.url)
    es.set_server_clock("+400d")
    for module, options in (("es_lookback", WEEK), ("es_index_cleaner", CLEAN)):
        answer = run_module(module, server_urls=es.url, **SPAN, **options)
        assert not answer.message
        assert not answer.changed
        assert "The server's clock says" in str(answer.result["warnings"])
    es.set_server_clock("-10d")
    for module, options in (("es_rollover", NOW), ("es_rollover_init", INIT)):
        with proxy(es.url) as seen:
            answer = run_module(module, server_urls=seen.url, **SPAN, **options)
        assert "would get a wrong birth date" in answer.message
        assert seen.changes() == []


ODD = {
    "empty object": "{}",
    "list": "[]",
    "null": "null",
    "HTML": "<html>Please log in</html>",
    "nothing": "",
    "broken JSON": '{"a',
    "odd error": '{"error": {"root_cause": ["x"]}}',
}
# Each request that gets odd answers, under the prefix of its set.
ASKED: dict[str, tuple[str, dict[str, Any], tuple[str, str]]] = {
    "init-template": ("es_rollover_init", INIT, ("GET", "_template/")),
    "init-put-template": ("es_rollover_init", INIT, ("PUT", "_template/")),
    "init-index": ("es_rollover_init", INIT, ("PUT", "/init-index-jaeger-span-000001")),
    "rollover": ("es_rollover", NOW, ("POST", "/_rollover/")),
    "lookback-aliases": ("es_lookback", WEEK, ("POST", "/_aliases")),
    "cleaner-delete": ("es_index_cleaner", CLEAN, ("DELETE", "/cleaner-delete-")),
    "lookback-tasks": ("es_lookback", WEEK, ("GET", "/_cat/tasks")),
    "lookback-state": ("es_lookback", WEEK, ("GET", "/_cluster/state")),
    "lookback-indices": ("es_lookback", WEEK, ("GET", "/lookback-indices-")),
}


def test_an_odd_answer_is_never_taken_for_a_yes(es: Elasticsearch) -> None:
    """A proxy's login page with status 200, for one: a clear sentence, and no word of a change that was not made."""
    grow(es, 3, *(prefix for prefix in ASKED if not prefix.startswith("init-")))

    def ask(prefix: str, content: str) -> Answer:
        module, options, request_line = ASKED[prefix]
        odd = Fault(reaches=False, status=200, content=content)
        with proxy(es.url, nth(*request_line, odd, times=99)) as flawed:
            wanted = {**SPAN, "index_prefix": prefix, **options}
            answer = run_module(module, server_urls=flawed.url, retries=1, **wanted)
        assert flawed.faults
        assert "Unforeseen" not in answer.message
        return answer

    def refused(prefix: str, content: str) -> None:
        answer = ask(prefix, content)
        assert answer.message
        actions = answer.result.get("actions", [])
        assert not [action for action in actions if action["action"] != "put_template"]

    none = {("init-template", "empty object"), ("lookback-state", "empty object")}
    before = (es.indices(), es.aliases())
    cases = {
        f"{prefix}, {name}": functools.partial(refused, prefix, content)
        for prefix in ASKED
        for name, content in ODD.items()
        if (prefix, name) not in none
    }
    try_all(cases)
    assert (es.indices(), es.aliases()) == before
    for prefix, name in none:  # that is how a server says that there is none
        ask(prefix, ODD[name])


@pytest.mark.every_server("the cluster state tells when an alias was rolled away")
def test_a_document_that_was_just_written_survives_the_night_after_a_lost_write_alias(
    es: Elasticsearch,
) -> None:
    """Fault 3 of the peers put the write alias back on -000001, which then looked as if nobody had written to it."""
    grow(es, 3)
    alias = "prod-jaeger-span-write"
    remove = {"remove": {"index": "prod-jaeger-span-000003", "alias": alias}}
    es.request(
        "POST",
        "/_aliases",
        {"actions": [remove, {"add": {"index": "prod-jaeger-span-000001", "alias": alias}}]},
    )
    corner = Corner(es, "prod")
    assert corner.writes("just written")
    for module, options in (
        ("es_rollover", {"conditions": {"max_age": "2d"}}),
        ("es_lookback", WEEK),
        ("es_index_cleaner", {"days": 14}),
    ):
        assert not run_module(module, server_urls=es.url, **SPAN, **options).message
    assert corner.readable() == {"jaeger-span-000001", "just written", "jaeger-span-000003"}
    assert numbers(es)[1] == [1, 3, 4]


@pytest.mark.every_server("each server has its own answer about an index that exists already")
def test_the_loser_of_a_race_tells_the_state_as_it_is(es: Elasticsearch) -> None:
    runners = {"prod": run_module, "check": check_module}
    grow(es, 1, *runners)
    for prefix, runner in runners.items():

        def meanwhile(_method: str, path: str, prefix: str = prefix) -> Fault | None:
            if "/_rollover/" in path and f"{prefix}-jaeger-span-000002" not in es.indices():
                assert roll(es.url, index_prefix=prefix).changed
            return None

        with proxy(es.url, meanwhile) as raced:
            options = {**SPAN, **NOW, "index_prefix": prefix}
            answer = runner("es_rollover", server_urls=raced.url, **options)
        assert not answer.message
        assert not answer.changed
        assert answer.result["kept"][0]["reason"] == "another run did it first"
        if prefix == "prod":
            assert answer.result["index_sets"][0]["write_index"] == "prod-jaeger-span-000002"


@pytest.mark.every_server("the words about a block are the server's")
def test_a_blocked_index_is_left_out_and_a_blocked_write_index_is_told(es: Elasticsearch) -> None:
    """As a full disk leaves them; read_only, since a server whose disk is not full takes the other block away."""
    grow(es, 3)
    names = "/prod-jaeger-span-000001,prod-jaeger-span-000003/_settings"
    es.request("PUT", names, {"index.blocks.read_only": True})
    try:
        answer = run_module("es_lookback", server_urls=es.url, **SPAN, **WEEK)
        blocked = roll(es.url)
    finally:
        es.request("PUT", names, {"index.blocks.read_only": None})
    assert not answer.message
    assert "it is blocked (read_only)" in answer.result["kept"][0]["reason"]
    assert "A full disk sets such a block: free space" in blocked.message
    assert numbers(es) == ([1, 2, 3], [1, 3], 3)
