# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jaeger's own tools (v1.57.0) and our modules on twin clusters: the same steps, and what is equal afterwards.

Every difference that is left is named in DIFFERENCES, with the reason.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import run_module
from tests.support.servers import Elasticsearch, elasticsearch, jaeger_programs

DIFFERENCES = {
    "index patterns": "ours begin with the prefix, so that they catch no other prefix's indices",
    "service set": "its older generation stays readable while the collector's cache lives (service_cache_ttl)",
    "age": "ours counts from the end of writing (age_from)",
    "readable": "ours deletes nothing that is still readable (only_unreadable)",
    "today": "ours never deletes the dated index that is being written",
}


@dataclass(frozen=True)
class Twins:
    """theirs is looked after by Jaeger's tools, ours by our modules."""

    theirs: Elasticsearch
    ours: Elasticsearch
    tools: Path

    def tool(self, name: str, *arguments: str) -> None:
        """Run one of Jaeger's tools on its cluster."""
        ran = subprocess.run([self.tools / name, *arguments], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr

    def set_clock(self, offset: str) -> None:
        """Move both clocks."""
        for server in (self.theirs, self.ours):
            server.set_clock(offset)

    def both(self, method: str, path: str, body: Any = None) -> None:
        """The same request to both."""
        for server in (self.theirs, self.ours):
            server.request(method, path, body)

    def assert_same(self) -> None:
        """Indices, aliases, mappings and settings are equal; templates but for their patterns."""
        assert self.ours.indices() == self.theirs.indices()
        assert self.ours.aliases() == self.theirs.aliases()
        assert layout(self.ours) == layout(self.theirs)
        assert templates(self.ours) == templates(self.theirs)


def layout(server: Elasticsearch) -> dict[str, Any]:
    """Mappings and settings of every index, without what no two servers share."""
    found = server.get("/_all?flat_settings=true&expand_wildcards=all")
    own = ("index.uuid", "index.creation_date", "index.version.created", "index.provided_name")
    for index in found.values():
        index["settings"] = {name: value for name, value in index["settings"].items() if name not in own}
    return dict(found)


def templates(server: Elasticsearch) -> dict[str, Any]:
    """The index templates without their patterns (DIFFERENCES: index patterns)."""
    found = {name: body for name, body in server.get("/_template").items() if not name.startswith(".")}
    for body in found.values():
        del body["index_patterns"]
    return found


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    folder = tmp_path_factory.mktemp("twins")
    tools = jaeger_programs("es-rollover", "es-index-cleaner")
    with (
        elasticsearch(folder / "theirs", clock=True) as theirs,
        elasticsearch(folder / "ours", clock=True) as ours,
    ):
        yield Twins(theirs, ours, tools)


@pytest.fixture
def twins(pair: Twins) -> Twins:
    pair.set_clock("+0d")
    pair.theirs.wipe()
    pair.ours.wipe()
    return pair


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


def test_the_tutorials_flow_with_our_defaults(twins: Twins) -> None:
    """What differs then is the service set, which stays readable for 12 hours (DIFFERENCES: service set)."""
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
    """Days 0 is left out: theirs deletes today's index then (DIFFERENCES: today)."""
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
