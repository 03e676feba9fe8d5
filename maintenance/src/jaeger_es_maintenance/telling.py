# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result in short lines: what was done and why, and what was left alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# As in the role index_lifecycle.
WORDS = {
    "put_template": "set template",
    "create_index": "create",
    "rollover": "roll over to",
    "remove_alias": "take out of sight",
    "add_alias": "add alias",
    "snapshot": "keep a snapshot of",
    "delete_index": "delete",
    "adopt": "adopt into",
    "end_write_block": "let be written",
}


def lines(result: Mapping[str, Any], check: bool) -> Iterator[str]:
    """One line for each action and each index that was kept, and one that sums up."""
    actions = result.get("actions", [])
    kept = result.get("kept", [])
    for action in actions:
        name = str(action.get("index") or action["template"])
        if action["action"] in ("create_index", "add_alias"):
            name = f"{name} behind {action['alias']}"
        yield _line(WORDS.get(action["action"], action["action"]), name, action["why"])
    for entry in kept:
        name = entry["index"] or f"{entry['index_prefix']} {entry['record_type']}".strip()
        yield _line("keep", name, entry["reason"])
    number = f"{len(actions)} {'change' if len(actions) == 1 else 'changes'}"
    if result.get("failed"):
        if actions:
            yield f"failed after {number}"
    elif check:
        yield f"check: {number} would be made, nothing was changed"
    else:
        yield f"done: {number}" if actions else "done: nothing to do"


def index_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """One line for each index set, and one for each thing that is wrong with it."""
    for one in result.get("index_sets", []):
        name = f"{one['index_prefix']} {one['record_type']}".strip()
        indices = one["indices"]
        readable = sum(index["readable"] for index in indices)
        number = f"{len(indices)} {'index' if len(indices) == 1 else 'indices'}"
        yield _line(one["strategy"], name, f"{number}, {readable} readable, written: {one['write_index']}")
        for problem in one["problems"]:
            yield _line("problem", name, problem)


def _line(word: str, name: str, why: str) -> str:
    return one_line(f"{word:<18} {name}: {why}")


def one_line(text: str) -> str:
    """A text that may have come from elsewhere, as one line without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
