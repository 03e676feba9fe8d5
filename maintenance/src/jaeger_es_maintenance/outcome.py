# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a scheduled run, and how it is said in one line or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DONE, BUSY, FAILED, OVERTIME, ENDED = "done", "busy", "failed", "overtime", "ended"
CODES = {DONE: 0, BUSY: 0, FAILED: 1, OVERTIME: 124, ENDED: 143}
_TOLD = {  # in this order
    "put_template": ("template set", "templates set"),
    "create_index": ("created", "created"),
    "adopt": ("adopted", "adopted"),
    "rollover": ("rolled over", "rolled over"),
    "add_alias": ("alias added", "aliases added"),
    "remove_alias": ("out of sight", "out of sight"),
    "snapshot": ("snapshot kept", "snapshots kept"),
    "delete_index": ("deleted", "deleted"),
}


@dataclass(frozen=True)
class Outcome:
    """What came of a run. reason: of a failure, if the clusters do not tell one. clusters: what each of them answered.

    notes: what else is to be told, but does not make it a failure.
    """

    word: str
    reason: str = ""
    seconds: float = 0
    clusters: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The exit code."""
        return CODES[self.word]

    @property
    def good(self) -> bool:
        """Whether nobody needs to hear of it."""
        return self.code == 0

    def line(self, name: str) -> str:
        """The whole in one line, the reason of a failure first."""
        if self.word == BUSY:
            return f"{name}: {self.reason}"
        if self.word == DONE:
            return f"done in {self.seconds:.1f} s: {'; '.join(self._told()) or f'{name}: {self.reason}'}"
        reasons = [f"{name}: {self.reason}"] if self.reason else []
        return f"failed after {self.seconds:.1f} s: {'; '.join([*reasons, *self._failed(), *self._told()])}"

    def _failed(self) -> Iterator[str]:
        for cluster, one in self.clusters.items():
            if bad(one):
                done = _counts(one)
                yield f"{cluster}: {one['msg'] or 'it failed'}{f' ({done})' if done else ''}"

    def _told(self) -> Iterator[str]:
        for cluster, one in self.clusters.items():
            if not bad(one):
                yield f"{cluster}: {_counts(one) or 'nothing to do'}"

    def warnings(self) -> Iterator[str]:
        """What is worth a line of its own."""
        yield from self.notes
        for cluster, one in self.clusters.items():
            yield from (f"{cluster}: {text}" for text in (one["result"] or {}).get("warnings", []))

    def as_json(self, name: str) -> dict[str, Any]:
        """The whole for programs."""
        return {
            "name": name,
            "outcome": self.word,
            "exit_code": self.code,
            "seconds": round(self.seconds, 3),
            "message": self.line(name),
            "clusters": {cluster: _as_json(one) for cluster, one in self.clusters.items()},
        }


def bad(one: Mapping[str, Any]) -> bool:
    """Whether a cluster was not looked after."""
    return bool(one["failed"] or one["unreachable"])


def _as_json(one: Mapping[str, Any]) -> dict[str, Any]:
    result = one["result"] or {}
    return {
        "failed": bad(one),
        "msg": one["msg"],
        "counts": actions_of(one),
        **{part: result.get(part, []) for part in ("actions", "failures", "warnings")},
    }


def actions_of(one: Mapping[str, Any]) -> Counter[str]:
    """How many of each action were done in a cluster."""
    return Counter(str(action.get("action")) for action in (one["result"] or {}).get("actions", []))


def _counts(one: Mapping[str, Any]) -> str:
    number = actions_of(one)
    return ", ".join(
        f"{number[action]} {words[number[action] != 1]}" for action, words in _TOLD.items() if number[action]
    )


def clusters_of_results(path: Path) -> dict[str, Any]:
    """What the callback plugin has written, or nothing where there is no such file or it is none of the kind."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["clusters"]
        return {str(name): _cluster(one) for name, one in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _cluster(one: Mapping[str, Any]) -> dict[str, Any]:
    result, state = one.get("result"), one.get("state")
    return {
        "failed": bool(one.get("failed")),
        "unreachable": bool(one.get("unreachable")),
        "msg": str(one.get("msg") or ""),
        "result": _result(result) if isinstance(result, dict) else None,
        "state": state if isinstance(state, dict) else None,
    }


def _result(result: dict[str, Any]) -> dict[str, Any]:
    """A module's result in which the lists are lists, whoever wrote it."""
    kinds = {"actions": dict, "failures": dict, "index_sets": dict, "warnings": str}
    lists = {
        part: [one for one in result[part] if isinstance(one, kind)]
        for part, kind in kinds.items()
        if isinstance(result.get(part), list)
    }
    rest = {name: value for name, value in result.items() if name not in kinds}
    return {**rest, **lists}
