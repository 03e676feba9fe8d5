# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""Every rule of the domain: pure functions of what was read, what was asked for and the time.

Each planner gets one index set and gives the actions that bring it where it should be, and what it left alone
and why. No client, no clock, no globals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import dropwhile, takewhile
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._actions import (
    Action,
    CreateIndex,
    DeleteIndices,
    PutTemplate,
    Rollover,
    UpdateAliases,
    batches,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import RefusedError
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import (
    UNBORN,
    Index,
    Member,
    Template,
    View,
)


@dataclass(frozen=True)
class Kept:
    """An index that was considered and left alone."""

    index: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What to do to one index set, in order, and what is left alone."""

    actions: tuple[Action, ...] = ()
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True)
class AgeRule:
    """How old is too old.

    An index is too old when it stopped being written before cutoff (age_from "written"), or when it was created
    before it ("creation", Jaeger's own reckoning). service_cutoff holds for the service set in addition, always
    counted from the end of writing: a collector remembers for 12 h which services it has written and does not
    write them into a new generation before that, so the older one must stay.
    """

    cutoff: datetime
    service_cutoff: datetime
    age_from: str = "written"

    @classmethod
    def at(cls, now: datetime, cutoff: datetime, age_from: str, service_cache_ttl: timedelta) -> AgeRule:
        """The rule for a run that takes place now."""
        return cls(cutoff, now - service_cache_ttl if service_cache_ttl else UNBORN, age_from)

    def keeps(self, member: Member, record_type: str) -> str | None:
        """Why an index is not too old, or None if it is."""
        if member.written_until is None:
            return "still being written"
        instant = member.index.created if self.age_from == "creation" else member.written_until
        if instant >= self.cutoff:
            verb = "created" if self.age_from == "creation" else "written until"
            return f"{verb} {_iso(instant)}, not before the cut-off {_iso(self.cutoff)}"
        if record_type == "service" and member.written_until >= self.service_cutoff:
            return (
                f"written until {_iso(member.written_until)}: a collector may still hold its services in its cache "
                "(service_cache_ttl) and not write them again"
            )
        return None


def plan_init(view: View, template: Template) -> Plan:
    """Template, first index and aliases, or whatever of them is missing. Nothing is created beside a write index."""
    _refuse_concrete_alias(view)
    actions: list[Action] = []
    current = view.state.templates.get(template.name)
    if current is not None and current.priority is None:
        template = replace(template, priority=None)
    if current != template:
        why = "there is none" if current is None else "it differs from Jaeger's for these options"
        actions.append(PutTemplate(template, why))
    write_index = _write_index(view)
    if write_index is None and not view.generations:
        aliases = {view.index_set.read_alias: None, view.index_set.write_alias: None}
        actions.append(CreateIndex(view.index_set.generation_name(1), aliases, "the set has no index yet"))
    else:
        actions += _missing_aliases(view, write_index)
    return Plan(tuple(actions))


def plan_rollover(view: View, conditions: Mapping[str, Any]) -> Plan:
    """One named next generation, readable from its first moment."""
    _refuse_concrete_alias(view)
    write_index = _write_index(view)
    if write_index is None:
        raise RefusedError(
            f"no index is behind the write alias {view.index_set.write_alias}: check index_prefix, "
            "or run es_rollover_init, which creates the set or puts the alias back."
        )
    new_index = view.index_set.generation_name(view.newest_number + 1)
    if view.index_set.generation_of(new_index) is None:
        raise RefusedError(
            f"{new_index} would not be a name of the set: its generations have come to their end."
        )
    return Plan(
        (
            *_readable(view, write_index),
            Rollover(
                write_alias=view.index_set.write_alias,
                old_index=write_index.name,
                new_index=new_index,
                aliases={view.index_set.read_alias: None},
                conditions=conditions,
            ),
        )
    )


def plan_lookback(view: View, rule: AgeRule) -> Plan:
    """Take what is too old out of the read alias."""
    _refuse_concrete_alias(view)
    old: list[tuple[str, str]] = []
    kept = _strangers(view)
    for member in (*view.dated, *view.generations):
        if not member.readable or member.is_write_index:
            continue
        reason = rule.keeps(member, view.index_set.record_type)
        if reason is None:
            old.append((member.index.name, view.index_set.read_alias))
        else:
            kept.append(Kept(member.index.name, reason))
    why = f"older than the cut-off {_iso(rule.cutoff)}"
    return Plan((UpdateAliases(why, remove=tuple(old)),) if old else (), tuple(kept))


def plan_retention(view: View, rule: AgeRule, strategy: str, only_unreadable: bool) -> Plan:
    """Delete what is too old: generations (manual_rollover) or dated indices (periodic), never a write index."""
    _refuse_concrete_alias(view)
    old: list[str] = []
    kept = _strangers(view)
    for member in view.dated if strategy == "periodic" else view.generations:
        reason = _keep(member, view, rule, only_unreadable)
        if reason is None:
            old.append(member.index.name)
        else:
            kept.append(Kept(member.index.name, reason))
    why = f"older than the cut-off {_iso(rule.cutoff)}"
    return Plan(tuple(DeleteIndices(group, why) for group in batches(old)), tuple(kept))


def _keep(member: Member, view: View, rule: AgeRule, only_unreadable: bool) -> str | None:
    if member.is_write_index or any(_writes(alias, flag) for alias, flag in member.index.aliases.items()):
        return "a write index is never deleted"
    reason = rule.keeps(member, view.index_set.record_type)
    if reason is None and only_unreadable and member.readable:
        return "still readable: run es_lookback first, or set only_unreadable to false"
    return reason


def _writes(alias: str, is_write_index: bool | None) -> bool:
    return is_write_index is True or (is_write_index is None and alias.endswith("-write"))


def _write_index(view: View) -> Index | None:
    """The write index; refuses a write alias that does not say which of several indices it means."""
    alias = view.index_set.write_alias
    behind = view.state.behind(alias)
    if behind and view.write_index is None:
        names = ", ".join(sorted(index.name for index in behind))
        raise RefusedError(
            f"the write alias {alias} points to {names} and none of them is marked as its write index: "
            "leave it on the newest one only (POST _aliases), then run again."
        )
    return view.write_index


def _missing_aliases(view: View, write_index: Index | None) -> list[Action]:
    """Put a lost write alias back on the newest generation, and a lost read alias on what it must hold."""
    actions: list[Action] = []
    if write_index is None:
        write_index = view.generations[-1].index
        entry = (write_index.name, view.index_set.write_alias, None)
        actions.append(UpdateAliases("the write alias was lost; this is the newest generation", add=(entry,)))
    if view.state.behind(view.index_set.read_alias):
        return [*actions, *_readable(view, write_index)]
    names = dict.fromkeys([*(member.index.name for member in view.generations), write_index.name])
    add = tuple((name, view.index_set.read_alias, None) for name in names)
    return [
        *actions,
        UpdateAliases("the read alias was lost; the next lookback takes out what is too old", add=add),
    ]


def _readable(view: View, write_index: Index) -> list[Action]:
    """Spans that are written must be found: what an interrupted rollover of other tools left out."""
    if view.index_set.read_alias in write_index.aliases:
        return []
    entry = (write_index.name, view.index_set.read_alias, None)
    return [UpdateAliases("the write index was not readable", add=(entry,))]


def _refuse_concrete_alias(view: View) -> None:
    if view.concrete_alias:
        raise RefusedError(
            f"{view.concrete_alias} is an index, not an alias: a collector wrote before the set was initialised. "
            "Nothing was changed. Stop the collector, reindex its documents into another index, delete it and run "
            "es_rollover_init."
        )


def _strangers(view: View) -> list[Kept]:
    return [
        Kept(name, "its name is not that of a generation or a day of this set") for name in view.strangers
    ]


def _iso(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")


def problems(view: View) -> list[str]:
    """What is wrong with an index set, a sentence each; none for a healthy one, or one of dated indices only."""
    names = view.index_set
    if view.concrete_alias:
        return [f"{view.concrete_alias} is an index where an alias belongs"]
    behind = view.state.behind(names.write_alias)
    if not behind:
        lost = f"no index is behind the write alias {names.write_alias}: es_rollover_init puts it back"
        return [lost] if view.generations else []
    if view.write_index is None:
        return [
            f"{len(behind)} indices are behind {names.write_alias} and none of them is marked as the write index"
        ]
    found = []
    if names.read_alias not in view.write_index.aliases:
        found.append(f"{view.write_index.name} is written but not behind the read alias {names.read_alias}")
    older = dropwhile(lambda member: not member.readable, view.generations)
    found += [
        f"{member.index.name} is not readable, though an older generation is: spans may have been hidden by accident"
        for member in takewhile(lambda member: not member.is_write_index, older)
        if not member.readable
    ]
    newest = view.generations[-1].index if view.generations else view.write_index
    if newest is not view.write_index:
        found.append(f"the write alias is on {view.write_index.name}, but {newest.name} is newer")
    return found
