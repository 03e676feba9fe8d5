# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each module on a real server: check, do, check again, do again; what check mode predicts is what comes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.modules import Answer, check_module, run_module
from tests.support.servers import Elasticsearch

TYPES = ("span", "service", "dependencies")
OWN_NAMES = pytest.mark.every_server("which names and paths are right is the server's rule")


def init(es: Elasticsearch, **options: Any) -> Answer:
    answer = run_module(
        "es_rollover_init", server_urls=es.url, **{"index_prefix": "prod", "shards": 1, **options}
    )
    assert not answer.message
    return answer


def names(record_type: str, *numbers: int, prefix: str = "prod") -> set[str]:
    return {f"{prefix}-jaeger-{record_type}-{number:06d}" for number in numbers}


def pairs(record_type: str, read: tuple[int, ...], write: int, prefix: str = "prod") -> set[tuple[str, str]]:
    base = f"{prefix}-jaeger-{record_type}"
    readable = {(f"{base}-read", f"{base}-{number:06d}") for number in read}
    return readable | {(f"{base}-write", f"{base}-{write:06d}")}


def four_steps(module: str, es: Elasticsearch, **options: Any) -> Answer:
    """Check, do, check again, do again. Check mode changes nothing, predicts the state, and shows the same diff."""
    before = (es.aliases(), es.indices(), es.templates())
    checked = check_module(module, server_urls=es.url, **options)
    assert (es.aliases(), es.indices(), es.templates()) == before
    done = run_module(module, server_urls=es.url, **options)
    assert checked.changed
    assert done.changed
    assert checked.result["actions"] == done.result["actions"]
    assert checked.result["diff"] == done.result["diff"]
    assert timeless(checked) == timeless(done)
    read_back = run_module("es_index_info", server_urls=es.url, index_prefix=options.get("index_prefix"))
    by_type = {one["record_type"]: one for one in timeless(read_back)}
    assert [by_type[one["record_type"]] for one in timeless(done)] == timeless(done)
    for again in (
        check_module(module, server_urls=es.url, **options),
        run_module(module, server_urls=es.url, **options),
    ):
        assert not again.message
        assert not again.changed
        assert again.result["actions"] == []
        assert again.result["diff"]["before"] == again.result["diff"]["after"]
    return done


def timeless(answer: Answer) -> list[dict[str, Any]]:
    """The index sets of an answer, without what only the server can know."""
    return [
        {
            **{
                name: one[name]
                for name in ("index_prefix", "record_type", "read_alias", "write_alias", "write_index")
            },
            "indices": [(entry["index"], entry["generation"], entry["readable"]) for entry in one["indices"]],
        }
        for one in answer.result["index_sets"]
    ]


@pytest.mark.every_server("templates differ in kind and in validation")
def test_init(es: Elasticsearch) -> None:
    done = four_steps("es_rollover_init", es, index_prefix="prod", shards=2, replicas=1)
    assert es.indices() == {name for kind in TYPES for name in names(kind, 1)}
    assert es.aliases() == {pair for kind in TYPES for pair in pairs(kind, (1,), 1)}
    settings = es.get("/prod-jaeger-span-000001/_settings?flat_settings=true")["prod-jaeger-span-000001"][
        "settings"
    ]
    assert (settings["index.number_of_shards"], settings["index.number_of_replicas"]) == ("2", "1")
    assert done.result["cluster"] == {"distribution": es.distribution, "version": es.version}


@pytest.mark.parametrize(
    ("options", "base"),
    [
        pytest.param({}, "jaeger-span", marks=OWN_NAMES),
        ({"index_prefix": "prod", "archive": True}, "prod-jaeger-span-archive"),
        ({"index_prefix": "prod", "record_types": ["sampling"]}, "prod-jaeger-sampling"),
        pytest.param({"index_prefix": "ürün"}, "ürün-jaeger-span", marks=OWN_NAMES),
        ({"index_prefix": "prod+eu"}, "prod+eu-jaeger-span"),
        pytest.param({"index_prefix": "prod(eu"}, "prod(eu-jaeger-span", marks=OWN_NAMES),
        ({"index_prefix": "a-jaeger-b"}, "a-jaeger-b-jaeger-span"),
    ],
)
def test_whole_life_of_other_sets(es: Elasticsearch, options: dict[str, Any], base: str) -> None:
    """No prefix, archive, sampling, and prefixes that are patterns or code elsewhere."""
    es.set_clock("-40d")
    four_steps("es_rollover_init", es, shards=1, **options)
    es.set_clock("-30d")
    four_steps("es_rollover", es, conditions={"max_age": "1d"}, **options)
    assert {(f"{base}-read", f"{base}-000001"), (f"{base}-write", f"{base}-000002")} <= es.aliases()
    es.set_clock("+0d")
    four_steps("es_lookback", es, unit="days", unit_count=7, **options)
    assert (f"{base}-read", f"{base}-000001") not in es.aliases()
    four_steps("es_index_cleaner", es, days=14, **options)
    assert f"{base}-000001" not in es.indices()
    assert (f"{base}-write", f"{base}-000002") in es.aliases()


@pytest.mark.every_server("which template comes first is the server's rule")
def test_a_foreign_template_that_comes_first_is_told_before_an_index_is_made(es: Elasticsearch) -> None:
    foreign = {"index_patterns": ["prod-*"], "priority": 7, "template": {"settings": {"number_of_shards": 1}}}
    es.request("PUT", "/_index_template/foreign", foreign)
    try:
        answer = run_module(
            "es_rollover_init", server_urls=es.url, index_prefix="prod", record_types=["span"]
        )
        assert "another index template catches prod-jaeger-span-000001" in answer.message
        assert es.indices() == set()
    finally:
        es.request("DELETE", "/_index_template/foreign")
    assert init(es, record_types=["span"]).changed


@pytest.mark.every_server("templates differ in kind")
def test_templates_do_not_catch_other_prefixes(es: Elasticsearch) -> None:
    init(es, shards=3)
    for index in ("preprod-jaeger-span-000001", "jaeger-dependencies-000001"):
        es.request("PUT", f"/{index}")
        settings = es.get(f"/{index}/_settings?flat_settings=true")[index]["settings"]
        assert settings["index.number_of_shards"] == "1"


@pytest.mark.every_server("the answers of _rollover differ")
def test_rollover_only_where_conditions_are_met(es: Elasticsearch) -> None:
    init(es)
    es.request("POST", "/prod-jaeger-span-write/_doc?refresh=true", {"traceID": "1"})
    es.request("POST", "/prod-jaeger-span-write/_doc?refresh=true", {"traceID": "2"})
    checked = check_module("es_rollover", server_urls=es.url, index_prefix="prod", conditions={"max_docs": 2})
    done = run_module("es_rollover", server_urls=es.url, index_prefix="prod", conditions={"max_docs": 2})
    for answer in (checked, done):
        assert answer.actions("rollover") == ["prod-jaeger-span-000002"]
        assert {entry["index"] for entry in answer.result["kept"]} == names("service", 1) | names(
            "dependencies", 1
        )
        assert all(entry["reason"] == "conditions not met (max_docs: 2)" for entry in answer.result["kept"])
    assert es.aliases() >= pairs("span", (1, 2), 2) | pairs("service", (1,), 1)


@pytest.mark.every_server("each server has conditions of its own")
def test_a_condition_that_the_server_lacks_is_refused_and_one_that_is_not_met_keeps(
    es: Elasticsearch,
) -> None:
    """In check mode as in earnest; what of min_ conditions is not met keeps what a max_ condition would roll."""
    init(es, record_types=["span"])
    limits = {
        "age": "9d",
        "docs": 9,
        "size": "9gb",
        "primary_shard_size": "9gb",
        "primary_shard_docs": 9,
    }
    known = {"max_age", "max_docs", "max_size"}
    if es.distribution == "elasticsearch":
        known |= {"max_primary_shard_size"}
    if es.distribution == "elasticsearch" and es.composable_templates:
        known |= {"max_primary_shard_docs", *(f"min_{limit}" for limit in limits)}
    said: dict[str, set[str]] = {}
    for name, limit in {
        f"{end}_{what}": limit for end in ("max", "min") for what, limit in limits.items()
    }.items():
        conditions = {name: limit} if name.startswith("max_") else {"max_age": "0s", name: limit}
        options = {"index_prefix": "prod", "record_types": ["span"], "conditions": conditions}
        answers = [
            runner("es_rollover", server_urls=es.url, **options) for runner in (check_module, run_module)
        ]
        assert not any(answer.changed for answer in answers), name
        reasons = [answer.result["kept"][0]["reason"] for answer in answers if answer.result["kept"]]
        said[name] = {*reasons, *(answer.message for answer in answers if answer.message)}
    kept = {
        name for name, words in said.items() if words == {f"conditions not met ({name}: {limits[name[4:]]})"}
    }
    refused = {
        name for name, words in said.items() if all("refuses POST" in one and name in one for one in words)
    }
    assert (kept, refused) == (known, set(said) - known), said
    assert es.indices() == names("span", 1)


def test_rollover_without_conditions_always_rolls(es: Elasticsearch) -> None:
    init(es)
    for number in (2, 3):
        answer = run_module(
            "es_rollover", server_urls=es.url, index_prefix="prod", conditions={"max_age": "0s"}
        )
        assert answer.actions("rollover") == [f"prod-jaeger-{kind}-{number:06d}" for kind in TYPES]
    assert es.aliases() == {pair for kind in TYPES for pair in pairs(kind, (1, 2, 3), 3)}


@pytest.mark.every_server("the answers about is_write_index differ")
def test_rollover_of_ilm_style_write_alias(es: Elasticsearch) -> None:
    """With is_write_index the older index stays behind the write alias; the write index is the flagged one."""
    init(es, record_types=["span"])
    move = {
        "add": {"index": "prod-jaeger-span-000001", "alias": "prod-jaeger-span-write", "is_write_index": True}
    }
    es.request("POST", "/_aliases", {"actions": [move]})
    for number in (2, 3):
        answer = run_module(
            "es_rollover",
            server_urls=es.url,
            index_prefix="prod",
            record_types=["span"],
            conditions={"max_age": "0s"},
        )
        assert answer.result["index_sets"][0]["write_index"] == f"prod-jaeger-span-{number:06d}"
    info = run_module("es_index_info", server_urls=es.url).result["index_sets"][0]
    assert (info["write_index"], info["problems"]) == ("prod-jaeger-span-000003", [])


def test_lookback_and_clean_count_from_the_end_of_writing(es: Elasticsearch) -> None:
    es.set_clock("-40d")
    init(es)
    es.set_clock("-2h")
    run_module("es_rollover", server_urls=es.url, index_prefix="prod")
    es.set_clock("+0d")
    for module, options in (
        ("es_lookback", {"unit": "days", "unit_count": 7}),
        ("es_index_cleaner", {"days": 7}),
    ):
        assert not run_module(module, server_urls=es.url, index_prefix="prod", **options).changed
    four_steps(
        "es_lookback",
        es,
        index_prefix="prod",
        unit="days",
        unit_count=7,
        age_from="creation",
        service_cache_ttl="0s",
    )
    assert es.aliases() == {pair for kind in TYPES for pair in pairs(kind, (2,), 2)}


def test_clean_refuses_what_is_readable_and_says_so(es: Elasticsearch) -> None:
    es.set_clock("-40d")
    init(es, record_types=["span"])
    es.set_clock("-30d")
    run_module("es_rollover", server_urls=es.url, index_prefix="prod", record_types=["span"])
    es.set_clock("+0d")
    options = {"index_prefix": "prod", "record_types": ["span"], "days": 14}
    refused = run_module("es_index_cleaner", server_urls=es.url, **options)
    assert not refused.changed
    assert "still readable" in refused.result["kept"][0]["reason"]
    four_steps("es_index_cleaner", es, only_unreadable=False, **options)
    assert es.indices() == names("span", 2)


def test_clean_never_touches_what_is_not_of_the_set(es: Elasticsearch) -> None:
    es.set_clock("-40d")
    init(es, record_types=["span"])
    strangers = {
        "prod-jaeger-span-000001-backup",
        "prod-jaeger-span-0000017-restored-by-hand",
        "prod-jaeger-span-2020-01-01",
        "prod-jaeger-span-archive-000001",
        "preprod-jaeger-span-000001",
        "prod-jaeger-spanner-000001",
    }
    for index in strangers:
        es.request("PUT", f"/{index}")
    es.set_clock("-30d")
    run_module("es_rollover", server_urls=es.url, index_prefix="prod", record_types=["span"])
    es.set_clock("+0d")
    options = {"index_prefix": "prod", "record_types": ["span"], "days": 0, "only_unreadable": False}
    cleaned = run_module("es_index_cleaner", server_urls=es.url, **options)
    assert cleaned.actions("delete_index") == ["prod-jaeger-span-000001"]
    assert es.indices() == strangers | names("span", 2)
    dated = run_module("es_index_cleaner", server_urls=es.url, strategy="periodic", **options)
    assert dated.actions("delete_index") == ["prod-jaeger-span-2020-01-01"]
    assert es.indices() == strangers - {"prod-jaeger-span-2020-01-01"} | names("span", 2)


def test_many_deletions_are_cut_into_requests_that_fit(es: Elasticsearch) -> None:
    """Fault 9 of the peers: a prefix that is not ASCII made the URL too long, and nothing was ever deleted."""
    prefix = "ölçüm-ürünü"
    base = f"{prefix}-jaeger-span"
    es.request("PUT", "/_cluster/settings", {"transient": {"cluster.max_shards_per_node": 5000}})
    es.set_clock("-40d")
    init(es, index_prefix=prefix, record_types=["span"], replicas=0)
    for _night in range(90):
        run = {
            "server_urls": es.url,
            "index_prefix": prefix,
            "record_types": ["span"],
            "conditions": {"max_age": "0s"},
        }
        es.request("POST", f"/{base}-write/_rollover", {}) if _night else run_module("es_rollover", **run)
    es.set_clock("+0d")
    cleaned = run_module(
        "es_index_cleaner",
        server_urls=es.url,
        index_prefix=prefix,
        record_types=["span"],
        days=14,
        only_unreadable=False,
    )
    assert not cleaned.message
    assert len(cleaned.actions("delete_index")) == 90
    assert es.indices() == {f"{base}-000091"}
    assert len(",".join(quote(name) for name in cleaned.actions("delete_index"))) > 4096


def test_two_prefixes_of_one_cluster_are_apart(es: Elasticsearch) -> None:
    init(es)
    init(es, index_prefix="preprod")
    run_module("es_rollover", server_urls=es.url, index_prefix="prod", conditions={"max_age": "0s"})
    assert es.aliases() == {pair for kind in TYPES for pair in pairs(kind, (1, 2), 2)} | {
        pair for kind in TYPES for pair in pairs(kind, (1,), 1, prefix="preprod")
    }
    info = run_module("es_index_info", server_urls=es.url)
    assert [one["index_prefix"] for one in info.result["index_sets"]] == ["preprod"] * 3 + ["prod"] * 3
    info = run_module("es_index_info", server_urls=es.url, index_prefix="prod")
    assert {one["index_prefix"] for one in info.result["index_sets"]} == {"prod"}
    assert info.result["index_sets"][0]["indices"][0]["health"] in ("green", "yellow")


def test_one_sets_failure_does_not_stop_the_others(es: Elasticsearch) -> None:
    init(es)
    es.request(
        "POST", "/_aliases", {"actions": [{"remove": {"index": "*", "alias": "prod-jaeger-span-write"}}]}
    )
    answer = run_module("es_rollover", server_urls=es.url, index_prefix="prod", conditions={"max_age": "0s"})
    assert answer.message.startswith(
        "1 of 3 index sets failed: prod/span: no index is behind the write alias"
    )
    assert [failure["record_type"] for failure in answer.result["failures"]] == ["span"]
    assert answer.actions("rollover") == ["prod-jaeger-service-000002", "prod-jaeger-dependencies-000002"]
    repaired = init(es)
    assert repaired.actions("add_alias") == ["prod-jaeger-span-000001"]


@pytest.mark.every_server("the answers about closed indices differ")
def test_closed_generations_are_seen(es: Elasticsearch) -> None:
    init(es, record_types=["span"])
    for _night in range(2):
        run_module(
            "es_rollover",
            server_urls=es.url,
            index_prefix="prod",
            record_types=["span"],
            conditions={"max_age": "0s"},
        )
    es.request("POST", "/prod-jaeger-span-000001/_close")
    info = run_module("es_index_info", server_urls=es.url, index_prefix="prod").result["index_sets"][0]
    assert [entry["generation"] for entry in info["indices"]] == [1, 2, 3]
