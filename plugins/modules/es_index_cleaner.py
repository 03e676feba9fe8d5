#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: es_index_cleaner
short_description: Delete old indices of Jaeger
description:
  - Deletes the indices that are too old, as C(jaeger-es-index-cleaner) does.
  - Names are parsed exactly. What is not a generation or a day of the set, such as C(prod-jaeger-span-000001-backup), is never touched.
  - A write index is never deleted, and neither is what is behind the read alias, unless O(only_unreadable=false). Dated indices
    usually are behind no alias.
version_added: 0.1.0
author:
  - tracestack contributors (@tracestack)
extends_documentation_fragment:
  - tracestack.jaeger._attributes
  - tracestack.jaeger._connection
  - tracestack.jaeger._index_set
  - tracestack.jaeger._age
  - tracestack.jaeger._deletion
options:
  days:
    description:
      - Delete what is older than so many days (the cleaner's first argument).
      - The cut-off is the coming midnight (UTC) minus so many days, as Jaeger reckons it.
      - At least one of O(days), O(max_size) and O(max_generations) is needed. Of several, whichever bites first counts.
    type: int
    aliases: [number_of_days]
  max_size:
    description:
      - Delete the oldest until the rest of an index set takes no more than this on disk, replicas included.
      - A number and one of C(b), C(kb), C(mb), C(gb), C(tb), C(pb), such as V(500gb).
    type: str
    version_added: 0.2.0
  max_generations:
    description: Delete all but so many of the newest generations (or dated indices) of an index set.
    type: int
    version_added: 0.2.0
  min_generations:
    description: So many of the newest are always kept, whatever the limits say. The write index is kept even with V(0).
    type: int
    default: 0
    version_added: 0.2.0
  strategy:
    description:
      - V(manual_rollover) deletes generations, such as C(prod-jaeger-span-000001) (the cleaner's C(--rollover)).
      - V(periodic) deletes dated indices, such as C(prod-jaeger-span-2026-05-30) or, one an hour, C(prod-jaeger-span-2026-05-30-07). The
        index of the current day or hour is the write index.
    type: str
    choices: [manual_rollover, periodic]
    default: manual_rollover
  index_date_separator:
    description: What stands between year, month and day in the names of dated indices (Jaeger's C(--index-date-separator)).
    type: str
    default: "-"
  only_unreadable:
    description: Delete only what is out of the read alias. Run M(tracestack.jaeger.es_lookback) first.
    type: bool
    default: true
seealso:
  - module: tracestack.jaeger.es_lookback
"""

EXAMPLES = r"""
- name: Delete what was written more than two weeks ago
  tracestack.jaeger.es_index_cleaner:
    server_urls: http://localhost:9200
    index_prefix: prod
    days: 14

- name: Keep no more than 500 GB, never fewer than three generations, and a snapshot of what goes
  tracestack.jaeger.es_index_cleaner:
    server_urls: http://localhost:9200
    index_prefix: prod
    record_types: [span]
    max_size: 500gb
    min_generations: 3
    snapshot_repository: backup

- name: Delete old dated indices
  tracestack.jaeger.es_index_cleaner:
    server_urls: http://localhost:9200
    index_prefix: prod
    strategy: periodic
    days: 14
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order; also of a run that failed later.
  returned: always
  type: list
  elements: dict
  sample:
    - action: delete_index
      index: prod-jaeger-span-000001
      why: older than the cut-off 2026-05-28T00:00:00Z
      index_prefix: prod
      record_type: span
kept:
  description: Indices that were considered and left alone, each with the reason.
  returned: always
  type: list
  elements: dict
  sample:
    - index: prod-jaeger-span-000007
      record_type: span
      reason: still being written
failures:
  description: The index sets that failed, each with its message. The other sets were still worked on.
  returned: always
  type: list
  elements: dict
  sample: []
cluster:
  description: Who answered.
  returned: success
  type: dict
  sample: {distribution: elasticsearch, version: 7.17.1}
index_sets:
  description:
    - The state of each index set afterwards (predicted in check mode).
    - Instants are ISO 8601 in UTC, null for what is not known yet.
  returned: success
  type: list
  elements: dict
  contains:
    index_prefix: {description: The prefix; empty for none., type: str, returned: success}
    record_type: {description: The record type., type: str, returned: success}
    read_alias: {description: Name of the read alias., type: str, returned: success}
    write_alias: {description: Name of the write alias., type: str, returned: success}
    write_index: {description: The index behind the write alias., type: str, returned: success}
    indices:
      description:
        - The indices of the set, in the order in which they stopped being written; what is still written is last.
        - C(readable_until) is when one that was brought back may be hidden again.
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
trace_id:
  description: The trace that the run was exported as.
  returned: if O(otlp_endpoint) is given and the parent, if there is one, is sampled
  type: str
  sample: 0af7651916cd43dd8448eb211c80319c
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import (
    RETENTION,
    RETENTION_LIMITS,
    ArgumentSpec,
    age_spec,
    connection_spec,
    deletion_spec,
    index_set_spec,
    retention_rule_of,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._module import Job, run_module
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    check_date_separator,
    check_prefix,
    index_sets,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import Plan, plan_retention
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import View


def prepare(params: Mapping[str, Any]) -> Job:
    """Check the options; plan each set by what it may keep."""
    prefix = check_prefix(params["index_prefix"])
    separator = check_date_separator(params["index_date_separator"])
    dated = params["strategy"] == "periodic"
    rule = retention_rule_of(params, params, dated=dated, generations=not dated)

    def plan(view: View, now: datetime) -> Plan:
        return plan_retention(view, rule(now))

    sets = index_sets(prefix, params["record_types"], params["archive"])
    return Job(
        {"clean": dict.fromkeys(sets, plan)},
        sizes=frozenset(sets if params["max_size"] else ()),
        separators=dict.fromkeys(sets, separator),
    )


def main() -> None:
    """Entry point of the module."""
    own = ArgumentSpec(
        {
            **RETENTION,
            "strategy": {
                "type": "str",
                "choices": ["manual_rollover", "periodic"],
                "default": "manual_rollover",
            },
            "index_date_separator": {"type": "str", "default": "-"},
        },
        required_one_of=(RETENTION_LIMITS,),
    )
    spec = connection_spec().merge(index_set_spec()).merge(age_spec()).merge(deletion_spec()).merge(own)
    run_module("es_index_cleaner", spec, prepare)


if __name__ == "__main__":
    main()
