# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""What can be done to a cluster. Each action is one request, but for a snapshot and an adoption, which can be
begun again at any point.

describe() tells it to the operator before it is done, apply() does it, predict() gives the state after it, and
remaining() says what of it is still to do in a state that was read again: None if nothing is. The last one is
how an answer that never came is dealt with: read, ask remaining(), go on; nothing is repeated blindly.
merge() makes one request of the same kind of action for several index sets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote

from ansible_collections.tracestack.jaeger.plugins.module_utils._state import UNBORN, Index, State, Template

if TYPE_CHECKING:
    from ansible_collections.tracestack.jaeger.plugins.module_utils._connection import Cluster

# Elasticsearch's default http.max_initial_line_length is 4 KiB; the rest is for the method and the parameters.
MAX_NAMES_BYTES = 3500
Description = dict[str, Any]
Specs = Mapping[str, Mapping[str, Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """What came of an action: whether it changed anything, and if not, why.

    new_index is the name that the server itself chose; told is what the action's description gets in addition.
    settled: the state was read afterwards, so it need not be predicted.
    """

    changed: bool
    reason: str = ""
    settled: bool = False
    new_index: str | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


DONE = Outcome(True)


class Action(Protocol):
    """One thing to do."""

    def describe(self) -> list[Description]: ...

    def preview(self, cluster: Cluster) -> Outcome: ...

    def apply(self, cluster: Cluster) -> Outcome: ...

    def predict(self, state: State) -> State: ...

    def remaining(self, state: State) -> Action | None: ...

    def named_by(self, outcome: Outcome) -> Action: ...


class _Plain:
    """An action whose names are all known before."""

    def named_by(self: T, outcome: Outcome) -> T:
        return self


class _Certain(_Plain):
    """An action whose effect needs no asking."""

    def preview(self, cluster: Cluster) -> Outcome:
        return DONE


@dataclass(frozen=True)
class PutTemplate(_Certain):
    """Create or replace an index template."""

    template: Template
    why: str

    def describe(self) -> list[Description]:
        return [{"action": "put_template", "template": self.template.name, "why": self.why}]

    def apply(self, cluster: Cluster) -> Outcome:
        cluster.put_template(self.template)
        return DONE

    def predict(self, state: State) -> State:
        return replace(state, templates={**state.templates, self.template.name: self.template})

    def remaining(self, state: State) -> Action | None:
        return self  # to put the same template twice gives the same


@dataclass(frozen=True)
class CreateIndex(_Certain):
    """Create an index together with its aliases, in one atomic step, if it gets what template says.

    specs has what an alias is beyond its flag, as in Index.
    """

    index: str
    aliases: Mapping[str, bool | None]
    why: str
    template: Template
    specs: Specs = field(default_factory=dict)

    def describe(self) -> list[Description]:
        return [
            {"action": "create_index", "index": self.index, "alias": alias, "why": self.why}
            for alias in self.aliases
        ]

    def apply(self, cluster: Cluster) -> Outcome:
        cluster.check_template(self.index, self.template)
        cluster.create_index(self.index, _alias_bodies(self.aliases, self.specs))
        return DONE

    def predict(self, state: State) -> State:
        return state.put(_new_index(self.index, self.aliases, self.specs))

    def remaining(self, state: State) -> Action | None:
        # Whoever has made it may have rolled over since: an alias that it lacks is a matter for the next look at the whole set.
        return None if self.index in state.indices else self


@dataclass(frozen=True)
class UpdateAliases(_Certain):
    """Add and remove aliases, in one atomic step. Entries: (index, alias, is_write_index flag), (index, alias).

    specs has what an added alias is beyond its flag, as in Index. alone: aliases that are on nothing else afterwards, wherever
    another run has put them meanwhile; with each the pattern of where that may be.
    """

    why: str
    add: tuple[tuple[str, str, bool | None], ...] = ()
    remove: tuple[tuple[str, str], ...] = ()
    specs: Specs = field(default_factory=dict)
    alone: tuple[tuple[str, str], ...] = ()

    def describe(self) -> list[Description]:
        removed = [
            {"action": "remove_alias", "index": i, "alias": a, "why": self.why} for i, a in self.remove
        ]
        return removed + [
            {"action": "add_alias", "index": i, "alias": a, "why": self.why} for i, a, _flag in self.add
        ]

    def apply(self, cluster: Cluster) -> Outcome:
        elsewhere = tuple((pattern, alias) for alias, pattern in self.alone)
        cluster.update_aliases(self.bodies, elsewhere + self.remove)
        return DONE

    def predict(self, state: State) -> State:
        changed: dict[str, Index] = {}
        for name, alias in (*self.remove, *self._elsewhere(state)):
            if index := changed.get(name) or state.indices.get(name):
                changed[name] = index.without_alias(alias)
        for name, alias, flag in self.add:
            if index := changed.get(name) or state.indices.get(name):
                changed[name] = index.with_alias(alias, flag, self.specs.get(alias))
        return state.put(*changed.values())

    def remaining(self, state: State) -> Action | None:
        known = state.indices
        add = tuple(e for e in self.add if e[0] in known and known[e[0]].aliases.get(e[1], "none") != e[2])
        remove = tuple(e for e in self.remove if e[0] in known and e[1] in known[e[0]].aliases)
        if self._elsewhere(state):  # taken away there and added here in one step, or not at all
            return replace(self, remove=remove)
        return replace(self, add=add, remove=remove, alone=()) if add or remove else None

    @property
    def bodies(self) -> list[tuple[str, str, dict[str, Any]]]:
        """What is to be added, as the server takes it: index, alias, what the alias is."""
        return [(name, alias, _alias_body(flag, self.specs.get(alias))) for name, alias, flag in self.add]

    def _elsewhere(self, state: State) -> list[tuple[str, str]]:
        """Where the aliases that are to be alone are besides."""
        wanted = {(name, alias) for name, alias, _flag in self.add}
        return [
            (index.name, alias)
            for alias, _pattern in self.alone
            for index in state.behind(alias)
            if (index.name, alias) not in wanted
        ]


@dataclass(frozen=True)
class Rollover:
    """Roll the write alias over to one named new index, which gets the read alias in the same request.

    The name is explicit so that the server arbitrates between two runs: the second one finds that it exists. Of a
    data stream's next backing index (named False) the server makes the name; new_index is what it will probably be.
    """

    write_alias: str
    old_index: str
    new_index: str
    aliases: Mapping[str, bool | None]
    conditions: Mapping[str, Any]
    named: bool = True
    why: str = field(default="its conditions are met")
    specs: Specs = field(default_factory=dict)

    @property
    def target(self) -> str | None:
        """The new index's name, where it is ours to choose."""
        return self.new_index if self.named else None

    def describe(self) -> list[Description]:
        return [
            {
                "action": "rollover",
                "index": self.new_index,
                "old_index": self.old_index,
                "alias": self.write_alias,
                "why": self.why,
            }
        ]

    def preview(self, cluster: Cluster) -> Outcome:
        name, found = cluster.rollover_would(self.write_alias, self.target, self.conditions)
        return Outcome(True, new_index=name) if conditions_met(found) else Outcome(False, _unmet(found))

    def apply(self, cluster: Cluster) -> Outcome:
        bodies = _alias_bodies(self.aliases, self.specs)
        name, found = cluster.rollover(self.write_alias, self.target, self.conditions, bodies)
        return Outcome(True, new_index=name) if name else Outcome(False, _unmet(found))

    def predict(self, state: State) -> State:
        old = state.indices.get(self.old_index)
        flag = old.aliases.get(self.write_alias) if old else None
        new = _new_index(self.new_index, {**self.aliases, self.write_alias: flag}, self.specs)
        if old is None:
            return state.put(new)
        # With is_write_index the old index stays behind the write alias and loses the flag; without, it leaves.
        left = old.with_alias(self.write_alias, False) if flag else old.without_alias(self.write_alias)
        return state.put(replace(left, rolled=UNBORN), new)

    def named_by(self, outcome: Outcome) -> Rollover:
        return replace(self, new_index=outcome.new_index or self.new_index)

    def remaining(self, state: State) -> Action | None:
        if self.named:
            return None if self.new_index in state.indices else self
        now = state.write_index(self.write_alias)
        return None if now and now.name != self.old_index else self


@dataclass(frozen=True)
class DeleteIndices(_Certain):
    """Delete indices by exact name; one that is gone already is fine. why tells it for each name."""

    names: tuple[str, ...]
    why: Mapping[str, str]

    def describe(self) -> list[Description]:
        return [{"action": "delete_index", "index": name, "why": self.why[name]} for name in self.names]

    def apply(self, cluster: Cluster) -> Outcome:
        cluster.delete_indices(self.names)
        return DONE

    def predict(self, state: State) -> State:
        return state.drop(self.names)

    def remaining(self, state: State) -> Action | None:
        left = tuple(name for name in self.names if name in state.indices)
        return replace(self, names=left) if left else None


@dataclass(frozen=True)
class Snapshot(_Plain):
    """Keep indices in a snapshot, and see that it has succeeded, before they are deleted. seconds: how long at most.

    The name follows from stamp, cluster, run and indices, so that one whose answer was lost is found again, and that of another
    cluster in the same repository, or of another run, is another one.
    """

    repository: str
    names: tuple[str, ...]
    stamp: str
    seconds: int

    def snapshot(self, cluster_uuid: str, run: str) -> str:
        """Name of the snapshot, in a cluster and of a run."""
        parts = (cluster_uuid, ",".join([run, *sorted(self.names)]))
        digests = (hashlib.sha256(part.encode()).hexdigest()[:8] for part in parts)
        return "-".join(("jaeger-retention", self.stamp, *digests))

    def describe(self) -> list[Description]:
        why = f"kept in repository {self.repository} before it is deleted"
        return [{"action": "snapshot", "index": name, "why": why} for name in self.names]

    def preview(self, cluster: Cluster) -> Outcome:
        cluster.check_repository(self.repository)
        return DONE

    def apply(self, cluster: Cluster) -> Outcome:
        name = self.snapshot(cluster.info.uuid, cluster.run)
        cluster.snapshot(self.repository, name, self.names, self.seconds)
        return Outcome(True, told={"snapshot": f"{self.repository}/{name}"})

    def predict(self, state: State) -> State:
        return state

    def remaining(self, state: State) -> Action | None:
        return self  # begun again, it finds the one of its name


@dataclass(frozen=True)
class Restore(_Plain):
    """Bring indices back from a snapshot, without the aliases that they had, but with a mark that keeps them.

    seconds: how long to wait for them at most.
    """

    repository: str
    snapshot: str
    names: tuple[str, ...]
    mark: str
    seconds: int

    def describe(self) -> list[Description]:
        where = f"{self.repository}/{self.snapshot}"
        why = "it is not in the cluster any more"
        return [{"action": "restore", "index": name, "snapshot": where, "why": why} for name in self.names]

    def preview(self, cluster: Cluster) -> Outcome:
        cluster.check_snapshot(self.repository, self.snapshot, self.names)
        return DONE

    def apply(self, cluster: Cluster) -> Outcome:
        cluster.restore(self.repository, self.snapshot, self.names, self.mark, self.seconds)
        return DONE

    def predict(self, state: State) -> State:
        return state.put(*(Index(name, UNBORN, {self.mark: None}) for name in self.names))

    def remaining(self, state: State) -> Action | None:
        marked = {index.name for index in state.behind(self.mark)}
        left = tuple(name for name in self.names if name not in marked)
        return replace(self, names=left) if left else None


@dataclass(frozen=True)
class Adopt(_Certain):
    """Move the documents of indices that sit where an alias belongs into a generation, and put the alias there.

    The documents are copied while the collector goes on writing; only the last of them are copied under a write
    block, which ends with the one request that deletes the sources and adds the aliases. moved: those that the sources had.
    """

    sources: tuple[str, ...]
    target: str
    marker: str
    template: Template
    add: tuple[tuple[str, str, bool | None], ...]
    remove: tuple[tuple[str, str], ...] = ()
    specs: Specs = field(default_factory=dict)
    moved: tuple[str, ...] = ()

    def describe(self) -> list[Description]:
        why = "an index was where an alias belongs; its documents are moved into a generation"
        adopted = [
            {"action": "adopt", "index": self.target, "old_index": s, "why": why} for s in self.sources
        ]
        why = "an alias of the index whose documents are moved"
        return adopted + [
            {"action": "add_alias", "index": self.target, "alias": alias, "why": why} for alias in self.moved
        ]

    @property
    def swap(self) -> UpdateAliases:
        """What becomes of aliases, in the one request that deletes the sources."""
        return UpdateAliases("", self.add, (*self.remove, (self.target, self.marker)), self.specs)

    def apply(self, cluster: Cluster) -> Outcome:
        cluster.check_template(self.target, self.template)
        done = cluster.adopt(self)
        return Outcome(True, told={"documents": done.documents, "write_blocked_seconds": done.blocked})

    def predict(self, state: State) -> State:
        if self.target not in state.indices:
            state = state.put(Index(self.target, UNBORN))
        return self.swap.predict(state.drop(self.sources))

    def remaining(self, state: State) -> Action | None:
        return self if any(source in state.indices for source in self.sources) else None


@dataclass(frozen=True)
class EndWriteBlock(_Certain):
    """Let a write index be written again."""

    index: str
    why: str

    def describe(self) -> list[Description]:
        return [{"action": "end_write_block", "index": self.index, "why": self.why}]

    def apply(self, cluster: Cluster) -> Outcome:
        cluster.end_write_block(self.index)
        return DONE

    def predict(self, state: State) -> State:
        index = state.indices[self.index]
        return state.put(replace(index, blocks=index.blocks - {"write"}))

    def remaining(self, state: State) -> Action | None:
        index = state.indices.get(self.index)
        return self if index and "write" in index.blocks else None


Parts = dict[int, "Action"]


def merge(actions: Sequence[Action]) -> list[tuple[Action, Parts]]:
    """The fewest requests for these actions, each with the part that it does of each action, by the action's place.

    Alias changes become one request; deletions as few as a URL can name; snapshots one for each repository.
    """
    merged: list[tuple[Action, Parts]] = []
    aliases: dict[int, UpdateAliases] = {}
    deletions: dict[int, DeleteIndices] = {}
    snapshots: dict[tuple[str, str, int], dict[int, Snapshot]] = {}
    for place, action in enumerate(actions):
        if isinstance(action, Snapshot):
            kind = (action.repository, action.stamp, action.seconds)
            snapshots.setdefault(kind, {})[place] = action
        elif isinstance(action, UpdateAliases):
            aliases[place] = action
        elif isinstance(action, DeleteIndices):
            deletions[place] = action
        else:
            merged.append((action, {place: action}))
    if aliases:
        add = tuple(entry for one in aliases.values() for entry in one.add)
        remove = tuple(entry for one in aliases.values() for entry in one.remove)
        specs = {alias: spec for one in aliases.values() for alias, spec in one.specs.items()}
        alone = tuple(entry for one in aliases.values() for entry in one.alone)
        merged.append((UpdateAliases("", add, remove, specs, alone), dict(aliases)))
    for group in snapshots.values():
        names = tuple(name for one in group.values() for name in one.names)
        merged.append((replace(next(iter(group.values())), names=names), dict(group)))
    owner = {name: place for place, one in deletions.items() for name in one.names}
    for names in batches(owner):
        parts: dict[int, tuple[str, ...]] = {}
        for name in names:
            parts[owner[name]] = (*parts.get(owner[name], ()), name)
        told = {place: replace(deletions[place], names=part) for place, part in parts.items()}
        merged.append((DeleteIndices(names, {}), dict(told)))
    return merged


def _alias_body(flag: bool | None, spec: Mapping[str, Any] | None) -> dict[str, Any]:
    """An alias as the server takes it: its flag, if it has one, and what it is beyond that."""
    return {**({} if flag is None else {"is_write_index": flag}), **(spec or {})}


def _alias_bodies(aliases: Mapping[str, bool | None], specs: Specs) -> dict[str, dict[str, Any]]:
    """Aliases as the server takes them, by name."""
    return {alias: _alias_body(flag, specs.get(alias)) for alias, flag in aliases.items()}


def _new_index(name: str, aliases: Mapping[str, bool | None], specs: Specs) -> Index:
    return Index(name, UNBORN, dict(aliases), specs={a: s for a, s in specs.items() if s and a in aliases})


def conditions_met(found: Mapping[str, bool]) -> bool:
    """Elasticsearch's rule: every min_ condition and at least one of the others; no condition at all is met."""
    least = [met for name, met in found.items() if name.startswith("[min_")]
    others = [met for name, met in found.items() if not name.startswith("[min_")]
    return not found or (all(least) and any(others))


def _unmet(found: Mapping[str, bool]) -> str:
    missed = ", ".join(sorted(name.strip("[]") for name, met in found.items() if not met))
    return f"conditions not met ({missed})"


def batches(names: Iterable[str], limit: int = MAX_NAMES_BYTES) -> list[tuple[str, ...]]:
    """Cut names into groups whose URL stays below the limit, counted as it is sent (%-encoded bytes)."""
    groups: list[tuple[str, ...]] = []
    group: list[str] = []
    length = 0
    for name in names:
        size = len(quote(name, safe="")) + 1
        if group and length + size > limit:
            groups.append(tuple(group))
            group, length = [], 0
        group.append(name)
        length += size
    return [*groups, tuple(group)] if group else groups
