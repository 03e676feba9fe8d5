# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is deleted before it is in a snapshot that has succeeded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import partial
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
OLD = ["prod-jaeger-span-000001", "prod-jaeger-dependencies-000001"]


@pytest.fixture
def sets(es: Elasticsearch) -> Iterator[Elasticsearch]:
    """Generation 1 of each set is to go; there is a repository. Waits until no snapshot is under way any more."""
    body = {"type": "fs", "settings": {"location": "backup"}}
    es.request("PUT", "/_snapshot/backup", body)
    remove_snapshots(es)
    grow(es, "prod")
    es.request("POST", "/prod-jaeger-span-000001/_doc?refresh=true", {"traceID": "kept"})
    yield es
    wait_for(lambda: not es.get("/_snapshot/backup/_current")["snapshots"])


def remove_snapshots(es: Elasticsearch) -> None:
    for snapshot in es.get("/_snapshot/backup/_all")["snapshots"]:
        es.request("DELETE", f"/_snapshot/backup/{snapshot['snapshot']}")


def clean(url: str, **options: Any) -> Answer:
    return run_module("es_index_cleaner", server_urls=url, **{**CLEAN, **options})


@pytest.mark.every_server("the answers about snapshots differ")
def test_what_is_deleted_can_be_restored(sets: Elasticsearch) -> None:
    many = [f"prod-jaeger-sampling-{number:06d}" for number in range(1, 22)]
    sets.set_clock("-30d")
    for name in many:  # the server takes 1,024 bytes of metadata
        sets.request("PUT", f"/{name}", {"settings": {"number_of_shards": 1, "number_of_replicas": 0}})
    sets.set_clock("+0d")
    wanted = {"record_types": ["span", "dependencies", "sampling"]}
    checked = check_module("es_index_cleaner", server_urls=sets.url, **{**CLEAN, **wanted})
    assert not sets.get("/_snapshot/backup/_all")["snapshots"]
    found = sets.get(f"/{','.join([*OLD, *many[:-1]])}/_settings?flat_settings=true")
    uuids = sorted(f"{name} {body['settings']['index.uuid']}" for name, body in found.items())
    done = clean(sets.url, **wanted)
    assert not done.message
    assert checked.actions("snapshot") == done.actions("snapshot") == done.actions("delete_index")
    assert numbers(sets, "prod")[0] == [2, 3, 4]
    (snapshot,) = sets.get("/_snapshot/backup/_all")["snapshots"]
    assert snapshot["state"] == "SUCCESS"
    assert snapshot["metadata"]["cluster_uuid"] == sets.get("/")["cluster_uuid"]
    assert snapshot["metadata"]["indices"] == hashlib.sha256("\n".join(uuids).encode()).hexdigest()
    assert set(snapshot["indices"]) == set(found)
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
    ends: dict[str, tuple[dict[str, Any], str]] = {
        state: ({"state": state, "indices": OLD}, f"is {state}")
        for state in ("FAILED", "PARTIAL", "IN_PROGRESS", "INCOMPATIBLE")
    }
    ends["without"] = ({"state": "SUCCESS", "indices": OLD[:1]}, "without prod-jaeger-dependencies-000001")
    for snapshot, said in ends.values():

        def other(method: str, path: str, told: dict[str, Any] = snapshot) -> Fault | None:
            if method == "PUT" or "/_snapshot/backup/" not in path:
                return None
            (made,) = sets.get(path)["snapshots"]
            return Fault(status=200, content=json.dumps({"snapshots": [{**made, **told}]}))

        with proxy(sets.url, other) as flawed:
            done = clean(flawed.url, snapshot_timeout=1)
        remove_snapshots(
            sets
        )  # the next run may be in the same second, and its snapshot would have the same name
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


@pytest.mark.every_server("each server has its own answer about a name that is taken")
def test_a_snapshot_of_the_same_name_that_another_run_has_made_keeps_nothing_safe(
    sets: Elasticsearch,
) -> None:
    """It has indices of the same names, and has succeeded; but they may be another cluster's, or older."""
    uuid = sets.get("/")["cluster_uuid"]
    theirs: dict[str, Any] = {
        "by": "tracestack.jaeger",
        "run": "another",
        "cluster_uuid": uuid,
        "indices": {},
    }
    made: list[str] = []

    def first(method: str, path: str, *, told: Any) -> Fault | None:
        if method == "PUT" and "/_snapshot/backup/" in path and not made:
            made.append(path.partition("?")[0])
            body = {"indices": ",".join(OLD), "metadata": told}
            sets.request("PUT", f"{made[0]}?wait_for_completion=true", body)
        return None

    for told in (None, theirs):
        made.clear()
        with proxy(sets.url, partial(first, told=told)) as raced:
            done = clean(raced.url)
        assert made
        assert f"{made[0].rpartition('/')[2]} in repository backup is not this run's" in done.message
        assert "Nothing was deleted" in done.message
        assert not done.changed
        assert not [request for request in raced.requests if request.startswith("DELETE")]
        remove_snapshots(sets)
    assert numbers(sets, "prod")[0] == numbers(sets, "prod", "dependencies")[0] == [1, 2, 3, 4]
    assert clean(sets.url).actions("delete_index") == OLD


@pytest.mark.every_server("an index's uuid is the server's")
def test_an_index_that_was_made_anew_while_the_snapshot_is_made_is_not_deleted(sets: Elasticsearch) -> None:
    """By its name and its age it is the one that is in the snapshot."""
    remade: list[bool] = []

    def meanwhile(method: str, path: str) -> Fault | None:
        if method != "GET" or "/_snapshot/backup/" not in path or remade:
            return None
        remade.append(True)
        wait_for(lambda: not sets.get("/_snapshot/backup/_current")["snapshots"])
        sets.request("DELETE", f"/{OLD[0]}")
        sets.set_server_clock("-20d")
        sets.request("PUT", f"/{OLD[0]}", {"aliases": {"prod-jaeger-span-read": {}}})
        sets.set_server_clock("+0d")
        sets.request("POST", f"/{OLD[0]}/_doc?refresh=true", {"traceID": "new"})
        return None

    with proxy(sets.url, meanwhile) as raced:
        done = clean(raced.url)
    assert remade
    assert f"{OLD[0]}: made anew since snapshot" in done.message
    assert not done.changed
    for record_type in ("span", "dependencies"):
        assert numbers(sets, "prod", record_type)[0] == [1, 2, 3, 4]
    assert sets.get(f"/{OLD[0]}/_count")["count"] == 1
