# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""What tonight's run will do, and why, for people: one line for each step of each set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_data import Cluster, RecordSet
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_words import (
    count_of,
    listed,
    ranges,
    size,
)

_VERBS = {
    "rollover": "Roll over",
    "remove_alias": "Hide",
    "add_alias": "Make readable",
    "snapshot": "Keep a snapshot of",
    "delete_index": "Delete",
}
_PAST = {
    "rollover": "rolls over {}",
    "remove_alias": "hides {}",
    "delete_index": "deletes {}",
}


@dataclass(frozen=True)
class Step:
    """The same thing done to some indices of a set for the same reason."""

    action: str
    which: str
    count: int
    why: str
    bytes: int = 0

    @property
    def verb(self) -> str:
        """Roll over, Hide, Delete, …"""
        return _VERBS.get(self.action, self.action.replace("_", " ").capitalize())


def steps_of(one: RecordSet) -> list[Step]:
    """The steps of one set, in the order in which they are done."""
    tails = {each.name: each.tail for each in one.generations}
    sizes = {each.name: each.size for each in one.generations}
    groups: dict[tuple[str, str], list[str]] = {}
    rolled: dict[str, str] = {}
    for action in one.actions:
        name = _subject(action)
        if action["action"] == "rollover":
            rolled[name] = str(action.get("old_index", ""))
        groups.setdefault((str(action["action"]), str(action.get("why", ""))), []).append(name)
    found = []
    for (kind, why), names in groups.items():
        short = [tails.get(name, name.removeprefix(f"{one.base}-")) for name in names]
        which = ranges(short)
        if kind == "rollover":
            which = f"{tails.get(rolled[names[0]], rolled[names[0]])} → {short[0]}"
        freed = sum(sizes.get(name, 0) for name in names) if kind == "delete_index" else 0
        found.append(Step(kind, which, len(names), why, freed))
    return found


def _subject(action: Mapping[str, Any]) -> str:
    return str(action.get("index") or action.get("snapshot") or action.get("template") or "")


def in_short(clusters: Sequence[Cluster]) -> str:
    """The whole night in one sentence."""
    counts = dict.fromkeys(_PAST, 0)
    freed = 0
    for one in (each for cluster in clusters for each in cluster.sets):
        for step in steps_of(one):
            if step.action in counts:
                counts[step.action] += step.count
                freed += step.bytes
    told = []
    for action, words in _PAST.items():
        if counts[action]:
            noun = "index set" if action == "rollover" else "index"
            told.append(words.format(count_of(counts[action], noun)))
    if not told:
        return "Nothing will be done tonight."
    return f"Tonight's run {listed(told)}{f', which frees {size(freed)}' if freed else ''}."
