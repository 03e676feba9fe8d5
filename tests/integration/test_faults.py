# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd answers, clocks that are wrong, indices that go while they are looked at; tests/faults has all the rest."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.modules import check_module, run_module
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


def grow(es: Elasticsearch, generations: int) -> None:
    """A span set with so many generations, all readable, a day apart and long ago."""
    es.set_clock("-60d")
    run_module("es_rollover_init", server_urls=es.url, shards=1, **SPAN)
    for number in range(1, generations):
        es.set_clock(f"-{60 - number}d")
        run_module("es_rollover", server_urls=es.url, conditions={"max_age": "0s"}, **SPAN)
    es.set_clock("+0d")


def numbers(es: Elasticsearch) -> tuple[list[int], list[int], int]:
    """Generations of the span set that are stored, that are readable, and the one that is written."""
    stored = sorted(int(name[-6:]) for name in es.indices() if name.startswith("prod-jaeger-span-"))
    readable = sorted(int(index[-6:]) for alias, index in es.aliases() if alias == "prod-jaeger-span-read")
    (written,) = [int(index[-6:]) for alias, index in es.aliases() if alias == "prod-jaeger-span-write"]
    return stored, readable, written


@pytest.mark.parametrize("fault", [LOST_REQUEST, UNAVAILABLE], ids=["no answer", "503"])
def test_a_fault_that_stays_is_one_clear_sentence(es: Elasticsearch, fault: Fault) -> None:
    grow(es, 2)
    with proxy(es.url, nth("POST", "/_rollover/", fault, times=99)) as flawed:
        answer = run_module(
            "es_rollover", server_urls=flawed.url, conditions={"max_age": "0s"}, retries=1, **SPAN
        )
    assert answer.message.startswith("1 of 1 index sets failed: prod/span: ")
    assert "_rollover" in answer.message or "no answer" in answer.message
    assert len(flawed.changes()) == 2
    assert numbers(es) == ([1, 2], [1, 2], 2)


def test_a_rollover_whose_answer_is_lost_is_not_repeated(es: Elasticsearch) -> None:
    grow(es, 1)
    with proxy(es.url, nth("POST", "/_rollover/", LOST_ANSWER)) as flawed:
        run_module("es_rollover", server_urls=flawed.url, conditions={"max_age": "0s"}, **SPAN)
    assert len(flawed.changes()) == 1
    assert numbers(es) == ([1, 2], [1, 2], 2)


def test_an_index_that_goes_between_list_and_delete(es: Elasticsearch) -> None:
    """Fault 10 of the peers: one index gone, and the whole batch stayed."""
    grow(es, 4)

    def meanwhile(method: str, _path: str) -> Fault | None:
        if method == "DELETE" and "prod-jaeger-span-000002" in es.indices():
            es.request("DELETE", "/prod-jaeger-span-000002")
        return None

    with proxy(es.url, meanwhile) as raced:
        answer = run_module("es_index_cleaner", server_urls=raced.url, days=7, only_unreadable=False, **SPAN)
    assert not answer.message
    assert numbers(es) == ([4], [4], 4)


def test_an_index_that_goes_between_list_and_lookback(es: Elasticsearch) -> None:
    grow(es, 4)

    def meanwhile(_method: str, path: str) -> Fault | None:
        if path.startswith("/_aliases") and "prod-jaeger-span-000002" in es.indices():
            es.request("DELETE", "/prod-jaeger-span-000002")
        return None

    with proxy(es.url, meanwhile) as raced:
        answer = run_module("es_lookback", server_urls=raced.url, unit="days", unit_count=7, **SPAN)
    assert not answer.message
    assert numbers(es) == ([1, 3, 4], [4], 4)


def test_a_server_whose_clock_is_ahead_does_not_hasten_anything(es: Elasticsearch) -> None:
    grow(es, 1)
    es.set_clock("+0d")
    run_module("es_rollover", server_urls=es.url, conditions={"max_age": "0s"}, **SPAN)
    es.set_server_clock("+400d")
    lookback = {"unit": "days", "unit_count": 7}
    clean = {"days": 7, "only_unreadable": False}
    for module, options in (("es_lookback", lookback), ("es_index_cleaner", clean)):
        answer = run_module(module, server_urls=es.url, **SPAN, **options)
        assert not answer.message
        assert not answer.changed
        assert "The server's clock says" in str(answer.result["warnings"])


ODD = {
    "empty object": "{}",
    "list": "[]",
    "null": "null",
    "HTML": "<html>Please log in</html>",
    "nothing": "",
    "broken JSON": '{"a',
    "odd error": '{"error": {"root_cause": ["x"]}}',
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
@pytest.mark.parametrize(
    ("module", "options", "request_line"),
    [
        ("es_rollover_init", {"shards": 1}, ("GET", "_template/")),
        ("es_rollover_init", {"shards": 1}, ("PUT", "_template/")),
        ("es_rollover_init", {"shards": 1}, ("PUT", "/prod-jaeger-span-000001")),
        ("es_rollover", {"conditions": {"max_age": "0s"}}, ("POST", "/_rollover/")),
        ("es_lookback", {"unit": "days", "unit_count": 7}, ("POST", "/_aliases")),
        ("es_index_cleaner", {"days": 7, "only_unreadable": False}, ("DELETE", "/prod-")),
        ("es_lookback", {"unit": "days", "unit_count": 7}, ("GET", "/_cat/tasks")),
        ("es_lookback", {"unit": "days", "unit_count": 7}, ("GET", "/_cluster/state")),
        ("es_lookback", {"unit": "days", "unit_count": 7}, ("GET", "/prod-")),
    ],
)
def test_an_odd_answer_is_never_taken_for_a_yes(
    es: Elasticsearch, module: str, options: dict[str, Any], request_line: tuple[str, str], content: str
) -> None:
    """A proxy's login page with status 200, for one: a clear sentence, and no word of a change that was not made."""
    if module != "es_rollover_init":
        grow(es, 3)
    before = (es.indices(), es.aliases())
    odd = Fault(reaches=False, status=200, content=content)
    with proxy(es.url, nth(*request_line, odd, times=99)) as flawed:
        answer = run_module(module, server_urls=flawed.url, retries=1, **SPAN, **options)
    assert flawed.faults
    if content == "{}" and request_line in (("GET", "_template/"), ("GET", "/_cluster/state")):
        return  # that is how a server says that there is none
    assert (es.indices(), es.aliases()) == before
    assert answer.message
    assert "Unforeseen" not in answer.message
    assert not [action for action in answer.result.get("actions", []) if action["action"] != "put_template"]


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
    es.request("POST", f"/{alias}/_doc?refresh=true", {"traceID": "just written"})
    for module, options in (
        ("es_rollover", {"conditions": {"max_age": "2d"}}),
        ("es_lookback", {"unit": "days", "unit_count": 7}),
        ("es_index_cleaner", {"days": 14}),
    ):
        assert not run_module(module, server_urls=es.url, **SPAN, **options).message
    assert es.get("/prod-jaeger-span-read/_count")["count"] == 1
    assert numbers(es)[1] == [1, 3, 4]


def test_nothing_is_born_while_the_servers_clock_is_far_behind(es: Elasticsearch) -> None:
    grow(es, 1)
    es.set_server_clock("-10d")
    for module, options in (
        ("es_rollover", {"conditions": {"max_age": "0s"}}),
        ("es_rollover_init", {"shards": 1}),
    ):
        with proxy(es.url) as seen:
            answer = run_module(module, server_urls=seen.url, **SPAN, **options)
        assert "would get a wrong birth date" in answer.message
        assert seen.changes() == []


def test_the_loser_of_a_race_tells_the_state_as_it_is(es: Elasticsearch) -> None:
    grow(es, 1)

    def meanwhile(_method: str, path: str) -> Fault | None:
        if "/_rollover/" in path and "prod-jaeger-span-000002" not in es.indices():
            assert run_module("es_rollover", server_urls=es.url, conditions={"max_age": "0s"}, **SPAN).changed
        return None

    for check in (False, True):
        es.wipe()
        grow(es, 1)
        with proxy(es.url, meanwhile) as raced:
            runner = check_module if check else run_module
            answer = runner("es_rollover", server_urls=raced.url, conditions={"max_age": "0s"}, **SPAN)
        assert not answer.message
        assert not answer.changed
        assert answer.result["kept"][0]["reason"] == "another run did it first"
        if not check:
            assert answer.result["index_sets"][0]["write_index"] == "prod-jaeger-span-000002"


def test_a_blocked_index_is_left_out_and_a_blocked_write_index_is_told(es: Elasticsearch) -> None:
    """As a full disk leaves them; read_only, since a server whose disk is not full takes the other block away."""
    grow(es, 3)
    names = "/prod-jaeger-span-000001,prod-jaeger-span-000003/_settings"
    es.request("PUT", names, {"index.blocks.read_only": True})
    try:
        answer = run_module("es_lookback", server_urls=es.url, unit="days", unit_count=7, **SPAN)
        blocked = run_module("es_rollover", server_urls=es.url, conditions={"max_age": "0s"}, **SPAN)
    finally:
        es.request("PUT", names, {"index.blocks.read_only": None})
    assert not answer.message
    assert "it is blocked (read_only)" in answer.result["kept"][0]["reason"]
    assert "A full disk sets such a block: free space" in blocked.message
    assert numbers(es) == ([1, 2, 3], [1, 3], 3)
