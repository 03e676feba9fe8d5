# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is deleted before it is in a snapshot that has succeeded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.test_maintenance import grow, numbers
from tests.support.modules import Answer, check_module, run_module
from tests.support.proxy import LOST_ANSWER, LOST_REQUEST, UNAVAILABLE, Fault, nth, proxy
from tests.support.servers import Elasticsearch, wait_for

CLEAN: dict[str, Any] = {
    "index_prefix": "prod",
    "record_types": ["span", "dependencies"],
    "days": 12,
    "only_unreadable": False,
    "snapshot_repository": "backup",
}


@pytest.fixture
def sets(es: Elasticsearch) -> Iterator[Elasticsearch]:
    """Generation 1 of each set is to go; there is a repository. Waits until no snapshot is under way any more."""
    body = {"type": "fs", "settings": {"location": "backup"}}
    es.request("PUT", "/_snapshot/backup", body)
    for snapshot in es.get("/_snapshot/backup/_all")["snapshots"]:
        es.request("DELETE", f"/_snapshot/backup/{snapshot['snapshot']}")
    grow(es, "prod")
    es.request("POST", "/prod-jaeger-span-000001/_doc?refresh=true", {"traceID": "kept"})
    yield es
    wait_for(lambda: not es.get("/_snapshot/backup/_current")["snapshots"])


def clean(url: str, **options: Any) -> Answer:
    return run_module("es_index_cleaner", server_urls=url, **{**CLEAN, **options})


@pytest.mark.every_server("the answers about snapshots differ")
def test_what_is_deleted_can_be_restored(sets: Elasticsearch) -> None:
    checked = check_module("es_index_cleaner", server_urls=sets.url, **CLEAN)
    assert not sets.get("/_snapshot/backup/_all")["snapshots"]
    done = clean(sets.url)
    assert not done.message
    assert checked.actions("snapshot") == done.actions("snapshot") == done.actions("delete_index")
    assert numbers(sets, "prod")[0] == [2, 3, 4]
    (snapshot,) = sets.get("/_snapshot/backup/_all")["snapshots"]
    assert snapshot["state"] == "SUCCESS"
    assert done.result["actions"][0]["snapshot"] == f"backup/{snapshot['snapshot']}"
    restore = f"/_snapshot/backup/{snapshot['snapshot']}/_restore?wait_for_completion=true"
    sets.request("POST", restore, {"indices": "prod-jaeger-span-000001"})
    assert sets.get("/prod-jaeger-span-000001/_count")["count"] == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(LOST_REQUEST, id="request"),
        pytest.param(
            LOST_ANSWER,
            id="answer",
            marks=pytest.mark.every_server("each server has its own answer about a name that is taken"),
        ),
        pytest.param(UNAVAILABLE, id="503"),
    ],
)
def test_a_snapshot_whose_answer_is_lost_is_found_again(sets: Elasticsearch, fault: Fault) -> None:
    with proxy(sets.url, nth("PUT", "/_snapshot/", fault)) as flawed:
        done = clean(flawed.url)
    assert flawed.faults
    assert not done.message
    assert len(sets.get("/_snapshot/backup/_all")["snapshots"]) == 1
    assert numbers(sets, "prod")[0] == [2, 3, 4]


def test_any_other_end_than_success_and_a_snapshot_without_an_index_delete_nothing(
    sets: Elasticsearch,
) -> None:
    names = ["prod-jaeger-span-000001", "prod-jaeger-dependencies-000001"]
    ends: dict[str, tuple[dict[str, Any], str]] = {
        state: ({"state": state, "indices": names}, f"is {state}")
        for state in ("FAILED", "PARTIAL", "IN_PROGRESS", "INCOMPATIBLE")
    }
    ends["without"] = ({"state": "SUCCESS", "indices": names[:1]}, "without prod-jaeger-dependencies-000001")
    for snapshot, said in ends.values():
        other = Fault(status=200, content=json.dumps({"snapshots": [snapshot]}))
        with proxy(sets.url, nth("GET", "/_snapshot/", other, times=99)) as flawed:
            done = clean(flawed.url, snapshot_timeout=1)
        assert said in done.message
        assert "nothing was deleted" in done.message
        assert not [request for request in flawed.requests if request.startswith("DELETE")], said
        assert len([request for request in flawed.requests if request.startswith("PUT")]) == 1, said
        for record_type in ("span", "dependencies"):
            assert numbers(sets, "prod", record_type)[0] == [1, 2, 3, 4], said


@pytest.mark.every_server("the answers about snapshots differ")
def test_without_the_repository_nothing_is_deleted(sets: Elasticsearch) -> None:
    for runner in (run_module, check_module):
        done = runner("es_index_cleaner", server_urls=sets.url, **{**CLEAN, "snapshot_repository": "nowhere"})
        assert "nowhere" in done.message
        assert numbers(sets, "prod")[0] == [1, 2, 3, 4]


def test_what_is_written_again_while_the_snapshot_is_made_is_not_deleted(sets: Elasticsearch) -> None:
    alias = {"index": "prod-jaeger-span-000001", "alias": "prod-jaeger-span-write"}
    old = {"index": "prod-jaeger-span-000004", "alias": "prod-jaeger-span-write"}
    moved: list[bool] = []

    def meanwhile(method: str, path: str) -> Fault | None:
        if method == "GET" and "/_snapshot/" in path and not moved:
            moved.append(True)
            sets.request("POST", "/_aliases", {"actions": [{"remove": old}, {"add": alias}]})
        return None

    with proxy(sets.url, meanwhile) as raced:
        done = clean(raced.url)
    assert moved
    assert not done.message
    assert done.actions("delete_index") == ["prod-jaeger-dependencies-000001"]
    assert "prod-jaeger-span-000001" in sets.indices()
    assert "a write index is never deleted" in str(done.result["kept"])
