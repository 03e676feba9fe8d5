# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories of a cluster: what people, collectors and our own runs do to it, one step after the other.

A World keeps its own record of what is there and of each document: when it was written, and by which name. It knows the server's rules
for an index, an alias and a rollover, but none of the planners' rules. state() is what a read of the cluster would give.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._actions import (
    Action,
    CreateIndex,
    DeleteIndices,
    PutTemplate,
    Rollover,
    UpdateAliases,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import READABLE, IndexSet
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import (
    Index,
    State,
    Template,
    View,
    view,
)

DAY = timedelta(days=1)
# The names of the third begin as those of the first do.
SETS = (IndexSet("prod", "span"), IndexSet("prod", "service"), IndexSet("prod-jaeger-span", "span"))
FILTERED = {"filter": {"term": {"operationName": "x"}}}


@dataclass
class Document:
    """A document: when it was written, by the server's clock. unknowable: nothing on the server tells that it was written so late."""

    at: datetime
    unknowable: bool = False


@dataclass
class Record:
    """What there is of an index."""

    created: datetime
    aliases: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    closed: bool = False
    blocks: frozenset[str] = frozenset()
    rolled: datetime | None = None
    documents: list[Document] = field(default_factory=list)

    @property
    def takes(self) -> bool:
        """Whether something can be written to it."""
        return not self.closed and not self.blocks


@dataclass
class World:
    """A cluster, and the time by its clock."""

    clock: datetime
    records: dict[str, Record] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    gone: dict[str, Record] = field(default_factory=dict)  # what was deleted, as a snapshot has it

    # What a read gives

    def state(self) -> State:
        """What a read would give, sizes and rollovers included."""
        indices = [
            Index(
                name,
                one.created,
                {alias: body.get("is_write_index") for alias, body in one.aliases.items()},
                one.blocks,
                closed=one.closed,
                specs={alias: dict(body) for alias, body in one.aliases.items() if body},
                rolled=one.rolled,
                size=100 * len(one.documents),
            )
            for name, one in self.records.items()
        ]
        return State({index.name: index for index in indices}, dict(self.templates))

    def view(self, one: IndexSet, now: datetime) -> View:
        """One set of it."""
        return view(self.state().split(SETS)[one], one, now)

    def behind(self, alias: str) -> list[str]:
        """The indices behind an alias."""
        return [name for name, one in self.records.items() if alias in one.aliases]

    def generations(self, one: IndexSet) -> list[str]:
        """The generations of a set, in the order of their numbers."""
        return sorted(name for name in self.records if one.generation_of(name) is not None)

    def today(self, one: IndexSet) -> str:
        """The name of today's dated index."""
        return f"{one.base}-{self.clock:%Y-%m-%d}"

    def written(self, one: IndexSet) -> set[str]:
        """What is being written now, whoever looks: behind the write alias, or today's."""
        return {*self.behind(one.write_alias), self.today(one)} & set(self.records)

    # What happens

    def wait(self, seconds: int) -> None:
        """Time goes by."""
        self.clock += timedelta(seconds=seconds)

    def write(self, one: IndexSet) -> None:
        """A collector writes through the alias, if that takes anything."""
        behind = self.behind(one.write_alias)
        if len(behind) == 1 and self.records[behind[0]].takes:
            self.records[behind[0]].documents.append(Document(self.clock))

    def write_dated(self, one: IndexSet, *, aliases: bool) -> None:
        """A collector without aliases writes to today's index; or somebody makes that index to be written through the alias."""
        name = self.today(one)
        if aliases and (self.behind(one.write_alias) or name in self.records):
            return
        record = self.records.setdefault(name, Record(self.clock))
        if aliases:
            record.aliases = {one.read_alias: {}, one.write_alias: {}}
        if record.takes:
            record.documents.append(Document(self.clock))

    def write_by_name(self, name: str) -> None:
        """Somebody writes to an index by its name, after its time."""
        if self.records[name].takes:
            self.records[name].documents.append(Document(self.clock, unknowable=True))

    def put_write_alias(self, one: IndexSet, name: str, *, alone: bool) -> None:
        """Somebody puts the write alias on an index by hand, and takes it from others."""
        if alone:
            self.lose_write_alias(one, name)
        self.records[name].aliases[one.write_alias] = {}

    def lose_write_alias(self, one: IndexSet, spared: str = "") -> None:
        """Somebody takes the write alias away by hand: of all but the newest generation, the server does not know when that was."""
        newest = self.generations(one)[-1:]
        for name in self.behind(one.write_alias):
            if name == spared:
                continue
            del self.records[name].aliases[one.write_alias]
            day = one.period_of(name)
            for document in self.records[name].documents:
                late = document.at > day[1] if day else name not in newest
                document.unknowable = document.unknowable or late

    def close(self, name: str, *, closed: bool) -> None:
        """Somebody closes an index, or opens it."""
        self.records[name].closed = closed

    def block(self, name: str, *, blocked: bool) -> None:
        """Somebody blocks writing to an index, or ends that."""
        self.records[name].blocks = frozenset({"write"} if blocked else ())

    def show(self, one: IndexSet, name: str, body: Mapping[str, Any]) -> None:
        """Somebody puts the read alias on an index, with a filter, say."""
        self.records[name].aliases[one.read_alias] = dict(body)

    def name_also(self, alias: str, names: Iterable[str]) -> None:
        """Somebody puts an alias of his own on indices."""
        for name in names:
            self.records[name].aliases[alias] = {}

    def restore(self, name: str) -> None:
        """Somebody brings an index back from its snapshot, without aliases."""
        if name in self.gone and name not in self.records:
            self.records[name] = replace(self.gone.pop(name), aliases={}, closed=False, blocks=frozenset())
            for document in self.records[name].documents:
                document.unknowable = True  # the mark that told it is gone with the aliases

    def hold(self, one: IndexSet, name: str, days: int) -> None:
        """Somebody asks for an index to be readable for so many days."""
        self.records[name].aliases |= {one.read_alias: {}, one.mark(READABLE, self.clock + days * DAY): {}}

    # What the server does with our requests

    def apply(self, action: Action) -> None:
        """Do what the server does for an action."""
        if isinstance(action, PutTemplate):
            self.templates[action.template.name] = action.template
        elif isinstance(action, CreateIndex):
            assert action.index not in self.records
            self.records[action.index] = Record(
                self.clock,
                {alias: body_of(flag, action.specs.get(alias)) for alias, flag in action.aliases.items()},
            )
        elif isinstance(action, UpdateAliases):
            self._change_aliases(action)
        elif isinstance(action, Rollover):
            self._roll(action)
        elif isinstance(action, DeleteIndices):
            for name in action.names:
                self.gone[name] = self.records.pop(name)
        else:
            raise AssertionError(f"not known here: {action}")

    def _change_aliases(self, action: UpdateAliases) -> None:
        for alias, pattern in action.alone:
            for name in self.behind(alias):
                if name.startswith(pattern.removesuffix("*")) and not self.records[name].closed:
                    del self.records[name].aliases[alias]
        for name, alias in action.remove:
            self.records[name].aliases.pop(alias, None)
        for name, alias, flag in action.add:
            self.records[name].aliases[alias] = body_of(flag, action.specs.get(alias))

    def _roll(self, action: Rollover) -> None:
        (old,) = self.behind(action.write_alias)
        assert action.new_index not in self.records
        body = self.records[old].aliases.pop(action.write_alias)
        self.records[old].rolled = self.clock
        aliases = {alias: body_of(flag, action.specs.get(alias)) for alias, flag in action.aliases.items()}
        self.records[action.new_index] = Record(self.clock, {**aliases, action.write_alias: body})


def body_of(flag: bool | None, spec: Mapping[str, Any] | None) -> dict[str, Any]:
    """An alias as the server keeps it."""
    return {**({} if flag is None else {"is_write_index": flag}), **(spec or {})}
