# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""What es_index_info told of all clusters, as values: clusters, index sets, generations, and when each is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import duration
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_due import dates
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_words import instant

_RECORD_TYPES = ("span", "service", "dependencies")  # of an entry that names none
_TYPE_ORDER = ("span", "service", "dependencies", "sampling", "span-archive")
_HIDE, _DELETE = "remove_alias", "delete_index"
_STRANGE = "its name is not"


@dataclass(frozen=True)
class Generation:
    """One index of a set. ended is None while it is written. hidden and deleted are when that is due by its age."""

    name: str
    tail: str
    born: datetime
    ended: datetime | None
    live: bool
    readable: bool
    size: int
    docs: int
    health: str
    hidden: datetime | None
    deleted: datetime | None
    tonight: str = ""
    why: str = ""

    @property
    def state(self) -> str:
        """written, readable or hidden."""
        return "written" if self.live else "readable" if self.readable else "hidden"

    @property
    def phase(self) -> str:
        """The state, or that it goes tonight."""
        return "going" if self.tonight == "deleted" else self.state

    def end(self, now: datetime) -> datetime:
        """Until when it was written, or has been until now."""
        return max(self.born, self.ended or now)


@dataclass(frozen=True, eq=False)  # two are the same only if they are one
class RecordSet:
    """One record type under one prefix; generations are in order of age. entry is its own of index_sets, if it has one."""

    prefix: str
    record_type: str
    base: str
    strategy: str
    generations: tuple[Generation, ...]
    problems: tuple[str, ...]
    failures: tuple[str, ...]
    actions: tuple[Mapping[str, Any], ...]
    strangers: tuple[str, ...]
    entry: Mapping[str, Any] | None

    @property
    def size(self) -> int:
        """Bytes on disk, replicas too."""
        return sum(one.size for one in self.generations)

    @property
    def readable_since(self) -> datetime | None:
        """The birth of the oldest index that can be read."""
        return min((one.born for one in self.generations if one.readable), default=None)

    def bytes_between(self, start: datetime, end: datetime, now: datetime) -> float:
        """What was written in this time, if each index was written evenly."""
        total = 0.0
        for one in self.generations:
            length = (one.end(now) - one.born).total_seconds()
            common = (min(one.end(now), end) - max(one.born, start)).total_seconds()
            if length > 0 and common > 0:
                total += one.size * common / length
        return total


@dataclass(frozen=True)
class Cluster:
    """One Elasticsearch or OpenSearch. error is why nothing is known of it, blind why nothing could be foretold."""

    name: str
    server: str = ""
    now: datetime | None = None
    sets: tuple[RecordSet, ...] = ()
    error: str = ""
    blind: str = ""
    warnings: tuple[str, ...] = ()
    hosts: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Rules:
    """What is wanted of a set's generations, and what comes of it tonight, by name."""

    entry: Mapping[str, Any] | None
    protected: timedelta | None
    tonight: Mapping[str, str]
    why: Mapping[str, str]


def clusters(hosts: Mapping[str, Mapping[str, Any]], now: datetime) -> list[Cluster]:
    """The clusters of these hosts, by name. Hosts with the same URLs look after the same cluster.

    hosts maps each host to what _report_hosts makes of it: info and, where that one failed, listing are results of
    es_index_info, asked is what was asked, with defaults.
    """
    groups: dict[Any, list[str]] = {}
    for name, told in hosts.items():
        urls = told.get("asked", {}).get("server_urls")
        groups.setdefault(tuple(sorted(urls)) if urls and not _failed(_best(told)) else name, []).append(name)
    return [_cluster(names, [hosts[name] for name in names], now) for names in groups.values()]


def _cluster(names: Sequence[str], told: Sequence[Mapping[str, Any]], now: datetime) -> Cluster:
    best = [_best(each) for each in told]
    name = ", ".join(names)
    if _failed(best[0]):
        return Cluster(
            name, error=str(best[0].get("msg") or "es_index_info gave no answer"), hosts=tuple(names)
        )
    clock = max(
        (_clock(one) for one in best), key=lambda found: found or datetime.min.replace(tzinfo=now.tzinfo)
    )
    server = best[0]["cluster"]
    sets: dict[str, RecordSet] = {}
    for asked, one in zip([each.get("asked", {}) for each in told], best):
        for raw in one["index_sets"]:
            if raw["read_alias"] not in sets or "next" in raw:
                sets[raw["read_alias"]] = _record_set(raw, asked)
    return Cluster(
        name=name,
        server=f"{'OpenSearch' if server['distribution'] == 'opensearch' else 'Elasticsearch'} {server['version']}",
        now=clock or now,
        sets=tuple(sorted(sets.values(), key=lambda one: (one.prefix, _rank(one.record_type), one.base))),
        blind="; ".join(str(each["info"].get("msg")) for each in told if _failed(each["info"])),
        warnings=tuple(dict.fromkeys(str(text) for one in best for text in one.get("warnings") or ())),
        hosts=tuple(names),
    )


def _failed(result: Mapping[str, Any]) -> bool:
    return "index_sets" not in result


def _best(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """The result that tells of the index sets, if one does."""
    listing = told.get("listing") or {}
    return listing if _failed(told["info"]) and listing and not _failed(listing) else told["info"]


def _clock(result: Mapping[str, Any]) -> datetime | None:
    """The server's clock when it was asked: birth and age of any index."""
    times = [
        born + timedelta(seconds=one["age_seconds"])
        for raw in result["index_sets"]
        for one in raw["indices"]
        if "age_seconds" in one and (born := instant(one["created"]))
    ]
    return max(times, default=None)


def _rank(record_type: str) -> int:
    return _TYPE_ORDER.index(record_type) if record_type in _TYPE_ORDER else len(_TYPE_ORDER)


def _record_set(raw: Mapping[str, Any], asked: Mapping[str, Any]) -> RecordSet:
    stream = raw["read_alias"] == raw["write_alias"]
    base = str(raw["read_alias"]) if stream else str(raw["read_alias"]).removesuffix("-read")
    following: Mapping[str, Any] = raw.get("next") or {"actions": [], "kept": [], "failures": []}
    entry = _entry(raw, asked, stream) if "next" in raw else None
    ttl = duration("service_cache_ttl", asked["service_cache_ttl"]) if entry else None
    rules = _Rules(entry, ttl if raw["record_type"] == "service" else None, *_tonight(following))
    generations = tuple(
        _generation(one, born, raw, f".ds-{base}-" if stream else f"{base}-", rules)
        for one in raw["indices"]
        if (born := instant(one["created"]))
    )
    return RecordSet(
        prefix=str(raw["index_prefix"]),
        record_type=str(raw["record_type"]),
        base=base,
        strategy=str(raw["strategy"]),
        generations=generations,
        problems=tuple(str(text) for text in raw["problems"]),
        failures=tuple(str(one["msg"]) for one in following["failures"]),
        actions=tuple(following["actions"]),
        strangers=tuple(
            dict.fromkeys(str(k["index"]) for k in following["kept"] if str(k["reason"]).startswith(_STRANGE))
        ),
        entry=entry,
    )


def _entry(raw: Mapping[str, Any], asked: Mapping[str, Any], stream: bool) -> Mapping[str, Any] | None:
    """The entry of index_sets that names this set; the module has put all defaults into it."""
    for entry in asked.get("index_sets") or ():
        prefix = entry["index_prefix"] if entry["index_prefix"] is not None else asked.get("index_prefix")
        types = ["span-archive"] if entry["archive"] else entry["record_types"] or _RECORD_TYPES
        same_kind = (entry["strategy"] == "data_stream") == stream
        if same_kind and (prefix or "") == raw["index_prefix"] and raw["record_type"] in types:
            return {**entry, "age_from": asked.get("age_from", "written")}
    return None


def _tonight(following: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """What happens to each index, in a word, and what is worth saying of why it stays."""
    words: dict[str, str] = {}
    for action in following["actions"]:
        if action["action"] == "rollover":
            words[action["old_index"]] = "rolled over"
        elif action["action"] == _HIDE:
            words.setdefault(action["index"], "hidden")
        elif action["action"] == _DELETE:
            words[action["index"]] = "deleted"
        elif action["action"] == "add_alias":
            words.setdefault(action["index"], "made readable")
    why = {kept["index"]: str(kept["reason"]) for kept in following["kept"] if not _usual(kept["reason"])}
    return words, why


def _usual(reason: str) -> bool:
    """Whether a reason to stay says no more than the dates do."""
    return any(
        part in reason for part in ("not before the cut-off", "still being written", "a write index is never")
    )


def _generation(
    one: Mapping[str, Any], born: datetime, raw: Mapping[str, Any], head: str, rules: _Rules
) -> Generation:
    name = str(one["index"])
    ended, readable = instant(one["written_until"]), bool(one["readable"])
    hidden, deleted = (
        dates(born, ended, readable, rules.entry, rules.protected) if rules.entry else (None, None)
    )
    return Generation(
        name=name,
        tail=name.removeprefix(head),
        born=born,
        ended=ended,
        live=name == raw["write_index"],
        readable=readable,
        size=int(one.get("size_bytes") or 0),
        docs=int(one.get("docs") or 0),
        health=str(one.get("health") or ""),
        hidden=hidden,
        deleted=deleted,
        tonight=rules.tonight.get(name, ""),
        why=rules.why.get(name, ""),
    )


def total(sets: Iterable[RecordSet]) -> int:
    """Bytes of several sets."""
    return sum(one.size for one in sets)
