# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What es_index_info tells of clusters of any size, made by the module's own functions from states without a server.

For what no test can store: 30,000 indices, and names that Elasticsearch refuses but somebody's proxy might send.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._maintenance import maintenance_job
from ansible_collections.tracestack.jaeger.plugins.module_utils._module import Report
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import IndexSet
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import Index, State, view
from ansible_collections.tracestack.jaeger.plugins.modules.es_index_info import tell, tell_next

NOW = datetime(2026, 11, 25, 14, 36, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def entry(prefix: str, types: list[str] | None = None, **rules: Any) -> dict[str, Any]:
    """One of index_sets, as the module has it when its defaults are in it."""
    lookback = {"unit": "days", "unit_count": 7}
    retention = {
        "days": 14,
        "max_size": None,
        "max_generations": None,
        "min_generations": 0,
        "only_unreadable": True,
        "include_dated": False,
    }
    return {
        "index_prefix": prefix,
        "record_types": types,
        "archive": False,
        "strategy": "manual_rollover",
        "conditions": {"max_age": "1d", "max_size": "50gb"},
        "lookback": lookback,
        "retention": retention,
        "index_date_separator": "-",
        **rules,
    }


def indices(index_set: IndexSet, count: int, dice: random.Random, every: timedelta = DAY) -> list[Index]:
    """Generations of a healthy set, the last seven days readable; sizes grow and have weekends."""
    found = []
    scale = dice.uniform(0.5, 4) * {"span": 2**30, "service": 2**19}.get(index_set.record_type, 2**15)
    for number in range(1, count + 1):
        born = NOW - every * (count - number) - timedelta(hours=14, minutes=dice.randrange(30))
        aliases: dict[str, bool | None] = {}
        if every * (count - number) <= 7 * DAY:
            aliases[index_set.read_alias] = None
        if number == count:
            aliases[index_set.write_alias] = None
        weekend = 0.35 if born.weekday() > 4 else 1
        part = 0.6 if number == count else 1
        size = int(scale * weekend * part * dice.uniform(0.85, 1.15) * (1 + number / count))
        name = index_set.generation_name(number)
        found.append(Index(name, born, aliases, size=size, docs=size // 400, health="green"))
    return found


def told(
    prefixes: dict[str, int],
    entries: list[dict[str, Any]] | None = None,
    types: tuple[str, ...] = ("span", "service", "dependencies"),
    seed: int = 7,
) -> dict[str, Any]:
    """What the report knows of a host with these prefixes, with so many generations for each record type."""
    dice = random.Random(seed)
    sets = [IndexSet(prefix, kind) for prefix in prefixes for kind in types]
    state = State({}).put(*(one for s in sets for one in indices(s, prefixes[s.prefix], dice)))
    return of_state(state, sets, [entry(prefix) for prefix in prefixes] if entries is None else entries)


def of_state(state: State, sets: list[IndexSet], entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The same for a state: the module's listing, and what its planners say, without asking conditions of a server."""
    parts = state.split(sets)
    found = [tell(view(part, one, NOW), NOW) for one, part in parts.items()]
    asked = {
        "server_urls": ["http://127.0.0.1:9200"],
        "index_prefix": None,
        "index_sets": entries,
        "age_from": "written",
        "service_cache_ttl": "12h",
        "snapshot_repository": None,
        "ignored_aliases": [],
        "snapshot_timeout": 3600,
    }
    if entries:
        job = maintenance_job(asked)
        report = Report(after={one: part for one, part in parts.items() if one in job.index_sets})
        for step in job.steps.values():
            for one, planner in step.items():
                plan = planner(job.view(report.after[one], one, NOW), NOW)
                whose = {"index_prefix": one.prefix, "record_type": one.record_type}
                report.kept += [{"index": k.index, "reason": k.reason, **whose} for k in plan.kept]
                for action in plan.actions:
                    report.actions += [{**each, **whose} for each in action.describe()]
                    report.after[one] = action.predict(report.after[one])
        tell_next(found, job, report)
    cluster = {"distribution": "elasticsearch", "version": "7.17.1"}
    return {
        "info": {"changed": False, "cluster": cluster, "index_sets": found},
        "listing": None,
        "asked": asked,
    }
