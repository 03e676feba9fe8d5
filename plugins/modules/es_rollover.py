#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: es_rollover
short_description: Make the next generation of Jaeger's indices the write index
description:
  - Rolls the write alias of each index set over to a new index when one of O(conditions) is met, as C(jaeger-es-rollover rollover) does.
  - The new index gets the read alias in the same request, so that no span is ever written where it cannot be found.
  - The new index is named in the request, so that of two runs at the same time one rolls and the other finds it done.
  - In check mode the server itself is asked whether it would roll over.
version_added: 0.1.0
author:
  - tracestack contributors (@tracestack)
extends_documentation_fragment:
  - tracestack.jaeger._attributes
  - tracestack.jaeger._connection
  - tracestack.jaeger._index_set
attributes:
  idempotent:
    support: partial
    details:
      - The server evaluates O(conditions) anew in each run. With C(max_age=2d) a second run changes nothing, with C(max_age=0s) each
        run rolls over.
options:
  conditions:
    description:
      - When to roll over (Jaeger's C(--conditions)), in the server's own words. Any C(max_) condition is enough, all C(min_) conditions
        must hold. At least one is needed. With V(0s) for C(max_age) it always rolls over.
      - The C(min_) conditions and C(max_primary_shard_docs) need Elasticsearch 8. OpenSearch has neither these nor
        C(max_primary_shard_size).
      - Ages are a number and one of C(d), C(h), C(m), C(s), C(ms), C(micros), C(nanos), such as V(2d). Sizes are a number and one of
        C(b), C(kb), C(mb), C(gb), C(tb), C(pb), such as V(50gb).
    type: dict
    default:
      max_age: 2d
    suboptions:
      max_age: {description: Highest age of the write index., type: str}
      max_docs: {description: Highest number of documents. Nested ones are not counted., type: int}
      max_size: {description: Highest size of all primary shards together., type: str}
      max_primary_shard_size: {description: Highest size of the largest primary shard., type: str}
      max_primary_shard_docs: {description: Highest number of documents in the largest primary shard., type: int}
      min_age: {description: Lowest age of the write index., type: str}
      min_docs: {description: Lowest number of documents., type: int}
      min_size: {description: Lowest size of all primary shards together., type: str}
      min_primary_shard_size: {description: Lowest size of the largest primary shard., type: str}
      min_primary_shard_docs: {description: Lowest number of documents in the largest primary shard., type: int}
seealso:
  - module: tracestack.jaeger.es_lookback
  - module: tracestack.jaeger.es_index_cleaner
"""

EXAMPLES = r"""
- name: Roll over what is older than two days or larger than 50 GB
  tracestack.jaeger.es_rollover:
    server_urls: http://localhost:9200
    index_prefix: prod
    conditions:
      max_age: 2d
      max_size: 50gb

- name: Roll over, look back and clean with one connection
  module_defaults:
    group/tracestack.jaeger.jaeger:
      server_urls: https://search.example.org:9200
      username: jaeger
      password_file: /etc/jaeger/password
      index_prefix: prod
  block:
    - name: Roll over
      tracestack.jaeger.es_rollover:

    - name: Take what is older than a week out of sight
      tracestack.jaeger.es_lookback:
        unit: days
        unit_count: 7

    - name: Delete what is older than two weeks
      tracestack.jaeger.es_index_cleaner:
        days: 14
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order; also of a run that failed later.
  returned: always
  type: list
  elements: dict
  sample:
    - action: rollover
      index: prod-jaeger-span-000002
      old_index: prod-jaeger-span-000001
      alias: prod-jaeger-span-write
      why: its conditions are met
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
    CONDITIONS,
    ArgumentSpec,
    checked_conditions,
    connection_spec,
    index_set_spec,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._module import Job, run_module
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import check_prefix, index_sets
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import Plan, plan_rollover
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import View


def prepare(params: Mapping[str, Any]) -> Job:
    """Check the options; plan each set."""
    conditions = checked_conditions(params["conditions"])
    prefix = check_prefix(params["index_prefix"])

    def plan(view: View, _now: datetime) -> Plan:
        return plan_rollover(view, conditions)

    sets = index_sets(prefix, params["record_types"], params["archive"])
    return Job({"rollover": dict.fromkeys(sets, plan)}, births=True)


def main() -> None:
    """Entry point of the module."""
    own = ArgumentSpec({"conditions": {"type": "dict", "default": {"max_age": "2d"}, "options": CONDITIONS}})
    run_module("es_rollover", connection_spec().merge(index_set_spec()).merge(own), prepare)


if __name__ == "__main__":
    main()
