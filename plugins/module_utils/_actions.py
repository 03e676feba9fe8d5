# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""What can be done to a cluster. Each action is one request.

describe() tells it to the operator before it is done, apply() does it, predict() gives the state after it, and
remaining() says what of it is still to do in a state that was read again: None if nothing is. The last one is
how an answer that never came is dealt with: read, ask remaining(), go on; nothing is repeated blindly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from ansible_collections.tracestack.jaeger.plugins.module_utils._state import UNBORN, Index, State, Template

if TYPE_CHECKING:
    from ansible_collections.tracestack.jaeger.plugins.module_utils._connection import Cluster

# Elasticsearch's default http.max_initial_line_length is 4 KiB; the rest is for the method and the parameters.
MAX_NAMES_BYTES = 3500
Description = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of an action: whether it changed anything, and if not, why."""

    changed: bool
    reason: str = ""


DONE = Outcome(True)


class Action(Protocol):
    """One thing to do."""

    def describe(self) -> list[Description]: ...

    def preview(self, cluster: Cluster) -> Outcome: ...

    def apply(self, cluster: Cluster) -> Outcome: ...

    def predict(self, state: State) -> State: ...

    def remaining(self, state: State) -> Action | None: ...


class _Certain:
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
    """Create an index together with its aliases, in one atomic step."""

    index: str
    aliases: Mapping[str, bool | None]
    why: str

    def describe(self) -> list[Description]:
        return [
            {"action": "create_index", "index": self.index, "alias": alias, "why": self.why}
            for alias in self.aliases
        ]

    def apply(self, cluster: Cluster) -> Outcome:
        cluster.create_index(self.index, self.aliases)
        return DONE

    def predict(self, state: State) -> State:
        return state.put(Index(self.index, UNBORN, dict(self.aliases)))

    def remaining(self, state: State) -> Action | None:
        if self.index not in state.indices:
            return self
        add = tuple((self.index, alias, flag) for alias, flag in self.aliases.items())
        return UpdateAliases(self.why, add=add).remaining(state)


@dataclass(frozen=True)
class UpdateAliases(_Certain):
    """Add and remove aliases, in one atomic step. Entries: (index, alias, is_write_index flag), (index, alias)."""

    why: str
    add: tuple[tuple[str, str, bool | None], ...] = ()
    remove: tuple[tuple[str, str], ...] = ()

    def describe(self) -> list[Description]:
        removed = [
            {"action": "remove_alias", "index": i, "alias": a, "why": self.why} for i, a in self.remove
        ]
        return removed + [
            {"action": "add_alias", "index": i, "alias": a, "why": self.why} for i, a, _flag in self.add
        ]

    def apply(self, cluster: Cluster) -> Outcome:
        cluster.update_aliases(self.add, self.remove)
        return DONE

    def predict(self, state: State) -> State:
        for index, alias in self.remove:
            state = state.put(state.indices[index].without_alias(alias))
        for index, alias, flag in self.add:
            state = state.put(state.indices[index].with_alias(alias, flag))
        return state

    def remaining(self, state: State) -> Action | None:
        known = state.indices
        add = tuple(e for e in self.add if e[0] in known and known[e[0]].aliases.get(e[1], "none") != e[2])
        remove = tuple(e for e in self.remove if e[0] in known and e[1] in known[e[0]].aliases)
        return replace(self, add=add, remove=remove) if add or remove else None


@dataclass(frozen=True)
class Rollover:
    """Roll the write alias over to one named new index, which gets the read alias in the same request.

    The name is explicit so that the server arbitrates between two runs: the second one finds that it exists.
    """

    write_alias: str
    old_index: str
    new_index: str
    aliases: Mapping[str, bool | None]
    conditions: Mapping[str, Any]
    why: str = field(default="its conditions are met")

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
        found = cluster.rollover_would(self.write_alias, self.new_index, self.conditions)
        return DONE if conditions_met(found) else Outcome(False, _unmet(found))

    def apply(self, cluster: Cluster) -> Outcome:
        rolled, found = cluster.rollover(self.write_alias, self.new_index, self.conditions, self.aliases)
        return DONE if rolled else Outcome(False, _unmet(found))

    def predict(self, state: State) -> State:
        old = state.indices[self.old_index]
        flag = old.aliases.get(self.write_alias)
        # With is_write_index the old index stays behind the write alias and loses the flag; without, it leaves.
        left = old.with_alias(self.write_alias, False) if flag else old.without_alias(self.write_alias)
        new = Index(self.new_index, UNBORN, {**self.aliases, self.write_alias: flag})
        return state.put(left, new)

    def remaining(self, state: State) -> Action | None:
        return None if self.new_index in state.indices else self


@dataclass(frozen=True)
class DeleteIndices(_Certain):
    """Delete indices by exact name; one that is gone already is fine. No more of them than a URL can name."""

    names: tuple[str, ...]
    why: str

    def describe(self) -> list[Description]:
        return [{"action": "delete_index", "index": name, "why": self.why} for name in self.names]

    def apply(self, cluster: Cluster) -> Outcome:
        cluster.delete_indices(self.names)
        return DONE

    def predict(self, state: State) -> State:
        return state.drop(self.names)

    def remaining(self, state: State) -> Action | None:
        left = tuple(name for name in self.names if name in state.indices)
        return replace(self, names=left) if left else None


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
