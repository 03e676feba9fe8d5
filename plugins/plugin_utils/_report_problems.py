# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""What is wrong, in plain words: what it means first, then the module's own sentence, then what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_data import Cluster, RecordSet
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_words import count_of, listed

_SETUP = "Run playbooks/setup.yml --tags index_lifecycle."
# A part of the module's sentence, what it means, what to do. The first that fits counts.
_MEANINGS = (
    (
        "is an index where an alias belongs",
        "A collector wrote before the set was made",
        "Stop the collector, set index_lifecycle_adopt: [concrete] and run playbooks/setup.yml --tags index_lifecycle.",
    ),
    ("no index is behind the write alias", "New data has nowhere to go", _SETUP),
    ("marked as the write index", "New data has nowhere to go", _SETUP),
    ("the write index, is closed", "New data has nowhere to go", _SETUP),
    ("is closed: nothing", "An index cannot be read", "Open it, if its data is needed."),
    (
        "is never deleted, as",
        "An index is kept for somebody else",
        "Take the alias away, or name it in index_lifecycle_ignored_aliases.",
    ),
    (
        "is written but not behind the read alias",
        "What is written now cannot be found",
        "The next playbooks/rollover.yml puts it right.",
    ),
    (
        "though an older generation is",
        "Data in the middle cannot be found",
        "Set index_lifecycle_adopt: [generations] and run playbooks/setup.yml --tags index_lifecycle, if that was an accident.",
    ),
    ("is newer", "An old generation is being written", "The next rollover goes on from the newest one."),
    (
        "is blocked (",
        "An index cannot be changed",
        "Free space on the disk, then remove the block.",
    ),
    ("has health red", "A part of the data is not there", "See why with GET _cluster/allocation/explain."),
)
_SHOWN = 30


@dataclass(frozen=True)
class Problem:
    """One thing that needs somebody. urgent: it does now. anchor is where on the page it belongs."""

    urgent: bool
    headline: str
    where: tuple[str, ...]
    text: str
    advice: str = ""
    anchor: str = ""


def problems_of(cluster: Cluster, anchors: dict[RecordSet, str], anchor: str) -> list[Problem]:
    """All that is wrong with a cluster and its sets, the worst first."""
    here = (cluster.name,)
    if cluster.error:
        return [Problem(True, "This cluster could not be looked at", here, cluster.error, anchor=anchor)]
    found = []
    if cluster.blind:
        found.append(Problem(True, "Tonight's run would fail", here, cluster.blind, anchor=anchor))
    if not cluster.sets:
        text = "No index of Jaeger was found."
        found.append(Problem(True, "There is nothing here", here, text, _SETUP, anchor))
    for one in cluster.sets:
        whose = (cluster.name, one.base)
        found += [_meaning(text, whose, anchors[one]) for text in one.problems]
        found += [
            Problem(True, "Tonight's run would fail here", whose, text, anchor=anchors[one])
            for text in one.failures
        ]
    found += [Problem(False, "Worth a look", here, text, anchor=anchor) for text in cluster.warnings]
    return [*found, *_unmanaged(cluster, here, anchor)]


def _meaning(text: str, whose: tuple[str, ...], anchor: str) -> Problem:
    for part, headline, advice in _MEANINGS:
        if part in text:
            return Problem(True, headline, whose, text, advice, anchor)
    return Problem(True, "Something is wrong", whose, text, anchor=anchor)


def _unmanaged(cluster: Cluster, here: tuple[str, ...], anchor: str) -> Iterable[Problem]:
    """Sets that nobody looks after: they grow for ever."""
    names = [one.base for one in cluster.sets if one.entry is None]
    if cluster.blind or not names:
        return []
    shown = names[:_SHOWN] + ([f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])
    text = f"Nothing is ever rolled over, hidden or deleted in {listed(shown)}."
    headline = f"{count_of(len(names), 'index set')} {'is' if len(names) == 1 else 'are'} not looked after"
    return [
        Problem(False, headline, here, text, "Name it in index_lifecycle_index_sets, if it is yours.", anchor)
    ]
