# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""What a decision needs to know of a cluster, as values. Nothing here talks to a server or reads a clock."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    READABLE,
    WRITTEN,
    IndexSet,
    heads_of,
)

MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# A birth that is still to come (check mode predicts an index): later than any cut-off.
UNBORN = datetime.max.replace(tzinfo=timezone.utc)


# Blocks under which an alias of an index cannot be changed, and under which it cannot be deleted.
_ALIAS_BLOCKS = frozenset({"read_only", "read_only_allow_delete", "metadata"})
_DELETION_BLOCKS = frozenset({"read_only", "metadata"})
_WRITE_BLOCKS = frozenset({"read_only", "read_only_allow_delete", "write"})


@dataclass(frozen=True)
class ClusterInfo:
    """Who answered, and when by its own clock: the earliest of its nodes, in UTC.

    distribution is "elasticsearch" or "opensearch"; version is that of the oldest node; uuid is the cluster's.
    """

    distribution: str
    version: str
    clock: datetime
    uuid: str

    @property
    def composable_templates(self) -> bool:
        """Jaeger's tools use composable templates from Elasticsearch 8 on; OpenSearch prefers them from 2 on."""
        return int(self.version.split(".")[0]) >= (2 if self.distribution == "opensearch" else 8)


@dataclass(frozen=True)
class Index:
    """One index. aliases maps each alias to its is_write_index flag (None where the server has none).

    specs has what an alias is beyond its flag, where there is anything: filter, index_routing, search_routing, is_hidden.
    A data stream stands among the aliases of its backing indices. blocks are the names of those that are set
    (read_only, write, ...). What only some runs ask for is None where it was not read: rolled, when the server
    itself rolled an alias away from it; size (bytes on disk, replicas too), docs (nested ones too), health.
    """

    name: str
    created: datetime
    aliases: Mapping[str, bool | None] = field(default_factory=dict)
    blocks: frozenset[str] = frozenset()
    closed: bool = False
    specs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rolled: datetime | None = None
    size: int | None = None
    docs: int | None = None
    health: str | None = None

    @property
    def aliases_blocked(self) -> str:
        """The blocks that keep its aliases from being changed, in words; empty if there are none."""
        return ", ".join(sorted(self.blocks & _ALIAS_BLOCKS))

    @property
    def deletion_blocked(self) -> str:
        """The blocks that keep it from being deleted, in words; empty if there are none."""
        return ", ".join(sorted(self.blocks & _DELETION_BLOCKS))

    @property
    def unwritable(self) -> str:
        """Why nothing can be written to it, in words; empty if it can."""
        return "closed" if self.closed else ", ".join(sorted(self.blocks & _WRITE_BLOCKS))

    def with_alias(
        self, alias: str, is_write_index: bool | None = None, spec: Mapping[str, Any] | None = None
    ) -> Index:
        """The index, behind one more alias."""
        without = self.without_alias(alias)
        specs = {**without.specs, alias: spec} if spec else without.specs
        return replace(self, aliases={**without.aliases, alias: is_write_index}, specs=specs)

    def without_alias(self, alias: str) -> Index:
        """The index, behind one alias less."""
        aliases = {name: flag for name, flag in self.aliases.items() if name != alias}
        return replace(
            self, aliases=aliases, specs={name: spec for name, spec in self.specs.items() if name != alias}
        )


@dataclass(frozen=True)
class Template:
    """An index template, in one form for all servers: settings are flat and all values are strings.

    priority is None for a legacy template, which has none.
    """

    name: str
    index_patterns: tuple[str, ...]
    settings: Mapping[str, str]
    mappings: Mapping[str, Any]
    aliases: Mapping[str, Any] = field(default_factory=dict)
    priority: int | None = 0


@dataclass(frozen=True)
class State:
    """All that was read of a cluster."""

    indices: Mapping[str, Index]
    templates: Mapping[str, Template] = field(default_factory=dict)

    def put(self, *indices: Index) -> State:
        """The state with these indices in it, in place of those of the same name."""
        return replace(self, indices={**self.indices, **{index.name: index for index in indices}})

    def with_rollovers(self, times: Mapping[str, datetime]) -> State:
        """The state, with the time at which the server rolled an alias away from each index."""
        known = [(self.indices[name], time) for name, time in times.items() if name in self.indices]
        return self.put(*(replace(i, rolled=max(time, i.rolled or time)) for i, time in known))

    def refreshed(self, fresh: State) -> State:
        """What was read again, with what only some reads ask for as it was known before."""
        known = [
            replace(i, rolled=old.rolled, size=old.size, docs=old.docs, health=old.health)
            for i in fresh.indices.values()
            if (old := self.indices.get(i.name)) is not None
        ]
        return State(fresh.put(*known).indices, self.templates)

    def drop(self, names: Iterable[str]) -> State:
        """The state without these indices."""
        gone = set(names)
        return replace(
            self, indices={name: index for name, index in self.indices.items() if name not in gone}
        )

    def split(self, index_sets: Iterable[IndexSet]) -> dict[IndexSet, State]:
        """The part of each set: what is named like it or sits behind its aliases. An index may be in several."""
        heads: dict[str, list[IndexSet]] = {}
        aliases: dict[str, list[IndexSet]] = {}
        parts: dict[IndexSet, dict[str, Index]] = {}
        for index_set in index_sets:
            parts[index_set] = {}
            heads.setdefault(index_set.base, []).append(index_set)
            for alias in (index_set.read_alias, index_set.write_alias):
                aliases.setdefault(alias, []).append(index_set)
        for index in self.indices.values():
            for head in heads_of(index.name):
                for index_set in heads.get(head, ()):
                    parts[index_set][index.name] = index
            for alias in index.aliases:
                for index_set in aliases.get(alias, ()):
                    parts[index_set][index.name] = index
        return {index_set: State(part, self.templates) for index_set, part in parts.items()}

    def behind(self, alias: str) -> list[Index]:
        """The indices behind an alias."""
        return [index for index in self.indices.values() if alias in index.aliases]

    def write_index(self, alias: str) -> Index | None:
        """The index that a write alias writes to: the flagged one, or the only one; None if there is none."""
        behind = self.behind(alias)
        flagged = [index for index in behind if index.aliases[alias]]
        if flagged:
            return flagged[0]
        unflagged = [index for index in behind if index.aliases[alias] is None]
        return unflagged[0] if len(unflagged) == 1 == len(behind) else None


@dataclass(frozen=True)
class Member:
    """One index of a set. number is its generation, or None for a dated index.

    written_until is the instant at which it stopped being written: the birth of its successor, or the end of
    its day, or later if the server or a mark says so; None while it is written, and for the newest generation, which has no
    successor. readable_until is until when it is to stay readable, where somebody has said so.
    """

    index: Index
    number: int | None
    readable: bool
    is_write_index: bool
    written_until: datetime | None
    readable_until: datetime | None = None

    def place(self, ended: datetime | None) -> tuple[bool, datetime, datetime, int, str]:
        """What members are sorted by, the oldest first, if this one's age counts from ended; what is still written is last."""
        index = self.index
        return self.written_until is None, ended or UNBORN, index.created, self.number or 0, index.name


@dataclass(frozen=True)
class View:
    """One index set within a state: what belongs to it by its exact name, and what does not.

    generations stand in the order of their numbers, dated in that of their names.
    """

    state: State
    index_set: IndexSet
    generations: tuple[Member, ...]
    dated: tuple[Member, ...]
    strangers: tuple[str, ...]

    @property
    def write_index(self) -> Index | None:
        """The one index that the write alias points to now."""
        return self.state.write_index(self.index_set.write_alias)

    @property
    def newest_number(self) -> int:
        """The highest generation there is; 0 if there is none."""
        return max((member.number or 0 for member in self.generations), default=0)

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """All that belongs to the set, in the order in which they stopped being written; what is still written is last."""
        return tuple(
            sorted((*self.dated, *self.generations), key=lambda member: member.place(member.written_until))
        )

    @cached_property
    def leading(self) -> tuple[Member, ...]:
        """The members whose aliases others follow: what is written now or, of dated indices of which nothing is, the newest."""
        written = tuple(member for member in self.members if member.is_write_index)
        return written or (() if self.generations else self.members[-1:])

    def spec_of(self, alias: str) -> Mapping[str, Any]:
        """What an alias is beyond its flag: as on the write index or, if that is not behind it, on the newest index that is."""
        write_index = self.write_index
        if write_index is None or alias not in write_index.aliases:
            behind = self.state.behind(alias)
            write_index = max(behind, key=lambda index: (index.created, index.name), default=None)
        return write_index.specs.get(alias, {}) if write_index else {}

    @property
    def concrete(self) -> tuple[str, ...]:
        """Names of the indices that sit where an alias belongs: a collector wrote before init."""
        names = (self.index_set.write_alias, self.index_set.read_alias)
        return tuple(name for name in names if name in self.state.indices)


def view(state: State, index_set: IndexSet, now: datetime | None = None, separator: str = "-") -> View:
    """Cut one index set out of a state. now tells which dated index is still being written."""
    write_index = state.write_index(index_set.write_alias)
    numbered: list[tuple[int, Index]] = []
    dated: list[Member] = []
    strangers: list[str] = []
    for index in state.indices.values():
        number = index_set.generation_of(index.name)
        period = index_set.period_of(index.name, separator) if number is None else None
        readable = index_set.read_alias in index.aliases
        if number is not None:
            numbered.append((number, index))
        elif period is not None:
            live = index is write_index or (now is not None and now <= period[1])
            written = live or _maybe_written(index_set, index)
            end = None if written else _latest(index_set, index, max(period[1], index.created))
            dated.append(Member(index, None, readable, live, end, _held(index_set, index)))
        elif _belongs(index, index_set):
            strangers.append(index.name)
    generations = _generations(numbered, write_index, index_set)
    dated.sort(key=lambda member: member.index.name)
    return View(state, index_set, generations, tuple(dated), tuple(sorted(strangers)))


def _generations(
    numbered: list[tuple[int, Index]], write_index: Index | None, index_set: IndexSet
) -> tuple[Member, ...]:
    """The generations in order, each written until the first birth after its own among those of a higher number.

    A higher number that is older than the index itself (made or restored by hand) cannot have ended its writing.
    """
    members: list[Member] = []
    later_births: list[datetime] = []
    for number, index in sorted(numbered, key=lambda pair: pair[0], reverse=True):
        place = bisect_left(later_births, index.created)
        live = index is write_index
        ended = None
        if place < len(later_births) and not _maybe_written(index_set, index):
            ended = _latest(index_set, index, later_births[place])
        readable = index_set.read_alias in index.aliases
        members.append(Member(index, number, readable, live, ended, _held(index_set, index)))
        insort(later_births, index.created)
    return tuple(reversed(members))


def _maybe_written(index_set: IndexSet, index: Index) -> bool:
    """Whether the write alias does not say that it writes elsewhere: until that is mended, each of several may have been written."""
    return index.aliases.get(index_set.write_alias, False) is not False


def _latest(index_set: IndexSet, index: Index, ended: datetime) -> datetime:
    """When writing ended: a write alias that was on the index for longer shows in when it was rolled or moved away from it."""
    marked = index_set.marks(WRITTEN, index.aliases).values()
    return max(ended, index.rolled or ended, *marked)


def _held(index_set: IndexSet, index: Index) -> datetime | None:
    return max(index_set.marks(READABLE, index.aliases).values(), default=None)


def _belongs(index: Index, index_set: IndexSet) -> bool:
    """Whether a name that does not parse is worth a word: it looks like the set's, or sits behind its aliases."""
    if index_set.read_alias in index.aliases or index_set.write_alias in index.aliases:
        return True
    archive = IndexSet(index_set.prefix, "span-archive").base
    other = index_set.record_type == "span" and index.name.startswith(f"{archive}-")
    return index.name.startswith(f"{index_set.base}-") and not other
