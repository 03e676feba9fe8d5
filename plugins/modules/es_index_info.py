#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: es_index_info
short_description: Tell what indices Jaeger has and what is wrong with them
description:
  - Lists the index sets of one prefix, or of all prefixes that there are, with their generations, aliases, documents and sizes.
  - Says in plain words what is wrong with a set, if anything is.
version_added: 0.1.0
author:
  - tracestack contributors (@tracestack)
extends_documentation_fragment:
  - tracestack.jaeger._attributes.info
  - tracestack.jaeger._connection
  - tracestack.jaeger._maintenance
  - tracestack.jaeger._age
  - tracestack.jaeger._deletion
options:
  index_prefix:
    description:
      - Only the index sets of this prefix.
      - If it is left out, all prefixes that are found, and the indices without a prefix.
      - It is the prefix of the entries of O(index_sets) too, where none of them names one.
    type: str
  index_sets:
    description:
      - What M(tracestack.jaeger.es_maintenance) is told every night, in the same words. Then each of these sets is returned with what its
        next run would do (RV(index_sets[].next)). Nothing is changed.
    version_added: 0.2.0
seealso:
  - module: tracestack.jaeger.es_rollover_init
  - module: tracestack.jaeger.es_maintenance
"""

EXAMPLES = r"""
- name: Look at the indices of Jaeger
  tracestack.jaeger.es_index_info:
    server_urls: http://localhost:9200
  register: jaeger

- name: Ask what tonight's maintenance would do
  tracestack.jaeger.es_index_info:
    server_urls: http://localhost:9200
    index_prefix: prod
    index_sets:
      - index_prefix: prod
        conditions: {max_age: 1d}
        lookback: {unit: days, unit_count: 7}
        retention: {days: 14}

- name: Stop if anything is wrong
  ansible.builtin.assert:
    that: jaeger.index_sets | sum(attribute='problems', start=[]) | length == 0
"""

RETURN = r"""
cluster:
  description: Who answered.
  returned: success
  type: dict
  sample: {distribution: elasticsearch, version: 7.17.1}
index_sets:
  description: The index sets, by prefix and record type. Instants are ISO 8601 in UTC.
  returned: success
  type: list
  elements: dict
  contains:
    index_prefix: {description: The prefix; empty for none., type: str, returned: success}
    record_type: {description: The record type., type: str, returned: success}
    strategy:
      description:
        - V(manual_rollover) where the set has generations or a write alias, V(auto_rollover) where its write index is marked as
          such, V(data_stream) for one, else V(periodic).
      type: str
      returned: success
    read_alias: {description: Name of the read alias., type: str, returned: success}
    write_alias: {description: Name of the write alias., type: str, returned: success}
    write_index: {description: The index behind the write alias., type: str, returned: success}
    next:
      description: What the next maintenance would do with the set, and what it would leave alone; where O(index_sets) names it.
      type: dict
      returned: if asked for
      sample:
        actions:
          - action: rollover
            index: prod-jaeger-span-000002
            old_index: prod-jaeger-span-000001
            alias: prod-jaeger-span-write
            why: its conditions are met
        kept: []
        failures: []
    problems:
      description: What is wrong with the set, a sentence each.
      type: list
      elements: str
      returned: success
      sample: [prod-jaeger-span-000003 is written but not behind the read alias prod-jaeger-span-read]
    problem_kinds:
      description:
        - The kind of each of RV(index_sets[].problems), in the same order. Programs can rely on these words.
        - V(index_in_place_of_alias), V(no_write_index), V(write_index_not_readable), V(generation_hidden),
          V(older_generation_written), V(blocked), V(closed), V(red) or V(held_by_alias).
      type: list
      elements: str
      returned: success
      sample: [write_index_not_readable]
    indices:
      description:
        - The indices of the set, in the order in which they stopped being written; what is still written is last.
        - C(docs) counts nested documents too, C(size_bytes) is the size on disk. C(held_by) are the aliases of others that keep a
          hidden index from being deleted. C(readable_until) is when one that was brought back may be hidden again.
      type: list
      elements: dict
      returned: success
      sample:
        - index: prod-jaeger-span-000001
          generation: 1
          created: "2026-06-01T15:47:13.273Z"
          written_until: "2026-06-03T00:05:00.120Z"
          readable: true
          readable_until: null
          age_seconds: 86400
          health: yellow
          docs: 13
          size_bytes: 19251
          held_by: []
trace_id:
  description: The trace that the run was exported as.
  returned: if O(otlp_endpoint) is given and the parent, if there is one, is sampled
  type: str
  sample: 0af7651916cd43dd8448eb211c80319c
"""

from datetime import datetime
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import (
    ArgumentSpec,
    age_spec,
    connection_spec,
    deletion_spec,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._connection import Cluster
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import (
    AuthenticationFailedError,
    ConfigurationError,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._maintenance import ENTRY, maintenance_job
from ansible_collections.tracestack.jaeger.plugins.module_utils._module import (
    Job,
    Module,
    Report,
    Run,
    clear_errors,
    connection_options,
    describe,
    traced,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    ALL_RECORD_TYPES,
    DataStreamSet,
    IndexSet,
    check_prefix,
    find_index_set,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import (
    Problem,
    held_back,
    problems,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import State, View, view


def sets_in(state: State) -> list[IndexSet]:
    """The index sets that the names of indices and aliases belong to, in order of prefix and record type."""
    names = [name for index in state.indices.values() for name in (index.name, *index.aliases)]
    found = {
        index_set for name in names if (index_set := find_index_set(name)) and _possible(index_set.prefix)
    }
    return sorted(found, key=lambda one: (one.prefix, ALL_RECORD_TYPES.index(one.record_type), one.base))


def _possible(prefix: str) -> bool:
    """Whether Jaeger could run with this prefix; the backing indices of a data stream look as if it had one."""
    try:
        return not prefix or bool(check_prefix(prefix))
    except ConfigurationError:
        return False


def look(cluster: Cluster, prefix: str | None) -> list[View]:
    """All index sets of a prefix (None: of all prefixes)."""
    patterns = ["*jaeger-*", "*jaeger.spans"]
    if prefix is not None:
        patterns = [f"{prefix}-jaeger-*" if prefix else "jaeger-*", DataStreamSet(prefix, "span").pattern]
    try:
        state = cluster.read(patterns)
    except AuthenticationFailedError:  # somebody who may not ask for data streams may ask for indices
        patterns = patterns[:1]
        state = cluster.read(patterns)
    if state.indices:
        state = cluster.read_sizes(state, patterns)
    sets = [index_set for index_set in sets_in(state) if prefix in (None, index_set.prefix)]
    return [view(part, index_set, cluster.info.clock) for index_set, part in state.split(sets).items()]


def tell(one: View, clock: datetime, ignored_aliases: tuple[str, ...] = ()) -> dict[str, Any]:
    """An index set as the module returns it; clock is the server's."""
    told = describe(one)
    held = held_back(one, ignored_aliases)
    for entry, member in zip(told["indices"], one.members):
        entry["age_seconds"] = max(0, int((clock - member.index.created).total_seconds()))
        entry["health"] = member.index.health
        entry["docs"] = member.index.docs
        entry["size_bytes"] = member.index.size
        entry["held_by"] = held.get(member.index.name, [])
    return {**told, "strategy": _strategy(one), **_tell_problems(problems(one, ignored_aliases))}


def _tell_problems(found: list[Problem]) -> dict[str, list[str]]:
    return {"problems": [one.text for one in found], "problem_kinds": [one.kind for one in found]}


def _strategy(one: View) -> str:
    if isinstance(one.index_set, DataStreamSet):
        return "data_stream"
    if not (one.generations or one.write_index or one.concrete):
        return "periodic"
    flagged = one.write_index is not None and one.write_index.aliases[one.index_set.write_alias]
    return "auto_rollover" if flagged else "manual_rollover"


def main() -> None:
    """Entry point of the module."""
    entries = {"type": "list", "elements": "dict", "options": ENTRY}
    own = ArgumentSpec({"index_prefix": {"type": "str"}, "index_sets": entries})
    spec = connection_spec().merge(age_spec()).merge(deletion_spec()).merge(own)
    module = Module(spec)
    with clear_errors(module):
        options = connection_options(module)
        prefix = module.params["index_prefix"]
        if prefix is not None:
            check_prefix(prefix)
        job = maintenance_job(module.params) if module.params["index_sets"] else None
        report, foretold = Report(), Report()
        with traced("es_index_info", module, options, report, job.index_sets if job else []) as trace:
            cluster = Cluster(options, trace)
            with trace.span("look"):
                ignored = tuple(module.params["ignored_aliases"])
                told = [tell(one, cluster.info.clock, ignored) for one in look(cluster, prefix)]
            if job is not None:
                with trace.span("foretell"):
                    Run(cluster, job, True, foretold).execute()
                tell_next(told, job, foretold)
        for warning in foretold.warnings:
            module.warn(warning)
    info = {"distribution": cluster.info.distribution, "version": cluster.info.version}
    module.exit_json(changed=False, cluster=info, index_sets=told, **report.trace)


def tell_next(told: list[dict[str, Any]], job: Job, report: Report) -> None:
    """Add to each set of the job what a maintenance run would do with it, and the sets that were not found."""
    known = {one["read_alias"]: one for one in told}
    for index_set, state in report.after.items():
        if index_set.read_alias not in known:
            one = job.view(state, index_set)
            known[index_set.read_alias] = {**describe(one), "strategy": _strategy(one), **_tell_problems([])}
            told.append(known[index_set.read_alias])
        whose = {"index_prefix": index_set.prefix, "record_type": index_set.record_type}
        known[index_set.read_alias]["next"] = {
            name: [entry for entry in found if whose.items() <= entry.items()]
            for name, found in (
                ("actions", report.actions),
                ("kept", report.kept),
                ("failures", report.failures),
            )
        }


if __name__ == "__main__":
    main()
