# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""Documents of an index that sits where an alias belongs are moved into a generation, none of them lost.

They are copied while the collector goes on writing, in rounds: each round takes what was written since the one
before it began. The last round runs under a write block; it ends with one atomic request that deletes the sources
and adds the aliases. Copying is by scroll and _bulk, since _reindex is not to be had everywhere. Each document keeps
its id and version, so a copy that was cut off is begun again without doubling anything, by the next run too: the
target bears a marker alias until the end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import (
    ODD,
    JaegerStorageError,
    OutcomeUnknownError,
    RefusedError,
    RequestFailedError,
    shortfall,
)

if TYPE_CHECKING:
    from ansible_collections.tracestack.jaeger.plugins.module_utils._actions import Adopt

# Documents in one request; and when so few have come since the last round, the block is short enough.
_PAGE = 1000
_ROUNDS = 20
_MOST_BYTES = 20_000_000
_SCROLL = "5m"

# method, path, body, parameters -> answer
Send = Callable[[str, str, Any, Mapping[str, str]], Mapping[str, Any]]


def alias_actions(
    add: Iterable[tuple[str, str, Mapping[str, Any]]], remove: Iterable[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The actions of a request that adds and removes aliases. Entries: index, alias, what the alias is; index or pattern, alias."""
    removed = [{"remove": {"index": index, "alias": alias}} for index, alias in remove]
    return removed + [{"add": {"index": index, "alias": alias, **body}} for index, alias, body in add]


@dataclass(frozen=True)
class Adopted:
    """How many documents were moved, and for how many seconds nothing could be written."""

    documents: int
    blocked: float


class Adoption:
    """One adoption; run() may be called again after any failure."""

    def __init__(self, send: Send, wanted: Adopt) -> None:
        self._send = send
        self._sources = wanted.sources
        self._wanted = wanted
        self._marks = dict.fromkeys(wanted.sources, -1)

    def run(self) -> Adopted:
        """Do it all. Raises RefusedError where a document cannot be moved; the sources are then as they were."""
        try:
            return self._run()
        except ODD:
            raise OutcomeUnknownError("an adoption got an answer that is not Elasticsearch's") from None
        except (RefusedError, RequestFailedError):
            if self._overtaken():
                raise OutcomeUnknownError("another run has adopted the same index meanwhile") from None
            raise

    def _overtaken(self) -> bool:
        """Whether a source is gone. Its name is then the target's alias: what was asked of it met the target."""
        params = {"flat_settings": "true", "ignore_unavailable": "true"}
        return any(
            source not in self._ask("GET", f"/{quote(source)}/_settings", None, params)
            for source in self._sources
        )

    def _run(self) -> Adopted:
        self._check_health()
        self._check_fields()
        self._make_target()
        for _round in range(_ROUNDS):
            if sum(self._copy(source) for source in self._sources) <= _PAGE:
                break
        began = time.monotonic()
        try:
            for source in self._sources:
                self._block(source)
            for source in self._sources:
                self._copy(source)
            documents = self._compare()
            self._check_blocks()
            self._swap()
        except (JaegerStorageError, *ODD):
            self._unblock()
            raise
        return Adopted(documents, round(time.monotonic() - began, 3))

    def _check_health(self) -> None:
        """Refuse what cannot be copied whole: with a shard missing, a search and a count still answer."""
        for source in self._sources:
            answer = self._ask("GET", f"/_cluster/health/{quote(source)}", None, {"timeout": "1s"})
            if answer["status"] not in ("green", "yellow"):
                raise RefusedError(
                    f"{source} has health {answer['status']}: a part of it cannot be read, so its documents cannot all be "
                    "moved. Nothing was changed."
                )

    def _check_fields(self) -> None:
        """Refuse what is not stored whole: a copy would lack fields, though no document."""
        for source in self._sources:
            found = self._ask("GET", f"/{quote(source)}", None, {"flat_settings": "true"})[source]
            kept = found["mappings"].get("_source") or {}
            mode = kept.get("mode") or found["settings"].get("index.mapping.source.mode") or "stored"
            whole = str(kept.get("enabled", "true")).lower() == "true" and str(mode).lower() == "stored"
            if not whole or kept.get("includes") or kept.get("excludes"):
                raise RefusedError(
                    f"{source} does not keep its documents whole (its mapping has _source: {json.dumps(kept)}, mode {mode}), so "
                    "they cannot be moved. Nothing was changed. Rename it, by a clone, if you want to keep it."
                )

    def _whole(self, answer: Mapping[str, Any], source: str) -> Mapping[str, Any]:
        """The answer, if every shard has its part in it."""
        if answer.get("timed_out"):
            raise OutcomeUnknownError(f"{source} did not answer in time")
        shards = answer["_shards"]
        if shards["failed"] or shards["successful"] != shards["total"]:
            raise RefusedError(
                f"{source} answers from {shards['successful']} of its {shards['total']} shards only: its documents cannot all "
                "be moved. Nothing was deleted and no alias was changed."
            )
        return answer

    def _block(self, source: str) -> None:
        """Let nothing be written to a source. Raises OutcomeUnknownError while a shard may still take what is under way."""
        answer = self._ask("PUT", f"/{quote(source)}/_block/write")
        blocked = [one.get("blocked") for one in answer["indices"]]
        if not (
            answer.get("acknowledged") is True
            and answer.get("shards_acknowledged") is True
            and blocked == [True]
        ):
            raise OutcomeUnknownError(f"{source} has not been blocked on all its shards")

    def _make_target(self) -> None:
        body: dict[str, Any] = {"aliases": {self._wanted.marker: {}}}
        try:
            self._ask("PUT", f"/{quote(self._wanted.target)}", body)
        except RequestFailedError as refused:
            if refused.kind != "resource_already_exists_exception":
                raise

    def _copy(self, source: str) -> int:
        """Copy what was written to a source since its last copy began. Returns the number of documents."""
        mark = self._newest(source)
        self._refresh(source)
        query = {"range": {"_seq_no": {"gt": self._marks[source]}}}
        page = {"size": _PAGE, "query": query, "sort": ["_doc"], "version": True}
        params = {"scroll": _SCROLL, "allow_partial_search_results": "false"}
        answer = self._ask("POST", f"/{quote(source)}/_search", page, params)
        copied = 0
        while hits := self._whole(answer, source)["hits"]["hits"]:
            self._store(hits)
            copied += len(hits)
            body = {"scroll": _SCROLL, "scroll_id": answer["_scroll_id"]}
            answer = self._ask("POST", "/_search/scroll", body)
        self._ask("DELETE", "/_search/scroll", {"scroll_id": answer["_scroll_id"]})
        self._marks[source] = mark
        return copied

    def _refresh(self, index: str) -> None:
        """Let what was written be found. Raises OutcomeUnknownError unless each shard that there is has done so."""
        if lacking := shortfall(self._ask("POST", f"/{quote(index)}/_refresh")):
            raise OutcomeUnknownError(f"{index} could not be refreshed: {lacking}")

    def _newest(self, source: str) -> int:
        """A sequence number up to which every shard of the source has been written."""
        params = {"level": "shards", "filter_path": "indices.*.shards.*.seq_no.max_seq_no"}
        answer = self._ask("GET", f"/{quote(source)}/_stats", None, params)
        shards = answer.get("indices", {}).get(source, {}).get("shards", {})
        return min(
            (int(copy["seq_no"]["max_seq_no"]) for copies in shards.values() for copy in copies), default=-1
        )

    def _store(self, hits: Iterable[Mapping[str, Any]]) -> None:
        """Write documents, in requests of a size that every server takes (http.max_content_length is 100 MB)."""
        lines: list[str] = []
        size = 0
        for hit in hits:
            # A version that is there already, or a newer one, answers 409: it was copied before.
            head = {"_id": hit["_id"], "version": hit["_version"], "version_type": "external"}
            if "_routing" in hit:
                head["routing"] = hit["_routing"]
            pair = [json.dumps({"index": head}), json.dumps(hit["_source"])]
            if lines and size + len(pair[1]) > _MOST_BYTES:
                self._send_bulk(lines)
                lines, size = [], 0
            lines += pair
            size += len(pair[1])
        self._send_bulk(lines)

    def _send_bulk(self, lines: list[str]) -> None:
        answer = self._ask("POST", f"/{quote(self._wanted.target)}/_bulk", "\n".join(lines) + "\n")
        for item in answer["items"]:
            result = item["index"]
            if result["status"] in (429, 503):
                raise OutcomeUnknownError(f"{self._wanted.target} could not take all documents just now")
            if result["status"] not in (200, 201, 409):
                reason = result.get("error", {}).get("reason", "no reason given")
                raise RefusedError(
                    f"document {result.get('_id')} does not fit into {self._wanted.target}: {reason} Nothing was deleted and "
                    "no alias was changed."
                )

    def _compare(self) -> int:
        """The number of documents in the target. Raises RefusedError unless it is that of the sources together."""
        target = self._wanted.target
        self._refresh(target)
        expected = sum(self._count(source) for source in self._sources)
        found = self._count(target)
        if found != expected:
            raise RefusedError(
                f"{target} has {found} documents and {', '.join(self._sources)} {expected}: nothing was deleted and no alias "
                "was changed."
            )
        return found

    def _count(self, index: str) -> int:
        return int(self._whole(self._ask("GET", f"/{quote(index)}/_count"), index)["count"])

    def _check_blocks(self) -> None:
        """Another run of the same adoption that fails ends the block: then this one begins again."""
        for source in self._sources:
            settings = self._ask("GET", f"/{quote(source)}/_settings", None, {"flat_settings": "true"})
            if str(settings[source]["settings"].get("index.blocks.write")) != "true":
                raise OutcomeUnknownError(f"somebody has ended the write block of {source}")

    def _swap(self) -> None:
        wanted = self._wanted
        actions: list[dict[str, Any]] = [{"remove_index": {"index": source}} for source in wanted.sources]
        actions += alias_actions(wanted.swap.bodies, wanted.swap.remove)
        answer = self._ask("POST", "/_aliases", {"actions": actions})
        if answer.get("acknowledged") is not True or shortfall(answer):
            raise OutcomeUnknownError("POST /_aliases was not acknowledged, or not for all of it")

    def _unblock(self) -> None:
        """Let the collector write again. Where the sources are gone the swap was done, and its answer lost."""
        for source in self._sources:
            try:
                self._ask("PUT", f"/{quote(source)}/_settings", {"index.blocks.write": None})
            except JaegerStorageError:
                continue  # the failure that led here is the one to tell; the next run ends the block

    def _ask(
        self, method: str, path: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        return self._send(method, path, body, params or {})
