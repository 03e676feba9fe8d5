# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corners of one server: many tests at the same time, each under a prefix of its own.

A corner is built through the server's own API, not through the modules that are tested, and it knows each document
that was ever accepted there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.support.servers import Elasticsearch

SPAN = "jaeger-span"
# How a server says that a document cannot be written through an alias now.
_NO_PLACE = ("index_not_found_exception", "no write index is defined", "cluster_block_exception")
# Settings that differ from one index to the next, whoever made it.
_SNAPSHOT = re.compile(r"jaeger-retention-[0-9.]+-[0-9.]+-[0-9a-f]{8}-[0-9a-f]{8}")
_OWN = ("creation_date", "uuid", "provided_name", "version")


@dataclass
class Corner:
    """One prefix. written are the names of all documents that the server has accepted.

    Indices are told by what follows the prefix and a dash: base is jaeger-span, or b-jaeger-span for that of a second
    prefix in the same corner. A document is named after the index it was meant for, such as jaeger-span-000001.
    """

    es: Elasticsearch
    prefix: str
    written: set[str] = field(default_factory=set)

    def template(self, base: str = SPAN) -> None:
        """Small indices, in which a document changes no mapping; only who looks for documents has them refreshed."""
        body: dict[str, Any] = {
            "index_patterns": [f"{self.prefix}-{base}-*"],
            "settings": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"},
            "mappings": {"dynamic": False, "properties": {"traceID": {"type": "keyword"}}},
        }
        self.es.request("PUT", f"/_template/{self.prefix}-{base}", body)

    def index(self, tail: str, *aliases: str, base: str = SPAN) -> None:
        """An index that is born now, behind these aliases (read, write), with one document."""
        name = f"{self.prefix}-{base}-{tail}"
        body: dict[str, Any] = {"aliases": {f"{self.prefix}-{base}-{alias}": {} for alias in aliases}}
        self.es.request("PUT", f"/{name}", body)
        self.document(name, f"{base}-{tail}")

    def generation(self, number: int, base: str = SPAN) -> None:
        """The next generation, born now, written and readable, with one document."""
        name = f"{self.prefix}-{base}-{number:06d}"
        if number == 1:
            self.index("000001", "read", "write", base=base)
            return
        body: dict[str, Any] = {"aliases": {f"{self.prefix}-{base}-read": {}}}
        self.es.request("POST", f"/{self.prefix}-{base}-write/_rollover/{name}", body)
        self.document(name, f"{base}-{number:06d}")

    def document(self, index: str, name: str, *, alias: bool = False) -> None:
        """Write a document into an index, or through an alias, which is never taken for an index to create."""
        path = f"/{index}/_doc/{name}?require_alias={str(alias).lower()}"
        self.es.request("PUT", path, {"traceID": name})
        self.written.add(name)

    def writes(self, name: str, base: str = SPAN, *, alias: bool = True) -> bool:
        """Write a document through the write alias, as a collector does, and say whether the server accepted it.

        Unless alias is false, an index in the alias's place is not written to, and none is created.
        """
        try:
            self.document(f"{self.prefix}-{base}-write", name, alias=alias)
        except AssertionError as refused:
            if any(reason in str(refused) for reason in _NO_PLACE):
                return False
            raise
        return True

    def remove_alias(self, tail: str, alias: str, base: str = SPAN) -> None:
        """Take an index from behind an alias (read, write)."""
        names = {"index": f"{self.prefix}-{base}-{tail}", "alias": f"{self.prefix}-{base}-{alias}"}
        self.es.request("POST", "/_aliases", {"actions": [{"remove": names}]})

    def readable(self) -> set[str]:
        """The documents that are found through the read aliases."""
        return self.documents("-read")[0]

    def documents(self, *tails: str) -> list[set[str]]:
        """The documents that are found now in what ends so: "-read" for the read aliases, "" for all that is there."""
        self.es.request("POST", f"/{self.prefix}-*/_refresh?expand_wildcards=all")
        return [self._documents(f"{self.prefix}-*{tail}") for tail in tails]

    def _documents(self, target: str) -> set[str]:
        path = f"/{target}/_search?size=1000&_source=false&expand_wildcards=all&ignore_unavailable=true"
        answer = self.es.get(path)
        assert answer["hits"]["total"]["value"] <= 1000
        assert not answer["_shards"]["failed"], answer["_shards"]
        return {hit["_id"] for hit in answer["hits"]["hits"]}

    def behind(self, alias: str, base: str = SPAN) -> list[str]:
        """What follows the base in the names of the indices behind an alias (read, write)."""
        name = f"{self.prefix}-{base}-{alias}"
        head = f"{self.prefix}-{base}-"
        found = [index for index, body in self.indices().items() if name in body["aliases"]]
        return sorted(index.removeprefix(head) for index in found)

    def indices(self) -> dict[str, Any]:
        """The indices, by name."""
        return dict(self.es.get(f"/{self.prefix}-*?expand_wildcards=all"))

    def templates(self) -> dict[str, Any]:
        """The index templates, by name."""
        known = self.es.get("/_template")  # for names that are not there the server answers 404
        return {name: body for name, body in known.items() if name.startswith(f"{self.prefix}-")}

    def state(self) -> Any:
        """All that a run may leave behind, in words that are the same in every corner."""
        indices = self.indices()
        for body in indices.values():
            for name in _OWN:
                body["settings"]["index"].pop(name, None)
        state = {
            "indices": indices,
            "templates": self.templates(),
        }
        return json.loads(self.relative(json.dumps(state, sort_keys=True)))

    def relative(self, text: str) -> str:
        """The same words in every corner."""
        return _SNAPSHOT.sub("SNAPSHOT", text.replace(self.prefix, "PREFIX"))

    def repository(self) -> None:
        """A place for snapshots, named after the corner."""
        body = {"type": "fs", "settings": {"location": self.prefix}}
        self.es.request("PUT", f"/_snapshot/{self.prefix}", body)

    def clear(self) -> None:
        """Leave nothing behind."""
        if names := sorted(self.indices()):
            self.es.request("DELETE", f"/{','.join(names)}?ignore_unavailable=true")
        if self.templates():
            self.es.request("DELETE", f"/_template/{self.prefix}-*")


Builder = Callable[[Corner], Iterator[int]]


def build(builder: Builder, corners: Sequence[Corner], threads: int = 3) -> None:
    """Build the same thing in all corners.

    A builder does a bit, yields how many days ago the next bit is to happen, and so on; what comes before its first
    yield happens now, and so does what comes after it yields 0. All corners go through time together, as they share
    a clock.
    """
    es = corners[0].es
    builders = [builder(corner) for corner in corners]
    with ThreadPoolExecutor(threads) as pool:
        while days := set(pool.map(lambda one: next(one, None), builders)) - {None}:
            (ago,) = days
            es.set_clock(f"-{ago}d")
    es.set_clock("+0d")


def difference(expected: Mapping[str, Any], found: Mapping[str, Any], where: str = "") -> list[str]:
    """What differs between two states, a line each."""
    lines: list[str] = []
    for key in sorted({*expected, *found}):
        one, other = expected.get(key), found.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            lines += difference(one, other, f"{where}/{key}")
        elif one != other:
            lines.append(f"{where}/{key}: {other} in place of {one}")
    return lines


def try_all(cases: Mapping[str, Callable[[], None]]) -> None:
    """Try some at the same time, as each waits now and then; the failure has each that fails, with its reason."""

    def failure(case: Callable[[], None]) -> str:
        try:
            case()
        except AssertionError as failed:
            return str(failed)[:600] or repr(failed)
        return ""

    with ThreadPoolExecutor(4) as pool:
        found = zip(cases, pool.map(failure, cases.values()), strict=True)
        wrong = [f"{name}: {what}" for name, what in found if what]
    assert not wrong, "\n".join(wrong)
