# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of a cluster for tests of pure functions, written as short as they are thought."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import IndexSet
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import Index, State

NOW = datetime(2026, 6, 10, 15, 30, 45, 500000, UTC)
SPAN = IndexSet("prod", "span")
SERVICE = IndexSet("prod", "service")


def index(name: str, age: timedelta, *aliases: str, flag: bool | None = None) -> Index:
    """An index that was created so long before NOW."""
    return Index(name, NOW - age, {alias: flag if alias.endswith("-write") else None for alias in aliases})


def generations(
    index_set: IndexSet, *ages: timedelta, readable: tuple[int, ...] = (), write: int = 0
) -> State:
    """Generations 1, 2, … of these ages. readable and write name generations; write 0 is the last one."""
    write = write or len(ages)
    indices = []
    for number, age in enumerate(ages, 1):
        aliases = [index_set.read_alias] if number in readable or number == write else []
        aliases += [index_set.write_alias] if number == write else []
        indices.append(index(index_set.generation_name(number), age, *aliases))
    return State({}).put(*indices)
