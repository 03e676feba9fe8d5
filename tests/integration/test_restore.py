# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator brings back stays until the date that he names, whatever runs meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.test_maintenance import numbers
from tests.support.modules import Answer, check_module, run_module
from tests.support.proxy import proxy
from tests.support.servers import Elasticsearch

SPANS: dict[str, Any] = {"index_prefix": "prod", "record_types": ["span"]}
NIGHT: dict[str, Any] = {
    "snapshot_repository": "backup",
    "index_sets": [
        {
            **SPANS,
            "lookback": {"unit": "days", "unit_count": 7},
            "retention": {"days": 14, "max_generations": 3},
        }
    ],
}


def test_a_night_that_had_looked_before_keeps_what_is_brought_back_meanwhile(es: Elasticsearch) -> None:
    for clock, module, options in (
        ("-40d", "es_rollover_init", {"shards": 1, "replicas": 0}),
        ("-20d", "es_rollover", {"conditions": {"max_age": "0s"}}),
        ("+0d", "es_lookback", {"unit_count": 7}),
    ):
        es.set_clock(clock)
        assert run_module(module, server_urls=es.url, **SPANS, **options).changed
    wanted = {"indices": ["prod-jaeger-span-000001"], "readable_until": "2100-01-01"}
    brought: list[Answer] = []

    def meanwhile(_method: str, path: str) -> None:
        if "_rollover" in path and not brought:
            brought.append(run_module("es_restore", server_urls=es.url, index_prefix="prod", **wanted))

    with proxy(es.url, meanwhile) as slow:
        entry = {
            **SPANS,
            "conditions": {"max_age": "1d"},
            "lookback": {"unit_count": 7},
            "retention": {"days": 14},
        }
        night = run_module("es_maintenance", server_urls=slow.url, index_sets=[entry])
    assert brought[0].changed
    assert not night.message
    assert numbers(es, "prod") == ([1, 2, 3], [1, 2, 3], 3)


@pytest.mark.every_server("a restored index is as the server makes it")
def test_what_is_brought_back_stays_until_its_date(es: Elasticsearch) -> None:
    """Generation 1 was deleted with a snapshot, 2 is hidden; three nights with both are the first within their time."""
    es.request("PUT", "/_snapshot/backup", {"type": "fs", "settings": {"location": "restore"}})
    for clock, number in (("-40d", 1), ("-20d", 2), ("-10d", 3)):
        es.set_clock(clock)
        if number == 1:
            assert not run_module(
                "es_rollover_init", server_urls=es.url, shards=1, replicas=0, **SPANS
            ).message
        else:
            assert run_module(
                "es_rollover", server_urls=es.url, conditions={"max_age": "0s"}, **SPANS
            ).changed
        es.request("POST", "/prod-jaeger-span-write/_doc?refresh=true", {"traceID": str(number)})
    es.set_clock("+0d")
    done = run_module("es_maintenance", server_urls=es.url, **NIGHT)
    assert numbers(es, "prod") == ([2, 3], [3], 3)
    (snapshot,) = {action["snapshot"] for action in done.result["actions"] if action["action"] == "snapshot"}
    repository, name = snapshot.split("/")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    wanted = {
        "server_urls": es.url,
        "index_prefix": "prod",
        "indices": ["prod-jaeger-span-000001", "prod-jaeger-span-000002"],
        "readable_until": f"{until:%Y-%m-%dT%H:%M:%SZ}",
    }
    from_snapshot = {"snapshot_repository": repository, "snapshot": name}
    for options, said in (
        ({}, "prod-jaeger-span-000001: not in the cluster. Give snapshot_repository and snapshot"),
        ({**from_snapshot, "snapshot": "other"}, "there is no snapshot other in repository backup"),
        ({**from_snapshot, "snapshot_repository": "nowhere"}, "nowhere"),
        ({**from_snapshot, "indices": ["prod-jaeger-span-000009"]}, "does not have prod-jaeger-span-000009"),
        (
            {"indices": ["prod-jaeger-span-000001-backup"]},
            "is neither a generation nor a day of an index set",
        ),
        ({"readable_until": "tomorrow"}, "readable_until is 'tomorrow': give a date such as"),
        ({"readable_until": "2020-01-01"}, "which is over"),
    ):
        for run in (check_module, run_module):
            refused = run("es_restore", **{**wanted, **options})
            assert said in refused.message, refused.message
    assert numbers(es, "prod") == ([2, 3], [3], 3)

    def brought_back(run: Any) -> Answer:
        answer: Answer = run("es_restore", **wanted, **from_snapshot)
        assert not answer.message
        return answer

    foretold = brought_back(check_module)
    assert numbers(es, "prod") == ([2, 3], [3], 3)
    answer = brought_back(run_module)
    assert answer.result["actions"] == foretold.result["actions"]
    assert answer.actions("restore") == ["prod-jaeger-span-000001"]
    assert numbers(es, "prod") == ([1, 2, 3], [1, 2, 3], 3)
    assert not brought_back(run_module).changed
    found = es.get("/prod-jaeger-span-read/_search?size=9")["hits"]["hits"]
    assert sorted(hit["_source"]["traceID"] for hit in found) == ["1", "2", "3"]
    for clock in ("+0d", "+1d"):
        es.set_clock(clock)
        night = run_module("es_maintenance", server_urls=es.url, **NIGHT)
        assert not night.changed, night.result["actions"]
        assert [kept["index"] for kept in night.result["kept"] if "to stay readable until" in kept["reason"]][
            :2
        ] == wanted["indices"]
    (told,) = run_module("es_index_info", server_urls=es.url, index_prefix="prod").result["index_sets"]
    assert told["problems"] == []
    assert [index["readable_until"] for index in told["indices"]] == [
        f"{until:%Y-%m-%dT%H:%M:%S}.000Z"
    ] * 2 + [None]
    es.set_clock("+3d")
    over = run_module("es_maintenance", server_urls=es.url, **NIGHT)
    assert over.actions("delete_index") == ["prod-jaeger-span-000001"]
    assert numbers(es, "prod") == ([2, 3], [3], 3)
    assert not any("until" in alias for alias, _index in es.aliases())
