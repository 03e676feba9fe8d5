# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jaeger's own tools (v1.57.0) and our modules on twin clusters: the same steps, and what is equal afterwards.

Every difference that is left is named by its row in docs/differences.md.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.support.modules import run_module
from tests.support.twins import Twins

SETS = {
    "prod": ({"index_prefix": "prod"}, ["--index-prefix", "prod"]),
    "no prefix": ({}, []),
    "archive": ({"index_prefix": "prod", "archive": True}, ["--index-prefix", "prod", "--archive"]),
    "no dependencies": (
        {"index_prefix": "prod", "record_types": ["span", "service"]},
        ["--index-prefix", "prod", "--skip-dependencies"],
    ),
    "adaptive sampling": (
        {"index_prefix": "prod", "record_types": ["span", "service", "dependencies", "sampling"]},
        ["--index-prefix", "prod", "--adaptive-sampling"],
    ),
}


@pytest.mark.parametrize("flags", SETS.values(), ids=SETS)
def test_the_tutorials_flow_with_jaegers_reckoning(
    twins: Twins, flags: tuple[dict[str, Any], list[str]]
) -> None:
    """With age_from creation and no cache time the outcomes are equal to the last alias."""
    options, arguments = flags
    theirs, ours = twins.theirs.url, twins.ours.url
    reckoning = {"age_from": "creation", "service_cache_ttl": "0s"}
    twins.set_clock("-2h")
    twins.tool("es-rollover", "init", theirs, "--shards", "2", "--replicas", "1", *arguments)
    assert not run_module("es_rollover_init", server_urls=ours, shards=2, replicas=1, **options).message
    twins.assert_same()
    twins.set_clock("+0d")
    twins.tool("es-rollover", "rollover", theirs, "--conditions", json.dumps({"max_age": "10s"}), *arguments)
    assert run_module("es_rollover", server_urls=ours, conditions={"max_age": "10s"}, **options).changed
    twins.assert_same()
    twins.tool("es-rollover", "lookback", theirs, "--unit", "hours", "--unit-count", "1", *arguments)
    back = run_module("es_lookback", server_urls=ours, unit="hours", unit_count=1, **reckoning, **options)
    assert back.changed
    twins.assert_same()
    kind = ["--archive"] if "--archive" in arguments else ["--rollover"]
    prefix = [word for word in arguments if word in ("--index-prefix", "prod")]
    twins.tool("es-index-cleaner", "0", theirs, *kind, *prefix)
    assert run_module("es_index_cleaner", server_urls=ours, days=0, **reckoning, **options).changed
    twins.assert_same()


@pytest.mark.difference("service-cache")
def test_the_tutorials_flow_with_our_defaults(twins: Twins) -> None:
    """What differs then is the service set, which stays readable for 12 hours (row service-cache)."""
    twins.set_clock("-1h")
    twins.tool("es-rollover", "init", twins.theirs.url, "--shards", "2", "--index-prefix", "prod")
    run_module("es_rollover_init", server_urls=twins.ours.url, shards=2, index_prefix="prod")
    twins.set_clock("-30s")
    twins.tool(
        "es-rollover",
        "rollover",
        twins.theirs.url,
        "--conditions",
        '{"max_age":"10s"}',
        "--index-prefix",
        "prod",
    )
    run_module("es_rollover", server_urls=twins.ours.url, conditions={"max_age": "10s"}, index_prefix="prod")
    twins.set_clock("+0d")
    twins.tool(
        "es-rollover",
        "lookback",
        twins.theirs.url,
        "--unit",
        "seconds",
        "--unit-count",
        "1",
        "--index-prefix",
        "prod",
    )
    run_module("es_lookback", server_urls=twins.ours.url, unit="seconds", unit_count=1, index_prefix="prod")
    twins.tool("es-index-cleaner", "0", twins.theirs.url, "--rollover", "--index-prefix", "prod")
    run_module("es_index_cleaner", server_urls=twins.ours.url, days=0, index_prefix="prod")
    kept = "prod-jaeger-service-000001"
    assert twins.ours.indices() - twins.theirs.indices() == {kept}
    assert twins.ours.aliases() - twins.theirs.aliases() == {("prod-jaeger-service-read", kept)}
    assert twins.theirs.indices() <= twins.ours.indices()
    assert twins.theirs.aliases() <= twins.ours.aliases()


@pytest.mark.parametrize("days", [1, 2, 3, 10])
@pytest.mark.parametrize("separator", ["-", "."])
def test_dated_indices(twins: Twins, days: int, separator: str) -> None:
    """Days 0 is left out: theirs deletes today's index then (row today).

    Until noon (UTC) yesterday's services are within the 12 hours of the row service-cache, so nothing is held back here.
    """
    for age in range(6):
        twins.set_clock(f"-{age}d")
        date = subprocess.check_output(
            ["date", "-u", "-d", f"-{age} days", f"+%Y{separator}%m{separator}%d"], text=True
        )
        for kind in ("span", "service", "dependencies"):
            twins.both("PUT", f"/prod-jaeger-{kind}-{date.strip()}")
    twins.set_clock("+0d")
    arguments = ["--index-prefix", "prod", "--index-date-separator", separator]
    twins.tool("es-index-cleaner", str(days), twins.theirs.url, *arguments)
    run_module(
        "es_index_cleaner",
        server_urls=twins.ours.url,
        index_prefix="prod",
        strategy="periodic",
        index_date_separator=separator,
        days=days,
        service_cache_ttl="0s",
    )
    assert twins.ours.indices() == twins.theirs.indices()
    assert len(twins.ours.indices()) == 3 * min(days, 6)


def test_either_tool_goes_on_where_the_other_stopped(twins: Twins) -> None:
    """A user can switch in both directions on any day."""
    rolled = {"conditions": {"max_age": "0s"}, "index_prefix": "prod"}
    twins.tool("es-rollover", "init", twins.ours.url, "--shards", "2", "--index-prefix", "prod")
    assert not run_module("es_rollover", server_urls=twins.ours.url, **rolled).message
    twins.tool("es-rollover", "rollover", twins.ours.url, "--conditions", "{}", "--index-prefix", "prod")
    assert not run_module("es_rollover", server_urls=twins.ours.url, **rolled).message
    info = run_module("es_index_info", server_urls=twins.ours.url)
    for one in info.result["index_sets"]:
        assert one["problems"] == []
        assert [entry["generation"] for entry in one["indices"]] == [1, 2, 3, 4]
        assert all(entry["readable"] for entry in one["indices"])
    again = run_module("es_rollover_init", server_urls=twins.ours.url, shards=2, index_prefix="prod")
    assert {action["action"] for action in again.result["actions"]} == {"put_template"}
