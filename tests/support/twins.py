# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two clusters, one for Jaeger's own tools (v1.57.0) and one for our modules, and how the two are compared."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.servers import Elasticsearch, jaeger_programs
from tests.support.shared_servers import shared_server

# What no two servers share.
_OWN_SETTINGS = ("index.uuid", "index.creation_date", "index.version.created", "index.provided_name")
# Hundreds of indices on one node, and one request that deletes them all.
_SETTINGS = {"cluster.max_shards_per_node": 20000, "action.destructive_requires_name": False}


@dataclass(frozen=True)
class Twins:
    """theirs is looked after by Jaeger's tools, ours by our modules."""

    theirs: Elasticsearch
    ours: Elasticsearch
    tools: Path

    @property
    def both_servers(self) -> tuple[Elasticsearch, Elasticsearch]:
        """theirs and ours."""
        return self.theirs, self.ours

    def try_tool(self, name: str, *arguments: str, env: dict[str, str] | None = None) -> int:
        """Run one of Jaeger's tools and return its exit code."""
        command = [str(self.tools / name), *arguments]
        environment = {**os.environ, "TZ": "UTC", **(env or {})}
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode

    def tool(self, name: str, *arguments: str) -> None:
        """Run one of Jaeger's tools on its cluster."""
        ran = subprocess.run([self.tools / name, *arguments], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr

    def set_clock(self, offset: str) -> None:
        """Move both clocks."""
        for server in self.both_servers:
            server.set_clock(offset)

    def both(self, method: str, path: str, body: Any = None) -> None:
        """The same request to both."""
        for server in self.both_servers:
            server.request(method, path, body)

    def wipe(self) -> None:
        """Both clusters empty, both clocks right."""
        self.set_clock("+0d")
        for server in self.both_servers:
            server.request("DELETE", "/*?expand_wildcards=all")
            if any("jaeger" in name for name in server.get("/_template")):
                server.request("DELETE", "/_template/*jaeger*")

    def assert_same(self) -> None:
        """Indices, aliases, mappings and settings are equal; templates but for their patterns."""
        assert self.ours.indices() == self.theirs.indices()
        assert self.ours.aliases() == self.theirs.aliases()
        assert layout(self.ours) == layout(self.theirs)
        assert templates(self.ours) == templates(self.theirs)


@contextmanager
def running_twins() -> Iterator[Twins]:
    """The two clusters, for this process alone until the block ends."""
    tools = jaeger_programs("es-rollover", "es-index-cleaner")
    with shared_server() as theirs, shared_server() as ours:
        twins = Twins(theirs, ours, tools)
        twins.both("PUT", "/_cluster/settings", {"persistent": _SETTINGS})
        yield twins


def read(server: Elasticsearch, names: str = "_all") -> dict[str, Any]:
    """Aliases, mappings and settings of every index of these names."""
    return dict(server.get(f"/{names}?flat_settings=true&expand_wildcards=all"))


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """What was read, without what no two servers share."""
    return {
        name: body | {"settings": {k: v for k, v in body["settings"].items() if k not in _OWN_SETTINGS}}
        for name, body in found.items()
    }


def layout(server: Elasticsearch) -> dict[str, Any]:
    """All that can be compared of all indices."""
    return comparable(read(server))


def templates(server: Elasticsearch) -> dict[str, Any]:
    """The index templates without their patterns (docs/differences.md: patterns)."""
    found = {name: body for name, body in server.get("/_template").items() if not name.startswith(".")}
    for body in found.values():
        del body["index_patterns"]
    return found
