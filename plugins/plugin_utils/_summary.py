# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""What became of each cluster in a run of Ansible, as a table and as what the results file holds."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# What es_maintenance and es_index_info return. Everything else in a task's result is Ansible's, and stays out of the file.
_RESULT = ("changed", "actions", "kept", "failures", "cluster", "index_sets", "warnings")
_STATE = ("cluster", "index_sets")
_LISTS = ("actions", "kept", "failures", "index_sets")
# The columns that count actions, each with the action's name.
_COUNTED = {"rolled over": "rollover", "out of sight": "remove_alias", "deleted": "delete_index"}
_HEADINGS = ("cluster", "result", *_COUNTED, "kept", "what is wrong")
_WIDEST_NAME = 30
_LEAST_TEXT = 20
_UNDONE = {
    "not run": "the play ended before it was this cluster's turn",
    "cut off": "the run was ended while it was under way",
}

Result = Mapping[str, Any]


@dataclass
class Cluster:
    """One host and what was heard of it.

    results and states are those of es_maintenance and es_index_info; failure is the message of any other task that failed.
    """

    results: list[Result] = field(default_factory=list)
    states: list[Result] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    state_wrong: str = ""
    failure: str | None = None
    unreachable: bool = False
    begun: bool = False
    skipped: bool = False
    check: bool = False

    def add(self, outcome: str, result: Result, check: bool) -> None:
        """A run of es_maintenance: outcome is ok, failed, unreachable or skipped."""
        self.check = check
        if outcome == "skipped":
            self.skipped = True
            return
        self.unreachable = self.unreachable or outcome == "unreachable"
        if outcome in ("failed", "unreachable"):
            self.wrong.append(_message(result))
        self.results += _single(result)

    def add_state(self, outcome: str, result: Result) -> None:
        """A run of es_index_info. A later one that went well makes good for one that did not."""
        if outcome == "ok":
            self.states += _single(result)
            self.state_wrong = ""
        elif outcome != "skipped":
            self.state_wrong = _message(result)

    @property
    def outcome(self) -> str:
        """One word or two for all that happened."""
        if self.unreachable:
            return "unreachable"
        if self.wrong or self.failure is not None:
            return "failed"
        if not self.results:
            return "skipped" if self.skipped else "cut off" if self.begun else "not run"
        if any(result.get("changed") for result in self.results):
            return "would change" if self.check else "changed"
        return "nothing to do"

    @property
    def failed(self) -> bool:
        """Whether the cluster was not maintained as it should have been."""
        return self.outcome in ("unreachable", "failed", *_UNDONE)

    @property
    def message(self) -> str:
        """Why it was not."""
        if self.outcome in _UNDONE:
            return f"{self.outcome}: {_UNDONE[self.outcome]}"
        told = [*self.wrong, *([self.failure] if self.failure is not None else [])]
        return "; ".join(dict.fromkeys(told))

    @property
    def remark(self) -> str:
        """What is wrong, the most important of it first; nothing if all is well."""
        if self.outcome in _UNDONE:
            return _UNDONE[self.outcome]
        if self.failed:
            return self.message.removeprefix("Task failed: ")  # what else, in a table
        if self.state_wrong:
            return f"its state is not known: {self.state_wrong}"
        sentences = [text for state in self.states[-1:] for text in _problems(state)]
        more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
        return sentences[0] + more if sentences else ""

    def counts(self) -> list[str]:
        """How many actions of each counted kind, and how many indices were looked at and left alone."""
        if not any("actions" in result for result in self.results):
            return ["-"] * (len(_COUNTED) + 1)
        actions = Counter(each.get("action") for each in _listed(self.results, "actions"))
        kept = {each.get("index") for each in _listed(self.results, "kept") if each.get("index")}
        return [*(str(actions[name]) for name in _COUNTED.values()), str(len(kept))]

    def row(self, name: str) -> list[str]:
        """Its line of the table."""
        return [name, self.outcome, *self.counts(), self.remark]

    def told(self) -> dict[str, Any]:
        """What the results file says of it."""
        return {
            "failed": self.failed,
            "unreachable": self.unreachable,
            "msg": self.message,
            "result": _merged(self.results),
            "state": {key: self.states[-1].get(key) for key in _STATE} if self.states else None,
        }


class Summary:
    """All clusters of a run, in the order of the inventory. A play counts if it maintains, or was seen to."""

    def __init__(self) -> None:
        self.clusters: dict[str, Cluster] = {}
        self._hosts: Sequence[str] = ()
        self._maintains = False
        self._failures: dict[str, tuple[str, str]] = {}

    def start(self, hosts: Sequence[str], maintains: bool) -> None:
        """A play begins. hosts are all that it is about, in later batches too."""
        self._hosts, self._maintains = hosts, False
        if maintains:
            self._expect()

    def _expect(self) -> None:
        self._maintains = True
        for host in self._hosts:
            self.clusters.setdefault(host, Cluster())

    def begin(self, host: str) -> None:
        """es_maintenance begins on a host."""
        if not self._maintains:
            self._expect()
        self.clusters.setdefault(host, Cluster()).begun = True

    def maintenance(self, host: str, outcome: str, result: Result, check: bool = False) -> None:
        """es_maintenance has ended on a host."""
        if not self._maintains:
            self._expect()
        self.clusters.setdefault(host, Cluster()).add(outcome, result, check)

    def state(self, host: str, outcome: str, result: Result) -> None:
        """es_index_info has ended on a host. It counts where the host is one to be maintained."""
        if host in self.clusters:
            self.clusters[host].add_state(outcome, result)

    def other(self, host: str, outcome: str, result: Result) -> None:
        """Another task was the last one of a host: before its maintenance, or in the same play."""
        cluster = self.clusters.get(host)
        if self._maintains or cluster is None or not cluster.results:
            self._failures.setdefault(host, (outcome, _message(result)))

    def end(self, failed: Iterable[str]) -> dict[str, Cluster]:
        """The run has ended; failed are the hosts on which it did. A failure that was rescued is none."""
        for host in failed:
            cluster = self.clusters.get(host)
            if cluster and not cluster.wrong and host in self._failures:
                outcome, cluster.failure = self._failures[host]
                cluster.unreachable = outcome == "unreachable"
        return self.clusters

    @property
    def check(self) -> bool:
        """Whether the run only says what it would do."""
        return any(cluster.check for cluster in self.clusters.values())

    def told(self) -> dict[str, Any]:
        """What the results file holds."""
        clusters = {name: cluster.told() for name, cluster in self.clusters.items()}
        return {"check_mode": self.check, "clusters": clusters}


def table(clusters: Mapping[str, Cluster], width: int) -> list[tuple[str, str]]:
    """The lines, each with the outcome that it tells; the first and the last tell none.

    Each is one line of so many columns at most, whatever names and messages hold.
    """
    rows = [list(_HEADINGS), *(cluster.row(name) for name, cluster in clusters.items())]
    rows = [[one_line(cell) for cell in row] for row in rows]
    for row in rows:
        row[0] = cut(row[0], _WIDEST_NAME)
    widths = [max(columns(row[place]) for row in rows) for place in range(len(_HEADINGS) - 1)]
    text = max(width - sum(widths) - 2 * len(widths), _LEAST_TEXT)
    lines = [_line(row, widths, text) for row in rows]
    outcomes = ["", *(cluster.outcome for cluster in clusters.values())]
    return [*zip(lines, outcomes), *([(_total(clusters), "")] if len(clusters) > 1 else [])]


def _line(row: Sequence[str], widths: Sequence[int], text: int) -> str:
    cells = []
    for place, (cell, width) in enumerate(zip(row, widths)):
        space = " " * (width - columns(cell))
        cells.append(cell + space if place < 2 else space + cell)
    return "  ".join([*cells, cut(row[-1], text)]).rstrip()


def _total(clusters: Mapping[str, Cluster]) -> str:
    """3 clusters: 2 changed, 1 failed."""
    found = Counter(cluster.outcome for cluster in clusters.values())
    return f"{len(clusters)} clusters: " + ", ".join(f"{count} {word}" for word, count in found.items())


def one_line(text: str) -> str:
    """A text that may have come from elsewhere, as one line without control characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cut(text: str, width: int) -> str:
    """The text, or as much of it as fits, with a sign that there is more."""
    if columns(text) <= width:
        return text
    kept, used = [], 1
    for letter in text:
        used += _columns(letter)
        if used > width:
            break
        kept.append(letter)
    return "".join(kept).rstrip() + "…"


def _single(result: Result) -> list[Result]:
    """The results of a task: of a loop, that of each round that was not skipped."""
    rounds = result.get("results")
    if not isinstance(rounds, list):
        return [result]
    return [one for one in rounds if isinstance(one, Mapping) and not one.get("skipped")]


def _message(result: Result) -> str:
    """Why a task failed, in its own words: of a loop, those of the first round that did."""
    failed = [one for one in _single(result) if one.get("failed") or one.get("unreachable")]
    told = (failed or [result])[0]
    return str(told.get("msg") or told.get("censored") or result.get("msg") or "no reason was given")


def _listed(results: Iterable[Result], key: str) -> list[Any]:
    return [entry for result in results for entry in result.get(key) or [] if isinstance(entry, Mapping)]


def _problems(state: Result) -> list[str]:
    return [str(text) for one in _listed([state], "index_sets") for text in one.get("problems") or []]


def _merged(results: Sequence[Result]) -> dict[str, Any] | None:
    """The results of one host as one; None where the module did not get so far as to have any."""
    told = [result for result in results if "actions" in result]
    if not told:
        return None
    merged: dict[str, Any] = {key: each[key] for each in told for key in _RESULT if key in each}
    merged["changed"] = any(each.get("changed") for each in told)
    if "warnings" in merged:
        merged["warnings"] = [str(text) for each in told for text in each.get("warnings") or []]
    return {**merged, **{key: _listed(told, key) for key in _LISTS if key in merged}}
