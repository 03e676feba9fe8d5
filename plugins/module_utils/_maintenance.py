# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""Rollover, lookback and retention of any number of index sets as one job, from one read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import (
    CONDITIONS,
    LOOKBACK,
    RETENTION,
    age_rule_of,
    checked_conditions,
    lookback_cutoff_of,
    retention_rule_of,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import ConfigurationError
from ansible_collections.tracestack.jaeger.plugins.module_utils._module import Job, Planner
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    RECORD_TYPES,
    DataStreamSet,
    IndexSet,
    check_date_separator,
    check_prefix,
    index_sets,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import (
    Plan,
    plan_lookback,
    plan_retention,
    plan_rollover,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import View

STRATEGIES = ("manual_rollover", "auto_rollover", "periodic", "data_stream")

# The options of one entry of index_sets, described in the doc fragment _maintenance.
ENTRY: dict[str, Any] = {
    "index_prefix": {"type": "str"},
    "record_types": {"type": "list", "elements": "str", "choices": list(RECORD_TYPES)},
    "archive": {"type": "bool", "default": False},
    "strategy": {"type": "str", "choices": list(STRATEGIES), "default": STRATEGIES[0]},
    "conditions": {"type": "dict", "options": CONDITIONS},
    "lookback": {"type": "dict", "options": LOOKBACK},
    "retention": {
        "type": "dict",
        "options": {**RETENTION, "include_dated": {"type": "bool", "default": False}},
    },
    "index_date_separator": {"type": "str", "default": "-"},
}


@dataclass
class _Steps:
    """What is to be done, while the entries are read one after the other."""

    rollover: dict[IndexSet, Planner] = field(default_factory=dict)
    lookback: dict[IndexSet, Planner] = field(default_factory=dict)
    clean: dict[IndexSet, Planner] = field(default_factory=dict)
    sizes: set[IndexSet] = field(default_factory=set)
    separators: dict[IndexSet, str] = field(default_factory=dict)


def maintenance_job(params: Mapping[str, Any], name: str = "index_sets") -> Job:
    """The job that the options ask for: index_sets, index_prefix and those of the doc fragments _age and _deletion.

    index_prefix is that of the entries which name none.
    """
    if not params[name]:
        raise ConfigurationError(f"{name} is empty: name at least one index set.")
    steps = _Steps()
    named = [entry["index_prefix"] is not None for entry in params[name]]
    if params["index_prefix"] is not None and any(named) and not all(named):
        raise ConfigurationError(
            f"{name}: some entries name a prefix and some do not, and index_prefix is {params['index_prefix']!r}: name it in "
            "each of them, or leave index_prefix out for those that have none."
        )
    for number, entry in enumerate(params[name]):
        prefix = params["index_prefix"] if entry["index_prefix"] is None else entry["index_prefix"]
        _add(steps, {**entry, "index_prefix": prefix}, params, f"{name}[{number}]")
    named_steps = {"rollover": steps.rollover, "lookback": steps.lookback, "clean": steps.clean}
    return Job(
        {name: step for name, step in named_steps.items() if step},
        births=bool(steps.rollover),
        sizes=frozenset(steps.sizes),
        separators=steps.separators,
    )


def _add(steps: _Steps, entry: Mapping[str, Any], params: Mapping[str, Any], name: str) -> None:
    """Add one entry's sets to the steps that it asks for."""
    _check(entry, name)
    sets = _sets(entry, name)
    if known := [index_set.base for index_set in sets if index_set in steps.separators]:
        raise ConfigurationError(
            f"{name}: {known[0]} was named before: each index set may stand in one entry only."
        )
    steps.separators.update(dict.fromkeys(sets, check_date_separator(entry["index_date_separator"])))
    if entry["conditions"] is not None:
        steps.rollover.update(dict.fromkeys(sets, _rollover(entry, name)))
    if entry["lookback"] is not None:
        steps.lookback.update(dict.fromkeys(sets, _lookback(entry, params, name)))
    if entry["retention"] is not None:
        steps.clean.update(dict.fromkeys(sets, _clean(entry, params, name)))
        steps.sizes.update(sets if entry["retention"]["max_size"] else ())


def _check(entry: Mapping[str, Any], name: str) -> None:
    """Refuse what does not go together."""
    if all(entry[step] is None for step in ("conditions", "lookback", "retention")):
        raise ConfigurationError(f"{name}: nothing to do: give conditions, lookback or retention.")
    strategy = entry["strategy"]
    if strategy in ("auto_rollover", "periodic") and entry["conditions"] is not None:
        raise ConfigurationError(
            f"{name}.conditions: with strategy {strategy} nothing is rolled over from here."
        )
    if strategy == "data_stream" and entry["lookback"] is not None:
        raise ConfigurationError(f"{name}.lookback: a data stream has no read alias to take anything out of.")


def _sets(entry: Mapping[str, Any], name: str) -> list[IndexSet]:
    try:
        prefix = check_prefix(entry["index_prefix"])
        if entry["strategy"] != "data_stream":
            return index_sets(prefix, entry["record_types"], entry["archive"])
    except ConfigurationError as wrong:
        raise ConfigurationError(f"{name}: {wrong}") from None
    if entry["archive"] or entry["record_types"] not in (None, ["span"]):
        raise ConfigurationError(
            f"{name}: Jaeger has a data stream of spans only: give record_types: [span]."
        )
    return [DataStreamSet(prefix, "span")]


def _rollover(entry: Mapping[str, Any], name: str) -> Planner:
    conditions = checked_conditions(entry["conditions"], f"{name}.conditions")

    def plan(view: View, _now: datetime) -> Plan:
        return plan_rollover(view, conditions)

    return plan


def _lookback(entry: Mapping[str, Any], params: Mapping[str, Any], name: str) -> Planner:
    cutoff = lookback_cutoff_of(entry["lookback"], f"{name}.lookback.")
    rule = age_rule_of(params)

    def plan(view: View, now: datetime) -> Plan:
        return plan_lookback(view, rule(now, cutoff(now)))

    return plan


def _clean(entry: Mapping[str, Any], params: Mapping[str, Any], name: str) -> Planner:
    retention = entry["retention"]
    if entry["strategy"] == "data_stream":  # what a data stream holds is always readable
        retention = {**retention, "only_unreadable": False}
    periodic = entry["strategy"] == "periodic"
    which = {"dated": periodic or retention["include_dated"], "generations": not periodic}
    rule = retention_rule_of(params, retention, f"{name}.retention.", **which)

    def plan(view: View, now: datetime) -> Plan:
        return plan_retention(view, rule(now))

    return plan
